/* loss/nt_xent.h -- NT-Xent, the normalised temperature-scaled cross entropy (paper eq. 1; method.md section 4).
 * The work is the backend's; this room owns the plan, the chance level and the warnings that go with the loss. */
#ifndef LOSS_NT_XENT_H
#define LOSS_NT_XENT_H

#include "backend/backend.h"

struct nt_xent;
int nt_xent_create(struct nt_xent **out, struct backend *backend, int images, int dim, float temperature,
                   struct error *error);
void nt_xent_destroy(struct nt_xent **loss);
/* What z and d_z are: PRIVATE float32 [2 images][dim][1][1]. */
const struct tensor_desc *nt_xent_tensor(const struct nt_xent *loss);
/* The three phases of backend.h over the whole batch. result, d_z (NULL: loss only), z: the backend's memory. */
void nt_xent_run(struct nt_xent *loss, struct nt_xent_result *result, void *d_z, const void *z);
double nt_xent_chance(int images); /* log(2N - 1): the loss of a model that knows nothing */

#endif
