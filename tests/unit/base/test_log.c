/* A tee: every line to both sinks, in their order, from any level; a sink that drops everything is passed over. */
#include "support/run.h"

#include "base/log.h"

struct kept {
    char text[256];
    const char *name;
};

static void keep(void *cookie, enum log_level level, const char *line)
{
    struct kept **kept = cookie;
    char part[64];
    snprintf(part, sizeof part, "%s%d:%s;", kept[1]->name, (int)level, line);
    strcat(kept[0]->text, part);
}

static void both_get_every_line(void **state)
{
    (void)state;
    struct kept all = {.text = ""}, a = {.name = "a"}, b = {.name = "b"};
    struct kept *first[] = {&all, &a}, *second[] = {&all, &b};
    struct log_tee inner, outer;
    const struct log log = log_tee(&inner, (struct log){keep, first}, (struct log){keep, second});
    log_info(&log, "%d", 7);
    log_warning(&log, "x");
    assert_string_equal(all.text, "a1:7;b1:7;a2:x;b2:x;");
    all.text[0] = '\0';
    const struct log nested = log_tee(&outer, (struct log){0}, log);
    log_debug(&nested, "y");
    assert_string_equal(all.text, "a0:y;b0:y;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_get_every_line)};
    return run_cases(tests, NULL, NULL);
}
