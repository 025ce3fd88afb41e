/* report/predicted.h -- predictions.npz, as `simclr evaluate` wrote it: what was said of each test image. */
#ifndef REPORT_PREDICTED_H
#define REPORT_PREDICTED_H

#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "data/bytes/blob.h"

struct predicted {
    int64_t count;
    int classes;
    int32_t *labels;         /* [count] */
    int32_t *best;           /* [count] the class that is predicted; within the classes */
    float *probabilities;    /* [count] of it */
    char names[DIGEST_TEXT]; /* SHA-256 of the images' names, each with its NUL */
};

/* *out is empty where there is no such file. SIMCLR_CORRUPT: it is none of ours, or damaged; SIMCLR_IO,
 * SIMCLR_NO_MEMORY.
 */
int predicted_read(struct predicted *out, const char *path, struct error *error);
/* That of the file that lies beside an evaluation.json. */
int predicted_read_beside(struct predicted *out, const char *evaluation, struct error *error);
/* The same of bytes; `path` is for sentences. */
int predicted_parse(struct predicted *out, const struct blob *blob, const char *path, struct error *error);
void predicted_free(struct predicted *predicted);

#endif
