/* train/step_traffic.c -- see step_traffic.h. */
#include "train/step_traffic.h"

#include "base/memory.h"
#include "loss/nt_xent.h"

int step_traffic(struct traffic *out, const struct step *step, const struct shares *shares, int rank,
                 struct error *error)
{
    const struct network *network = step->network;
    const struct nt_xent_sizes row = nt_xent_row_bytes(step->loss_plan);
    const int norms = network_norms(network, NULL);
    int *channels = memory_array((size_t)norms, sizeof *channels);
    if (!channels) return error_no_memory(error, "a list of batch norms", (size_t)norms * sizeof *channels);
    network_norms(network, channels);
    const struct traffic_work work = {.shares = *shares,
                                      .norm_channels = channels,
                                      .norms = norms,
                                      .weights = step->model->parameters.weight_count,
                                      .unit_row = row.unit_row,
                                      .sum_row = row.sum_row,
                                      .figures = sizeof(struct nt_xent_result) / sizeof(double),
                                      .totals = network_totals(network)};
    traffic_of(out, &work, rank);
    memory_free(channels);
    return SIMCLR_OK;
}
