#include "backend/ref/ref.h"

#include <stdio.h>

#include "backend/host.h"
#include "base/memory.h"
#include "base/pool.h"

struct ref_backend {
    struct backend base; /* first: a struct backend * of this kind may be cast back */
    char description[64];
};

static void destroy(struct backend *backend)
{
    memory_free(backend);
}

static const char *description(const struct backend *backend)
{
    return ((const struct ref_backend *)backend)->description;
}

static bool supports(const struct backend *backend, enum dtype dtype)
{
    (void)backend;
    return dtype == DTYPE_F32 || dtype == DTYPE_BF16 || dtype == DTYPE_F64;
}

static enum dtype preferred(const struct backend *backend)
{
    (void)backend;
    return DTYPE_F32;
}

static int synchronize(struct backend *backend, struct error *error)
{
    (void)backend;
    (void)error;
    return SIMCLR_OK;
}

/* It rounds them itself where it must. */
static enum dtype image_type(const struct backend *backend, enum dtype precision)
{
    (void)backend;
    (void)precision;
    return DTYPE_F32;
}

/* Nobody asks the oracle how fast it is. */
static double peak(struct backend *backend, enum dtype operands)
{
    (void)backend;
    (void)operands;
    return 0;
}

static const struct backend_ops REF_OPS = {
    .name = "ref",
    .destroy = destroy,
    .description = description,
    .supports = supports,
    .preferred = preferred,
    .image_type = image_type,
    .sync = synchronize,
    .allocate = host_allocate,
    .release = host_release,
    .allocate_host = host_allocate,
    .release_host = host_release,
    .reads_host = host_reads_host,
    .upload = host_copy,
    .download = host_copy,
    .copy = host_copy,
    .clear = host_clear,
    .add = host_add,
    .add_sums = host_add_sums,
    .average = host_average,
    .recording_create = host_recording_create,
    .recording_destroy = host_recording_destroy,
    .replay = host_replay,
    .record_begin = host_record_begin,
    .record_end = host_record_end,
    .tensor_bytes = ref_tensor_bytes,
    .statistics_bytes = ref_statistics_bytes,
    .tensor_read = ref_tensor_read,
    .tensor_write = ref_tensor_write,
    .conv_create = ref_conv_create,
    .conv_destroy = ref_conv_destroy,
    .conv_bytes = ref_conv_bytes,
    .conv_algorithm = ref_conv_algorithm,
    .conv_work = ref_conv_work,
    .peak = peak,
    .conv_set_weights = ref_conv_set_weights,
    .conv_set_folded_weights = ref_conv_set_folded_weights,
    .conv_forward = ref_conv_forward,
    .conv_inference = ref_conv_inference,
    .conv_backward_data = ref_conv_backward_data,
    .conv_backward_weights = ref_conv_backward_weights,
    .batch_norm_create = ref_batch_norm_create,
    .batch_norm_destroy = ref_batch_norm_destroy,
    .batch_norm_mask_bytes = ref_batch_norm_mask_bytes,
    .batch_norm_saved_bytes = ref_batch_norm_saved_bytes,
    .batch_norm_forward = ref_batch_norm_forward,
    .batch_norm_running = ref_batch_norm_running,
    .batch_norm_again = ref_batch_norm_again,
    .batch_norm_inference = ref_batch_norm_inference,
    .batch_norm_backward_sums = ref_batch_norm_backward_sums,
    .batch_norm_backward = ref_batch_norm_backward,
    .max_pool_create = ref_max_pool_create,
    .max_pool_destroy = ref_max_pool_destroy,
    .max_pool_saved_bytes = ref_max_pool_saved_bytes,
    .max_pool_forward = ref_max_pool_forward,
    .max_pool_backward = ref_max_pool_backward,
    .global_pool_create = ref_global_pool_create,
    .global_pool_destroy = ref_global_pool_destroy,
    .global_pool_forward = ref_global_pool_forward,
    .global_pool_backward = ref_global_pool_backward,
    .average_pool_create = ref_average_pool_create,
    .average_pool_destroy = ref_average_pool_destroy,
    .average_pool_forward = ref_average_pool_forward,
    .average_pool_backward = ref_average_pool_backward,
    .relu_create = ref_relu_create,
    .relu_destroy = ref_relu_destroy,
    .relu_forward = ref_relu_forward,
    .relu_backward = ref_relu_backward,
    .dropout_create = ref_dropout_create,
    .dropout_destroy = ref_dropout_destroy,
    .dropout_forward = ref_dropout_forward,
    .dropout_backward = ref_dropout_backward,
    .nt_xent_create = ref_nt_xent_create,
    .nt_xent_destroy = ref_nt_xent_destroy,
    .nt_xent_sizes = ref_nt_xent_sizes,
    .nt_xent_unit_rows = ref_nt_xent_unit_rows,
    .nt_xent_log_sums = ref_nt_xent_log_sums,
    .nt_xent_gradient = ref_nt_xent_gradient,
    .cross_entropy_create = host_cross_entropy_create,
    .cross_entropy_destroy = host_cross_entropy_destroy,
    .cross_entropy_run = host_cross_entropy_run,
    .optimizer_create = ref_optimizer_create,
    .optimizer_destroy = ref_optimizer_destroy,
    .optimizer_run = ref_optimizer_run,
    .sum_squares = ref_sum_squares,
    .matmul = ref_matmul,
};

int ref_backend_create(struct pool *pool, struct backend **out, struct error *error)
{
    struct ref_backend *ref = memory_allocate(sizeof *ref);
    if (!ref) return error_no_memory(error, "the ref backend", sizeof *ref);
    const int threads = pool_threads(pool);
    ref->base.ops = &REF_OPS;
    ref->base.pool = pool;
    snprintf(ref->description, sizeof ref->description, "ref, plain C in double precision, %d thread%s", threads,
             threads == 1 ? "" : "s");
    *out = &ref->base;
    return SIMCLR_OK;
}
