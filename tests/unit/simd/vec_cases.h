/* The cases of vec_body.h, compiled for each instruction set that has a file of vectors (vec_*.c). */
#ifndef UNIT_SIMD_VEC_CASES_H
#define UNIT_SIMD_VEC_CASES_H

enum { VEC_CASE_COUNT = 7 };

extern const struct CMUnitTest vec_cases_portable[VEC_CASE_COUNT];
#if defined(__x86_64__)
extern const struct CMUnitTest vec_cases_avx2[VEC_CASE_COUNT], vec_cases_avx512[VEC_CASE_COUNT],
    vec_cases_avx512bf16[VEC_CASE_COUNT];
#endif

#endif
