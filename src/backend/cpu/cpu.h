/* backend/cpu/cpu.h -- the fast backend: kernels per instruction set, chosen once when the backend is created.
 *
 * Activations live in layout P (layout.h): [batch / 16][channels / 32][H][W][16 images][32 channels].
 * Sixteen images are the rows of a tile, thirty-two channels its columns, so every kernel sees full vectors at any
 * image size. */
#ifndef BACKEND_CPU_CPU_H
#define BACKEND_CPU_CPU_H

#include "backend/backend.h"

/* What does the tiles of bf16 matrix products: nothing (vector kernels), the hardware, or plain C that follows it. */
enum cpu_tiles { CPU_TILES_NONE, CPU_TILES_NATIVE, CPU_TILES_EMULATED };

enum { CPU_SLICES = 64 }; /* pieces that long arrays are cut into for norms and optimisers */

struct cpu_kernels; /* kernels.h: the vector kernels that are not convolutions */

struct cpu_backend {
    struct backend base;  /* first: a struct backend * of this kind may be cast back */
    enum simd simd;       /* what its kernels may use */
    enum cpu_tiles tiles; /* bf16 convolutions go through tiles unless NONE */
    const struct cpu_kernels *kernels;
    int threads;
    size_t cache_bytes; /* of the last level; outputs far larger than it bypass it */
    char description[96];

    void **scratch; /* [threads], each scratch_bytes long */
    size_t scratch_bytes;
    double partials[2][2 * CPU_SLICES]; /* sums over slices of an array (optimizer.c) */
};

static inline struct cpu_backend *cpu_backend_of(struct backend *backend)
{
    return (struct cpu_backend *)backend;
}
static inline const struct cpu_backend *cpu_backend_of_const(const struct backend *backend)
{
    return (const struct cpu_backend *)backend;
}

/* simd: of simd_choose or simd_machine. pool: borrowed, must outlive the backend. SIMCLR_NO_MEMORY. Released by
 * backend_destroy. */
int cpu_backend_create(enum simd simd, struct pool *pool, struct backend **out, struct error *error);

/* Scratch that plans share: each thread has one block, as long as the longest request so far. Contents do not
 * survive from one operation to the next. Reserve at creation; ask for the address at execution (it may have
 * moved when a later plan asked for more). Requests are rounded up to whole pages. */
int cpu_reserve_scratch(struct cpu_backend *cpu, size_t bytes_per_thread, struct error *error);
static inline void *cpu_scratch(const struct cpu_backend *cpu, int thread)
{
    return cpu->scratch[thread];
}

#endif
