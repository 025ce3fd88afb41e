/* data/names/passed.h -- what a set has and does not take: files and folders that were passed over, counted by reason.
 * Every kind of set fills the one of its catalog, so that nothing is left out silently. */
#ifndef DATA_PASSED_H
#define DATA_PASSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

enum passed_reason {
    PASSED_OTHER,      /* files that are no pictures */
    PASSED_FORMAT,     /* pictures of a format that is not read, by their names */
    PASSED_HIDDEN,     /* names that passed_is_hidden knows; a folder counts as one, what is in it is not looked at */
    PASSED_OUTSIDE,    /* images beside the folders of the parts, and archives beside those of the parts */
    PASSED_LABEL,      /* label files that no image has, or that are not used because folders are the classes */
    PASSED_BAD_LABEL,  /* label files beside an image that cannot be read: it has no label */
    PASSED_MEMBER,     /* members of an archive that are only links: to pictures, labels, folders */
    PASSED_SPECIAL,    /* devices, sockets and the like that are named like pictures */
    PASSED_LOOP,       /* links to folders whose images are taken already */
    PASSED_LINK,       /* links to folders beyond the limit of links */
    PASSED_DEEP,       /* folders deeper than the limit */
    PASSED_UNREADABLE, /* folders that may not be listed */
    PASSED_RUN,        /* folders of a run of this program */
    PASSED_SHEET,      /* sheets that this program drew */
    PASSED_REASONS
};

enum { PASSED_EXAMPLE = 96, PASSED_ENDING = 12, PASSED_ENDINGS = 12 };

/* A value; start from {0}. */
struct passed {
    int64_t count[PASSED_REASONS];
    char example[PASSED_REASONS][PASSED_EXAMPLE]; /* the first name of each reason, its end where it is long */
    struct passed_ending {                        /* of PASSED_FORMAT, in the order of finding */
        char text[PASSED_ENDING];                 /* with its dot, in small letters; "" ends them */
        int64_t count;
    } ending[PASSED_ENDINGS]; /* what has no place here is counted with its reason only */
};

/* Counts one. */
void passed_add(struct passed *passed, enum passed_reason reason, const char *name);
/* Counts a file that is not taken for an image: as a picture of another format, or as another file. */
void passed_add_file(struct passed *passed, const char *name);
void passed_add_many(struct passed *passed, enum passed_reason reason, int64_t count, const char *name);
/* Adds the counts of `more`. */
void passed_merge(struct passed *passed, const struct passed *more);

int64_t passed_total(const struct passed *passed);
/* Whether pictures are among them that people may miss. */
bool passed_matters(const struct passed *passed);

/* "4 pictures of formats that are not read (3 .heic, 1 .gif), 2 files that are no pictures", or nothing. */
void passed_describe(const struct passed *passed, struct text *text);
/* The counts under the names of their reasons, those that are not 0, and the endings. */
void passed_json(const struct passed *passed, struct text *text, const char *key);

/* One line in the log, where there is something to say: a warning where passed_matters. `path` is of the set. */
void passed_say(const struct passed *passed, const char *path, const struct log *log);

/* SIMCLR_DATA and a sentence for a set without images, with what there is instead. */
int passed_no_images(const struct passed *passed, const char *path, struct error *error);

/* Whether a component of a path is passed over: hidden names, __MACOSX, and WebDataset's metadata (__name__). */
bool passed_is_hidden(const char *component, size_t length);

/* Whether what was read from a file can be one: counts are not negative, and texts end. */
bool passed_is_sound(const struct passed *passed);

#endif
