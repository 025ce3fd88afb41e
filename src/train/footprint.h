/* train/footprint.h -- what a training step takes in memory, without taking it. */
#ifndef TRAIN_FOOTPRINT_H
#define TRAIN_FOOTPRINT_H

#include "run/session.h"
#include "train/size_schedule.h"
#include "train/step.h"

/* Bytes; total is the peak resident size of `pretrain` with the session's options. With --ranks above 1 it is that of
 * the rank that has most images, on a machine of its own. */
struct footprint {
    size_t program;     /* code, libraries, stacks: what this process has already */
    size_t images;      /* decoded images of --data; 0 without one */
    size_t parameters;  /* weights, gradients, running statistics */
    size_t average;     /* the same of their moving averages; 0 without --ema */
    size_t optimizer;   /* its states */
    size_t plans;       /* packed weights and scratch, of a network for each size of the views */
    size_t activations; /* the arenas of activations and their gradients, which the sizes share; one for each group that
                         * is kept */
    size_t views;       /* batches being made and read, of each size */
    size_t loss;        /* outputs and their gradients, NT-Xent */
    size_t messages;    /* scratch for sums over ranks; 0 of one */
    size_t evaluation;  /* the encoder once more, between epochs */
    size_t total;

    int groups, groups_kept; /* of --batch-norm-images; 1: the batch is one */
    int groups_own;          /* of them this rank's */
    bool by_parts;           /* views are made a group at a time */
    char refusal[512];       /* of footprint_advise: the sentence that pretrain would say here; "": it fits */
};

/* Plans the training of `config` as pretrain does, but dry, without an arena. The step is given
 * to the caller for the rows of its network; release with footprint_release. sizes: of --image-size-schedule. dataset:
 * NULL if there is none. */
struct footprint_network {
    struct model *model, *average;
    struct step step;
};
int footprint_measure(struct session *session, const struct model_config *config, const struct size_schedule *sizes,
                      const struct dataset *dataset, size_t image_bytes, struct footprint *out,
                      struct footprint_network *planned, struct error *error);
void footprint_release(struct footprint_network *planned);
/* Sets out->refusal where the activations are more than the machine has: what would fit, which takes further plans. */
void footprint_advise(struct session *session, const struct size_schedule *sizes, const struct dataset *dataset,
                      const struct footprint_network *planned, struct footprint *out);

/* The parts in the order in which they are told. */
enum { FOOTPRINT_PARTS = 11 };
struct footprint_part {
    const char *key, *what; /* for JSON, and for people */
    size_t bytes;
};
void footprint_list(const struct footprint *footprint, struct footprint_part out[FOOTPRINT_PARTS]);

/* Over the rows of a network. */
struct footprint_totals {
    int64_t parameters;
    double flops; /* of one view's forward pass */
    size_t bytes;
};
struct footprint_totals footprint_totals(const struct network *network);

/* Bytes that malloc has handed out so far; 0 where the C library cannot tell. */
size_t footprint_heap(void);

#endif
