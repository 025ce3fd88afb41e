/* support/network_check.h -- tests only: backends to run on, distances, and weights from a reference file. */
#ifndef SUPPORT_NETWORK_CHECK_H
#define SUPPORT_NETWORK_CHECK_H

#include "support/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "model/model.h"

/* Ends the test with the sentence of a failure. */
#define CHECK_OK(call, failure)                                                                                        \
    do {                                                                                                               \
        if ((call) != SIMCLR_OK) fail_msg("%s: %s", #call, (failure).text);                                            \
    } while (0)

/* A backend with its pool of two threads. */
struct bench_backend {
    struct pool *pool;
    struct backend *backend;
    struct network_options options; /* for plans over it */
};

/* variant: "ref", or a variant of the cpu backend, which "direct" or "winograd" may follow after a space: the
 * algorithm of its convolutions. */
static inline struct bench_backend open_backend(const char *variant)
{
    struct bench_backend out = {0};
    struct error error = {0};
    char name[32];
    snprintf(name, sizeof name, "%s", variant);
    char *space = strchr(name, ' ');
    if (space) *space++ = 0;
    CHECK_OK(pool_create(&out.pool, 2, &error), error);
    bool ref = !strcmp(name, "ref");
    enum simd simd;
    CHECK_OK(simd_choose(ref ? NULL : name, "test", &simd, &error), error);
    CHECK_OK(backend_create(ref ? "ref" : "cpu", simd, out.pool, &out.backend, &error), error);
    if (space) out.options.convolution = strcmp(space, "winograd") == 0 ? CONVOLUTION_WINOGRAD : CONVOLUTION_DIRECT;
    return out;
}

static inline void close_backend(struct bench_backend *backend)
{
    backend_destroy(&backend->backend);
    pool_destroy(&backend->pool);
}

/* What an update does beside the weights: the statistics that the last forward pass in training wrote become those that
 * inference reads. */
static inline void commit_statistics(struct parameters *parameters)
{
    memcpy(parameters->buffers, parameters->buffers_next, parameters->buffer_count * sizeof *parameters->buffers);
}

/* Sums of squares, so that several tensors can be taken together. */
struct distance {
    double difference, norm;
};

static inline void distance_add(struct distance *distance, const float *ours, const float *theirs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double d = (double)ours[i] - theirs[i];
        distance->difference += d * d;
        distance->norm += (double)theirs[i] * theirs[i];
    }
}

/* |ours - theirs| / |theirs|; a NaN in ours gives infinity. */
static inline double distance_ratio(struct distance distance)
{
    double ratio = sqrt(distance.difference / distance.norm);
    return isnan(ratio) ? INFINITY : ratio;
}

static inline double relative(const float *ours, const float *theirs, size_t count)
{
    struct distance distance = {0, 0};
    distance_add(&distance, ours, theirs, count);
    return distance_ratio(distance);
}

#define CHECK_WITHIN(value, limit, what)                                                                               \
    do {                                                                                                               \
        double measured_value = (value), allowed_value = (limit);                                                      \
        if (!(measured_value <= allowed_value))                                                                        \
            fail_msg("%s: %g is more than %g", (what), measured_value, allowed_value);                                 \
    } while (0)

#endif
