/* augment/render.c -- from source bytes to a view.
 *
 * Pass 1: resample 8 rows, apply the colours that come before contrast, sum the gray, store them in `picture` (600 KB
 * at 224 pixels: L2).
 * Pass 2, when the mean gray is known: apply contrast and the rest. Then either write the output, or blur across into
 * `picture` and down into the output.
 *
 * The output is written once, past the caches, in its own type. Where its rows are no whole lines of the cache, or more
 * operations follow, it is made as floats first.
 *
 * What each stage costs stands in docs/notes/views.md. */
#include "augment/render.h"

#include <string.h>

#include "augment/chain.h"
#include "augment/kernels.h"

/* What lies at the start of the scratch; the rest are blocks behind it. */
struct workshop {
    struct resample_cache cache; /* tables == NULL: none */
    int radius;
    char *resampling;
    float *picture; /* [3][S][row] */
    float *lines;   /* [3]: rows with margins for the blur */
    float *weight;  /* [radius + 1] */
    float *blurred; /* [3][S][row], where rows are padded */
    float *view;    /* [3][S][S], where views are of another type */
};

static size_t floats_up(size_t floats)
{
    return sizeof(float) * padded(floats);
}

static size_t line_floats(int size, int radius)
{
    return padded((size_t)size) + 2 * blur_margin(radius);
}

/* Lays the blocks out behind *workshop and returns the end. Both tell the same story, so sizes cannot drift apart. */
static size_t lay_out(const struct view_policy *policy, int radius, int max_width, int max_height, char *scratch,
                      struct workshop *workshop)
{
    const int size = policy->size;
    const size_t picture = 3 * (size_t)size * padded((size_t)size);
    size_t at = (sizeof *workshop + 63) / 64 * 64;
    const size_t tables = resample_cache_bytes(policy->simd, max_width, max_height, size, size);
    workshop->cache.tables = tables ? scratch + at : NULL;
    at += (tables + 63) / 64 * 64;
    workshop->resampling = scratch + at;
    at += resample_scratch_bytes(policy->simd, max_width, max_height, size, size);
    workshop->picture = (float *)(void *)(scratch + at);
    at += floats_up(picture);
    workshop->lines = (float *)(void *)(scratch + at);
    at += floats_up(3 * line_floats(size, radius));
    workshop->weight = (float *)(void *)(scratch + at);
    at += floats_up((size_t)radius + 1);
    workshop->blurred = (float *)(void *)(scratch + at);
    at += size % 16 != 0 ? floats_up(picture) : 0;
    workshop->view = (float *)(void *)(scratch + at);
    at += policy->type != VIEW_FLOAT32 ? floats_up(picture) : 0;
    workshop->radius = radius;
    return at;
}

size_t render_scratch_bytes(const struct view_policy *policy, int radius, int max_width, int max_height)
{
    static char nowhere[1];
    struct workshop workshop = {.radius = 0};
    return lay_out(policy, radius, max_width, max_height, nowhere, &workshop);
}

static struct resample_to resample_to_of(const struct view_policy *policy, bool flip)
{
    return (struct resample_to){policy->simd, policy->filter, policy->size, policy->size, flip};
}

void render_scratch_prepare(const struct view_policy *policy, int radius, int max_width, int max_height, void *scratch)
{
    struct workshop *workshop = scratch;
    memset(workshop, 0, sizeof *workshop);
    lay_out(policy, radius, max_width, max_height, scratch, workshop);
    memset(workshop->lines, 0, floats_up(3 * line_floats(policy->size, radius))); /* whole vectors are read */
    if (workshop->cache.tables) {
        const struct resample_to to = resample_to_of(policy, false);
        resample_cache_make(&workshop->cache, &to, max_width, max_height, workshop->cache.tables);
    }
}

/* One view in the making. */
struct job {
    const struct chain_kernels *kernels;
    struct workshop *workshop;
    struct chain chain;
    float shift; /* of contrast, once the mean is known */
    int size;
    size_t row, plane; /* of the picture */
    void *out;
    enum put how; /* `out` is written; PUT_STORE: as floats */
};

static void finish(const struct job *job, const float *from, size_t from_plane, void *to, size_t to_plane, size_t count,
                   enum put how)
{
    const struct chain *chain = &job->chain;
    if (chain->jitter)
        job->kernels->finish[chain->gray][chain->after](chain, job->shift, from, from_plane, to, to_plane, count, how);
    else
        job->kernels->plain[chain->gray](chain, 0.0f, from, from_plane, to, to_plane, count, how);
}

/* Of a value of `out`. */
static size_t value_bytes(const struct job *job)
{
    return job->how == PUT_STREAM_BF16 ? sizeof(uint16_t) : sizeof(float);
}

static void copy_rows(const struct job *job, const float *from, size_t plane)
{
    const size_t size = (size_t)job->size;
    for (size_t channel = 0; channel < 3; channel++)
        for (size_t y = 0; y < size; y++)
            memcpy((float *)job->out + (channel * size + y) * size, from + channel * plane + y * job->row,
                   size * sizeof *from);
}

/* No blur: what is in the picture becomes the view. */
static void finish_sharp(const struct job *job)
{
    float *picture = job->workshop->picture;
    const size_t size = (size_t)job->size;
    if (job->row == size) {
        finish(job, picture, job->plane, job->out, size * size, size * size, job->how);
        return;
    }
    finish(job, picture, job->plane, picture, job->plane, size * job->row, PUT_STORE);
    copy_rows(job, picture, job->plane);
}

static void finish_blurred(const struct job *job, const struct blur_kernels *blur, int radius)
{
    struct workshop *workshop = job->workshop;
    const int planes = job->chain.gray ? 1 : 3; /* of a gray view one channel is enough */
    const size_t size = (size_t)job->size, line = line_floats(job->size, workshop->radius);
    float *lines = workshop->lines + blur_margin(workshop->radius);
    for (size_t y = 0; y < size; y++) {
        float *row = workshop->picture + y * job->row;
        finish(job, row, job->plane, lines, planes == 1 ? 0 : line, job->row, PUT_STORE);
        for (int channel = 0; channel < planes; channel++)
            blur->across(lines + (size_t)channel * line, row + (size_t)channel * job->plane, job->size, radius,
                         workshop->weight);
    }
    const bool direct = job->row == size;
    void *to = direct ? job->out : workshop->blurred;
    const size_t to_plane = direct ? size * size : job->plane;
    for (int channel = 0; channel < planes; channel++) {
        const struct blur_down down = {.from = workshop->picture + (size_t)channel * job->plane,
                                       .to = (char *)to + (size_t)channel * to_plane * value_bytes(job),
                                       .from_stride = job->row,
                                       .to_stride = direct ? size : job->row,
                                       .to_plane = to_plane,
                                       .size = job->size,
                                       .copies = planes == 1 ? 3 : 1,
                                       .how = job->how};
        blur->down(&down, radius, workshop->weight);
    }
    if (!direct) copy_rows(job, to, to_plane);
}

/* Rows of a view that was made before go the way of resampled ones. */
static void take_rows(const struct job *job, int y, int count, float *block)
{
    const size_t size = (size_t)job->size;
    for (size_t channel = 0; channel < 3; channel++)
        for (size_t i = 0; i < (size_t)count; i++)
            memcpy(block + channel * job->plane + i * job->row,
                   (const float *)job->out + (channel * size + (size_t)y + i) * size, size * sizeof *block);
}

static void open_resampler(struct resampler *resampler, const struct view_policy *policy, const struct view_draw *draw,
                           const struct image *image, struct workshop *workshop)
{
    const struct box box = draw->box;
    const struct resample_to to = resample_to_of(policy, draw->flip);
    if (draw->reduction > 1) {
        const double by = 1.0 / draw->reduction;
        const struct resample_area area = {box.x * by, box.y * by, box.width * by, box.height * by};
        resample_open_area(resampler, &to, image, area, workshop->resampling);
        return;
    }
    resample_open(resampler, &to, image, box, workshop->cache.tables ? &workshop->cache : NULL, workshop->resampling);
}

static void render_as(const struct view_policy *policy, const struct view_draw *draw, const struct image *image,
                      enum put how, void *out, void *scratch)
{
    struct workshop *workshop = scratch;
    const int size = policy->size;
    const size_t row = padded((size_t)size);
    struct job job = {.kernels = chain_kernels_of(policy->simd),
                      .workshop = workshop,
                      .chain = chain_of(draw),
                      .size = size,
                      .row = row,
                      .plane = row * (size_t)size,
                      .out = out,
                      .how = how};
    const int radius = draw->blur ? blur_weights(workshop->radius, draw->sigma, workshop->weight) : 0;
    const bool direct = !draw->jitter && radius == 0 && row == (size_t)size;
    struct resampler resampler;
    if (image != NULL) open_resampler(&resampler, policy, draw, image, workshop);
    double sum = 0.0;
    const int most = (size <= 64 ? 4 : 1) * RESAMPLE_BLOCK; /* rows that stay in the L1 cache */
    for (int y = 0; y < size; y += most) {
        const int count = size - y < most ? size - y : most;
        float *block = workshop->picture + (direct ? 0 : (size_t)y * row);
        if (image != NULL)
            resample_rows(&resampler, y, count, block, row, job.plane);
        else
            take_rows(&job, y, count, block);
        if (draw->jitter) sum += job.kernels->begin[job.chain.before](&job.chain, block, job.plane, count, size, row);
        if (direct)
            finish(&job, block, job.plane, (char *)out + (size_t)y * row * value_bytes(&job), job.plane,
                   (size_t)count * row, how);
    }
    job.shift = (float)((1.0 - (double)job.chain.contrast) * (sum / ((double)size * size)));
    if (radius > 0)
        finish_blurred(&job, blur_kernels_of(policy->simd), radius);
    else if (!direct)
        finish_sharp(&job);
    if (how != PUT_STORE) job.kernels->stream_end();
}

void render(const struct view_policy *policy, const struct view_draw *draw, const struct image *image, float *out,
            void *scratch)
{
    render_as(policy, draw, image, PUT_STORE, out, scratch);
}

void render_last(const struct view_policy *policy, const struct view_draw *draw, const struct image *image, void *out,
                 void *scratch)
{
    const bool lines = (size_t)policy->size * view_type_bytes(policy->type) % 64 == 0 && (uintptr_t)out % 64 == 0;
    if (lines) {
        render_as(policy, draw, image, policy->type == VIEW_BF16 ? PUT_STREAM_BF16 : PUT_STREAM, out, scratch);
        return;
    }
    render(policy, draw, image, render_floats(policy, out, scratch), scratch);
    render_end(policy, out, scratch);
}

float *render_floats(const struct view_policy *policy, void *out, void *scratch)
{
    const struct workshop *workshop = scratch;
    return policy->type == VIEW_FLOAT32 ? out : workshop->view;
}

void render_end(const struct view_policy *policy, void *out, void *scratch)
{
    const struct workshop *workshop = scratch;
    const struct chain_kernels *kernels = chain_kernels_of(policy->simd);
    if (policy->type == VIEW_FLOAT32) return;
    kernels->to_bf16(workshop->view, out, 3 * (size_t)policy->size * (size_t)policy->size);
    kernels->stream_end();
}
