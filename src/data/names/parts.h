/* data/names/parts.h -- which folders of a set are its training part and its test part: one decision, for folders, tar
 * and zip archives, and shards alike. */
#ifndef DATA_PARTS_H
#define DATA_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum part_word { PART_NONE, PART_TRAIN, PART_VALIDATION, PART_TEST };

/* What a name of `length` bytes says: train, training; val, valid, validation; test, testing; their letters in any
 * case, whatever the locale. */
enum part_word part_word_of(const char *name, size_t length);

/* What the name of an archive says: it begins with train, val or test, or has one of the words above between characters
 * that are no letters (imagenet1k-validation-07.tar). */
enum part_word part_word_of_file(const char *name);

enum { PARTS_MAX = 24, PART_NAME_MAX = 16 /* the longest word, and its NUL */ };

/* What lies at the top of a set, and what follows. Start from {0}; parts_add and the flags, then parts_decide. */
struct parts {
    struct part_folder {
        char name[PART_NAME_MAX];
        enum part_word word;
        bool nested;   /* it has folders with images */
        bool labelled; /* a file says the labels of its images */
    } folder[PARTS_MAX];
    int folders;
    bool others;        /* folders of other names have images, */
    bool others_nested; /* and folders with images in them */
    /* The decision: places in `folder`, -1: there is none. Without a training part the set is not divided. */
    int train, test;
};

/* The folder of that name, which is new or was added before; NULL: the name is no word, or there are too many. */
struct part_folder *parts_add(struct parts *parts, const char *name, size_t length);

/* Decides, by what was added, in whatever order that was:
 * - Without a folder whose name means training there are no parts: all folders are classes.
 * - With one, and one that means validation or test, these two are the parts.
 * - Training alone: it is the only part if no other folder has images, or if it has folders and the others have none.
 *   Else it is a class called train.
 * - Of validation and test, test is taken, unless validation has better labels: those of a file before folders, and
 *   folders before none.
 * - Of several words for one thing: the first in the list above, in small letters if there is one. */
void parts_decide(struct parts *parts);

/* SIMCLR_DATA: the set at `path` is divided, and has no test part. */
int parts_refuse(const struct parts *parts, const char *path, struct error *error);

#endif
