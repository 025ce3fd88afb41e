/* simd/simd.c -- asks the processor, and through libgcc and Linux the operating system, what it runs. */
#include "simd/simd.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Leaf 7, subleaf 1: what __builtin_cpu_supports of older compilers does not know. */
static bool has_bf16(void)
{
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & (1u << 5));
}

static bool has_amx(void)
{
    enum { AMX_BF16 = 1u << 22, AMX_TILE = 1u << 24, ARCH_REQUEST_PERMISSION = 0x1023, XFEATURE_TILE_DATA = 18 };
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
    if (!(edx & AMX_BF16) || !(edx & AMX_TILE)) return false;
    return syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, XFEATURE_TILE_DATA) == 0;
}

/* The features asked for are those that cmake/backend_flags.cmake lets the compiler use in each set's files. */
enum simd simd_machine(void)
{
    enum simd simd = SIMD_PORTABLE;
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return simd;
    simd = SIMD_AVX2;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return simd;
    simd = SIMD_AVX512;
    if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni")) simd |= SIMD_AVX512_VBMI;
    if (!has_bf16()) return simd;
    simd |= SIMD_AVX512_BF16;
    return has_amx() ? simd | SIMD_AMX : simd;
}
#else
enum simd simd_machine(void)
{
    return SIMD_PORTABLE;
}
#endif

/* Best first, as --cpu lists them. */
static const struct word {
    const char *word;
    enum simd needs, may; /* what the machine must have; what is used of what it has */
} WORDS[] = {
    {"amx", SIMD_AMX, SIMD_AMX | SIMD_AVX512_VBMI},
    {"amx-emulated", SIMD_PORTABLE, SIMD_AVX512_BF16 | SIMD_AVX512_VBMI},
    {"avx512-bf16", SIMD_AVX512_BF16, SIMD_AVX512_BF16 | SIMD_AVX512_VBMI},
    {"avx512", SIMD_AVX512, SIMD_AVX512},
    {"avx2", SIMD_AVX2, SIMD_AVX2},
    {"portable", SIMD_PORTABLE, SIMD_PORTABLE},
};
enum { WORD_COUNT = sizeof WORDS / sizeof WORDS[0] };

static const char *const WORD_NAMES[] = {"amx", "amx-emulated", "avx512-bf16", "avx512", "avx2", "portable", NULL};

const char *const *simd_words(void)
{
    return WORD_NAMES;
}

static const struct word *find(const char *word)
{
    for (int i = 0; i < WORD_COUNT; i++)
        if (strcmp(WORDS[i].word, word) == 0) return &WORDS[i];
    return NULL;
}

bool simd_runs(const char *word)
{
    const struct word *found = find(word);
    return found && simd_has(simd_machine(), found->needs);
}

int simd_choose(const char *word, const char *source, enum simd *out, struct error *error)
{
    const enum simd machine = simd_machine();
    *out = machine;
    if (!word || strcmp(word, "auto") == 0) return SIMCLR_OK;
    const struct word *found = find(word);
    if (!found)
        return error_set(error, SIMCLR_INVALID,
                         "%s: no instruction set is called '%.40s'; use auto, amx, amx-emulated, avx512-bf16, avx512, "
                         "avx2 or portable",
                         source, word);
    if (!simd_has(machine, found->needs))
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "%s: this machine cannot run '%s'; leave it out to get the best that runs here (%s)", source,
                         word, simd_name(machine));
    *out = machine & found->may;
    if (strcmp(word, "amx-emulated") == 0) *out |= SIMD_AMX_EMULATED;
    return SIMCLR_OK;
}

const char *simd_name(enum simd simd)
{
    static const struct {
        enum simd set;
        const char *name;
    } NAMES[] = {
        {SIMD_AMX, "amx"},
        {SIMD_AVX512_BF16, "avx512-bf16"},
        {SIMD_AVX512_VBMI, "avx512-vbmi"},
        {SIMD_AVX512, "avx512"},
        {SIMD_AVX2, "avx2"},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (simd_has(simd, NAMES[i].set)) return NAMES[i].name;
    return "portable";
}
