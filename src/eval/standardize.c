/* eval/standardize.c -- see standardize.h. */
#include "eval/standardize.h"

#include <math.h>
#include <stddef.h>

struct job {
    const struct standardization *of;
    struct stop stop;
    const int64_t *place;
    float *out;
};

/* A thread's share of the columns, row after row. */
static void measure_columns(void *context, int thread, int threads)
{
    const struct job *job = context;
    const struct standardization *of = job->of;
    double *mean = of->mean, *scale = of->scale;
    int64_t first, last;
    pool_share(of->dim, thread, threads, &first, &last);
    const struct stop stop = job->stop;
    for (int64_t i = 0; i < of->rows && !stop_is_asked(stop); i++)
        for (int64_t d = first; d < last; d++) mean[d] += (double)of->x[i * of->dim + d];
    for (int64_t d = first; d < last; d++) mean[d] /= (double)of->rows;
    for (int64_t i = 0; i < of->rows && !stop_is_asked(stop); i++)
        for (int64_t d = first; d < last; d++) {
            const double centred = (double)of->x[i * of->dim + d] - mean[d];
            scale[d] += centred * centred;
        }
    for (int64_t d = first; d < last; d++) {
        const double deviation = sqrt(scale[d] / (double)of->rows);
        scale[d] = deviation > 1e-12 ? 1 / deviation : 0;
    }
}

void standardization_measure(const struct standardization *standardization, struct pool *pool)
{
    struct job job = {.of = standardization, .stop = pool_stop(pool)};
    pool_split(pool, measure_columns, &job);
}

static void place_columns(void *context, int thread, int threads)
{
    const struct job *job = context;
    const struct standardization *of = job->of;
    const double *mean = of->mean, *scale = of->scale;
    const struct stop stop = job->stop;
    int64_t first, last;
    pool_share(of->dim, thread, threads, &first, &last);
    for (int64_t i = 0; i < of->rows && !stop_is_asked(stop); i++)
        for (int64_t d = first; d < last; d++)
            job->out[(job->place ? job->place[i] : i) * of->dim + d] =
                (float)(((double)of->x[i * of->dim + d] - mean[d]) * scale[d]);
}

void standardization_apply(const struct standardization *standardization, struct pool *pool, const int64_t *place,
                           float *out)
{
    struct job job = {.of = standardization, .stop = pool_stop(pool), .place = place, .out = out};
    pool_split(pool, place_columns, &job);
}
