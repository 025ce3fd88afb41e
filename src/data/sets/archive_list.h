/* data/sets/archive_list.h -- the archives that lie in a folder, and in folders in it whose names are those of parts.
 */
#ifndef DATA_ARCHIVE_LIST_H
#define DATA_ARCHIVE_LIST_H

#include "base/error.h"
#include "data/names/parts.h"
#include "data/names/passed.h"

/* What a file is by its ending. A folder is told by names: its archives are opened, and looked at, later. */
enum archive_ending { ARCHIVE_NONE, ARCHIVE_TAR, ARCHIVE_OTHER /* .zip, .tgz, .tar.gz, .tar.zst */ };
enum archive_ending archive_ending_of(const char *name);

/* Which names are wanted. */
typedef bool archive_filter(const char *name);

/* Release with archive_list_free. */
struct archive_list {
    struct listed_archive {
        char *path;
        enum part_word word; /* of the folder that it lies in, or its own */
    } * archive;             /* sorted by path */
    int count, room;
    bool has[PART_TEST + 1]; /* by word */
    bool other;              /* there are images, or folders that could hold some */
    int unwanted;            /* archives that the filter refused, but for ImageNet's, */
    char *first_unwanted;    /* and the path of one */
};

/* Hidden names are passed over, as is ImageNet's devkit where it is unpacked. On failure the list is empty. */
int archive_list_read(struct archive_list *out, const char *path, archive_filter *wanted, struct error *error);
void archive_list_free(struct archive_list *list);

/* Whether there are a training and a test part. */
bool archive_list_is_divided(const struct archive_list *list);
/* The word of the part that is tested on: that of validation where there is no test part. */
enum part_word archive_list_test_word(const struct archive_list *list);

/* Counts the archives in the folder `path` that no part takes; `test` is the word of the test part. Those of the other
 * word for it, validation or test, are counted with the test part, all others with the training part. */
void archive_list_pass_over(const struct archive_list *list, const char *path, int part, enum part_word test,
                            struct passed *passed);

#endif
