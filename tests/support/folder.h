/* support/folder.h -- a folder of its own for a test program: make_folder and remove_folder are its group's set-up and
 * tear-down. */
#ifndef SUPPORT_FOLDER_H
#define SUPPORT_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

static char folder[] = "/tmp/simclr_test_XXXXXX"; /* mkdtemp fills in the end */

static inline int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static inline int remove_folder(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

#endif
