/* evaluate/label_share.h -- which of the training images lend their labels to fine-tuning: `--labels`. */
#ifndef EVALUATE_LABEL_SHARE_H
#define EVALUATE_LABEL_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "data/dataset.h"

/* spec: "10%" (a class-balanced share drawn from seed), "5/class" (so many of each class, or all that it has), or a
 * text file that names one image a line, as its path or the end of it (the official ImageNet lists have only file
 * names; what follows a tab is ignored). *out: new block of *count dataset numbers, sorted (memory_free).
 * SIMCLR_INVALID: the text is neither; SIMCLR_DATA: an image of the list is not in the data set, or the set has no
 * labels. */
int label_share_choose(const struct dataset *dataset, const char *spec, uint64_t seed, uint32_t **out, uint32_t *count,
                       struct error *error);
/* Says of N/class which classes have fewer images, all of which are labelled then; of another spec nothing. */
void label_share_say_few(const struct dataset *dataset, const char *spec, const struct log *log);
/* Does it name a file: is it neither a share nor a number of each class? */
bool label_share_is_list(const char *spec);

#endif
