/* backend/check.h -- what every backend refuses, in one place, so that all refuse the same with the same words. */
#ifndef BACKEND_CHECK_H
#define BACKEND_CHECK_H

#include "backend/backend.h"

/* Each returns SIMCLR_OK, SIMCLR_UNSUPPORTED (a type the backend lacks) or SIMCLR_INVALID (sizes below 1 or so large
 * that a tensor would pass 2^40 elements, an empty output, a window that may lie wholly in the padding, an input
 * gradient of IMAGES, a temperature that is not positive, a share that would drop everything). */
int check_conv(const struct backend *backend, const struct conv_desc *desc, struct error *error);
int check_batch_norm(const struct backend *backend, const struct batch_norm_desc *desc, struct error *error);
int check_max_pool(const struct backend *backend, const struct max_pool_desc *desc, struct error *error);
int check_global_pool(const struct backend *backend, const struct global_pool_desc *desc, struct error *error);
int check_average_pool(const struct backend *backend, const struct average_pool_desc *desc, struct error *error);
int check_relu(const struct backend *backend, const struct relu_desc *desc, struct error *error);
int check_dropout(const struct backend *backend, const struct dropout_desc *desc, struct error *error);
int check_cross_entropy(const struct cross_entropy_desc *desc, struct error *error);
int check_optimizer(const struct optimizer_desc *desc, struct error *error);
int check_nt_xent(const struct nt_xent_desc *desc, struct error *error);

/* Multiplications and additions of a direct convolution over the batch, those with the padding left out; the same in
 * all three passes. */
double conv_inside_flops(const struct conv_desc *desc);

#endif
