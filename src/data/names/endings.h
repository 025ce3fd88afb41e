/* data/names/endings.h -- what the end of a file name says: a picture that is read, one that is not, or neither. */
#ifndef DATA_ENDINGS_H
#define DATA_ENDINGS_H

#include <stdbool.h>

/* The ending of a picture of a format that this program does not read, with its dot and in small letters; NULL where
 * the name has none of those. In any case of letters, in every locale. */
const char *ending_of_unread(const char *name);

/* Whether `text` is `ending`, which is in small letters, in any case of ASCII letters and in every locale. */
bool ending_is(const char *text, const char *ending);

/* ".jpg, .jpeg, ... or .webp", for sentences. */
const char *endings_read(void);

#endif
