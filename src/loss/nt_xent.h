/* loss/nt_xent.h -- NT-Xent, the normalised temperature-scaled cross entropy (paper eq. 1; method.md section 4).
 * The work is the backend's; this room owns the plan, the chance level and the warnings that go with the loss. */
#ifndef LOSS_NT_XENT_H
#define LOSS_NT_XENT_H

#include "backend/backend.h"
#include "comm/communicator.h"
#include "comm/shares.h"

struct nt_xent;
struct nt_xent_config {
    struct shares shares; /* of the batch: its images are the loss's N */
    int dim;
    float temperature;
    struct communicator *communicator; /* borrowed: of the ranks that share the batch; NULL: one */
    int rank;                          /* without a communicator: whose part is planned, to be measured and never run */
};
/* Collective only where it runs. SIMCLR_INVALID, SIMCLR_NO_MEMORY, or what the backend refuses. */
int nt_xent_create(struct nt_xent **out, struct backend *backend, const struct nt_xent_config *config,
                   struct error *error);
void nt_xent_destroy(struct nt_xent **loss);
/* What z and d_z are: PRIVATE float32 [2 n][dim][1][1] of the n images that this rank has, all first views before all
 * second ones. */
const struct tensor_desc *nt_xent_tensor(const struct nt_xent *loss);
/* The three phases of backend.h, with a gather after each of the first two. result: of the whole batch, the same on all
 * ranks. d_z (NULL: loss only): of the own rows, from the whole loss. result, d_z, z: the backend's memory. */
void nt_xent_run(struct nt_xent *loss, struct nt_xent_result *result, void *d_z, const void *z);
/* Bytes of a view's row in what the ranks gather after the first phase, and after the second. */
struct nt_xent_sizes nt_xent_row_bytes(const struct nt_xent *loss);
double nt_xent_chance(int images); /* log(2N - 1): the loss of a model that knows nothing */

#endif
