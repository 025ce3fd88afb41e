/* backend/cpu/nt_xent/nt_xent_part.h -- NT-Xent where some rows are anchors and all rows are others: what a process
 * does that shares the loss with further ones (backend.h). It walks a rectangle of tiles, anchors by rows. Three
 * products a tile instead of the triangle's four for two tiles: 1.5 times the work of its share, and nothing is sent
 * back. */
#ifndef BACKEND_CPU_NT_XENT_PART_H
#define BACKEND_CPU_NT_XENT_PART_H

#include "backend/backend.h"
#include "backend/cpu/nt_xent/nt_xent_plan.h"

/* plan->part; false: no memory. The plan has all but its memory of rows by then. */
bool nt_part_open(struct nt_xent_plan *plan, const struct nt_xent_desc *desc);
void nt_part_close(struct nt_part **part);
void nt_part_sizes(const struct nt_xent_plan *plan, struct nt_xent_sizes *out);

/* Copies an anchor's unit row to its place among all: unit [rows][padded_dim]. */
void nt_part_give_row(const struct nt_xent_plan *plan, float *unit, ptrdiff_t anchor);
/* What the gradient of other rows needs of an anchor, once the plan has it: to its place in `sums`. */
void nt_part_give_sums(const struct nt_xent_plan *plan, void *sums, ptrdiff_t anchor);
/* Packs all rows. `unit` stays where it is until the gradient is made. */
void nt_part_take_rows(struct nt_xent_plan *plan, const float *unit);
void nt_part_take_sums(struct nt_xent_plan *plan, const void *sums);
/* Over all tiles. The order of every anchor's sums is that of the rows, whatever threads there are and whichever rows
 * are anchors. */
void nt_part_run_pass(struct nt_job *job, enum pass pass);

const float *nt_part_positive_unit(const struct nt_xent_plan *plan, ptrdiff_t anchor);
float nt_part_positive_missing(const struct nt_xent_plan *plan, ptrdiff_t anchor); /* of the sums that were taken */
double nt_part_sum(const struct nt_xent_plan *plan, ptrdiff_t d);                  /* of all unit rows, element d */

#endif
