/* explore/choice.h -- which images to label next, in order. */
#ifndef EXPLORE_CHOICE_H
#define EXPLORE_CHOICE_H

#include "explore/collection.h"

/* How rows are chosen:
 *   typical    k-means on unit rows with as many clusters as there will be labels (at most CHOICE_CLUSTERS_MOST): from
 *              the clusters with the fewest labels, larger ones first, the row that is nearest to the centre and is
 *              not labelled (Hacohen, Dekel & Weinshall 2022, "Active Learning on a Budget", with the medoid for the
 *              densest point)
 *   diverse    the row that is farthest from all that are labelled or chosen (Sener & Savarese 2018: farthest first);
 *              the first one, where nothing is labelled, is the nearest to the mean
 *   uncertain  the row with the smallest margin between the two most probable classes of a classifier of the labelled
 *              rows, one of each cluster as above in turn
 *   random     a permutation from the seed
 *   auto       typical below CHOICE_FEW_LABELS labels of each class, in the mean, and where classes are not known; then
 *              uncertain */
enum choice_strategy { CHOICE_AUTO, CHOICE_TYPICAL, CHOICE_DIVERSE, CHOICE_UNCERTAIN, CHOICE_RANDOM };
enum { CHOICE_CLUSTERS_MOST = 500, CHOICE_FEW_LABELS = 20 };
const char *choice_word(enum choice_strategy strategy);
enum choice_strategy choice_of_word(const char *word); /* of --strategy */

/* What is labelled already. Release with labelled_free. */
struct labelled {
    int32_t *label; /* [rows]: -1 not labelled, -2 labelled as nobody knows what, else its class */
    int64_t count;  /* rows that are labelled */
    int classes;    /* that they are of; 0: not known */
};
/* Reads a list of names (base/lines.h), each with a tab and its class behind it or without; there the collection's own
 * labels are taken. `path` empty: nothing is labelled. SIMCLR_DATA: a name that no row has or that stands there twice.
 */
int labelled_read(struct labelled *out, const struct collection *collection, const char *path, struct error *error);
/* The same of a text [bytes] with a NUL behind it, which is changed; NULL: nothing is labelled. `path` is for messages.
 */
int labelled_parse(struct labelled *out, const struct collection *collection, const char *path, char *text,
                   size_t bytes, struct error *error);
void labelled_free(struct labelled *labelled);

struct choice_args {
    int64_t count; /* rows that are asked for */
    enum choice_strategy strategy;
    uint64_t seed;
    const double *untypical; /* [rows]: of each cluster the least comes first; NULL: squared distance to its centre */
};
/* Release with choice_free. */
struct choice {
    enum choice_strategy strategy; /* that was taken: never CHOICE_AUTO */
    int64_t count;                 /* fewer than asked for where no more are unlabelled */
    int64_t *rows;                 /* [count], the most useful first */
};
/* SIMCLR_DATA: everything is labelled; SIMCLR_INVALID: uncertain without labels of two classes. The result depends on
 * the backend, not on the number of threads. */
int choice_make(struct choice *out, const struct collection *collection, const struct labelled *labelled,
                const struct choice_args *args, struct error *error);
void choice_free(struct choice *choice);

#endif
