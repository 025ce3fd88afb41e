/* report/words.c -- see sections.h: counts, durations, notes, commands. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/format.h"
#include "base/memory.h"
#include "report/sections.h"

void words_count(char out[WORDS], int64_t count)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%" PRId64, count);
    const size_t sign = digits[0] == '-', length = strlen(digits);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > sign && (length - i) % 3 == 0) out[used++] = ',';
        out[used++] = digits[i];
    }
    out[used] = '\0';
}

void words_duration(char out[WORDS], double seconds)
{
    format_duration(out, WORDS, seconds);
}

void words_figure(char out[WORDS], int decimals, double value)
{
    if (fabs(value) >= 1e6)
        format_write(out, WORDS, "%.3g", value);
    else
        format_write(out, WORDS, "%.*f", decimals, value);
}

void words_epoch(char out[WORDS], double epoch)
{
    static const double near = 1e-6; /* of an end, as run_state_find has it */
    out[0] = '\0';
    if (!isfinite(epoch)) return;
    if (fabs(epoch) >= 1e12)
        format_write(out, WORDS, "%.4g", epoch);
    else if (fabs(epoch - round(epoch)) <= near)
        format_write(out, WORDS, "%.0f", epoch);
    else
        format_write(out, WORDS, "%.2f", floor(100 * (epoch + near)) / 100);
}

const char *words_run(const struct report *report, const struct report_run *run, char out[256])
{
    out[0] = '\0';
    if (report->count > 1) snprintf(out, 256, "%.250s: ", run->name);
    return out;
}

void words_test_set(struct text *out, const struct report_run *run)
{
    const struct json_value *data = judged_member(&run->judged, "data"),
                            *table = judged_member(&run->judged, "test_features_file"),
                            *images = judged_member(&run->judged, "test_images"),
                            *classes = judged_member(&run->judged, "classes");
    char *name = words_of_json(data ? data : table), count[WORDS];
    out->failed |= !name;
    text_add(out, "%s", name && name[0] ? name : "a set without a name");
    memory_free(name);
    if (!json_is(images, JSON_INTEGER)) return;
    words_count(count, images->integer);
    text_add(out, ", %s test images", count);
    if (json_is(classes, JSON_INTEGER)) text_add(out, " in %" PRId64 " classes", classes->integer);
}

void words_note(struct page *page, const char *class_name, const char *what, const char *advice)
{
    char attributes[64];
    format_write(attributes, sizeof attributes, "class=\"note %s\"", class_name);
    page_open(page, "div", attributes);
    page_element(page, "p", NULL, "%s", what);
    if (advice && advice[0]) page_element(page, "p", "class=\"muted\"", "%s", advice);
    page_close(page);
}

char *words_of_json(const struct json_value *value)
{
    char *text = memory_string(json_is(value, JSON_STRING) ? value->string : "");
    if (!text || !strstr(text, "\\x")) return text;
    char *plain = memory_string(text);
    const size_t length = plain ? escape_undo(plain, strlen(plain)) : (size_t)-1;
    if (length == (size_t)-1) {
        memory_free(plain);
        return text;
    }
    plain[length] = '\0';
    memory_free(text);
    return plain;
}

void words_missing(struct page *page, const char *what, const char *command, const char *const paths[3])
{
    struct text line = {0};
    for (const char *at = command; *at != '\0'; at++) {
        if (*at >= '1' && *at <= '3' && at > command && at[-1] == '<' && at[1] == '>')
            text_add_shell(&line, paths[*at - '1']);
        else if (*at != '<' && *at != '>')
            text_add_bytes(&line, at, 1);
    }
    if (line.failed) page->html.failed = true;
    page_paragraph(page, "%s", what);
    page_open(page, "pre", NULL);
    page_element(page, "code", NULL, "%s", line.bytes ? line.bytes : "");
    page_close(page);
    text_free(&line);
}

void words_judge(struct page *page, const struct report_run *run, const char *what, const char *command)
{
    if (run->encoder)
        words_missing(page, what, command, (const char *const[3]){run->encoder, run->path});
    else
        page_paragraph(page, "%s It takes an encoder, and there is none here.", what);
}
