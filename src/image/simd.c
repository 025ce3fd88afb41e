/* image/simd.c -- asks the CPU (and, through libgcc, the operating system) what it can run. */
#include "image/simd.h"

/* The features named are those that cmake/backend_flags.cmake lets the compiler use in each variant. */
bool simd_available(enum simd level)
{
    switch (level) {
    case SIMD_BEST:
    case SIMD_PORTABLE:
        return true;
#if defined(__x86_64__)
    case SIMD_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case SIMD_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma");
#else
    case SIMD_AVX2:
    case SIMD_AVX512:
        return false;
#endif
    }
    return false;
}

enum simd simd_resolve(enum simd level)
{
    if (level != SIMD_BEST && simd_available(level))
        return level;
    if (simd_available(SIMD_AVX512))
        return SIMD_AVX512;
    return simd_available(SIMD_AVX2) ? SIMD_AVX2 : SIMD_PORTABLE;
}

const char *simd_name(enum simd level)
{
    switch (simd_resolve(level)) {
    case SIMD_AVX512:
        return "avx512";
    case SIMD_AVX2:
        return "avx2";
    default:
        return "portable";
    }
}
