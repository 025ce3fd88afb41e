/* forecast/traffic.h -- the messages of one step of pretraining over several ranks: how many, and what they bring.
 *
 * A pure function of numbers that a plan knows; nothing is sent. It follows what the ranks do (comm/communicator.c,
 * comm/overlapped_sum.c, nn/ops/batch_norm.c, loss/nt_xent.c, train/step.c), and tests/unit/train/test_step_traffic.c
 * holds it to the bytes that a run's ranks give each other. */
#ifndef FORECAST_TRAFFIC_H
#define FORECAST_TRAFFIC_H

#include <stddef.h>
#include <stdint.h>

#include "comm/shares.h"

enum { TRAFFIC_POINTS = 64 };

enum traffic_part {
    TRAFFIC_AGREEMENTS,     /* does every rank go on? */
    TRAFFIC_NORMS_FORWARD,  /* batch norm's sums, two a channel */
    TRAFFIC_NORMS_BACKWARD, /* the same of the way back */
    TRAFFIC_UNIT_ROWS,      /* z of all views, normalised */
    TRAFFIC_LOG_SUMS,       /* what each row's softmax came to */
    TRAFFIC_FIGURES,        /* of the loss */
    TRAFFIC_GRADIENTS,      /* of all weights */
    TRAFFIC_RUNNING,        /* with groups: their sums, for the running statistics */
    TRAFFIC_PARTS
};

struct traffic_work {
    struct shares shares;     /* of the batch, checked (shares_check) */
    const int *norm_channels; /* [norms]: of each batch norm of the network */
    int norms;
    size_t weights;           /* of which gradients are summed */
    size_t unit_row, sum_row; /* bytes of a view that NT-Xent gathers (struct nt_xent_sizes) */
    size_t figures;           /* of the loss, doubles */
    size_t totals;            /* of batch norm over groups (network_totals); 0 without */
    /* [TRAFFIC_POINTS + 1]: the share of the gradients that are not complete before i / TRAFFIC_POINTS of the way back:
     * their sums wait at least so long. NULL: all wait for its end. */
    const double *waiting;
};

/* The calls of an engine, which are gathers and exchanges. */
struct traffic_item {
    int64_t messages;
    int64_t delays; /* of all of them: communicator_delays */
    double bytes;   /* that this rank receives from others; it sends about as many */
};
struct traffic {
    struct traffic_item parts[TRAFFIC_PARTS];
    double waiting[TRAFFIC_POINTS + 1]; /* of traffic_work */
};

/* Of one step, for one rank. One rank alone: nothing. */
void traffic_of(struct traffic *out, const struct traffic_work *work, int rank);
struct traffic_item traffic_total(const struct traffic *traffic);

/* "norms_forward", for JSON; "batch norm, forward", for people. */
const char *traffic_key(enum traffic_part part);
const char *traffic_words(enum traffic_part part);

#endif
