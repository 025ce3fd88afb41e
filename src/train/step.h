/* train/step.h -- THE training step. Everything that trains takes this one: pretraining, fine-tuning, `bench`, the
 * demo's budget, the memory estimate, and the tests that compare steps with PyTorch's.
 *
 * A step has four parts. The caller runs them in this order:
 * - step_forward: h = f(x), z = g(h).
 * - step_loss: L(z) and its gradient with respect to z.
 * - step_backward: the gradient with respect to all weights.
 * - step_update: the weights and the running statistics, unless something is not finite. Then the step is skipped.
 * Only step_update changes the model.
 *
 * A step is skipped when the loss, the norm of the gradient or the batch-norm statistics are not finite. It leaves no
 * trace in the model, the optimiser included, but it counts: the learning rate goes on. After STEP_SKIPPED_MAX skipped
 * steps in a row the run has diverged; the caller asks step_diverged and says so. */
#ifndef TRAIN_STEP_H
#define TRAIN_STEP_H

#include "comm/overlapped_sum.h"
#include "comm/shares.h"
#include "config/config.h"
#include "loader/loader.h"
#include "model/model.h"
#include "optim/ema.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "train/step_passes.h"

enum { STEP_SKIPPED_MAX = 10, STEP_SIZES_MAX = 8 };

/* What one step has come to. */
struct step_report {
    double loss, top1; /* means over the batch */
    double entropy;    /* this and the similarities: of NT-Xent (struct nt_xent_result), else 0 */
    double positive_similarity, negative_similarity;
    double gradient_norm; /* over all weights */
    double learning_rate; /* of a skipped step too */
    bool skipped;
};

/* Seconds of each part of the last step. */
struct step_seconds {
    double forward, loss, backward;
    double update;  /* norms, judgement, optimiser */
    double packing; /* of the new weights for the kernels */
};

struct step;
struct step_config;

/* A loss: a function of the network's output z and, with labels, of the batch. */
struct step_loss {
    const char *name;
    int views; /* rows of z an image */
    int (*open)(struct step *step, const struct step_config *config, struct error *error);
    void (*set_labels)(struct step *step, const struct batch *batch); /* NULL: it needs none */
    /* Reads the values of step->tensors.z, writes its gradient, and the loss's figures into step->numbers. */
    void (*run)(struct step *step);
    void (*report)(struct step_report *report, const struct step_numbers *numbers);
    void (*close)(struct step *step);
};
extern const struct step_loss step_nt_xent;       /* paper eq. 1; z: [2 images][dim], row i and i + images a pair */
extern const struct step_loss step_cross_entropy; /* z: logits [images][classes]; labels of the batch */

struct step_config {
    const struct step_loss *loss;
    int images;              /* N, of a batch, of all ranks */
    int group;               /* images whose views share batch-norm statistics (step_passes.h); 0: all of the batch */
    bool group_shuffle;      /* an image's second view may be in another group than its first (loader/grouping.h) */
    struct step_views views; /* of the groups, where the batch is handed out by groups */
    size_t memory;           /* that the activations of groups may take, where there are several; 0: however much */
    double temperature;      /* of NT-Xent */
    enum dtype dtype;        /* of the activations */
    struct network_options planning;
    struct optimizer_config optimizer;
    struct schedule schedule;
    int sizes[STEP_SIZES_MAX], size_count; /* of images, each once; size_count 0: the model's own alone */
    uint64_t seed;                         /* of what dropout draws */
    struct model *average; /* borrowed, of the model's form: becomes its moving average; NULL: there is none */
    double average_decay;
    struct communicator *communicator; /* borrowed: of the ranks that share each batch; NULL: one */
    int ranks; /* without a communicator, of a step that is planned and never run: one of so many; 0: the only one */
};

/* Which images of a batch each rank has, and which rank this is: of planned ones the one with most images, the last. */
struct shares step_shares(const struct step_config *config);
int step_rank(const struct step_config *config);

/* What a step of images of one size takes. */
struct step_size {
    int size;
    struct network *network; /* planned for a batch of the loss's views */
    struct model_tensors tensors;
    struct recording *of_numbers, *of_update; /* the step's own; NULL where the backend does not record */
};

struct step {
    struct backend *backend;                /* borrowed */
    struct model *model;                    /* borrowed; trained in place */
    struct step_size sizes[STEP_SIZES_MAX]; /* the largest first, whose arena the others use where they fit in */
    int size_count;
    int size; /* the present one; the next four are its */
    struct network *network;
    struct model_tensors tensors;
    struct recording *of_numbers, *of_update;
    struct step_groups groups;
    const struct step_loss *loss;
    void *loss_plan;                   /* the loss's own */
    struct step_numbers *numbers;      /* the backend's memory */
    struct step_numbers read;          /* the same, once the step is to be judged */
    struct communicator *communicator; /* borrowed; NULL: one rank */
    struct overlapped_sum *sum;        /* of the ranks' gradients; NULL: one rank */
    struct optimizer *optimizer;
    struct ema ema; /* backend NULL: there is none. It starts as a copy of the model; who restores it does so later */
    struct schedule schedule;

    uint64_t seed;
    int64_t number;  /* steps taken so far, skipped ones included; a resumed run sets it */
    int64_t skipped; /* of those: skipped; a resumed run sets it */
    int skipped_in_a_row;
    struct step_report report; /* of the step under way */
    bool asked;                /* the operations of this step are asked for one by one, and not repeated as recorded */
    int status;                /* of recording; step_update returns it */
    struct error error;
    bool timed; /* a device is waited for after each part, so that `seconds` are of that part alone */
    struct step_seconds seconds;
};

/* Plans the training of `model`, whose weights are packed. On several ranks all open a step alike, and each gives its
 * share of the images (step_shares) to step_forward; the parts of a step are then collective, and the report, the
 * judgement and the new weights are the same on every rank.
 * Several steps may be open on one backend, and take turns.
 * SIMCLR_NO_MEMORY, SIMCLR_INVALID, SIMCLR_UNSUPPORTED (a backend that records and yet reads the host's images in
 * place); `step` is closed then. */
int step_open(struct step *step, const struct step_config *config, struct backend *backend, struct model *model,
              struct error *error);
/* Also after a failure, and of a step that is all zeros. */
void step_close(struct step *step);

/* The parts of step_open, in order, for who counts the memory of each. The caller closes after a failure. */
int step_open_network(struct step *step, const struct step_config *config, struct backend *backend, struct model *model,
                      struct error *error);
int step_open_optimizer(struct step *step, const struct step_config *config, struct error *error);
int step_open_loss(struct step *step, const struct step_config *config, struct error *error); /* step_groups_open too */

/* From the next step on images have this size, one of the step's, whose network is given the weights. It starts as the
 * model's own, or as the largest where that is none of them. */
void step_choose_size(struct step *step, int size);

/* Where the backend can record (backend.h), the first step is taken down and later ones are repeated: one recording
 * from the images to struct step_numbers, and one of the update. Whatever changes from step to step lies in the
 * backend's memory by then. batch: views of the type that the network reads (network_tensor of its input), which must
 * stay until step_update has returned; labels for the cross entropy. */
void step_forward(struct step *step, const struct batch *batch);
void step_loss(struct step *step);
void step_backward(struct step *step);
/* Updates the weights at the rate of step `number`, or skips; waits for the device; counts the step. The status is a
 * fault of the device, or SIMCLR_INTERRUPTED where the step was dropped because the backend's pool is stopped; the step
 * is then not counted, and after a dropped one the model is that of the step before. */
int step_update(struct step *step, struct step_report *report, struct error *error);
/* The four in a row. */
int step_run(struct step *step, const struct batch *batch, struct step_report *report, struct error *error);

/* Of the weights as they are now. */
bool step_weights_are_finite(const struct step *step);
/* Of the last step, as a clause: "the loss and the gradient are not finite". */
const char *step_what_is_not_finite(const struct step *step);
/* STEP_SKIPPED_MAX steps in a row were skipped. */
bool step_diverged(const struct step *step);

/* The optimiser with the usual settings: momentum 0.9, weight decay 1e-4, LARS's eta 0.001, Adam's 0.999 and 1e-8. */
struct optimizer_config step_optimizer_usual(enum optimizer_kind kind);
enum optimizer_kind step_optimizer_kind(const char *name); /* "lars", "sgd", "adamw": a value of --optimizer */
/* The optimiser of --optimizer, --momentum, --weight-decay and --trust. */
struct optimizer_config step_optimizer(const struct config *config);
/* The rates of --learning-rate, --scaling and --warmup-epochs for batches of `batch` images over `epochs`. */
struct schedule step_schedule(const struct config *config, int64_t batch, int64_t steps_per_epoch, double epochs);
/* --epochs, or --steps as epochs where they are given. */
double step_epochs(const struct config *config, int64_t steps_per_epoch);
/* The same rate at every step. */
struct schedule step_schedule_constant(double rate);

#endif
