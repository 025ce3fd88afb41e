/* evaluate/predictions.c -- see predictions.h. */
#include "evaluate/predictions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/memory.h"
#include "evaluate/evaluation.h"

enum { TOP = 5 };

void predictions_free(struct predictions *predictions)
{
    memory_free(predictions->top5);
    memory_free(predictions->probabilities);
    *predictions = (struct predictions){0};
}

static int allocate(struct predictions *out, int64_t count, int classes, struct error *error)
{
    const size_t cells = (size_t)count * (size_t)classes;
    *out = (struct predictions){.count = count, .classes = classes};
    out->top5 = memory_array((size_t)count * TOP, sizeof *out->top5);
    out->probabilities = memory_array(cells, sizeof *out->probabilities);
    if (out->top5 && out->probabilities) return SIMCLR_OK;
    predictions_free(out);
    return error_no_memory(error, "predictions", cells * sizeof *out->probabilities);
}

/* The best `places` of those above `floor`, the lower class first among equal ones. */
static void rank_row(int32_t *top, int places, const double *row, int classes, double floor)
{
    for (int i = 0; i < places; i++) top[i] = -1;
    for (int32_t c = 0; c < classes; c++) {
        int at = places;
        if (!(row[c] > floor)) continue;
        while (at > 0 && (top[at - 1] < 0 || row[c] > row[top[at - 1]])) at--;
        if (at == places) continue;
        memmove(top + at + 1, top + at, (size_t)(places - 1 - at) * sizeof *top);
        top[at] = c;
    }
}

void predictions_of_row(float *probabilities, int32_t *top, int places, const struct logits_row *row)
{
    const int classes = row->classes;
    double *from = row->scratch, largest = -INFINITY, sum = 0;
    for (int c = 0; c < classes; c++) from[c] = (double)row->logits[c];
    for (int c = 0; c < classes; c++) largest = fmax(largest, from[c]);
    for (int c = 0; c < classes; c++) sum += exp((from[c] - largest) / row->temperature);
    for (int c = 0; c < classes; c++) probabilities[c] = (float)(exp((from[c] - largest) / row->temperature) / sum);
    rank_row(top, places, from, classes, -INFINITY);
}

int predictions_of_logits(struct predictions *out, const float *logits, int64_t count, int classes, double temperature,
                          struct error *error)
{
    double *from = memory_array((size_t)classes, sizeof *from);
    if (!from) return error_no_memory(error, "predictions", (size_t)classes * sizeof *from);
    const int status = allocate(out, count, classes, error);
    for (int64_t i = 0; !status && i < count; i++)
        predictions_of_row(out->probabilities + i * classes, out->top5 + i * TOP, TOP,
                           &(struct logits_row){logits + i * classes, classes, temperature, from});
    memory_free(from);
    return status;
}

int predictions_of_votes(struct predictions *out, const double *votes, int64_t count, int classes, struct error *error)
{
    const int status = allocate(out, count, classes, error);
    for (int64_t i = 0; !status && i < count; i++) {
        const double *from = votes + i * classes;
        float *row = out->probabilities + i * classes;
        double sum = 0;
        for (int c = 0; c < classes; c++) sum += from[c];
        for (int c = 0; c < classes && sum > 0; c++) row[c] = (float)(from[c] / sum);
        rank_row(out->top5 + i * TOP, TOP, from, classes, 0);
    }
    return status;
}

/* ---- the file -------------------------------------------------------------------------------------------------- */

static int add_labels(struct zip_writer *zip, const struct evaluation *evaluation, struct error *error)
{
    const int64_t count = evaluation_count(evaluation, PART_TEST);
    int32_t *labels = memory_array((size_t)count, sizeof *labels);
    if (!labels) return error_no_memory(error, "labels", (size_t)count * sizeof *labels);
    for (int64_t i = 0; i < count; i++) labels[i] = evaluation_label(evaluation, PART_TEST, i);
    const struct zip_array array = {"labels.npy", "<i4", labels, count, 0, sizeof *labels};
    const int status = zip_writer_add_array(zip, &array, error);
    memory_free(labels);
    return status;
}

/* Bytes of one width, as NumPy's S has them: names are any bytes. */
static int add_classes(struct zip_writer *zip, const struct evaluation *evaluation, struct error *error)
{
    const int classes = evaluation_classes(evaluation);
    size_t width = 1;
    char descr[24];
    for (int c = 0; c < classes; c++) {
        const size_t length = strlen(evaluation_class_name(evaluation, c));
        if (length > width) width = length;
    }
    char *names = memory_array((size_t)classes, width);
    if (!names) return error_no_memory(error, "the names of classes", (size_t)classes * width);
    for (int c = 0; c < classes; c++) {
        const char *name = evaluation_class_name(evaluation, c);
        for (size_t k = 0; name[k]; k++) names[(size_t)c * width + k] = name[k];
    }
    snprintf(descr, sizeof descr, "|S%zu", width);
    const struct zip_array array = {"classes.npy", descr, names, classes, 0, width};
    const int status = zip_writer_add_array(zip, &array, error);
    memory_free(names);
    return status;
}

/* SHA-256 of the names in their order, each with its NUL. */
static int add_names(struct zip_writer *zip, const struct evaluation *evaluation, struct error *error)
{
    struct digest digest = digest_open(DIGEST_SHA256);
    char text[DIGEST_TEXT];
    for (int64_t i = 0; i < evaluation_count(evaluation, PART_TEST); i++) {
        const char *name = evaluation_name(evaluation, PART_TEST, i);
        digest_add(&digest, name, strlen(name) + 1);
    }
    digest_close(&digest, text);
    const struct zip_array array = {"names_sha256.npy", "|S64", text, 1, 0, DIGEST_TEXT - 1};
    return zip_writer_add_array(zip, &array, error);
}

int predictions_commit(struct zip_writer **out, const struct predictions *predictions,
                       const struct evaluation *evaluation, struct error *error)
{
    struct zip_writer *zip = *out;
    const int64_t rows = predictions->count;
    const struct zip_array top5 = {"top5.npy", "<i4", predictions->top5, rows, TOP, sizeof(int32_t)};
    const struct zip_array probabilities = {"probabilities.npy",  "<f4",        predictions->probabilities, rows,
                                            predictions->classes, sizeof(float)};
    int status = add_labels(zip, evaluation, error);
    if (!status) status = zip_writer_add_array(zip, &top5, error);
    if (!status) status = zip_writer_add_array(zip, &probabilities, error);
    if (!status) status = add_classes(zip, evaluation, error);
    if (!status) status = add_names(zip, evaluation, error);
    if (!status) status = zip_writer_commit(out, error);
    zip_writer_abort(out);
    return status;
}
