/* evaluate/classifier_file.c -- a classifier as safetensors. Every field that is read is distrusted. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bf16.h"
#include "base/memory.h"
#include "base/number.h"
#include "checkpoint/safetensors.h"
#include "evaluate/classifier.h"

enum { CLASSES_MOST = 1 << 24, LAYER_MOST = 3, SIZE_LEAST = 8, SIZE_MOST = 4096, HASH_DIGITS = 16 };
#define FORMAT "simclr-classifier"
#define VERSION "2"

/* ---- writing ---------------------------------------------------------------------------------------------------- */

/* Metadata in the order in which it was added; the values are kept here. */
enum { PAIRS = 16 };
struct pairs {
    struct safetensors_pair pair[PAIRS];
    char value[PAIRS][3 * NUMBER_TEXT];
    int count;
};

static char *add_pair(struct pairs *pairs, const char *key)
{
    char *value = pairs->value[pairs->count];
    pairs->pair[pairs->count++] = (struct safetensors_pair){key, value};
    return value;
}

static void add_word(struct pairs *pairs, const char *key, const char *word)
{
    snprintf(add_pair(pairs, key), sizeof pairs->value[0], "%s", word);
}

static void add_rgb(struct pairs *pairs, const char *key, const double rgb[3])
{
    char number[3][NUMBER_TEXT];
    for (int i = 0; i < 3; i++) number_format_shortest(rgb[i], number[i]);
    snprintf(add_pair(pairs, key), sizeof pairs->value[0], "%s,%s,%s", number[0], number[1], number[2]);
}

static void add_encoder(struct pairs *pairs, const struct classifier_encoder *encoder)
{
    if (!encoder->known) return;
    snprintf(add_pair(pairs, "encoder_hash"), sizeof pairs->value[0], "%016" PRIx64, encoder->hash);
    snprintf(add_pair(pairs, "layer"), sizeof pairs->value[0], "%d", encoder->layer);
    snprintf(add_pair(pairs, "image_size"), sizeof pairs->value[0], "%d", encoder->image_size);
    snprintf(add_pair(pairs, "crop_filter"), sizeof pairs->value[0], "%s",
             encoder->filter == RESAMPLE_BILINEAR ? "bilinear" : "bicubic");
    if (encoder->normalize) {
        add_rgb(pairs, "mean", encoder->mean);
        add_rgb(pairs, "std", encoder->std);
    }
    if (encoder->path) pairs->pair[pairs->count++] = (struct safetensors_pair){"encoder", encoder->path};
}

static struct safetensors_entry entry_of(const char *name, enum safetensors_dtype dtype, int64_t rows, int64_t columns,
                                         const void *data, size_t item)
{
    const int64_t cells = rows * (columns > 0 ? columns : 1);
    return (struct safetensors_entry){.name = name,
                                      .dtype = dtype,
                                      .rank = columns > 0 ? 2 : 1,
                                      .dims = {rows, columns},
                                      .data = data,
                                      .bytes = (size_t)cells * item};
}

static uint16_t *as_bf16(const struct novelty *novelty)
{
    const size_t cells = (size_t)novelty->count * (size_t)novelty->dim;
    uint16_t *out = memory_array(cells, sizeof *out);
    for (size_t i = 0; out && i < cells; i++) out[i] = bf16_from_float(novelty->rows[i]);
    return out;
}

int classifier_write(const struct classifier *classifier, const char *path, struct error *error)
{
    const float temperature = (float)classifier->temperature;
    const struct novelty *novelty = &classifier->novelty;
    const int classes = classifier->classes;
    struct pairs pairs = {.count = 0};
    uint16_t *rows = as_bf16(novelty);
    if (!rows) return error_no_memory(error, "the training rows", (size_t)novelty->count * (size_t)novelty->dim * 2);
    add_word(&pairs, "format", FORMAT);
    add_word(&pairs, "version", VERSION);
    if (classifier->l2 >= 0) number_format_shortest(classifier->l2, add_pair(&pairs, "l2"));
    if (novelty->rows) add_word(&pairs, "rows_are", novelty->centres ? "centres" : "training");
    add_encoder(&pairs, &classifier->encoder);
    const struct safetensors_entry entries[] = {
        entry_of("weight", ST_F32, classes, classifier->dim, classifier->weight, sizeof(float)),
        entry_of("bias", ST_F32, classes, 0, classifier->bias, sizeof(float)),
        entry_of("temperature", ST_F32, 1, 0, &temperature, sizeof temperature),
        entry_of("classes", ST_U8, (int64_t)classifier->names.length, 0, classifier->names.bytes, 1),
        entry_of("rows", ST_BF16, novelty->count, novelty->dim, rows, sizeof *rows),
        entry_of("least_similarity", ST_F32, 1, 0, &novelty->least, sizeof novelty->least),
    };
    const int status = safetensors_write(path, entries, novelty->rows ? 6 : 4, pairs.pair, pairs.count, error);
    memory_free(rows);
    return status;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

struct reading {
    const struct safetensors *file;
    const char *path;
    struct error *error;
};

static int refuse(const struct reading *reading, const char *field, const char *what)
{
    return error_set(reading->error, SIMCLR_CORRUPT, "%s: this is no whole classifier: %s %s: make it anew",
                     reading->path, field, what);
}

/* A tensor of this type and form; dims of -1 may be anything above 0. */
static int find(const struct reading *reading, const char *name, enum safetensors_dtype dtype, int rank,
                const int64_t *dims, const struct safetensors_entry **out)
{
    *out = safetensors_find(reading->file, name);
    if (!*out) return refuse(reading, name, "is missing");
    if ((*out)->dtype != dtype) return refuse(reading, name, "has another type");
    bool same = (*out)->rank == rank;
    for (int i = 0; same && i < rank; i++) same = (*out)->dims[i] > 0 && (dims[i] < 0 || (*out)->dims[i] == dims[i]);
    return same ? SIMCLR_OK : refuse(reading, name, "has another shape");
}

/* A new block of its numbers, which are finite. */
static int read_floats(const struct reading *reading, const struct safetensors_entry *entry, float **out)
{
    const size_t count = entry->bytes / sizeof **out;
    *out = memory_array(count, sizeof **out);
    if (!*out) return error_no_memory(reading->error, entry->name, entry->bytes);
    memcpy(*out, entry->data, entry->bytes);
    for (size_t i = 0; i < count; i++)
        if (!isfinite((*out)[i])) return refuse(reading, entry->name, "has a number that is not finite");
    return SIMCLR_OK;
}

static int read_one(const struct reading *reading, const char *name, float *out)
{
    const struct safetensors_entry *entry;
    const int64_t one[] = {1};
    const int status = find(reading, name, ST_F32, 1, one, &entry);
    if (!status) memcpy(out, entry->data, sizeof *out);
    return status;
}

static int read_linear(const struct reading *reading, struct classifier *out)
{
    const struct safetensors_entry *weight, *bias;
    const int64_t any[] = {-1, -1};
    float temperature = 0;
    int status = find(reading, "weight", ST_F32, 2, any, &weight);
    if (status) return status;
    if (weight->dims[0] > CLASSES_MOST || weight->dims[1] > CLASSES_MOST)
        return refuse(reading, "weight", "has another shape");
    out->classes = (int)weight->dims[0];
    out->dim = (int)weight->dims[1];
    status = find(reading, "bias", ST_F32, 1, weight->dims, &bias);
    if (!status) status = read_floats(reading, weight, &out->weight);
    if (!status) status = read_floats(reading, bias, &out->bias);
    if (!status) status = read_one(reading, "temperature", &temperature);
    if (status) return status;
    out->temperature = (double)temperature;
    return isfinite(temperature) && temperature > 0 ? SIMCLR_OK : refuse(reading, "temperature", "is not above 0");
}

static int read_names(const struct reading *reading, struct classifier *out)
{
    const struct safetensors_entry *entry;
    const int64_t any[] = {-1};
    int ends = 0;
    const int status = find(reading, "classes", ST_U8, 1, any, &entry);
    if (status) return status;
    text_add_bytes(&out->names, entry->data, entry->bytes);
    out->class_name = memory_array((size_t)out->classes, sizeof *out->class_name);
    if (out->names.failed || !out->class_name)
        return error_no_memory(reading->error, "the names of classes", entry->bytes);
    char *begin = out->names.bytes, *end = begin + entry->bytes;
    for (char *at = begin; at < end; at++) {
        if (*at != '\0') continue;
        if (ends < out->classes) out->class_name[ends] = begin;
        begin = at + 1;
        ends++;
    }
    return ends == out->classes && begin == end ? SIMCLR_OK
                                                : refuse(reading, "classes", "does not name each class once");
}

/* Rows of length 1 as far as bf16 has it, or of zeros. */
static int check_lengths(const struct reading *reading, const struct novelty *novelty)
{
    for (int64_t i = 0; i < novelty->count; i++) {
        double sum = 0;
        for (int64_t d = i * novelty->dim; d < (i + 1) * novelty->dim; d++)
            sum += (double)novelty->rows[d] * (double)novelty->rows[d];
        if (!(sum == 0 || fabs(sum - 1) < 0.02)) return refuse(reading, "rows", "has a row that is not of length 1");
    }
    return SIMCLR_OK;
}

static int read_novelty(const struct reading *reading, struct classifier *out)
{
    struct novelty *novelty = &out->novelty;
    const struct safetensors_entry *entry;
    const int64_t form[] = {-1, out->dim};
    const char *are = safetensors_metadata(reading->file, "rows_are");
    if (!are && !safetensors_find(reading->file, "rows")) return SIMCLR_OK;
    if (!are || (strcmp(are, "training") != 0 && strcmp(are, "centres") != 0))
        return refuse(reading, "rows_are", "is none of training and centres");
    int status = find(reading, "rows", ST_BF16, 2, form, &entry);
    if (status) return status;
    if (entry->dims[0] > NOVELTY_ROWS) return refuse(reading, "rows", "has more rows than any classifier");
    *novelty = (struct novelty){.count = entry->dims[0], .dim = out->dim, .centres = strcmp(are, "centres") == 0};
    const size_t cells = entry->bytes / sizeof(uint16_t);
    novelty->rows = memory_array(cells, sizeof *novelty->rows);
    if (!novelty->rows) return error_no_memory(reading->error, "the training rows", cells * sizeof *novelty->rows);
    for (size_t i = 0; i < cells; i++) {
        uint16_t value;
        memcpy(&value, (const char *)entry->data + i * sizeof value, sizeof value);
        novelty->rows[i] = bf16_to_float(value);
    }
    status = check_lengths(reading, novelty);
    if (!status) status = read_one(reading, "least_similarity", &novelty->least);
    if (status) return status;
    return novelty->least >= -1.01f && novelty->least <= 1.01f ? SIMCLR_OK
                                                               : refuse(reading, "least_similarity", "is no cosine");
}

static int read_integer(const struct reading *reading, const char *key, int low, int high, int *out)
{
    const char *text = safetensors_metadata(reading->file, key);
    int64_t value;
    if (!text || !number_parse_integer(text, &value) || value < low || value > high)
        return refuse(reading, key, text ? "is no number that is possible" : "is missing");
    *out = (int)value;
    return SIMCLR_OK;
}

/* "r,g,b" from low to high. */
static int read_rgb(const struct reading *reading, const char *key, double low, double high, double out[3])
{
    const char *at = safetensors_metadata(reading->file, key);
    if (!at) return refuse(reading, key, "is missing");
    for (int i = 0; i < 3; i++) {
        char *end;
        out[i] = number_read(at, &end);
        const bool ended = end != at && *end == (i < 2 ? ',' : '\0');
        if (!ended || !(out[i] >= low && out[i] <= high)) return refuse(reading, key, "is not three possible numbers");
        at = end + 1;
    }
    return SIMCLR_OK;
}

static int read_hash(const struct reading *reading, const char *text, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < HASH_DIGITS; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (!digit) return refuse(reading, "encoder_hash", "is not 16 hexadecimal digits");
        *out = *out << 4 | (uint64_t)(digit - digits);
    }
    return text[HASH_DIGITS] == '\0' ? SIMCLR_OK : refuse(reading, "encoder_hash", "is not 16 hexadecimal digits");
}

static int read_filter(const struct reading *reading, enum resample_filter *out)
{
    const char *text = safetensors_metadata(reading->file, "crop_filter");
    *out = text && strcmp(text, "bilinear") == 0 ? RESAMPLE_BILINEAR : RESAMPLE_BICUBIC;
    if (text && (*out == RESAMPLE_BILINEAR || strcmp(text, "bicubic") == 0)) return SIMCLR_OK;
    return refuse(reading, "crop_filter", text ? "is none of bicubic and bilinear" : "is missing");
}

static int read_encoder(const struct reading *reading, struct classifier_encoder *out)
{
    const char *hash = safetensors_metadata(reading->file, "encoder_hash");
    const char *path = safetensors_metadata(reading->file, "encoder");
    if (!hash) return SIMCLR_OK; /* of a table */
    out->known = true;
    out->normalize = safetensors_metadata(reading->file, "mean") || safetensors_metadata(reading->file, "std");
    int status = read_hash(reading, hash, &out->hash);
    if (!status) status = read_integer(reading, "layer", 0, LAYER_MOST, &out->layer);
    if (!status) status = read_integer(reading, "image_size", SIZE_LEAST, SIZE_MOST, &out->image_size);
    if (!status) status = read_filter(reading, &out->filter);
    if (!status && out->normalize) status = read_rgb(reading, "mean", 0, 1, out->mean);
    if (!status && out->normalize) status = read_rgb(reading, "std", 0.001, 10, out->std);
    if (status || !path) return status;
    out->path = memory_string(path);
    return out->path ? SIMCLR_OK : error_no_memory(reading->error, "a path", strlen(path));
}

static int check_version(const struct reading *reading)
{
    const char *format = safetensors_metadata(reading->file, "format");
    const char *version = safetensors_metadata(reading->file, "version");
    if (!format || strcmp(format, FORMAT) != 0)
        return error_set(reading->error, SIMCLR_DATA,
                         "%s: this is no classifier: give a file that simclr evaluate, finetune or supervised wrote; "
                         "--classifier names one beside the encoder",
                         reading->path);
    if (version && strcmp(version, VERSION) == 0) return SIMCLR_OK;
    return error_set(reading->error, SIMCLR_UNSUPPORTED,
                     "%s: this classifier has version %.20s, and version " VERSION
                     " is read: make it anew with simclr evaluate",
                     reading->path, version ? version : "none");
}

static int read_all(const struct reading *reading, struct classifier *out)
{
    const char *l2 = safetensors_metadata(reading->file, "l2");
    int status = check_version(reading);
    *out = (struct classifier){.l2 = -1};
    if (!status) status = safetensors_verify(reading->file, reading->error);
    if (!status) status = read_linear(reading, out);
    if (!status) status = read_names(reading, out);
    if (!status) status = read_novelty(reading, out);
    if (!status) status = read_encoder(reading, &out->encoder);
    if (!status && l2 && !(number_parse(l2, &out->l2) && out->l2 >= 0)) status = refuse(reading, "l2", "is no penalty");
    if (status) classifier_free(out);
    return status;
}

int classifier_read(struct classifier *out, const char *path, struct error *error)
{
    struct safetensors *file;
    *out = (struct classifier){0};
    int status = safetensors_open(&file, path, error);
    if (status) return status;
    status = read_all(&(struct reading){file, path, error}, out);
    safetensors_close(&file);
    return status;
}

int classifier_parse(struct classifier *out, const uint8_t *bytes, size_t count, const char *name, struct error *error)
{
    struct safetensors *file;
    *out = (struct classifier){0};
    int status = safetensors_parse(&file, bytes, count, name, error);
    if (status) return status;
    status = read_all(&(struct reading){file, name, error}, out);
    safetensors_close(&file);
    return status;
}
