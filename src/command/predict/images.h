/* command/predict/images.h -- images of any origin through a predictor, a batch at a time. */
#ifndef COMMAND_PREDICT_IMAGES_H
#define COMMAND_PREDICT_IMAGES_H

#include "command/predict/writer.h"
#include "data/listing.h"
#include "data/tally.h"
#include "evaluate/predictor.h"

/* What a thread of the pool makes views with. */
struct maker {
    struct image storage;
    void *scratch;
    int width, height; /* of the largest image that the scratch is for */
};

/* What the tally has of an image. */
struct seen {
    struct image_header header;
    int brightest;
};

struct images {
    const struct session *session;
    struct predictor *predictor;
    struct writer *writer;
    int batch;
    struct maker *makers;          /* [threads] */
    char *views;                   /* [batch]: first those of the images of a batch, then without gaps */
    struct error *failures;        /* [batch]: status SIMCLR_OK: it could be read */
    struct seen *seen;             /* [batch] */
    const char **names;            /* [batch]: of the good ones, without gaps */
    struct classified rows;        /* of [batch] */
    int64_t count, bad;            /* so far */
    const struct listing *listing; /* of the batch under way, which begins at: */
    int64_t begin;
    struct tally *tally; /* of the listing */
};

/* All are borrowed. batch: of the predictor. */
int images_open(struct images *images, const struct session *session, struct predictor *predictor,
                const struct classifier *classifier, struct writer *writer, int batch, struct error *error);
void images_close(struct images *images);

/* Writes a line for each image of the listing, in its order; handed on after each batch. Of a bad one the log has a
 * warning. All are added to the tally, in that order too. SIMCLR_INTERRUPTED; what is no image's fault. */
int images_judge(struct images *images, const struct listing *listing, struct tally *tally, struct error *error);

#endif
