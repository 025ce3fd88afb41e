/* The cases of vec_body.h on vectors of AVX-512 with AVX512-BF16. */
#define VEC_CASES vec_cases_avx512bf16
#include "unit/simd/vec_body.h"
