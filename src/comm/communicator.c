/* comm/communicator.c -- see communicator.h: sums, broadcasts and agreements on an engine's gather and exchange. */
#include "comm/communicator.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/clock.h"

enum { TEXT_BYTES = sizeof((struct error){0}.text), HOST_BYTES = 64 };

void communicator_set_patience(struct communicator *communicator, double seconds)
{
    if (communicator) communicator->patience = seconds;
}

static void gather(struct communicator *communicator, void *all, const size_t *bytes)
{
    const double start = clock_seconds();
    communicator->ops->gather(communicator, all, bytes);
    communicator->seconds += clock_seconds() - start;
}

void communicator_gather(struct communicator *communicator, void *all, const size_t *bytes)
{
    if (communicator) gather(communicator, all, bytes);
}

void communicator_destroy(struct communicator **communicator)
{
    if (*communicator) (*communicator)->ops->destroy(communicator);
}

int communicator_split(struct communicator *communicator, int colour, struct communicator **out, struct error *error)
{
    *out = NULL;
    if (!communicator) return SIMCLR_OK;
    return communicator->ops->split(communicator, colour, out, error);
}

/* Every rank has `bytes` bytes. */
static void gather_even(struct communicator *communicator, void *all, size_t bytes)
{
    for (int r = 0; r < communicator->size; r++) communicator->sizes[r] = bytes;
    gather(communicator, all, communicator->sizes);
}

void communicator_broadcast(struct communicator *communicator, void *bytes, size_t count, int root)
{
    char *from = bytes;
    if (!communicator) return;
    memset(communicator->sizes, 0, (size_t)communicator->size * sizeof *communicator->sizes);
    while (count > 0) {
        const size_t part = count < COMMUNICATOR_SCRATCH ? count : COMMUNICATOR_SCRATCH;
        communicator->sizes[root] = part;
        gather(communicator, from, communicator->sizes);
        from += part;
        count -= part;
    }
}

/* ---- sums ------------------------------------------------------------------------------------------------------ */
/* out[i] = the sum over ranks of blocks[rank * stride + i], in their order. */
static void add_doubles(double *out, const double *blocks, int ranks, size_t stride, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double sum = blocks[i];
        for (int r = 1; r < ranks; r++) sum += blocks[(size_t)r * stride + i];
        out[i] = sum;
    }
}

static void add_floats(float *out, const float *blocks, int ranks, size_t stride, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double sum = (double)blocks[i];
        for (int r = 1; r < ranks; r++) sum += (double)blocks[(size_t)r * stride + i];
        out[i] = (float)sum;
    }
}

static void add(void *out, const void *blocks, int ranks, size_t stride, size_t count, size_t element)
{
    if (element == sizeof(double))
        add_doubles(out, blocks, ranks, stride, count);
    else
        add_floats(out, blocks, ranks, stride, count);
}

/* Few values: every rank gets those of all and adds them. */
static void sum_gathered(struct communicator *communicator, char *values, size_t count, size_t element)
{
    char *all = communicator->scratch;
    memcpy(all + (size_t)communicator->rank * count * element, values, count * element);
    gather_even(communicator, all, count * element);
    add(values, all, communicator->size, count, count, element);
}

/* Many: each rank adds one piece of them, and the pieces are gathered: 2 (size - 1) / size times their bytes travel. */
static void sum_pieces(struct communicator *communicator, char *values, size_t piece, size_t element)
{
    const double start = clock_seconds();
    communicator->ops->exchange(communicator, communicator->scratch, values, piece * element);
    communicator->seconds += clock_seconds() - start;
    add(values + (size_t)communicator->rank * piece * element, communicator->scratch, communicator->size, piece, piece,
        element);
    gather_even(communicator, values, piece * element);
}

size_t communicator_stretch(int size, size_t count, size_t element, size_t *piece)
{
    const size_t ranks = (size_t)size, most = COMMUNICATOR_SCRATCH / element / ranks; /* of a piece */
    *piece = 0;
    if (count * element * ranks <= COMMUNICATOR_SMALL || count < ranks) return count;
    *piece = count / ranks < most ? count / ranks : most;
    return *piece * ranks;
}

static void sum(struct communicator *communicator, char *values, size_t count, size_t element)
{
    while (count > 0) {
        size_t piece;
        const size_t part = communicator_stretch(communicator->size, count, element, &piece);
        if (piece == 0)
            sum_gathered(communicator, values, part, element);
        else
            sum_pieces(communicator, values, piece, element);
        values += part * element;
        count -= part;
    }
}

void communicator_sum(struct communicator *communicator, double *values, size_t count)
{
    if (communicator) sum(communicator, (char *)values, count, sizeof *values);
}

void communicator_sum_floats(struct communicator *communicator, float *values, size_t count)
{
    if (communicator) sum(communicator, (char *)values, count, sizeof *values);
}

/* ---- agreements ------------------------------------------------------------------------------------------------ */
struct told {
    int32_t status, stop;
    double seconds;
    uint64_t news; /* bytes of the first message of news */
};
_Static_assert(sizeof(struct told) == AGREEMENT_BYTES, "a message of the contract");

/* The rank whose failure all report; -1: none. */
static int failed_rank(const struct told *told, int ranks)
{
    int interrupted = -1;
    for (int r = 0; r < ranks; r++) {
        if (told[r].status != SIMCLR_OK && told[r].status != SIMCLR_INTERRUPTED) return r;
        if (told[r].status == SIMCLR_INTERRUPTED && interrupted < 0) interrupted = r;
    }
    return interrupted;
}

/* The sentence of rank `from` becomes everybody's. */
static void share_sentence(struct communicator *communicator, struct error *error, int status, int from)
{
    struct error shared = {0};
    char host[HOST_BYTES] = "";
    if (communicator->rank == from) {
        if (error && error->status == status) shared = *error;
        snprintf(host, sizeof host, "%s", communicator->host);
    }
    communicator_broadcast(communicator, shared.text, TEXT_BYTES, from);
    communicator_broadcast(communicator, host, HOST_BYTES, from);
    shared.text[TEXT_BYTES - 1] = host[HOST_BYTES - 1] = '\0';
    shared.status = status;
    if (from != 0 && status != SIMCLR_INTERRUPTED) error_prefix(&shared, "rank %d on %s", from, host);
    if (error) *error = shared;
}

void communicator_recover(struct communicator *communicator)
{
    if (communicator) communicator->failed = SIMCLR_OK;
}

/* ---- news ------------------------------------------------------------------------------------------------------ */
/* Of this rank, for the next message: no more than all ranks' fit into the scratch. */
static size_t collect_news(const struct communicator *communicator, const void **bytes)
{
    const struct communicator_news *news = communicator->news;
    const size_t share = COMMUNICATOR_SCRATCH / (size_t)communicator->size;
    return news ? news->collect(news->cookie, bytes, share < COMMUNICATOR_NEWS ? share : COMMUNICATOR_NEWS) : 0;
}

/* One message: `sizes` of the communicator says how much each rank has, this one at `own`. */
static void pass_news(struct communicator *communicator, const void *own)
{
    const struct communicator_news *news = communicator->news;
    const size_t *sizes = communicator->sizes;
    char *all = communicator->scratch, *at = all;
    for (int r = 0; r < communicator->rank; r++) at += sizes[r];
    if (own && sizes[communicator->rank] > 0) memcpy(at, own, sizes[communicator->rank]);
    gather(communicator, all, sizes);
    for (int r = 0; r < communicator->size; all += sizes[r], r++)
        if (news && r != communicator->rank && sizes[r] > 0) news->deliver(news->cookie, r, all, sizes[r]);
}

/* Until no rank has any more. told: of all ranks, in the scratch. */
static void exchange_news(struct communicator *communicator, const struct told *told, const void *own)
{
    bool any = false;
    for (int r = 0; r < communicator->size; r++) any = any || told[r].news > 0;
    for (int r = 0; r < communicator->size; r++) communicator->sizes[r] = told[r].news;
    while (any) {
        pass_news(communicator, own);
        uint64_t *next = communicator->scratch;
        next[communicator->rank] = collect_news(communicator, &own);
        gather_even(communicator, next, sizeof *next);
        any = false;
        for (int r = 0; r < communicator->size; r++) any = any || next[r] > 0;
        for (int r = 0; r < communicator->size; r++) communicator->sizes[r] = next[r];
    }
}

int communicator_agree(struct communicator *communicator, struct agreement *agreement, int status, struct error *error)
{
    if (!communicator) return status == SIMCLR_OK && agreement->stop ? SIMCLR_INTERRUPTED : status;
    if (communicator->failed) return communicator->failed;
    struct told *told = communicator->scratch;
    const int size = communicator->size;
    const void *news = NULL;
    const size_t news_bytes = collect_news(communicator, &news);
    told[communicator->rank] = (struct told){status, agreement->stop, agreement->seconds, news_bytes};
    gather_even(communicator, told, sizeof *told);
    for (int r = 0; r < size; r++) {
        agreement->stop = agreement->stop || told[r].stop;
        if (r > 0 && told[r].seconds <= told[agreement->slowest].seconds) continue;
        agreement->slowest = r;
    }
    agreement->seconds = told[agreement->slowest].seconds;
    const int from = failed_rank(told, size);
    communicator->failed = from >= 0 ? told[from].status : agreement->stop ? SIMCLR_INTERRUPTED : SIMCLR_OK;
    exchange_news(communicator, told, news); /* told is overwritten */
    if (from >= 0) share_sentence(communicator, error, communicator->failed, from);
    return communicator->failed;
}

int communicator_agree_status(struct communicator *communicator, int status, struct error *error)
{
    struct agreement agreement = {0};
    return communicator_agree(communicator, &agreement, status, error);
}

struct compared {
    uint64_t count;
    uint64_t hash;
    char host[HOST_BYTES];
};

int communicator_compare(struct communicator *communicator, const void *bytes, size_t count, const char *what,
                         const char *advice, struct error *error)
{
    if (!communicator) return SIMCLR_OK;
    struct compared *all = communicator->scratch, *own = &all[communicator->rank];
    *own = (struct compared){.count = count, .hash = hash64(bytes, count, 0)};
    snprintf(own->host, sizeof own->host, "%s", communicator->host);
    gather_even(communicator, all, sizeof *all);
    for (int r = 1; r < communicator->size; r++) {
        if (all[r].count == all[0].count && all[r].hash == all[0].hash) continue;
        return error_set(error, SIMCLR_INVALID, "rank %d on %.63s has %s that differ from rank 0's: %s", r, all[r].host,
                         what, advice);
    }
    return SIMCLR_OK;
}
