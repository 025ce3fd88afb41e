/* command/bench/bench_layers.h -- where a training step's time goes, operation by operation and pass by pass. */
#ifndef COMMAND_BENCH_LAYERS_H
#define COMMAND_BENCH_LAYERS_H

#include "base/text.h"
#include "command/probe.h"

/* Times steps of the probe for the session's --seconds (at least three) and reports, as medians: for each convolution
 * and pass the algorithm, milliseconds, GF/s nominal (as if the sum were direct, padding included) and executed, the
 * latter as a share of the peak measured beside; batch norms, pools; the loss, the update, the packing of weights, a
 * batch of views; the same by kinds of work; and the largest losses against the peak, which are what to do next. json:
 * NULL prints tables. SIMCLR_NO_MEMORY, or the status of a data set that cannot be read. */
int bench_layers(struct session *session, struct probe *probe, struct text *json, struct error *error);

#endif
