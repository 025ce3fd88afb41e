/* command/demo/demo_figures.h -- the demo's table as an evaluation.json, for its report. */
#ifndef COMMAND_DEMO_DEMO_FIGURES_H
#define COMMAND_DEMO_DEMO_FIGURES_H

#include "evaluate/evaluation.h"

/* Writes folder/evaluation/evaluation.json (docs/formats.md): top-1 and top-5 of kNN and of the linear classifier, of
 * pixels, the untrained and the trained network. knn, linear: [SOURCE_COUNT], judged on the evaluation's test images.
 * SIMCLR_IO, SIMCLR_NO_MEMORY. */
int demo_figures_write(const char *folder, struct evaluation *evaluation, const struct score *knn,
                       const struct score *linear, struct error *error);

#endif
