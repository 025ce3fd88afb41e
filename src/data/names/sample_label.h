/* data/names/sample_label.h -- the label that a small file beside an image says: WebDataset's `cls` and `json`. */
#ifndef DATA_SAMPLE_LABEL_H
#define DATA_SAMPLE_LABEL_H

#include <stddef.h>

#include "base/error.h"

enum { SAMPLE_LABEL_MAX = 256 };

/* `text` of one line: a number or a name. SIMCLR_CORRUPT for anything else. Of both a byte order mark is no part. */
int sample_label_of_cls(const char *text, size_t count, char label[SAMPLE_LABEL_MAX]);

/* The first of the keys `cls`, `label`, `class` of a JSON object whose value is an integer or a string; without one, or
 * for JSON of another kind, the label is empty. SIMCLR_CORRUPT for what is no JSON, SIMCLR_NO_MEMORY. */
int sample_label_of_json(const char *text, size_t count, char label[SAMPLE_LABEL_MAX]);

#endif
