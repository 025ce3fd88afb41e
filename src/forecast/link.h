/* forecast/link.h -- what connects two ranks: how much goes through, and how long the first byte takes. */
#ifndef FORECAST_LINK_H
#define FORECAST_LINK_H

#include "base/error.h"

struct link_speed {
    double bytes_per_second; /* into one rank, and out of it at the same time */
    double delay;            /* seconds from one rank to another, software included: of a message without bytes */
};

/* "10gbit,60us": a rate in bits a second (bit, kbit, mbit, gbit, tbit, powers of 1000; "/s" may follow) and a time (ns,
 * us, ms, s; 0 alone). Capitals are the same. SIMCLR_INVALID with a sentence that names the part that is wrong. */
int link_speed_read(struct link_speed *out, const char *text, struct error *error);

#endif
