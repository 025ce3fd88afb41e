/* backend/cpu/kernels_body.h -- defines the table CPU_KERNELS for the instruction set of the including file. */
#include "backend/cpu/kernels.h"
#include "backend/cpu/nt_xent/nt_xent_body.h"
#include "backend/cpu/rows/batch_norm_body.h"
#include "backend/cpu/rows/optimizer_body.h"
#include "backend/cpu/rows/pool_body.h"
#include "backend/cpu/rows/relu_body.h"

const struct cpu_kernels CPU_KERNELS = {
    .norm_sums = norm_sums,
    .norm_apply = norm_apply,
    .norm_gradient_sums = norm_gradient_sums,
    .norm_gradient = norm_gradient,
    .max_pool_row = max_pool_row,
    .max_pool_gradient_row = max_pool_gradient_row,
    .global_pool = global_pool,
    .global_pool_gradient = global_pool_gradient,
    .average_pool_row = average_pool_row,
    .relu = relu,
    .relu_gradient = relu_gradient,
    .dropout = dropout,
    .powers = nt_powers,
    .nt_xent = &nt_kernels,
    .sum_squares = sum_squares,
    .lars_norms = lars_norms,
    .lars_update = lars_update,
    .sgd_update = sgd_update,
    .adam_update = adam_update,
};
