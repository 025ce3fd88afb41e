#include "backend/cpu/cpu.h"

#include <stdio.h>
#include <unistd.h>

#include "backend/cpu/conv/conv.h"
#include "backend/cpu/conv/conv_tiles.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/matmul/matmul.h"
#include "backend/cpu/ops.h"
#include "backend/host.h"
#include "base/memory.h"

/* ---- the table's plain entries ------------------------------------------------------------------------------- */
static void destroy(struct backend *backend)
{
    struct cpu_backend *cpu = cpu_backend_of(backend);
    for (int i = 0; cpu->scratch && i < cpu->threads; i++) memory_free(cpu->scratch[i]);
    memory_free(cpu->scratch);
    memory_free(cpu);
}

static const char *description(const struct backend *backend)
{
    return cpu_backend_of_const(backend)->description;
}

static bool supports(const struct backend *backend, enum dtype dtype)
{
    (void)backend;
    return dtype == DTYPE_F32 || dtype == DTYPE_BF16;
}

static enum dtype preferred(const struct backend *backend)
{
    const struct cpu_backend *cpu = cpu_backend_of_const(backend);
    return cpu->tiles != CPU_TILES_NONE || simd_has(cpu->simd, SIMD_AVX512_BF16) ? DTYPE_BF16 : DTYPE_F32;
}

/* What they are multiplied as, so that they are rounded once, where they are made. */
static enum dtype image_type(const struct backend *backend, enum dtype precision)
{
    (void)backend;
    return precision == DTYPE_BF16 ? DTYPE_BF16 : DTYPE_F32;
}

/* Every operation is finished when its call returns, so there is nothing to wait for. */
static int synchronize(struct backend *backend, struct error *error)
{
    (void)backend;
    (void)error;
    return SIMCLR_OK;
}

static const struct backend_ops CPU_OPS = {
    .name = "cpu",
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
    .tensor_bytes = cpu_tensor_bytes,
    .statistics_bytes = cpu_statistics_bytes,
    .tensor_read = cpu_tensor_read,
    .tensor_write = cpu_tensor_write,
    .conv_create = cpu_conv_create,
    .conv_destroy = cpu_conv_destroy,
    .conv_bytes = cpu_conv_bytes,
    .conv_algorithm = cpu_conv_algorithm,
    .conv_work = cpu_conv_work,
    .peak = cpu_peak,
    .conv_set_weights = cpu_conv_set_weights,
    .conv_set_folded_weights = cpu_conv_set_folded_weights,
    .conv_forward = cpu_conv_forward,
    .conv_inference = cpu_conv_inference,
    .conv_backward_data = cpu_conv_backward_data,
    .conv_backward_weights = cpu_conv_backward_weights,
    .batch_norm_create = cpu_batch_norm_create,
    .batch_norm_destroy = cpu_batch_norm_destroy,
    .batch_norm_mask_bytes = cpu_batch_norm_mask_bytes,
    .batch_norm_saved_bytes = cpu_batch_norm_saved_bytes,
    .batch_norm_forward = cpu_batch_norm_forward,
    .batch_norm_running = cpu_batch_norm_running,
    .batch_norm_again = cpu_batch_norm_again,
    .batch_norm_inference = cpu_batch_norm_inference,
    .batch_norm_backward_sums = cpu_batch_norm_backward_sums,
    .batch_norm_backward = cpu_batch_norm_backward,
    .max_pool_create = cpu_max_pool_create,
    .max_pool_destroy = cpu_max_pool_destroy,
    .max_pool_saved_bytes = cpu_max_pool_saved_bytes,
    .max_pool_forward = cpu_max_pool_forward,
    .max_pool_backward = cpu_max_pool_backward,
    .global_pool_create = cpu_global_pool_create,
    .global_pool_destroy = cpu_global_pool_destroy,
    .global_pool_forward = cpu_global_pool_forward,
    .global_pool_backward = cpu_global_pool_backward,
    .average_pool_create = cpu_average_pool_create,
    .average_pool_destroy = cpu_average_pool_destroy,
    .average_pool_forward = cpu_average_pool_forward,
    .average_pool_backward = cpu_average_pool_backward,
    .relu_create = cpu_relu_create,
    .relu_destroy = cpu_relu_destroy,
    .relu_forward = cpu_relu_forward,
    .relu_backward = cpu_relu_backward,
    .dropout_create = cpu_dropout_create,
    .dropout_destroy = cpu_dropout_destroy,
    .dropout_forward = cpu_dropout_forward,
    .dropout_backward = cpu_dropout_backward,
    .nt_xent_create = cpu_nt_xent_create,
    .nt_xent_destroy = cpu_nt_xent_destroy,
    .nt_xent_sizes = cpu_nt_xent_sizes,
    .nt_xent_unit_rows = cpu_nt_xent_unit_rows,
    .nt_xent_log_sums = cpu_nt_xent_log_sums,
    .nt_xent_gradient = cpu_nt_xent_gradient,
    .cross_entropy_create = host_cross_entropy_create,
    .cross_entropy_destroy = host_cross_entropy_destroy,
    .cross_entropy_run = host_cross_entropy_run,
    .optimizer_create = cpu_optimizer_create,
    .optimizer_destroy = cpu_optimizer_destroy,
    .optimizer_run = cpu_optimizer_run,
    .sum_squares = cpu_sum_squares,
    .matmul = cpu_matmul,
};

/* ---- creation ------------------------------------------------------------------------------------------------ */
int cpu_reserve_scratch(struct cpu_backend *cpu, size_t bytes_per_thread, struct error *error)
{
    const size_t page = 4096;
    if (bytes_per_thread > SIZE_MAX - page) return error_no_memory(error, "scratch", bytes_per_thread);
    size_t bytes = (bytes_per_thread + page - 1) / page * page;
    if (bytes <= cpu->scratch_bytes) return SIMCLR_OK;
    /* A failure half-way leaves blocks that are longer than scratch_bytes says: harmless. */
    for (int i = 0; i < cpu->threads; i++) {
        void *block = memory_allocate(bytes);
        if (!block) return error_no_memory(error, "scratch of the cpu backend", bytes);
        memory_free(cpu->scratch[i]);
        cpu->scratch[i] = block;
    }
    cpu->scratch_bytes = bytes;
    return SIMCLR_OK;
}

static const struct cpu_kernels *kernels_of(enum simd simd)
{
#if defined(__x86_64__)
    if (simd_has(simd, SIMD_AVX512_BF16)) return &cpu_kernels_avx512bf16;
#endif
    return SIMD_CHOOSE(simd, &cpu_kernels_avx512, &cpu_kernels_avx2, &cpu_kernels_portable);
}

static void describe(struct cpu_backend *cpu)
{
    const char *bf16 = cpu->tiles == CPU_TILES_NATIVE     ? "amx"
                       : cpu->tiles == CPU_TILES_EMULATED ? "amx-emulated"
                                                          : simd_name(cpu->simd & SIMD_AVX512_BF16);
    snprintf(cpu->description, sizeof cpu->description, "cpu, %d thread%s, %s (bf16), %s (float32)", cpu->threads,
             cpu->threads == 1 ? "" : "s", bf16, simd_name(cpu->simd & SIMD_AVX512));
}

/* Of the last level, or a guess where the system does not say. */
static size_t last_cache_bytes(void)
{
    const long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
    return bytes > 0 ? (size_t)bytes : (size_t)32 << 20;
}

static enum cpu_tiles tiles_of(enum simd simd)
{
    if (simd_has(simd, SIMD_AMX_EMULATED)) return CPU_TILES_EMULATED;
    return simd_has(simd, SIMD_AMX) && conv_kernels_amx(false) ? CPU_TILES_NATIVE : CPU_TILES_NONE;
}

int cpu_backend_create(enum simd simd, struct pool *pool, struct backend **out, struct error *error)
{
    *out = NULL;
    struct cpu_backend *cpu = memory_allocate(sizeof *cpu);
    if (!cpu) return error_no_memory(error, "the cpu backend", sizeof *cpu);
    cpu->base.ops = &CPU_OPS;
    cpu->base.pool = pool;
    cpu->simd = simd;
    cpu->tiles = tiles_of(simd);
    cpu->kernels = kernels_of(simd);
    cpu->threads = pool_threads(pool);
    cpu->cache_bytes = last_cache_bytes();
    cpu->scratch = memory_array((size_t)cpu->threads, sizeof *cpu->scratch);
    if (!cpu->scratch) {
        destroy(&cpu->base);
        return error_no_memory(error, "the cpu backend", sizeof *cpu);
    }
    describe(cpu);
    const int status = cpu_reserve_scratch(cpu, cpu_matmul_scratch(), error);
    if (status != SIMCLR_OK) {
        destroy(&cpu->base);
        return status;
    }
    *out = &cpu->base;
    return SIMCLR_OK;
}
