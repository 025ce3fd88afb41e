/* train/pretrain_ranks.c -- what the ranks of a run have from each other: where all stand, and whether all go on. */
#include <stdio.h>

#include "base/memory.h"
#include "run/ranks.h"
#include "train/pretrain.h"

/* ---- between two steps ---------------------------------------------------------------------------------------- */

enum { PATIENT = 12 }; /* times as long where rank 0 alone works: at the start, at an epoch's end, at the run's end */
static const double usual_patience = 300;

static struct communicator *ranks_of(const struct pretrain *run)
{
    return run->session->communicator;
}

/* For the messages from here on: `seconds` is the slowest rank's last step. */
static void set_patience(const struct pretrain *run, double seconds, int times)
{
    const double asked = run->config->rank_timeout;
    const double least = asked > 0 ? asked : usual_patience < 3 * seconds ? 3 * seconds : usual_patience;
    communicator_set_patience(ranks_of(run), least * times);
}

void pretrain_let_leader_work(struct pretrain *run)
{
    run->leader_works = true;
    set_patience(run, run->slowest_seconds, PATIENT);
}

int pretrain_agree(struct pretrain *run, int status, struct error *error)
{
    struct agreement agreement = {.seconds = run->step_seconds};
    if (status == SIMCLR_OK) status = session_judge_images(run->session, error);
    set_patience(run, run->slowest_seconds, run->leader_works ? PATIENT : 1);
    status = communicator_agree(ranks_of(run), &agreement, status, error);
    run->slowest = agreement.slowest;
    run->slowest_seconds = agreement.seconds;
    set_patience(run, run->slowest_seconds, 1);
    return status;
}

/* The update is the same arithmetic on every rank, so their weights never part. A machine that errs is found here. */
int pretrain_compare_weights(const struct pretrain *run, struct error *error)
{
    const struct parameters *parameters = &run->model->parameters;
    return communicator_compare(ranks_of(run), parameters->weights,
                                parameters->weight_count * sizeof *parameters->weights, "weights",
                                "a machine has erred; go on from the last checkpoint without it", error);
}

/* ---- the start -------------------------------------------------------------------------------------------------- */

int pretrain_share_numbering(const struct pretrain *run, struct numbering *numbering, struct error *error)
{
    struct communicator *communicator = ranks_of(run);
    int status = SIMCLR_OK;
    if (!communicator) return SIMCLR_OK;
    communicator_broadcast(communicator, &numbering->listing, sizeof numbering->listing, 0);
    communicator_broadcast(communicator, &numbering->count, sizeof numbering->count, 0);
    const size_t count = (size_t)numbering->count;
    if (!run->leads && count > 0) {
        numbering->left_out = memory_array(count, sizeof *numbering->left_out);
        if (!numbering->left_out)
            status = error_no_memory(error, "the numbers of images", count * sizeof *numbering->left_out);
    }
    status = communicator_agree_status(communicator, status, error);
    if (status) return status;
    communicator_broadcast(communicator, numbering->left_out, count * sizeof *numbering->left_out, 0);
    return SIMCLR_OK;
}

int pretrain_compare_images(const struct pretrain *run, struct error *error)
{
    const uint64_t own[] = {dataset_fingerprint(run->dataset), (uint64_t)dataset_count(run->dataset),
                            (uint64_t)dataset_classes(run->dataset)};
    return communicator_compare(ranks_of(run), own, sizeof own, "images",
                                "--data must hold the same files on every machine, none of them damaged", error);
}

/* Where a run stands, beside its model. */
struct standing {
    int64_t step, saved_step, epoch, skipped, optimizer_steps;
    double best_knn, warmup_epochs;
    struct stretch this_epoch;
};

static void share_model(struct communicator *communicator, struct model *model)
{
    struct parameters *parameters = &model->parameters;
    communicator_broadcast(communicator, parameters->weights, parameters->weight_count * sizeof(float), 0);
    communicator_broadcast(communicator, parameters->buffers, parameters->buffer_count * sizeof(float), 0);
}

void pretrain_share_standing(struct pretrain *run)
{
    struct communicator *communicator = ranks_of(run);
    struct optimizer *optimizer = run->step.optimizer;
    if (!communicator) return;
    struct standing standing = {.step = run->step.number,
                                .saved_step = run->saved_step,
                                .epoch = run->epoch,
                                .skipped = run->step.skipped,
                                .optimizer_steps = optimizer->steps,
                                .best_knn = run->best_knn,
                                .warmup_epochs = run->step.schedule.warmup_epochs,
                                .this_epoch = run->this_epoch};
    communicator_broadcast(communicator, &standing, sizeof standing, 0);
    run->step.number = standing.step;
    run->saved_step = standing.saved_step;
    run->epoch = standing.epoch;
    run->step.skipped = standing.skipped;
    optimizer->steps = standing.optimizer_steps;
    run->best_knn = standing.best_knn;
    run->step.schedule.warmup_epochs = standing.warmup_epochs;
    run->this_epoch = standing.this_epoch;
    share_model(communicator, run->model);
    if (run->average) share_model(communicator, run->average);
    const size_t bytes = optimizer->state_count * sizeof(float);
    if (optimizer->state1) communicator_broadcast(communicator, optimizer->state1, bytes, 0);
    if (optimizer->state2) communicator_broadcast(communicator, optimizer->state2, bytes, 0);
    network_set_weights(run->step.network);
}
