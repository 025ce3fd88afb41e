/* evaluate/protocols.h -- how an encoder is judged: the table of protocols, and the one way to run and report them. */
#ifndef EVALUATE_PROTOCOLS_H
#define EVALUATE_PROTOCOLS_H

#include "evaluate/evaluation.h"

enum evaluation_protocol {
    PROTOCOL_KNN,
    PROTOCOL_LINEAR,
    PROTOCOL_LINEAR_SGD,
    PROTOCOL_FINETUNE,
    PROTOCOL_SUPERVISED,
    PROTOCOL_COUNT
};

/* A source that a protocol judges, with its names where they are not the source's own. */
struct protocol_source {
    enum evaluation_source source;
    const char *key, *title; /* in JSON, in the table; NULL: evaluation_sources[source].name */
};

struct protocol {
    const char *name;    /* JSON's "protocol", the table's head */
    const char *command; /* that runs it */
    bool frozen;         /* the encoder must be the same afterwards; rows are shown as they are judged */
    struct protocol_source sources[SOURCE_COUNT]; /* in the order of judging; `count` of them */
    int count;
    /* Opens data and encoders; after a failure close is called too. */
    int (*open)(struct session *session, struct evaluation *evaluation, struct error *error);
    int (*judge)(struct evaluation *evaluation, enum evaluation_source source, struct score *out, struct error *error);
    /* Facts of its own for the JSON, or NULL; the line below the table. */
    void (*facts)(const struct evaluation *evaluation, struct text *json);
    void (*close_table)(const struct evaluation *evaluation);
    /* status, error: how it ended. */
    void (*close)(struct evaluation *evaluation, int status, const struct error *error);
};
extern const struct protocol evaluation_protocols[PROTOCOL_COUNT];

/* The whole of a command: opens, judges the sources and, unless --no-controls, the controls, and prints the table or,
 * with --json, one object (docs/formats.md). */
int evaluation_run(struct session *session, enum evaluation_protocol protocol, struct error *error);

/* Weighted kNN with the session's --knn-k and --knn-temperature. Here and below `source` is whose features these are,
 * for what the log says. */
int evaluation_knn(struct evaluation *evaluation, enum evaluation_source source, const struct features *train,
                   const struct features *test, struct score *out, struct error *error);
/* Multinomial logistic regression with --l2 (or the sweep) and --iterations (the paper's appendix B.8). */
int evaluation_linear(struct evaluation *evaluation, enum evaluation_source source, const struct features *train,
                      const struct features *test, struct score *out, struct error *error);

/* Does --predictions ask what is said of each image by the features of this source? Controls are judged for their
 * scores only. */
bool evaluation_wants_predictions(const struct evaluation *evaluation, enum evaluation_source source);

/* linear_sgd.c: a judgement on features of evaluation views that are there already, under any seed. */
struct linear_sgd_job {
    struct evaluation *evaluation;
    enum evaluation_source source;
    uint64_t seed; /* of the views, their order, and what is held out */
    const struct features *train, *test;
    int32_t *ranks, *papers_ranks; /* [test images] out: classes before the label, at the chosen rate and the paper's;
                                    * NULL: not wanted */
};
int linear_sgd_run(const struct linear_sgd_job *job, struct score *out, struct error *error);
/* The row's functions. */
int linear_sgd_judge(struct evaluation *evaluation, enum evaluation_source source, struct score *out,
                     struct error *error);
void linear_sgd_facts(const struct evaluation *evaluation, struct text *json);
void linear_sgd_close_table(const struct evaluation *evaluation);

/* finetune.c: the row's functions. */
int finetune_open(struct session *session, struct evaluation *evaluation, struct error *error);
int finetune_judge(struct evaluation *evaluation, enum evaluation_source source, struct score *out,
                   struct error *error);
void finetune_facts(const struct evaluation *evaluation, struct text *json);
void finetune_close_table(const struct evaluation *evaluation);
void finetune_close(struct evaluation *evaluation, int status, const struct error *error);

/* supervised.c: the row's functions. There is one source, which is itself a control: its encoder is the one that this
 * training makes. */
int supervised_open(struct session *session, struct evaluation *evaluation, struct error *error);
int supervised_judge(struct evaluation *evaluation, enum evaluation_source source, struct score *out,
                     struct error *error);
void supervised_facts(const struct evaluation *evaluation, struct text *json);
void supervised_close_table(const struct evaluation *evaluation);
void supervised_close(struct evaluation *evaluation, int status, const struct error *error);

#endif
