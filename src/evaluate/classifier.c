/* evaluate/classifier.c -- see classifier.h. */
#include "evaluate/classifier.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "checkpoint/safetensors.h"
#include "evaluate/evaluation.h"

void classifier_free(struct classifier *classifier)
{
    memory_free(classifier->weight);
    memory_free(classifier->bias);
    *classifier = (struct classifier){0};
}

int classifier_from_sweep(struct classifier *out, const struct logistic_sweep *sweep, struct error *error)
{
    const size_t classes = (size_t)sweep->classes, dim = (size_t)sweep->dim;
    *out = (struct classifier){
        .dim = sweep->dim, .classes = sweep->classes, .temperature = sweep->temperature, .l2 = sweep->l2};
    out->weight = memory_array(classes * dim, sizeof *out->weight);
    out->bias = memory_array(classes, sizeof *out->bias);
    if (!out->weight || !out->bias) {
        classifier_free(out);
        return error_no_memory(error, "a classifier", classes * dim * sizeof *out->weight);
    }
    for (size_t c = 0; c < classes; c++) {
        double bias = sweep->bias[c];
        for (size_t d = 0; d < dim; d++) {
            const double weight = sweep->weight[c * dim + d] * sweep->scale[d];
            out->weight[c * dim + d] = (float)weight;
            bias -= weight * sweep->mean[d];
        }
        out->bias[c] = (float)bias;
    }
    return SIMCLR_OK;
}

int classifier_write(const struct classifier *classifier, const struct evaluation *evaluation, const char *path,
                     struct error *error)
{
    const float temperature = (float)classifier->temperature;
    const int64_t classes = classifier->classes, dim = classifier->dim;
    char hash[24] = "", l2[NUMBER_TEXT];
    struct text names = {0};
    for (int c = 0; c < classifier->classes; c++) {
        const char *name = evaluation_class_name(evaluation, c);
        text_add_bytes(&names, name, strlen(name) + 1);
    }
    if (names.failed) {
        text_free(&names);
        return error_no_memory(error, "the names of classes", names.capacity);
    }
    if (!evaluation_is_of_tables(evaluation))
        snprintf(hash, sizeof hash, "%016" PRIx64, evaluation->encoders[SOURCE_TRAINED].hash_before);
    number_format_shortest(classifier->l2, l2);
    const struct safetensors_entry entries[] = {
        {.name = "weight",
         .dtype = ST_F32,
         .rank = 2,
         .dims = {classes, dim},
         .data = classifier->weight,
         .bytes = (size_t)classes * (size_t)dim * sizeof(float)},
        {.name = "bias",
         .dtype = ST_F32,
         .rank = 1,
         .dims = {classes},
         .data = classifier->bias,
         .bytes = (size_t)classes * sizeof(float)},
        {.name = "temperature",
         .dtype = ST_F32,
         .rank = 1,
         .dims = {1},
         .data = &temperature,
         .bytes = sizeof temperature},
        {.name = "classes",
         .dtype = ST_U8,
         .rank = 1,
         .dims = {(int64_t)names.length},
         .data = names.bytes,
         .bytes = names.length},
    };
    const struct safetensors_pair metadata[] = {
        {"format", "simclr-classifier"}, {"version", "1"}, {"l2", l2}, {"encoder_hash", hash}};
    const int status = safetensors_write(path, entries, 4, metadata, hash[0] ? 4 : 3, error);
    text_free(&names);
    return status;
}
