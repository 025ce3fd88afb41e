/* The cases of vec_body.h on vectors of AVX2. */
#define VEC_CASES vec_cases_avx2
#include "unit/simd/vec_body.h"
