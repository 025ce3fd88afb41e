/* base/cgroup.c -- see cgroup.h. */
#include "base/cgroup.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096, LINE_BYTES = 3 * PATH_BYTES };

/* What limits one resource: the files of both versions. */
struct controller {
    const char *name; /* as version 1 calls it */
    void (*read)(const char *folder, bool version2, struct cgroup_limits *limits);
};

/* ---- the files of a group ---- */

/* A file's first line; false: there is none. */
static bool read_line(const char *folder, const char *name, char line[128])
{
    char path[PATH_BYTES + 64];
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = length > 0 && length < (int)sizeof path ? fopen(path, "re") : NULL;
    const bool read = file && fgets(line, 128, file);
    if (file) fclose(file);
    return read;
}

/* The word "max" and version 1's -1 mean none. */
static void read_bytes(const char *folder, const char *name, struct cgroup_limits *limits)
{
    char line[128], *end;
    if (!read_line(folder, name, line) || line[0] < '0' || line[0] > '9') return;
    const unsigned long long bytes = strtoull(line, &end, 10);
    if (end != line && bytes > 0 && bytes < limits->memory) limits->memory = bytes;
}

static void read_memory(const char *folder, bool version2, struct cgroup_limits *limits)
{
    if (!version2) {
        read_bytes(folder, "memory.limit_in_bytes", limits);
        return;
    }
    read_bytes(folder, "memory.max", limits);
    read_bytes(folder, "memory.high", limits);
}

static void read_processors(const char *folder, bool version2, struct cgroup_limits *limits)
{
    char line[128], period[128] = "", *end;
    long long quota, each;
    if (!read_line(folder, version2 ? "cpu.max" : "cpu.cfs_quota_us", line) || line[0] < '0' || line[0] > '9') return;
    quota = strtoll(line, &end, 10);
    if (version2)
        each = strtoll(end, NULL, 10);
    else
        each = read_line(folder, "cpu.cfs_period_us", period) ? strtoll(period, NULL, 10) : 0;
    if (quota > 0 && each > 0 && (double)quota / (double)each < limits->processors)
        limits->processors = (double)quota / (double)each;
}

static const struct controller controllers[] = {{"memory", read_memory}, {"cpu", read_processors}};
enum { CONTROLLERS = sizeof controllers / sizeof *controllers };

/* ---- which groups ---- */

static bool has_word(const char *list, size_t length, const char *word)
{
    const size_t wanted = strlen(word);
    for (const char *at = list, *end = list + length; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const size_t span = (size_t)((comma ? comma : end) - at);
        if (span == wanted && memcmp(at, word, span) == 0) return true;
        at += span + 1;
    }
    return false;
}

/* The path of this process's group in a hierarchy: "0::/user.slice" of version 2, "4:cpu,cpuacct:/job" of version 1. */
static bool group_of(const char *root, const struct controller *controller, bool version2, char path[PATH_BYTES])
{
    char line[LINE_BYTES];
    bool found = false;
    snprintf(line, sizeof line, "%.*s/proc/self/cgroup", PATH_BYTES, root);
    FILE *file = fopen(line, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        char *names = strchr(line, ':'), *group = names ? strchr(++names, ':') : NULL;
        if (!group) continue;
        found = version2 ? strncmp(line, "0::", 3) == 0 : has_word(names, (size_t)(group - names), controller->name);
        line[strcspn(line, "\n")] = '\0';
        if (found) snprintf(path, PATH_BYTES, "%.*s", PATH_BYTES - 1, group + 1);
    }
    if (file) fclose(file);
    return found;
}

/* mountinfo writes spaces, tabs, line ends and backslashes as \ooo. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; to++) {
        const bool code = at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
                          at[3] >= '0' && at[3] <= '7';
        *to = code ? (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0')) : *at;
        at += code ? 4 : 1;
    }
    *to = '\0';
}

/* The part of `group` below `top`; NULL: it lies elsewhere, as a process sees it whose groups have a name space. */
static const char *below(const char *group, const char *top)
{
    const size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strncmp(group, top, length) != 0 || (group[length] != '/' && group[length] != '\0')) return NULL;
    return strstr(group, "/..") ? NULL : group + length;
}

/* Of the folder `mount` + `group`, and of each one above it up to `mount`. */
static void read_upwards(const struct controller *controller, bool version2, const char *mount, const char *group,
                         struct cgroup_limits *limits)
{
    char folder[2 * PATH_BYTES];
    const int length = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (length < 0 || length >= (int)sizeof folder) return;
    for (const size_t least = strlen(mount); strlen(folder) >= least;) {
        controller->read(folder, version2, limits);
        char *slash = strrchr(folder, '/');
        if (!slash || slash == folder) return;
        *slash = '\0';
    }
}

/* One line: "36 35 98:0 /root /mount options [optional fields] - type source super-options". */
static void read_mount(const char *root, char *line, struct cgroup_limits *limits)
{
    char *field[6], *rest = line, mount[2 * PATH_BYTES], group[PATH_BYTES];
    char *kind = strstr(line, " - ");
    if (!kind) return;
    *kind = '\0';
    kind += 3;
    for (int i = 0; i < 6; i++)
        if (!(field[i] = strsep(&rest, " "))) return;
    const char *type = strsep(&kind, " "), *source = strsep(&kind, " "), *options = kind;
    const bool version2 = strcmp(type, "cgroup2") == 0;
    if (!source || !options || (!version2 && strcmp(type, "cgroup") != 0)) return;
    unescape(field[3]);
    unescape(field[4]);
    snprintf(mount, sizeof mount, "%.*s%.*s", PATH_BYTES - 1, root, PATH_BYTES - 1, field[4]);
    for (int i = 0; i < CONTROLLERS; i++) {
        const bool here = version2 || has_word(options, strcspn(options, "\n"), controllers[i].name);
        const char *part = NULL;
        if (!here) continue;
        if (group_of(root, &controllers[i], version2, group)) part = below(group, field[3]);
        read_upwards(&controllers[i], version2, mount, part ? part : "", limits);
    }
}

struct cgroup_limits cgroup_limits(const char *root)
{
    struct cgroup_limits limits = {.memory = UINT64_MAX, .processors = INFINITY};
    char line[LINE_BYTES];
    snprintf(line, sizeof line, "%.*s/proc/self/mountinfo", PATH_BYTES, root);
    FILE *file = fopen(line, "re");
    while (file && fgets(line, sizeof line, file)) read_mount(root, line, &limits);
    if (file) fclose(file);
    /* Where containers find their own, whatever is said about mounts. */
    snprintf(line, sizeof line, "%.*s/sys/fs/cgroup", PATH_BYTES, root);
    for (int i = 0; i < CONTROLLERS; i++) {
        char folder[LINE_BYTES + 16];
        controllers[i].read(line, true, &limits);
        snprintf(folder, sizeof folder, "%s/%s", line, controllers[i].name);
        controllers[i].read(folder, false, &limits);
    }
    return limits;
}
