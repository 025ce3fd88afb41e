/* command/predict/writer.h -- what is said of each image, a line for each: a table, CSV or JSON lines
 * (docs/formats.md).
 */
#ifndef COMMAND_PREDICT_WRITER_H
#define COMMAND_PREDICT_WRITER_H

#include "base/text.h"
#include "evaluate/classifier.h"
#include "run/session.h"

struct writer {
    const struct session *session;
    const struct classifier *classifier;
    double threshold;
    int format;       /* row of the table of formats */
    int places;       /* classes of a line */
    int width;        /* of a table's column of labels */
    struct text text; /* lines that are not handed on yet */
};

/* By --format, --top and --threshold. */
void writer_open(struct writer *writer, const struct session *session, const struct classifier *classifier);
/* Hands on the line of headings, where there is one. */
int writer_begin(struct writer *writer, struct error *error);
void writer_close(struct writer *writer);

/* Adds the line of an image: `row` is of it alone, or, of one that cannot be read, NULL, and `failure` says why. */
void writer_add(struct writer *writer, const char *name, const struct classified *row, const char *failure);
/* Hands the lines on. SIMCLR_NO_MEMORY where one could not be made. */
int writer_flush(struct writer *writer, struct error *error);

#endif
