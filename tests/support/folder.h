/* support/folder.h -- a folder of its own for a test program: make_folder and remove_folder are its group's set-up and
 * tear-down, at() gives paths in it. */
#ifndef SUPPORT_FOLDER_H
#define SUPPORT_FOLDER_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char folder[] = "/tmp/simclr_test_XXXXXX"; /* mkdtemp fills in the end */

static inline int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

/* With all that is in it, whatever the rights. */
static inline int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "chmod -R u+rwx '%s' && rm -rf '%s'", folder, folder);
    return system(command);
}

/* A path in the folder, in one of a few buffers used in turn. */
static inline const char *at(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline const char *at(const char *format, ...)
{
    static char paths[8][512];
    static int turn;
    char *path = paths[turn++ % 8];
    va_list arguments;
    va_start(arguments, format);
    const int used = snprintf(path, sizeof paths[0], "%s/", folder);
    vsnprintf(path + used, sizeof paths[0] - (size_t)used, format, arguments);
    va_end(arguments);
    return path;
}

#endif
