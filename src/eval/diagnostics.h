/* eval/diagnostics.h -- is the representation healthy? (Wang & Isola 2020; Garrido et al. 2023, RankMe.) */
#ifndef EVAL_DIAGNOSTICS_H
#define EVAL_DIAGNOSTICS_H

#include "base/error.h"

/* h: [2 pairs][dim], rows i and i + pairs are a pair; both normalised to unit length first.
 * alignment = mean |u_i - u_i+|^2; uniformity = log mean over i < j of exp(-2 |u_i - u_j|^2); rankme = exp(entropy of
 * the singular values of h / sum + 1e-7); feature_std = mean over dimensions of the standard deviation of the
 * normalised features (0: collapsed; 1/sqrt(dim): isotropic). */
struct diagnostics {
    double alignment, uniformity, rankme, feature_std;
};
int diagnostics_run(struct diagnostics *out, const float *h, int pairs, int dim, struct error *error);

#endif
