#include "backend/cpu/detect.h"

#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>

enum cpu_level cpu_detect_level(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return CPU_PORTABLE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return CPU_AVX2;
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (!__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) || !(eax & (1u << 5))) return CPU_AVX512;
    return CPU_AVX512_BF16;
}

bool cpu_detect_tiles(void)
{
    enum { AMX_BF16 = 1u << 22, AMX_TILE = 1u << 24, ARCH_REQUEST_PERMISSION = 0x1023, XFEATURE_TILE_DATA = 18 };
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (cpu_detect_level() < CPU_AVX512_BF16) return false; /* the epilogues around the tiles use it */
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
    if (!(edx & AMX_BF16) || !(edx & AMX_TILE)) return false;
    return syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, XFEATURE_TILE_DATA) == 0;
}
#else
enum cpu_level cpu_detect_level(void)
{
    return CPU_PORTABLE;
}

bool cpu_detect_tiles(void)
{
    return false;
}
#endif

size_t cpu_detect_cache_bytes(void)
{
    long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
    return bytes > 0 ? (size_t)bytes : (size_t)32 << 20;
}
