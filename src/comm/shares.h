/* comm/shares.h -- which images of a batch a rank has: a pure function of numbers that all ranks know.
 *
 * A batch has `images` images, in groups of `group` whose views share batch-norm statistics. The order of images, and
 * so the batch, is the same for any number of ranks:
 *  - ranks <= groups: rank r has the whole groups [groups r / ranks, groups (r + 1) / ranks);
 *  - ranks > groups: ranks / groups ranks share each group, rank k of them its images [group k / them, group (k + 1) /
 *    them).
 * One group, the usual case, is the second one; or the first, for one rank. */
#ifndef COMM_SHARES_H
#define COMM_SHARES_H

#include "base/error.h"

struct shares {
    int images, group; /* group: divides images */
    int ranks;
};

/* Images [first, first + count) of the batch. */
struct share {
    int first, count;
};

/* SIMCLR_INVALID, with the numbers that would do: fewer images than ranks, groups that do not divide the images or the
 * ranks, a rank that would have no image. */
int shares_check(const struct shares *shares, struct error *error);
/* Of shares that were checked. Counts differ by one image, or by one group, at most. */
struct share shares_of(const struct shares *shares, int rank);
/* The groups that a rank has images of: [first, first + count). */
struct share shares_groups(const struct shares *shares, int rank);

#endif
