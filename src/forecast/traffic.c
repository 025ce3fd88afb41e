/* forecast/traffic.c -- see traffic.h. */
#include "forecast/traffic.h"

#include "comm/overlapped_sum.h"

static const struct {
    const char *key, *words;
} names[TRAFFIC_PARTS] = {
    [TRAFFIC_AGREEMENTS] = {"agreements", "whether all go on"},
    [TRAFFIC_NORMS_FORWARD] = {"norms_forward", "batch norm's sums, forward"},
    [TRAFFIC_NORMS_BACKWARD] = {"norms_backward", "batch norm's sums, backward"},
    [TRAFFIC_UNIT_ROWS] = {"unit_rows", "unit rows of z"},
    [TRAFFIC_LOG_SUMS] = {"log_sums", "log sums of the rows"},
    [TRAFFIC_FIGURES] = {"figures", "the loss and its figures"},
    [TRAFFIC_GRADIENTS] = {"gradients", "gradients of the weights"},
    [TRAFFIC_RUNNING] = {"running", "running statistics over groups"},
};

const char *traffic_key(enum traffic_part part)
{
    return names[part].key;
}

const char *traffic_words(enum traffic_part part)
{
    return names[part].words;
}

/* A gather over `size` ranks, of which this one has `own` bytes of `all`. */
static void add_gather(struct traffic_item *item, int size, double all, double own)
{
    item->messages += 1;
    item->delays += communicator_delays(size, (size_t)all);
    item->bytes += all - own;
}

/* communicator_sum over `size` ranks. */
static void add_sum(struct traffic_item *item, int size, size_t count, size_t element)
{
    if (size < 2) return;
    while (count > 0) {
        size_t piece;
        const size_t part = communicator_stretch(size, count, element, &piece);
        const double block = (double)((piece > 0 ? piece : part) * element);
        add_gather(item, size, size * block, block);
        if (piece > 0) add_gather(item, size, size * block, block); /* the exchange brings as much */
        count -= part;
    }
}

/* overlapped_sum: in stretches. */
static void add_gradients(struct traffic_item *item, int size, size_t count)
{
    const size_t stretch = overlapped_sum_stretch(size, count);
    for (size_t at = 0; at < count; at += stretch)
        add_sum(item, size, count - at < stretch ? count - at : stretch, sizeof(float));
}

/* NT-Xent gathers the first views' rows, then the second ones'. */
static void add_rows(struct traffic_item *item, const struct traffic_work *work, int rank, size_t row)
{
    const double own = (double)shares_of(&work->shares, rank).count, all = (double)work->shares.images;
    for (int view = 0; view < 2; view++) add_gather(item, work->shares.ranks, all * (double)row, own * (double)row);
}

void traffic_of(struct traffic *out, const struct traffic_work *work, int rank)
{
    struct traffic_item *parts = out->parts;
    const int ranks = work->shares.ranks, groups = work->shares.images / work->shares.group;
    const int sharing = groups == 1 ? ranks : ranks > groups ? ranks / groups : 1; /* ranks that share a batch norm */
    *out = (struct traffic){0};
    if (ranks < 2) return;
    for (int i = 0; i < (groups > 1 ? 3 : 1); i++) /* with groups: after each pass too */
        add_gather(&parts[TRAFFIC_AGREEMENTS], ranks, ranks * (double)AGREEMENT_BYTES, AGREEMENT_BYTES);
    for (int i = 0; i < work->norms; i++) {
        const size_t sums = 2 * (size_t)work->norm_channels[i];
        add_sum(&parts[TRAFFIC_NORMS_FORWARD], sharing, sums, sizeof(double));
        add_sum(&parts[TRAFFIC_NORMS_BACKWARD], sharing, sums, sizeof(double));
    }
    add_rows(&parts[TRAFFIC_UNIT_ROWS], work, rank, work->unit_row);
    add_rows(&parts[TRAFFIC_LOG_SUMS], work, rank, work->sum_row);
    add_sum(&parts[TRAFFIC_FIGURES], ranks, work->figures, sizeof(double));
    add_gradients(&parts[TRAFFIC_GRADIENTS], ranks, work->weights);
    add_sum(&parts[TRAFFIC_RUNNING], ranks, work->totals, sizeof(double));
    for (int i = 0; i <= TRAFFIC_POINTS; i++) out->waiting[i] = work->waiting ? work->waiting[i] : 1;
}

struct traffic_item traffic_total(const struct traffic *traffic)
{
    struct traffic_item total = {0};
    for (int i = 0; i < TRAFFIC_PARTS; i++) {
        total.messages += traffic->parts[i].messages;
        total.delays += traffic->parts[i].delays;
        total.bytes += traffic->parts[i].bytes;
    }
    return total;
}
