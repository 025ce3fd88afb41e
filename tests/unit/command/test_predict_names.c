/* Names on a pipe: each is given as soon as its line is whole, and lists may be escaped. */
#include "support/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/predict/names.h"

struct pipe_of {
    int in, out;
    struct names names;
};

static void open_pipe(struct pipe_of *p)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    p->out = ends[0];
    p->in = ends[1];
    assert_int_equal(names_open(&p->names, p->out, (struct stop){0}, NULL), SIMCLR_OK);
}

static void close_pipe(struct pipe_of *p)
{
    names_close(&p->names);
    close(p->out);
    if (p->in >= 0) close(p->in);
}

static void put(struct pipe_of *p, const char *text, size_t count)
{
    assert_int_equal(write(p->in, text, count), (ssize_t)count);
}

static void end(struct pipe_of *p)
{
    close(p->in);
    p->in = -1;
}

static void next_is(struct pipe_of *p, const char *want)
{
    const char *name;
    struct error error;
    if (names_next(&p->names, &name, &error)) fail_msg("%s", error.text);
    if (want)
        assert_string_equal(name, want);
    else
        assert_null(name);
}

/* The next line is not written before the answer to this one: a reader that asked for more would never return. */
static void a_line_is_given_at_once(void **state)
{
    (void)state;
    struct pipe_of p;
    open_pipe(&p);
    alarm(20); /* it would wait for ever */
    put(&p, "one\n", 4);
    next_is(&p, "one");
    put(&p, "two.png\tdog\nthr", 15); /* a line and a part of one */
    next_is(&p, "two.png");
    put(&p, "ee \r\n\n\n  \nfour", 14);
    next_is(&p, "three");
    end(&p);
    next_is(&p, "four"); /* without an end of line; blank lines are passed over */
    assert_int_equal(p.names.number, 7);
    next_is(&p, NULL);
    next_is(&p, NULL);
    alarm(0);
    close_pipe(&p);
}

static void lists_may_be_escaped(void **state)
{
    (void)state;
    static const char marked[] = "#simclr-list 1\na\\nb\\xff\\\\\n", plain[] = "\xEF\xBB\xBF#simclr-list 2\na\\nb\n";
    struct pipe_of p;
    open_pipe(&p);
    put(&p, marked, sizeof marked - 1);
    end(&p);
    next_is(&p, "a\nb\xff\\");
    next_is(&p, NULL);
    close_pipe(&p);
    open_pipe(&p);
    put(&p, plain, sizeof plain - 1);
    end(&p);
    next_is(&p, "#simclr-list 2");
    next_is(&p, "a\\nb");
    next_is(&p, NULL);
    close_pipe(&p);
}

static void what_is_no_name_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
        const char *said;
    } wrong[] = {{"a\0b\n", 4, "line 1 has a NUL"}, {"#simclr-list 1\n\\q\n", 18, "standard input:2"}};
    const char *name;
    struct error error;
    struct pipe_of p;
    for (int i = 0; i < 2; i++) {
        open_pipe(&p);
        put(&p, wrong[i].text, wrong[i].count);
        end(&p);
        assert_int_equal(names_next(&p.names, &name, &error), SIMCLR_DATA);
        if (!strstr(error.text, wrong[i].said)) fail_msg("%s", error.text);
        close_pipe(&p);
    }
    /* A line as long as may be, and one byte more. */
    char *line = malloc(NAMES_LONGEST + 2);
    assert_non_null(line);
    memset(line, 'x', NAMES_LONGEST + 1);
    for (int more = 0; more < 2; more++) {
        FILE *file = tmpfile();
        assert_non_null(file);
        line[NAMES_LONGEST + more] = '\n';
        fwrite(line, 1, (size_t)NAMES_LONGEST + (size_t)more + 1, file);
        rewind(file);
        struct names names;
        assert_int_equal(names_open(&names, fileno(file), (struct stop){0}, NULL), SIMCLR_OK);
        assert_int_equal(names_next(&names, &name, &error), more ? SIMCLR_DATA : SIMCLR_OK);
        if (more) assert_non_null(strstr(error.text, "line 1 is longer than 65536 bytes"));
        if (!more) assert_int_equal(strlen(name), NAMES_LONGEST);
        line[NAMES_LONGEST] = 'x';
        names_close(&names);
        fclose(file);
    }
    free(line);
}

static void waiting_ends_when_asked(void **state)
{
    (void)state;
    atomic_int asked;
    atomic_init(&asked, 1);
    const char *name;
    struct error error;
    struct pipe_of p;
    open_pipe(&p);
    p.names.stop.flag = &asked;
    alarm(20);
    assert_int_equal(names_next(&p.names, &name, &error), SIMCLR_INTERRUPTED);
    alarm(0);
    close_pipe(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_given_at_once),
        cmocka_unit_test(lists_may_be_escaped),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(waiting_ends_when_asked),
    };
    return run_cases(tests, NULL, NULL);
}
