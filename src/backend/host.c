#include "backend/host.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void *host_allocate(struct backend *backend, size_t bytes, struct error *error)
{
    char what[64];
    snprintf(what, sizeof what, "memory of the %s backend", backend->ops->name);
    void *block = memory_allocate(bytes);
    if (!block) error_no_memory(error, what, bytes);
    return block;
}

void host_release(struct backend *backend, void *block)
{
    (void)backend;
    memory_free(block);
}

bool host_reads_host(const struct backend *backend)
{
    (void)backend;
    return true;
}

void host_copy(struct backend *backend, void *to, const void *from, size_t bytes)
{
    (void)backend;
    if (bytes > 0) memcpy(to, from, bytes);
}

void host_clear(struct backend *backend, void *to, size_t bytes)
{
    (void)backend;
    if (bytes > 0) memset(to, 0, bytes);
}

void host_add(struct backend *backend, float *to, const float *from, size_t count)
{
    (void)backend;
    for (size_t i = 0; i < count; i++) to[i] += from[i];
}

void host_add_sums(struct backend *backend, double *to, const double *from, size_t count)
{
    (void)backend;
    for (size_t i = 0; i < count; i++) to[i] += from[i];
}

struct averaging {
    float *to;
    const float *from;
    size_t count;
    float share;
};

static void average_part(void *context, int thread, int threads)
{
    const struct averaging *job = context;
    int64_t begin, end;
    pool_share((int64_t)job->count, thread, threads, &begin, &end);
    for (int64_t i = begin; i < end; i++) job->to[i] += job->share * (job->from[i] - job->to[i]);
}

void host_average(struct backend *backend, float *to, const float *from, size_t count, const float *keep)
{
    struct averaging job = {to, from, count, 1 - *keep};
    pool_split(backend->pool, average_part, &job);
}

int host_recording_create(struct backend *backend, struct recording **out, struct error *error)
{
    (void)backend;
    (void)error;
    *out = NULL;
    return SIMCLR_OK;
}

void host_recording_destroy(struct backend *backend, struct recording **recording)
{
    (void)backend;
    *recording = NULL;
}

bool host_replay(struct backend *backend, struct recording *recording)
{
    (void)backend;
    (void)recording;
    return false;
}

int host_record_begin(struct backend *backend, struct recording *recording, struct error *error)
{
    (void)backend;
    (void)recording;
    (void)error;
    return SIMCLR_OK;
}

int host_record_end(struct backend *backend, struct error *error)
{
    (void)backend;
    (void)error;
    return SIMCLR_OK;
}

void host_fold(const struct conv_folding *folding, int channels, size_t row)
{
    const struct conv_folding *f = folding;
    for (int k = 0; k < channels; k++) {
        const double scale = (double)f->gamma[k] / sqrt((double)f->variance[k] + (double)f->epsilon);
        const double shift = (f->conv_bias ? (double)f->conv_bias[k] : 0) - (double)f->mean[k];
        f->bias[k] = (float)(shift * scale + (f->beta ? (double)f->beta[k] : 0));
        for (size_t i = (size_t)k * row; i < (size_t)(k + 1) * row; i++)
            f->scratch[i] = (float)((double)f->weight[i] * scale);
    }
}
