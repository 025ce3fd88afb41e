/* The one mask: what words mean, what is refused, and that tables of kernels follow it. */
#include "support/run.h"

#include <string.h>

#include "base/error.h"
#include "simd/simd.h"

static const char *const EXPECTED[] = {"amx", "amx-emulated", "avx512-bf16", "avx512", "avx2", "portable"};
enum { COUNT = sizeof EXPECTED / sizeof EXPECTED[0] };

static void the_words(void **state)
{
    (void)state;
    const char *const *words = simd_words();
    for (int i = 0; i < COUNT; i++) assert_string_equal(words[i], EXPECTED[i]);
    assert_null(words[COUNT]);
    assert_true(simd_runs("portable"));
    assert_true(simd_runs("amx-emulated"));
    assert_false(simd_runs("mmx"));
    assert_false(simd_runs("auto")); /* no set of its own */
}

static void masks_hold_what_they_build_on(void **state)
{
    (void)state;
    assert_true(simd_has(SIMD_AVX512, SIMD_AVX2));
    assert_true(simd_has(SIMD_AVX512_VBMI, SIMD_AVX512));
    assert_true(simd_has(SIMD_AMX, SIMD_AVX512_BF16));
    assert_true(simd_has(SIMD_PORTABLE, SIMD_PORTABLE));
    assert_false(simd_has(SIMD_AVX2, SIMD_AVX512));
    assert_false(simd_has(SIMD_AVX512_BF16, SIMD_AVX512_VBMI));
    assert_false(simd_has(SIMD_AMX, SIMD_AMX_EMULATED));
    assert_false(simd_has(simd_machine(), SIMD_AMX_EMULATED));
}

/* Every word gives at most what it names, and is refused where the machine has less. */
static void choices(void **state)
{
    (void)state;
    static const enum simd AT_MOST[] = {SIMD_AMX | SIMD_AVX512_VBMI,
                                        SIMD_AVX512_BF16 | SIMD_AVX512_VBMI | SIMD_AMX_EMULATED,
                                        SIMD_AVX512_BF16 | SIMD_AVX512_VBMI,
                                        SIMD_AVX512,
                                        SIMD_AVX2,
                                        SIMD_PORTABLE};
    static const enum simd AT_LEAST[] = {SIMD_AMX,    SIMD_AMX_EMULATED, SIMD_AVX512_BF16,
                                         SIMD_AVX512, SIMD_AVX2,         SIMD_PORTABLE};
    for (int i = 0; i < COUNT; i++) {
        struct error error = {0};
        enum simd simd;
        const int status = simd_choose(EXPECTED[i], "--cpu", &simd, &error);
        assert_int_equal(status, simd_runs(EXPECTED[i]) ? SIMCLR_OK : SIMCLR_UNSUPPORTED);
        if (status == SIMCLR_OK) {
            assert_true(simd_has(simd, AT_LEAST[i]));
            assert_true(simd_has(AT_MOST[i], simd));
            assert_true(simd_has(simd_machine() | SIMD_AMX_EMULATED, simd));
        } else {
            assert_non_null(strstr(error.text, "--cpu: this machine cannot run"));
            assert_non_null(strstr(error.text, EXPECTED[i]));
        }
    }
}

static void auto_is_all(void **state)
{
    (void)state;
    enum simd simd = SIMD_AMX_EMULATED;
    assert_int_equal(simd_choose(NULL, "--cpu", &simd, NULL), SIMCLR_OK);
    assert_int_equal(simd, simd_machine());
    assert_int_equal(simd_choose("auto", "--cpu", &simd, NULL), SIMCLR_OK);
    assert_int_equal(simd, simd_machine());
}

static void unknown_words(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "mmx", "AVX2", "avx2 ", "avx"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error error = {0};
        enum simd simd;
        assert_int_equal(simd_choose(bad[i], "SIMCLR_CPU", &simd, &error), SIMCLR_INVALID);
        assert_non_null(strstr(error.text, "SIMCLR_CPU: no instruction set is called"));
        assert_non_null(strstr(error.text, bad[i]));
    }
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(simd_name(SIMD_PORTABLE), "portable");
    assert_string_equal(simd_name(SIMD_AVX2), "avx2");
    assert_string_equal(simd_name(SIMD_AVX512), "avx512");
    assert_string_equal(simd_name(SIMD_AVX512_BF16 & SIMD_VIEWS), "avx512");
    assert_string_equal(simd_name((SIMD_AVX512_BF16 | SIMD_AVX512_VBMI) & SIMD_VIEWS), "avx512-vbmi");
    assert_string_equal(simd_name((SIMD_AVX512_BF16 | SIMD_AVX512_VBMI) & SIMD_AVX512_BF16), "avx512-bf16");
    assert_string_equal(simd_name(SIMD_AMX), "amx");
    assert_string_equal(simd_name(SIMD_AMX_EMULATED | SIMD_AVX2), "avx2");
}

static void tables_follow_the_mask(void **state)
{
    (void)state;
#if defined(__x86_64__)
    assert_int_equal(SIMD_CHOOSE(SIMD_PORTABLE, 3, 2, 1), 1);
    assert_int_equal(SIMD_CHOOSE(SIMD_AVX2, 3, 2, 1), 2);
    assert_int_equal(SIMD_CHOOSE(SIMD_AMX, 3, 2, 1), 3);
#else
    assert_int_equal(SIMD_CHOOSE(SIMD_AMX, 3, 2, 1), 1);
#endif
}

int main(void)
{
    print_message("this machine: %s, views %s\n", simd_name(simd_machine()), simd_name(simd_machine() & SIMD_VIEWS));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words),
        cmocka_unit_test(masks_hold_what_they_build_on),
        cmocka_unit_test(choices),
        cmocka_unit_test(auto_is_all),
        cmocka_unit_test(unknown_words),
        cmocka_unit_test(names),
        cmocka_unit_test(tables_follow_the_mask),
    };
    return run_cases(tests, NULL, NULL);
}
