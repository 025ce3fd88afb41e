/* simd/simd.h -- which vector instructions this machine has, and the one choice of those that kernels may use.
 *
 * The session reads --cpu and $SIMCLR_CPU once and makes a mask of them. The mask is a value that is handed down: to
 * the backend (backend_create), to the views (struct view_policy) and to image_resize. Every table of kernels is chosen
 * by it and by nothing else, so that one word governs them all. */
#ifndef SIMD_SIMD_H
#define SIMD_SIMD_H

#include <stdbool.h>

#include "base/error.h"

/* A mask of instruction sets. A name includes the sets that it builds on: simd_has(simd, SIMD_AVX512) reads as "kernels
 * of 512 bits may run". Masks are joined by | and cut by &. */
enum simd {
    SIMD_PORTABLE = 0,                       /* what every processor of the architecture has */
    SIMD_AVX2 = 1 << 0,                      /* and FMA */
    SIMD_AVX512 = 1 << 1 | SIMD_AVX2,        /* F, BW, DQ, VL */
    SIMD_AVX512_VBMI = 1 << 2 | SIMD_AVX512, /* and VNNI: the resize of views */
    SIMD_AVX512_BF16 = 1 << 3 | SIMD_AVX512, /* products of pairs of bf16 */
    SIMD_AMX = 1 << 4 | SIMD_AVX512_BF16,    /* products of bf16 tiles */
    SIMD_AMX_EMULATED = 1 << 5,              /* the same tiles in plain C, on any machine */
    SIMD_VIEWS = SIMD_AVX512_VBMI,           /* all that kernels of views use: simd & SIMD_VIEWS */
};

static inline bool simd_has(enum simd simd, enum simd what)
{
    return (simd & what) == what;
}

/* All that this processor and its operating system run: what "auto" stands for, never SIMD_AMX_EMULATED. Linux grants
 * AMX on request; asking is part of the answer, and the grant holds for the process from then on. */
enum simd simd_machine(void);

/* The mask of one of simd_words(). NULL and "auto" mean simd_machine(). A word names what may be used at most, so that
 * it means the same on every machine that has it:
 *   portable, avx2, avx512   that set and what it builds on
 *   avx512-bf16, amx         the same, and VBMI where the machine has it
 *   amx-emulated             all that the machine has but AMX, and the emulation
 * SIMCLR_INVALID for any other word, SIMCLR_UNSUPPORTED where this machine cannot run it. `source` is how the user gave
 * the word ("--cpu", "SIMCLR_CPU"): errors begin with it. */
int simd_choose(const char *word, const char *source, enum simd *out, struct error *error);

/* What simd_choose takes besides "auto", NULL-terminated: "amx", "amx-emulated", "avx512-bf16", "avx512", "avx2",
 * "portable". */
const char *const *simd_words(void);
bool simd_runs(const char *word); /* on this machine; false also for a word of no meaning */

/* "portable", "avx2", "avx512", "avx512-vbmi", "avx512-bf16", "amx": the last of these that the mask has. Kernels cut
 * the mask to what they know of first. */
const char *simd_name(enum simd simd);

/* The table of kernels for a mask, of three. The tables of x86-64's instruction sets are no part of other builds. */
#if defined(__x86_64__)
#define SIMD_CHOOSE(simd, avx512, avx2, portable)                                                                      \
    (simd_has(simd, SIMD_AVX512) ? (avx512) : simd_has(simd, SIMD_AVX2) ? (avx2) : (portable))
#else
#define SIMD_CHOOSE(simd, avx512, avx2, portable) ((void)(simd), (portable))
#endif

#endif
