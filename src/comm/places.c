/* comm/places.c -- see places.h. */
#include "comm/places.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

#ifndef SIMCLR_PLUGIN_FOLDER
#define SIMCLR_PLUGIN_FOLDER ""
#endif
#ifndef SIMCLR_PLUGIN_FROM_PROGRAM
#define SIMCLR_PLUGIN_FROM_PROGRAM "../lib/simclr"
#endif

void places_free(struct places *places)
{
    for (int i = 0; i < places->count; i++) memory_free(places->folder[i]);
    *places = (struct places){0};
}

/* Takes the string over. */
static void add(struct places *places, char *folder)
{
    bool known = !folder || folder[0] == '\0';
    for (int i = 0; !known && i < places->count; i++) known = strcmp(places->folder[i], folder) == 0;
    if (known)
        memory_free(folder);
    else
        places->folder[places->count++] = folder;
}

/* Cuts the last name off. */
static void go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash) *(slash == path ? slash + 1 : slash) = '\0';
}

/* The folder that lies so from the file's: new string, NULL without memory. */
static char *seen_from(const char *file, const char *way)
{
    char *folder = memory_string(file), *there;
    if (!folder) return NULL;
    for (go_up(folder); strncmp(way, "../", 3) == 0; way += 3) go_up(folder);
    if (way[0] == '\0') return folder;
    there = file_join(folder, way);
    memory_free(folder);
    return there;
}

void places_of(struct places *out, const char *program, const char *library)
{
    *out = (struct places){0};
    if (library) {
        add(out, seen_from(library, ""));
        add(out, seen_from(library, "simclr"));
    }
    if (program) add(out, seen_from(program, ""));
    if (program && !library) add(out, seen_from(program, SIMCLR_PLUGIN_FROM_PROGRAM));
    add(out, memory_string(SIMCLR_PLUGIN_FOLDER));
}

/* The shared library that this code is in; false: it is in the program, or the system does not say. */
static bool find_library(char path[PATH_MAX])
{
    static const char here = 0;
    Dl_info info;
    struct link_map *map = NULL;
    if (!dladdr1(&here, &info, (void **)&map, RTLD_DL_LINKMAP) || !map) return false;
    return map->l_name && strchr(map->l_name, '/') && realpath(map->l_name, path);
}

void places_here(struct places *out)
{
    char program[PATH_MAX], library[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    const bool apart = find_library(library);
    if (length > 0) program[length] = '\0';
    places_of(out, length > 0 ? program : NULL, apart ? library : NULL);
}
