/* train/step_traffic.c -- see step_traffic.h. */
#include "train/step_traffic.h"

#include "base/memory.h"
#include "loss/nt_xent.h"

/* A stretch is waited for until the operation has run that completes it. The operations' products tell how far the way
 * back has come by then. */
static void fill_waiting(double waiting[TRAFFIC_POINTS + 1], const struct step *step, int ranks)
{
    const size_t weights = step->model->parameters.weight_count, stretch = overlapped_sum_stretch(ranks, weights);
    struct network_operation operation;
    double all = 0, done = 0;
    int last = 0;
    for (; network_operation(step->network, last, &operation); last++) all += operation.row->flops;
    for (int i = 0; i <= TRAFFIC_POINTS; i++) waiting[i] = 1;
    while (--last >= 0) {
        network_operation(step->network, last, &operation);
        done += operation.row->flops;
        const size_t complete =
            (operation.gradients_from + stretch - 1) / stretch * stretch; /* whole stretches from here */
        const double left = complete < weights ? (double)complete / (double)weights : 1;
        const int next = all > 0 ? (int)(done / all * TRAFFIC_POINTS) + 1 : TRAFFIC_POINTS + 1;
        for (int i = next; i <= TRAFFIC_POINTS; i++) waiting[i] = left;
    }
}

int step_traffic(struct traffic *out, const struct step *step, const struct shares *shares, int rank,
                 struct error *error)
{
    const struct network *network = step->network;
    const struct nt_xent_sizes row = nt_xent_row_bytes(step->loss_plan);
    const int norms = network_norms(network, NULL);
    double waiting[TRAFFIC_POINTS + 1];
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
                                      .totals = network_totals(network),
                                      .waiting = step->groups.all > 1 ? NULL : waiting};
    fill_waiting(waiting, step, shares->ranks);
    traffic_of(out, &work, rank);
    memory_free(channels);
    return SIMCLR_OK;
}
