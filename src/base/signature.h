/* base/signature.h -- what a file is that is not what it should be: one table, by first bytes and by endings. */
#ifndef BASE_SIGNATURE_H
#define BASE_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIGNATURE_BYTES = 512 }; /* that are enough to tell */

struct signature {
    const char *what;       /* "a 7-Zip archive": goes on after "this is " */
    const char *as_set;     /* what to do where a data set was expected; NULL: it may be one, a list of images */
    const char *as_picture; /* what to do where a picture was expected */
    bool picture;
    const char *as_weights; /* what to do where weights were expected; NULL: nothing more than giving others */
};

/* What begins with these bytes (all of a file, or at least SIGNATURE_BYTES of it), or NULL. What the program reads as a
 * set (tar, zip, gzip, zstd) is not in the table: a caller tries that first. Pictures that it reads are, for where a
 * set is wanted. */
const struct signature *signature_find(const uint8_t *bytes, size_t count);

/* The same by the ending of a name, in any case of letters; NULL: the table does not know it. For names alone: a file
 * that can be read is told by its bytes. */
const struct signature *signature_of_name(const char *name);

#endif
