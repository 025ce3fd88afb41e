/* comm/shares.c -- see shares.h. */
#include "comm/shares.h"

#include <stdint.h>

/* Part `part` of `parts` of `whole`. */
static struct share divide(int whole, int part, int parts)
{
    const int first = (int)((int64_t)whole * part / parts), end = (int)((int64_t)whole * (part + 1) / parts);
    return (struct share){first, end - first};
}

static int groups_of(const struct shares *shares)
{
    return shares->images / shares->group;
}

/* The nearest numbers of ranks that `groups` groups can be spread over. */
static int refuse_ranks(int groups, int ranks, struct error *error)
{
    const int below = ranks / groups * groups;
    return error_set(error, SIMCLR_INVALID,
                     "%d statistics groups do not divide among %d ranks: start 1 to %d, %d or %d ranks", groups, ranks,
                     groups, below, below + groups);
}

int shares_check(const struct shares *shares, struct error *error)
{
    const int images = shares->images, group = shares->group, ranks = shares->ranks;
    if (images < 1 || ranks < 1 || group < 1 || group > images)
        return error_set(error, SIMCLR_INVALID, "a batch of %d images in groups of %d cannot be shared by %d ranks",
                         images, group, ranks);
    if (images < ranks)
        return error_set(error, SIMCLR_INVALID,
                         "--batch is %d, fewer than the %d ranks: give --batch %d or more, or start %d ranks or fewer",
                         images, ranks, ranks, images);
    if (images % group != 0)
        return error_set(error, SIMCLR_INVALID,
                         "--batch %d does not divide into groups of %d images: give --batch %d or %d", images, group,
                         images / group * group, (images / group + 1) * group);
    if (ranks > groups_of(shares) && ranks % groups_of(shares) != 0)
        return refuse_ranks(groups_of(shares), ranks, error);
    return SIMCLR_OK;
}

struct share shares_groups(const struct shares *shares, int rank)
{
    const int groups = groups_of(shares), ranks = shares->ranks;
    if (ranks <= groups) return divide(groups, rank, ranks);
    return (struct share){rank / (ranks / groups), 1};
}

struct share shares_of(const struct shares *shares, int rank)
{
    const struct share groups = shares_groups(shares, rank);
    const int sharing = shares->ranks / groups_of(shares); /* 0 or 1: groups are whole */
    if (sharing <= 1) return (struct share){groups.first * shares->group, groups.count * shares->group};
    const struct share part = divide(shares->group, rank % sharing, sharing);
    return (struct share){groups.first * shares->group + part.first, part.count};
}
