/* eval/symmetric.c -- see symmetric.h. */
#include "eval/symmetric.h"

#include <math.h>

/* Householder reduction of a symmetric matrix to tridiagonal form (diagonal d, off-diagonal e). */
static void tridiagonalize(double *a, int n, double *d, double *e)
{
    for (int i = n - 1; i > 0; i--) {
        double *row = a + (size_t)i * n, scale = 0, h = 0;
        for (int k = 0; k < i; k++) scale += fabs(row[k]);
        if (i == 1 || scale == 0) {
            e[i] = row[i - 1];
            continue;
        }
        for (int k = 0; k < i; k++) {
            row[k] /= scale;
            h += row[k] * row[k];
        }
        const double f = row[i - 1], g = f >= 0 ? -sqrt(h) : sqrt(h);
        e[i] = scale * g;
        h -= f * g;
        row[i - 1] = f - g;
        double sum = 0;
        for (int j = 0; j < i; j++) {
            double dot = 0;
            for (int k = 0; k <= j; k++) dot += a[(size_t)j * n + k] * row[k];
            for (int k = j + 1; k < i; k++) dot += a[(size_t)k * n + j] * row[k];
            e[j] = dot / h;
            sum += e[j] * row[j];
        }
        const double half = sum / (h + h);
        for (int j = 0; j < i; j++) e[j] -= half * row[j];
        for (int j = 0; j < i; j++)
            for (int k = 0; k <= j; k++) a[(size_t)j * n + k] -= row[j] * e[k] + e[j] * row[k];
    }
    for (int i = 0; i < n; i++) d[i] = a[(size_t)i * n + i];
    e[0] = 0;
}

/* Eigenvalues of a symmetric tridiagonal matrix by implicit QL; false if an eigenvalue does not settle. */
static bool tridiagonal_eigenvalues(double *d, double *e, int n)
{
    for (int i = 1; i < n; i++) e[i - 1] = e[i];
    e[n - 1] = 0;
    for (int l = 0; l < n; l++) {
        for (int round = 0;; round++) {
            int m = l;
            while (m < n - 1 && fabs(e[m]) > 1e-16 * (fabs(d[m]) + fabs(d[m + 1]))) m++;
            if (m == l) break;
            if (round == 60) return false;
            double g = (d[l + 1] - d[l]) / (2 * e[l]), r = hypot(g, 1);
            g = d[m] - d[l] + e[l] / (g + (g >= 0 ? r : -r));
            double s = 1, c = 1, p = 0;
            int i = m - 1;
            for (; i >= l; i--) {
                double f = s * e[i];
                const double b = c * e[i];
                r = hypot(f, g);
                e[i + 1] = r;
                if (r == 0) {
                    d[i + 1] -= p;
                    e[m] = 0;
                    break;
                }
                s = f / r;
                c = g / r;
                g = d[i + 1] - p;
                r = (d[i] - g) * s + 2 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
            }
            if (r == 0 && i >= l) continue;
            d[l] -= p;
            e[l] = g;
            e[m] = 0;
        }
    }
    return true;
}

bool symmetric_eigenvalues(double *eigenvalues, double *matrix, double *scratch, int n)
{
    tridiagonalize(matrix, n, eigenvalues, scratch);
    return tridiagonal_eigenvalues(eigenvalues, scratch, n);
}

struct products {
    double *matrix;
    const double *rows;
    int n;
};

/* Line i of the lower triangle: four rows at a time, so that it is loaded and stored a quarter as often. */
static void add_line(void *context, int64_t i, int thread)
{
    const struct products *p = context;
    double *line = p->matrix + i * p->n;
    (void)thread;
    for (int r = 0; r < SYMMETRIC_ROWS; r += 4) {
        const double *a = p->rows + (int64_t)r * p->n, *b = a + p->n, *c = b + p->n, *d = c + p->n;
        const double x = a[i], y = b[i], z = c[i], w = d[i];
        for (int64_t j = 0; j <= i; j++) line[j] += (x * a[j] + y * b[j]) + (z * c[j] + w * d[j]);
    }
}

void symmetric_add_products(struct pool *pool, double *matrix, const double *rows, int n)
{
    struct products products = {.matrix = matrix, .rows = rows, .n = n};
    pool_run(pool, n, add_line, &products);
}
