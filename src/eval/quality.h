/* eval/quality.h -- what can be said of features without labels, beside alignment, uniformity and RankMe
 * (diagnostics.h). These figures compare runs of one encoder on one set. They don't tell which of two different
 * encoders, or which of two sets, is better. LiDAR, alpha and consistency return SIMCLR_INTERRUPTED when the pool is
 * asked to stop. */
#ifndef EVAL_QUALITY_H
#define EVAL_QUALITY_H

#include <stdint.h>

#include "backend/backend.h"

/* LiDAR (Thilak et al. 2023): how many directions tell images apart, once what views of one image differ by is taken
 * away. h: [images][views][dim], not normalised; at least 2 images and 2 views.
 * S_b = sum over images (m_i - m)(m_i - m)^T / (images - 1), where m_i is the mean of image i's views and m their mean;
 * S_w = sum over views (h_ij - m_i)(h_ij - m_i)^T / (images (views - 1)) + 1e-4 I;
 * l: the eigenvalues of S_w^-1/2 S_b S_w^-1/2, negative ones 0; p_i = (l_i + 1e-8) / sum of these.
 * The result is exp of the entropy of p, from 1 to dim. It is 1 where images don't differ at all: sum of l below
 * 1e-8 dim. SIMCLR_DATA for a value that is not finite. */
struct quality_views {
    const float *h;
    int64_t images;
    int views, dim;
};
int quality_lidar(double *lidar, struct pool *pool, const struct quality_views *args, struct error *error);

/* Eigenvalues of the covariance of h [rows][dim], largest first: eigenvalues [dim]. At least two rows, else
 * SIMCLR_INVALID; SIMCLR_DATA for a value that is not finite. */
int quality_spectrum(double *eigenvalues, struct pool *pool, const float *h, int64_t rows, int dim,
                     struct error *error);

/* alpha-ReQ (Agrawal et al. 2022): eigenvalues of the covariance of h [rows][dim] fall like rank^-alpha. alpha and its
 * R^2 come from the line through log eigenvalue over log rank (both natural), by least squares, from rank 11 to
 * min(100, dim / 2), or to the last eigenvalue above 1e-12 of the largest. Fewer than three ranks: both are NaN.
 * SIMCLR_DATA for a value that is not finite. */
struct quality_alpha {
    double alpha, r2;
    int first, last; /* ranks, counted from 1 */
};
int quality_alpha(struct quality_alpha *out, struct pool *pool, const float *h, int64_t rows, int dim,
                  struct error *error);

/* The share of rows of `first` [rows][dim] whose nearest row of `second` [rows][dim] (cosine; of equally near ones the
 * lower) is the one of the same number: the other view of the same image. */
int quality_consistency(double *share, struct backend *backend, const float *first, const float *second, int64_t rows,
                        int dim, struct error *error);

/* neighbours: [rows][k], most similar first, without the row itself, -1 where there is none (neighbours.h). */
struct quality_graph {
    const int32_t *neighbours;
    int64_t rows;
    int k;
};

/* Hubness (Radovanovic et al. 2010): the skewness m_3 / m_2^(3/2) of how often a row is among the 10 nearest of others.
 * 0 where every row is so equally often. SIMCLR_INVALID for k below 10. */
enum { QUALITY_HUBNESS_K = 10 };
int quality_hubness(double *skewness, const struct quality_graph *graph, struct error *error);

/* Intrinsic dimension by TwoNN (Facco et al. 2017) of h [rows][dim] scaled to unit rows. With r_1 and r_2, a row's
 * Euclidean distances to its two nearest, mu = r_2 / r_1 sorted, and F_i = i / n, the dimension is the slope of
 * -log(1 - F_i) over log mu_i through the origin, over the lowest nine tenths of the n rows (floor). Rows that have an
 * equal (r_1 < 1e-6), or fewer than two neighbours, are left out. NaN where fewer than ten rows are left, or all mu
 * are 1. SIMCLR_INVALID for k below 2. */
struct quality_dimension {
    double dimension;
    int64_t rows; /* n */
};
int quality_dimension(struct quality_dimension *out, const struct quality_graph *graph, const float *h, int dim,
                      struct error *error);

#endif
