/* backend/cpu/conv_algorithms.c -- the algorithms that compute convolutions, in the order in which they are asked. A
 * further one is a sub-room of its own and a row here. */
#include "backend/cpu/conv/conv_plan.h"
#include "backend/cpu/winograd/winograd.h"

const struct conv_algorithm *const conv_algorithms[] = {&conv_winograd, &conv_direct, NULL};
