/* data/bytes/braces.c -- see braces.h. */
#include "data/bytes/braces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { DIGITS_MAX = 9 };

/* A piece of a pattern: text, or one pair of braces. */
struct group {
    const char *begin; /* after the brace */
    size_t length;
    bool range;
    long first, last;
    int digits; /* 0: as many as it takes */
    long choices;
};

static bool read_number(const char *text, size_t length, long *value)
{
    if (length == 0 || length > DIGITS_MAX) return false;
    *value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        *value = 10 * *value + (text[i] - '0');
    }
    return true;
}

static bool read_group(struct group *group, const char *open)
{
    const char *close = strchr(open, '}');
    group->begin = open + 1;
    if (close == NULL || memchr(open + 1, '{', (size_t)(close - open - 1)) != NULL) return false;
    group->length = (size_t)(close - open - 1);
    group->range = false;
    for (size_t i = 0; i + 1 < group->length; i++)
        if (group->begin[i] == '.' && group->begin[i + 1] == '.') {
            const size_t rest = group->length - i - 2;
            if (!read_number(group->begin, i, &group->first) || !read_number(group->begin + i + 2, rest, &group->last))
                return false;
            const bool padded = (i > 1 && group->begin[0] == '0') || (rest > 1 && group->begin[i + 2] == '0');
            group->digits = padded ? (int)(i > rest ? i : rest) : 0;
            group->range = true;
            group->choices = labs(group->last - group->first) + 1;
            return true;
        }
    group->choices = 1;
    for (size_t i = 0; i < group->length; i++) group->choices += group->begin[i] == ',';
    return group->length > 0;
}

/* The text of a choice, as a part of the pattern or written into `number`. */
static const char *choice_of(const struct group *group, long choice, char number[16], size_t *length)
{
    if (group->range) {
        const long value = group->first + (group->last < group->first ? -choice : choice);
        *length = (size_t)snprintf(number, 16, "%0*ld", group->digits, value);
        return number;
    }
    const char *begin = group->begin, *end = begin + group->length;
    for (; choice > 0; choice--) begin = (const char *)memchr(begin, ',', (size_t)(end - begin)) + 1;
    const char *comma = memchr(begin, ',', (size_t)(end - begin));
    *length = (size_t)((comma == NULL ? end : comma) - begin);
    return begin;
}

/* Replaces each name by what its first braces stand for. */
static int expand_first(const struct file_list *names, struct file_list *out, const char *pattern, struct error *error)
{
    struct group group;
    long total = 0;
    for (size_t i = 0; i < names->count; i++) { /* all have the same braces */
        if (!read_group(&group, strchr(names->names[i], '{')))
            return error_set(error, SIMCLR_INVALID, "%s: write braces as {000..099} or {a,b}", pattern);
        total += group.choices;
        if (total > BRACES_MAX)
            return error_set(error, SIMCLR_INVALID, "%s: stands for more than %d names", pattern, BRACES_MAX);
    }
    out->names = memory_array((size_t)total, sizeof *out->names);
    if (out->names == NULL) return error_no_memory(error, "a list of files", (size_t)total * sizeof *out->names);
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->names[i];
        read_group(&group, strchr(name, '{'));
        const size_t head = (size_t)(group.begin - name) - 1;
        const char *tail = group.begin + group.length + 1;
        for (long c = 0; c < group.choices; c++) {
            char number[16];
            size_t length;
            const char *text = choice_of(&group, c, number, &length);
            char *full = memory_allocate(head + length + strlen(tail) + 1);
            if (full == NULL) return error_no_memory(error, "a path", head + length + strlen(tail) + 1);
            memcpy(full, name, head);
            memcpy(full + head, text, length);
            memcpy(full + head + length, tail, strlen(tail) + 1);
            out->names[out->count++] = full;
        }
    }
    return SIMCLR_OK;
}

int braces_expand(const char *pattern, struct file_list *out, struct error *error)
{
    *out = (struct file_list){.names = memory_array(1, sizeof *out->names)};
    char *copy = memory_string(pattern);
    if (out->names == NULL || copy == NULL) {
        memory_free(copy);
        file_list_free(out);
        return error_no_memory(error, "a path", strlen(pattern) + 1);
    }
    out->names[out->count++] = copy;
    while (strchr(out->names[0], '{') != NULL) {
        struct file_list longer = {0};
        const int status = expand_first(out, &longer, pattern, error);
        file_list_free(out);
        *out = longer;
        if (status != SIMCLR_OK) {
            file_list_free(out);
            return status;
        }
    }
    return SIMCLR_OK;
}
