/* ops/ops.h -- what the tests of single operations share: guarded buffers, random data, targets, comparison.
 *
 * Every buffer that an operation may touch is a guarded one: 256 known bytes lie on either side of it, and the body
 * starts as NaN in every type. So three faults are seen: an output that is not wholly written, an input that is read
 * too far, and a write outside. */
#ifndef OPS_OPS_H
#define OPS_OPS_H

#include "support/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/rng.h"

/* ---- guarded buffers --------------------------------------------------------------------------------------------- */
enum { OPS_GUARD = 256, OPS_BUFFERS = 96, OPS_GUARD_BYTE = 0xa5 };

struct ops_buffers {
    int count;
    struct {
        uint8_t *body;
        size_t bytes;
    } item[OPS_BUFFERS];
};

static inline void *ops_new(struct ops_buffers *buffers, size_t bytes)
{
    uint8_t *block = memory_allocate(bytes + 2 * OPS_GUARD);
    assert_non_null(block);
    assert_true(buffers->count < OPS_BUFFERS);
    memset(block, OPS_GUARD_BYTE, bytes + 2 * OPS_GUARD);
    memset(block + OPS_GUARD, 0xff, bytes);
    buffers->item[buffers->count].body = block + OPS_GUARD;
    buffers->item[buffers->count++].bytes = bytes;
    return block + OPS_GUARD;
}

static inline float *ops_floats(struct ops_buffers *buffers, size_t count)
{
    return ops_new(buffers, count * sizeof(float));
}

/* Fails, naming the call after which it was seen, if a byte beside any buffer has changed. */
static inline void ops_check(const struct ops_buffers *buffers, const char *call)
{
    for (int i = 0; i < buffers->count; i++) {
        const uint8_t *before = buffers->item[i].body - OPS_GUARD,
                      *after = buffers->item[i].body + buffers->item[i].bytes;
        for (int j = 0; j < OPS_GUARD; j++) {
            if (before[j] == OPS_GUARD_BYTE && after[j] == OPS_GUARD_BYTE) continue;
            fail_msg("%s: wrote outside buffer %d of %zu bytes", call, i, buffers->item[i].bytes);
        }
    }
}

static inline void ops_free(struct ops_buffers *buffers)
{
    ops_check(buffers, "before release");
    for (int i = 0; i < buffers->count; i++) memory_free(buffers->item[i].body - OPS_GUARD);
    buffers->count = 0;
}

/* ---- random data ------------------------------------------------------------------------------------------------- */
/* Uniform in [low, high), dense; rounded to bf16 if asked. A stream of its own for every (seed, item). */
static inline void ops_fill(float *out, size_t count, uint32_t item, float low, float high, bool bf16)
{
    struct rng rng = rng_open(20200213, RNG_TEST, 0, item, 0);
    for (size_t i = 0; i < count; i++) {
        out[i] = low + (high - low) * (float)rng_uniform(&rng);
        if (bf16) out[i] = bf16_to_float(bf16_from_float(out[i]));
    }
}

static inline float *ops_random(struct ops_buffers *buffers, size_t count, uint32_t item, float low, float high,
                                bool bf16)
{
    float *out = ops_floats(buffers, count);
    ops_fill(out, count, item, low, high, bf16);
    return out;
}

/* ---- targets ----------------------------------------------------------------------------------------------------- */
struct ops_target {
    const char *name, *variant; /* variant NULL: ref, or the best */
    int threads;
    struct pool *pool;
    struct backend *backend;
    char label[64];
};

/* Fails the test if the backend cannot be created. */
static inline void ops_open(struct ops_target *target, const char *name, const char *variant, int threads)
{
    struct error error;
    memset(target, 0, sizeof *target);
    target->name = name;
    target->variant = variant;
    target->threads = threads;
    snprintf(target->label, sizeof target->label, "%s %s, %d threads", name, variant ? variant : "(best)", threads);
    if (pool_create(&target->pool, threads, &error) != SIMCLR_OK) fail_msg("%s: %s", target->label, error.text);
    enum simd simd;
    if (simd_choose(variant, name, &simd, &error) != SIMCLR_OK ||
        backend_create(name, simd, target->pool, &target->backend, &error) != SIMCLR_OK)
        fail_msg("%s: %s", target->label, error.text);
}

static inline void ops_close(struct ops_target *target)
{
    backend_destroy(&target->backend);
    pool_destroy(&target->pool);
}

static inline bool ops_emulated(const char *variant)
{
    return strstr(variant, "emulated") != NULL;
}

/* One line for every variant: ran natively, emulated, or not at all. */
static inline void ops_report_variants(void)
{
    for (const char *const *variant = simd_words(); *variant; variant++)
        if (simd_runs(*variant))
            print_message("variant %-14s %s\n", *variant, ops_emulated(*variant) ? "emulated" : "native");
        else
            skip_part("this CPU lacks %s", *variant);
}

/* Calls visit once for each variant of the cpu backend that runs here. */
typedef void ops_visit(const char *variant, void *context);
static inline int ops_each_variant(ops_visit *visit, void *context)
{
    int count = 0;
    for (const char *const *variant = simd_words(); *variant; variant++) {
        if (!simd_runs(*variant)) continue;
        visit(*variant, context);
        count++;
    }
    return count;
}

/* ---- all targets at once ---------------------------------------------------------------------------------------- */
enum { OPS_TARGETS = 24 };
struct ops_suite {
    struct ops_target ref, ref_shared; /* with one thread and with three: the same bits */
    struct ops_target target[OPS_TARGETS];
    int count; /* the best variant and then every variant that runs, each with 1, 2 and 3 threads */
};

static inline void ops_suite_add(const char *variant, void *context)
{
    struct ops_suite *suite = context;
    for (int threads = 1; threads <= 3; threads++) {
        assert_true(suite->count < OPS_TARGETS);
        ops_open(&suite->target[suite->count++], "cpu", variant, threads);
    }
}

static inline int ops_suite_open(void **state)
{
    struct ops_suite *suite = calloc(1, sizeof *suite);
    if (!suite) return 1;
    ops_report_variants();
    ops_open(&suite->ref, "ref", NULL, 1);
    ops_open(&suite->ref_shared, "ref", NULL, 3);
    ops_suite_add(NULL, suite);
    ops_each_variant(ops_suite_add, suite);
    *state = suite;
    return 0;
}

static inline int ops_suite_close(void **state)
{
    struct ops_suite *suite = *state;
    for (int i = 0; i < suite->count; i++) ops_close(&suite->target[i]);
    ops_close(&suite->ref);
    ops_close(&suite->ref_shared);
    free(suite);
    return 0;
}

/* ---- activation tensors ------------------------------------------------------------------------------------------ */
static inline struct tensor_desc ops_tensor(enum dtype dtype, int batch, int channels, int height, int width)
{
    struct tensor_desc desc = {.dtype = dtype, .batch = batch, .channels = channels, .height = height, .width = width};
    return desc;
}

/* A guarded tensor that holds `canonical` (NULL: NaN, for outputs). */
static inline void *ops_upload(struct ops_buffers *buffers, const struct ops_target *target,
                               const struct tensor_desc *desc, const float *canonical)
{
    void *tensor = ops_new(buffers, target->backend->ops->tensor_bytes(target->backend, desc));
    if (canonical) target->backend->ops->tensor_write(target->backend, desc, tensor, canonical);
    ops_check(buffers, "tensor_write");
    return tensor;
}

static inline float *ops_download(struct ops_buffers *buffers, const struct ops_target *target,
                                  const struct tensor_desc *desc, const void *tensor)
{
    float *canonical = ops_floats(buffers, tensor_elements(desc));
    target->backend->ops->tensor_read(target->backend, desc, canonical, tensor);
    ops_check(buffers, "tensor_read");
    return canonical;
}

/* No value of an output, padding included, is left as ops_new made it. */
static inline void ops_check_written(const struct ops_target *target, const struct tensor_desc *desc,
                                     const void *tensor)
{
    static const uint8_t UNTOUCHED[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const size_t bytes = target->backend->ops->tensor_bytes(target->backend, desc), size = dtype_bytes(desc->dtype);
    for (size_t at = 0; at < bytes; at += size) assert_memory_not_equal((const char *)tensor + at, UNTOUCHED, size);
}

/* ---- batch norm -------------------------------------------------------------------------------------------------- */
/* Values of a channel, where one process has them all. */
static inline int64_t ops_norm_count(const struct batch_norm_desc *desc)
{
    return (int64_t)desc->batch * desc->height * desc->width;
}

static inline double *ops_statistics(struct ops_buffers *buffers, const struct ops_target *target, int channels)
{
    return ops_new(buffers, target->backend->ops->statistics_bytes(target->backend, channels));
}

/* Both halves of the way back in one process. args->sums is set here. */
static inline void ops_norm_backward(const struct backend_ops *ops, struct batch_norm_plan *plan,
                                     const struct batch_norm_backward_args *args, double *sums, float *d_gamma,
                                     float *d_beta)
{
    const struct batch_norm_sums_args first = {.sums = sums,
                                               .d_gamma = d_gamma,
                                               .d_beta = d_beta,
                                               .d_y = args->d_y,
                                               .x = args->x,
                                               .mask = args->mask,
                                               .saved = args->saved};
    struct batch_norm_backward_args second = *args;
    ops->batch_norm_backward_sums(plan, &first);
    second.sums = sums;
    ops->batch_norm_backward(plan, &second);
}

/* ---- NT-Xent ----------------------------------------------------------------------------------------------------- */
/* The blocks between the phases; NULL where the backend needs none. */
struct ops_nt_xent {
    void *unit, *sums;
};

static inline struct ops_nt_xent ops_nt_xent_blocks(struct ops_buffers *buffers, const struct ops_target *target,
                                                    const struct nt_xent_plan *plan, int images)
{
    struct nt_xent_sizes sizes;
    target->backend->ops->nt_xent_sizes(plan, &sizes);
    const size_t rows = 2 * (size_t)images;
    return (struct ops_nt_xent){.unit = sizes.unit_row ? ops_new(buffers, rows * sizes.unit_row) : NULL,
                                .sums = sizes.sum_row ? ops_new(buffers, rows * sizes.sum_row) : NULL};
}

/* The three phases over all images. z, d_z (NULL: loss only): canonical [2 images][dim]. */
static inline void ops_nt_xent_run(const struct ops_target *target, struct nt_xent_plan *plan,
                                   const struct nt_xent_desc *desc, struct nt_xent_result *result, float *d_z,
                                   const float *z)
{
    const struct backend_ops *ops = target->backend->ops;
    const struct tensor_desc shape = ops_tensor(DTYPE_F32, 2 * desc->images, desc->dim, 1, 1);
    struct ops_buffers buffers = {0};
    const struct ops_nt_xent blocks = ops_nt_xent_blocks(&buffers, target, plan, desc->images);
    ops->nt_xent_unit_rows(plan, blocks.unit, ops_upload(&buffers, target, &shape, z));
    ops->nt_xent_log_sums(plan, result, blocks.sums, blocks.unit);
    if (d_z) {
        void *tensor = ops_upload(&buffers, target, &shape, NULL);
        ops->nt_xent_gradient(plan, tensor, blocks.unit, blocks.sums);
        ops->tensor_read(target->backend, &shape, d_z, tensor);
    }
    ops_free(&buffers); /* and its check */
}

/* ---- optimisers and sums ----------------------------------------------------------------------------------------- */
/* One update by a plan of its own. */
static inline void ops_optimizer_run(const struct ops_target *target, const struct optimizer_desc *desc,
                                     struct step_inputs inputs)
{
    struct optimizer_plan *plan;
    struct error error;
    if (target->backend->ops->optimizer_create(target->backend, desc, &plan, &error) != SIMCLR_OK)
        fail_msg("%s", error.text);
    target->backend->ops->optimizer_run(plan, &inputs);
    target->backend->ops->optimizer_destroy(&plan);
    assert_null(plan);
}

static inline double ops_sum_squares(const struct ops_target *target, const float *values, size_t count)
{
    double out = NAN;
    target->backend->ops->sum_squares(target->backend, &out, values, count);
    return out;
}

/* ---- comparison -------------------------------------------------------------------------------------------------- */
static inline double ops_rms(const float *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)values[i] * (double)values[i];
    return sqrt(sum / (double)count);
}

/* |got - want| <= relative |want| + absolute for every element; a NaN never passes. */
static inline void ops_near(const char *what, const float *got, const float *want, size_t count, double relative,
                            double absolute)
{
    for (size_t i = 0; i < count; i++) {
        const double difference = fabs((double)got[i] - (double)want[i]);
        if (!(difference <= relative * fabs((double)want[i]) + absolute))
            fail_msg("%s: element %zu of %zu is %.9g, should be %.9g (off by %.3g, allowed %.3g)", what, i, count,
                     (double)got[i], (double)want[i], difference, relative * fabs((double)want[i]) + absolute);
    }
}

/* |got - want| / |want| in the Euclidean norm. */
static inline double ops_distance(const float *got, const float *want, size_t count)
{
    double difference = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        difference += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
        norm += (double)want[i] * (double)want[i];
    }
    return norm > 0 ? sqrt(difference / norm) : sqrt(difference);
}

/* Half a unit in the last place of a value, as a share of it: what rounding to the type may cost. */
static inline double ops_half_unit(enum dtype dtype)
{
    return dtype == DTYPE_BF16 ? 1.0 / 256 : 0;
}

#endif
