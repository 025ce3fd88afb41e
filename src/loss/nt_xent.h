/* loss/nt_xent.h -- NT-Xent, the normalised temperature-scaled cross entropy (paper eq. 1; method.md section 4).
 * The work is the backend's; this room owns the plan, the chance level and the warnings that go with the loss. */
#ifndef LOSS_NT_XENT_H
#define LOSS_NT_XENT_H

#include "backend/backend.h"

struct nt_xent;
int nt_xent_create(struct nt_xent **out, struct backend *backend, int images, int dim, float temperature,
                   struct error *error);
void nt_xent_destroy(struct nt_xent **loss);
/* z, d_z: [2 images][dim] canonical float32. */
void nt_xent_run(struct nt_xent *loss, struct nt_xent_result *result, float *d_z, const float *z);
double nt_xent_chance(int images); /* log(2N - 1): the loss of a model that knows nothing */

#endif
