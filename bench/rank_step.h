/* bench/rank_step.h -- a step of pretraining over ranks that are threads of one process (support/comm_threads.h). */
#ifndef BENCH_RANK_STEP_H
#define BENCH_RANK_STEP_H

#include "base/affinity.h"
#include "train/step.h"

struct rank_step {
    int depth, size, images; /* images: of all ranks together */
    double width;
    enum dtype dtype;
    struct communicator *communicator; /* NULL: one rank */
    int planned;                       /* above 0: the step is planned for so many ranks and never run */
};

/* Binds the calling thread to one of `processors`, number `turn` by turns. Left to themselves, two busy threads may
 * stay on one processor while another is idle: some kernels pack them. */
static inline void rank_step_bind(const struct affinity *processors, int turn)
{
    struct affinity one = {0};
    const int count = affinity_count(processors);
    int left = count > 0 ? turn % count : -1;
    for (int i = 0; i < AFFINITY_MOST; i++)
        if (affinity_has(processors, i) && left-- == 0) affinity_add(&one, i);
    affinity_apply(&one);
}

/* Afterwards step_close and model_destroy, also after a failure. */
static inline int rank_step_open(struct step *step, struct model **model, const struct rank_step *of,
                                 struct backend *backend, struct error *error)
{
    const struct model_config config = {.resnet.depth = of->depth,
                                        .resnet.width = of->width,
                                        .resnet.stem = STEM_CIFAR,
                                        .image_size = of->size,
                                        .head_layers = 2,
                                        .head_dim = 128};
    struct step_config training = {.loss = &step_nt_xent,
                                   .images = of->images,
                                   .temperature = 0.5,
                                   .dtype = of->dtype,
                                   .optimizer = step_optimizer_usual(OPTIMIZER_LARS),
                                   .schedule = step_schedule_constant(0.01),
                                   .communicator = of->communicator,
                                   .ranks = of->planned};
    training.planning.dry = of->planned > 0;
    int status = model_create(model, &config, backend, 1, error);
    if (!status) status = step_open_network(step, &training, backend, *model, error);
    if (!status) status = step_open_loss(step, &training, error);
    if (!status) status = step_open_optimizer(step, &training, error);
    return status;
}

#endif
