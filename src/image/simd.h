/* image/simd.h -- which compiled variant of the pixel loops runs: chosen once, kept in a value, forced by tests.
 * Variants agree within 1/255 in every value of a view; the tests hold them to far less. */
#ifndef IMAGE_SIMD_H
#define IMAGE_SIMD_H

#include <stdbool.h>

/* SIMD_BEST (0) stands for "what this CPU does best" wherever a level is asked for. */
enum simd { SIMD_BEST, SIMD_PORTABLE, SIMD_AVX2, SIMD_AVX512, SIMD_AVX512_VBMI };

bool simd_available(enum simd level);    /* can this CPU and operating system run it? */
enum simd simd_resolve(enum simd level); /* SIMD_BEST, or a level that cannot run here: the best one; else itself */
const char *simd_name(enum simd level);  /* "portable", "avx2", "avx512", "avx512-vbmi" */

#endif
