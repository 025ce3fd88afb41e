/* image/simd.c -- asks the CPU (and, through libgcc, the operating system) what it can run. */
#include "image/simd.h"

#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_vbmi(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}
#else
static bool has_avx2(void)
{
    return false;
}

static bool has_avx512(void)
{
    return false;
}

static bool has_vbmi(void)
{
    return false;
}
#endif

/* The features named are those that cmake/backend_flags.cmake lets the compiler use in each variant. */
bool simd_available(enum simd level)
{
    switch (level) {
    case SIMD_BEST:
    case SIMD_PORTABLE:
        return true;
    case SIMD_AVX2:
        return has_avx2();
    case SIMD_AVX512:
        return has_avx512();
    case SIMD_AVX512_VBMI:
        return has_vbmi();
    }
    return false;
}

enum simd simd_resolve(enum simd level)
{
    if (level != SIMD_BEST && simd_available(level)) return level;
    for (int best = SIMD_AVX512_VBMI; best > SIMD_PORTABLE; best--)
        if (simd_available((enum simd)best)) return (enum simd)best;
    return SIMD_PORTABLE;
}

const char *simd_name(enum simd level)
{
    switch (simd_resolve(level)) {
    case SIMD_AVX512_VBMI:
        return "avx512-vbmi";
    case SIMD_AVX512:
        return "avx512";
    case SIMD_AVX2:
        return "avx2";
    default:
        return "portable";
    }
}
