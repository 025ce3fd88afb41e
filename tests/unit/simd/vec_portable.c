/* The cases of vec_body.h on vectors of plain C. */
#define VEC_CASES vec_cases_portable
#include "unit/simd/vec_body.h"
