/* config/lookup.c -- options and commands by name, and hints for a name that is none. */
#include <stdio.h>
#include <string.h>

#include "config/config.h"

static char plain(char c)
{
    return c == '_' ? '-' : c;
}

static bool same_name(const char *a, const char *b)
{
    while (*a && plain(*a) == plain(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

const struct option_row *option_find(const char *name, enum command command)
{
    for (int i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        if (option_of(row, command) && same_name(row->name, name)) return row;
    }
    return NULL;
}

/* Edits (insert, delete, replace, swap neighbours) that turn a into b; `b` is an option name, so short. */
static int edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    int rows[3][LONGEST + 1];
    const int m = (int)strnlen(a, LONGEST), n = (int)strnlen(b, LONGEST);
    int *before = rows[0], *last = rows[1], *now = rows[2];

    for (int j = 0; j <= n; j++) last[j] = j;
    for (int i = 1; i <= m; i++) {
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            int best = last[j - 1] + (plain(a[i - 1]) != plain(b[j - 1]));
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) && plain(a[i - 2]) == plain(b[j - 1]) &&
                before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = best;
        }
        int *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[n];
}

/* Whether `name` is one of the words of "lr|base-lr". */
static bool is_word_of(const char *words, const char *name)
{
    for (const char *word = words; word; word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL) {
        const char *a = word, *b = name;
        while (*b && *a != '|' && plain(*a) == plain(*b)) {
            a++;
            b++;
        }
        if (*b == '\0' && b > name && (*a == '|' || *a == '\0')) return true;
    }
    return false;
}

/* How far `name` may be from what it is taken for: a third of its length. The beginning of a name is no distance away:
 * --learning is --learning-rate. */
static int distance_to(const char *name, const char *option)
{
    const size_t length = strlen(name);
    bool begins = length >= 3;
    for (size_t i = 0; begins && i < length; i++) begins = plain(name[i]) == plain(option[i]);
    return begins ? 0 : edit_distance(name, option);
}

static int accepted_distance(const char *name)
{
    const int third = (int)strnlen(name, 64) / 3;
    return third > 1 ? third : 1;
}

static const char *option_nearest(const char *name, enum command command)
{
    const char *nearest = NULL;
    int least = accepted_distance(name) + 1;

    for (int i = 0; i < config_option_count; i++) {
        if (!option_of(&config_options[i], command)) continue;
        const int distance = distance_to(name, config_options[i].name);
        if (distance >= least) continue;
        least = distance;
        nearest = config_options[i].name;
    }
    return nearest;
}

const char *option_hint(const char *name, enum command command, enum hint_for where, char out[HINT_TEXT])
{
    const char *before = where == HINT_COMMAND_LINE ? "--" : "\"", *after = where == HINT_COMMAND_LINE ? "" : "\"";

    for (int i = 0; i < config_option_count; i++) {
        if (!is_word_of(config_options[i].elsewhere, name)) continue;
        const struct option_row *row = option_find(config_options[i].name, command);
        if (!row)
            snprintf(out, HINT_TEXT, "here it is %s%s%s, which is not an option of %s", before, config_options[i].name,
                     after, command_name(command));
        else if (row->argument && where == HINT_COMMAND_LINE)
            snprintf(out, HINT_TEXT, "here it is --%s %s", row->name, row->argument);
        else
            snprintf(out, HINT_TEXT, "here it is %s%s%s", before, row->name, after);
        return out;
    }
    const char *nearest = option_nearest(name, command);
    if (nearest) snprintf(out, HINT_TEXT, "the nearest is %s%s%s", before, nearest, after);
    return nearest ? out : NULL;
}

const char *option_type_name(enum option_type type)
{
    switch (type) {
    case OPTION_STRING:
        return "text";
    case OPTION_LIST:
        return "list";
    case OPTION_INTEGER:
        return "integer";
    case OPTION_NUMBER:
        return "number";
    case OPTION_BOOLEAN:
        return "boolean";
    case OPTION_CHOICE:
        return "choice";
    case OPTION_BYTES:
        return "size";
    case OPTION_DURATION:
        return "time";
    case OPTION_RGB:
        return "r,g,b";
    }
    return "text";
}

const char *command_hint(const char *name, char out[HINT_TEXT])
{
    int nearest = -1, least = accepted_distance(name) + 1;

    for (int i = 0; i < COMMAND_COUNT; i++) {
        const struct command_row *row = &config_commands[i];
        if (is_word_of(row->elsewhere, name)) {
            snprintf(out, HINT_TEXT, "here it is \"%s\"", row->name);
            return out;
        }
        const int distance = distance_to(name, row->name);
        if (distance >= least) continue;
        least = distance;
        nearest = i;
    }
    if (nearest < 0) return NULL;
    snprintf(out, HINT_TEXT, "the nearest is \"%s\"", config_commands[nearest].name);
    return out;
}
