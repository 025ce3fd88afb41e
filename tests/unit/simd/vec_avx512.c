/* The cases of vec_body.h on vectors of AVX-512. */
#define VEC_CASES vec_cases_avx512
#include "unit/simd/vec_body.h"
