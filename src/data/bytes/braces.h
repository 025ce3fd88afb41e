/* data/bytes/braces.h -- shard-{000..099}.tar and {train,val}-{0..9}.tar, as shells and WebDataset write them. */
#ifndef DATA_BRACES_H
#define DATA_BRACES_H

#include "base/error.h"
#include "base/file.h"

enum { BRACES_MAX = 100000 };

/* All names that `pattern` stands for, in its order (release with file_list_free): {A..B} counts up or down, with as
 * many digits as the longer of A and B if one of them begins with a zero; {x,y,z} are alternatives. SIMCLR_INVALID for
 * braces that do not close or nest, or for more than BRACES_MAX names. */
int braces_expand(const char *pattern, struct file_list *out, struct error *error);

#endif
