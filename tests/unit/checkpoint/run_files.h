/* A small model with its optimiser, filled with random numbers, for what reads and writes files of them. */
#ifndef CHECKPOINT_RUN_FILES_H
#define CHECKPOINT_RUN_FILES_H

#include "support/network_check.h"

#include "base/rng.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"
#include "support/folder.h"

static const struct model_config SMALL = {
    .resnet.depth = 18, .resnet.width = 0.125, .image_size = 32, .head_layers = 2, .head_dim = 8};
static const struct checkpoint_state STATE = {.step = 1234567890123,
                                              .epoch = 17,
                                              .seed = UINT64_MAX,
                                              .config_yaml = "data: \"x\"\nbatch: 3\n",
                                              .fingerprint = "f00",
                                              .best_knn = 0.1,
                                              .skipped_steps = 4,
                                              .images_seen = 99,
                                              .this_epoch = {7, 29.1, 0.7 / 3, 1e-9, 0.25, 2},
                                              .mean = {0.1f, 0.2f, 0.3f},
                                              .std = {0.4f, 0.5f, 0.6f}};

struct run {
    struct bench_backend bench;
    struct model *model;
    struct optimizer *optimizer;
};

static void open_run(struct run *run, const struct model_config *config, enum optimizer_kind kind, uint64_t seed)
{
    struct error error = {0};
    struct optimizer_config optimizer = {
        .kind = kind, .momentum = 0.9f, .trust = 0.001f, .beta2 = 0.999f, .epsilon = 1e-8f};
    run->bench = open_backend("ref");
    CHECK_OK(model_create(&run->model, config, NULL, seed, &error), error);
    CHECK_OK(optimizer_create(&run->optimizer, &optimizer, run->bench.backend, &run->model->parameters, &error), error);
}

static void close_run(struct run *run)
{
    optimizer_destroy(&run->optimizer);
    model_destroy(&run->model);
    close_backend(&run->bench);
}

/* Random numbers in every tensor and state (not in the padding between them). */
static void fill(struct run *run, uint32_t item)
{
    struct rng rng = rng_open(9, RNG_TEST, 0, item, 0);
    struct parameters *table = &run->model->parameters;
    for (int i = 0; i < table->count; i++)
        for (size_t k = 0; k < table->items[i].count; k++) {
            parameter_weights(table, i)[k] = (float)rng_normal(&rng);
            if (table->items[i].flags & PARAMETER_BUFFER) continue;
            run->optimizer->state1[table->items[i].offset + k] = (float)rng_normal(&rng);
            if (run->optimizer->state2) run->optimizer->state2[table->items[i].offset + k] = (float)rng_normal(&rng);
        }
    run->optimizer->steps = 77;
}

#endif
