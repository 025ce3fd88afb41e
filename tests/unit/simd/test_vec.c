/* simd/vec.h: every instruction set that this processor has gives each name the one meaning. The cases stand in
 * vec_body.h. */
#include "support/run.h"

#include "simd/simd.h"
#include "unit/simd/vec_cases.h"

static const struct {
    enum simd needs;
    const struct CMUnitTest *cases;
} SETS[] = {
    {SIMD_PORTABLE, vec_cases_portable},
#if defined(__x86_64__)
    {SIMD_AVX2, vec_cases_avx2},
    {SIMD_AVX512, vec_cases_avx512},
    {SIMD_AVX512_BF16, vec_cases_avx512bf16},
#endif
};
enum { SET_COUNT = sizeof SETS / sizeof SETS[0] };

static void missing(void **state)
{
    const int *set = *state;
    skip_case("this processor has no %s", simd_name(SETS[*set].needs));
}

int main(void)
{
    static char names[SET_COUNT][VEC_CASE_COUNT][64];
    static int numbers[SET_COUNT];
    struct CMUnitTest tests[SET_COUNT * VEC_CASE_COUNT];
    for (int set = 0; set < SET_COUNT; set++)
        for (int i = 0; i < VEC_CASE_COUNT; i++) {
            struct CMUnitTest *test = &tests[set * VEC_CASE_COUNT + i];
            *test = SETS[set].cases[i];
            snprintf(names[set][i], sizeof names[set][i], "%s: %s", simd_name(SETS[set].needs), test->name);
            test->name = names[set][i];
            numbers[set] = set;
            test->initial_state = &numbers[set];
            if (!simd_has(simd_machine(), SETS[set].needs)) test->test_func = missing;
        }
    return run_cases(tests, NULL, NULL);
}
