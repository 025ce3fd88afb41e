/* loader/grouping.h -- which views of a batch share their batch-norm statistics.
 *
 * A batch of N images falls into groups of n images each. Of each image a group has view A, view B or both: n views A
 * and n views B together. Image i of the batch has its view A in group i / n. Its view B is in the same group, or,
 * shuffled, in group i mod (N / n). Shuffled, the two views of an image share a group no more often than chance has it.
 * The rule depends on the image's place alone.
 *
 * Rows of views go by groups: first all of group 0, its views A before its views B, then all of group 1. */
#ifndef LOADER_GROUPING_H
#define LOADER_GROUPING_H

#include <stdbool.h>

struct grouping {
    int images; /* of the batch */
    int group;  /* images of a group, which divide those of the batch; 0: the batch is one group */
    bool shuffled;
};

static inline int grouping_size(const struct grouping *grouping)
{
    return grouping->group > 0 ? grouping->group : grouping->images;
}

static inline int grouping_count(const struct grouping *grouping)
{
    return grouping->images / grouping_size(grouping);
}

/* The image whose view (0: A, 1: B) is the k-th of that view in `group`. */
static inline int grouping_image(const struct grouping *grouping, int group, int view, int k)
{
    return grouping->shuffled && view == 1 ? k * grouping_count(grouping) + group : group * grouping_size(grouping) + k;
}

/* The row of an image's view, by groups. */
static inline int grouping_row(const struct grouping *grouping, int view, int image)
{
    const int size = grouping_size(grouping), count = grouping_count(grouping);
    const bool spread = grouping->shuffled && view == 1;
    const int group = spread ? image % count : image / size, k = spread ? image / count : image % size;
    return group * 2 * size + view * size + k;
}

#endif
