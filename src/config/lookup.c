/* config/lookup.c -- options and commands by name, and the nearest to a name that is none. */
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

const char *option_nearest(const char *name, enum command command)
{
    const char *nearest = "recipe";
    int least = edit_distance(name, nearest);

    for (int i = 0; i < config_option_count; i++) {
        if (!option_of(&config_options[i], command)) continue;
        const int distance = edit_distance(name, config_options[i].name);
        if (distance >= least) continue;
        least = distance;
        nearest = config_options[i].name;
    }
    return nearest;
}

const char *option_type_name(enum option_type type)
{
    switch (type) {
    case OPTION_STRING:
        return "text";
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
    case OPTION_RGB:
        return "r,g,b";
    }
    return "text";
}

const char *command_nearest(const char *name)
{
    int nearest = 0;

    for (int i = 1; i < COMMAND_COUNT; i++) {
        if (edit_distance(name, config_commands[i].name) < edit_distance(name, config_commands[nearest].name))
            nearest = i;
    }
    return config_commands[nearest].name;
}
