/* forecast/forecast.c -- see forecast.h. */
#include "forecast/forecast.h"

static const double rectangle = 1.5; /* products of a part of the anchors, against its share of the whole */

static const double way_back = 2. / 3; /* of both passes: it has twice the products */

static double message_seconds(const struct traffic_item *item, const struct link_speed *link)
{
    return (double)item->delays * link->delay + item->bytes / link->bytes_per_second;
}

/* The sums end `waiting` of their seconds after each point of the way back, at the earliest. */
static double overlapped_seconds(const struct traffic *traffic, double sums, double backward)
{
    double end = backward;
    for (int i = 0; i <= TRAFFIC_POINTS; i++) {
        const double at = backward * i / TRAFFIC_POINTS + sums * traffic->waiting[i];
        if (at > end) end = at;
    }
    return backward + sums - end;
}

void forecast_make(struct forecast *out, const struct forecast_measured *measured, const struct shares *shares,
                   const struct traffic *traffic, const struct link_speed *link)
{
    const double all = shares->images, own = shares_of(shares, shares->ranks - 1).count;
    const double an_image = measured->passes / measured->images;
    const double a_pair = measured->loss / ((double)measured->loss_images * measured->loss_images);
    *out = (struct forecast){.passes = an_image * own,
                             .loss = a_pair * own * all * (shares->ranks > 1 ? rectangle : 1),
                             .update = measured->update,
                             .alone = an_image * all + a_pair * all * all + measured->update};
    for (int i = 0; i < TRAFFIC_PARTS; i++) {
        out->by_part[i] = message_seconds(&traffic->parts[i], link);
        out->messages += out->by_part[i];
    }
    out->overlapped = overlapped_seconds(traffic, out->by_part[TRAFFIC_GRADIENTS],
                                         way_back * out->passes + out->by_part[TRAFFIC_NORMS_BACKWARD]);
    out->step = out->passes + out->loss + out->update + out->messages - out->overlapped;
    out->views_per_second = 2 * all / out->step;
    out->speedup = out->alone / out->step;
    out->efficiency = out->speedup / shares->ranks;
}
