/* report/judged.h -- evaluation.json, as `simclr evaluate` wrote it (docs/formats.md). */
#ifndef REPORT_JUDGED_H
#define REPORT_JUDGED_H

#include "base/json.h"
#include "evaluate/figure.h"

/* Texts are borrowed from the file's. Numbers that are not there are NaN, counts 0. */
struct judged_figure {
    const char *protocol, *setting, *varied; /* setting: "" where there is none; varied: NULL */
    enum metric metric;
    enum evaluation_source source;
    double value, low, high; /* over the test images */
    double without_leaks;
    int64_t images, labelled, cut_fits;
    int64_t runs;
    double mean, run_low, run_high;
    double seconds;
};

struct judged {
    struct json json; /* empty: there is no evaluation */
    char *path;       /* of the file */
    struct judged_figure *figure;
    size_t count;
    size_t unknown; /* figures of kinds that this version does not know, or beyond the first 2,000 */
};

/* *out is empty where there is no such file. SIMCLR_CORRUPT, SIMCLR_DATA: it is none of ours, or of another version;
 * SIMCLR_IO, SIMCLR_NO_MEMORY. */
int judged_read(struct judged *out, const char *path, struct error *error);
/* The same of a text; `path` is for sentences. */
int judged_parse(struct judged *out, const char *text, size_t length, const char *path, struct error *error);
void judged_free(struct judged *judged);

static inline bool judged_is_there(const struct judged *judged)
{
    return judged->json.values;
}
/* NULL: there is none. A setting of NULL is any: the first. */
const struct judged_figure *judged_find(const struct judged *judged, const char *protocol, const char *setting,
                                        enum metric metric, enum evaluation_source source);
/* The source under judgement: the trained encoder, or the table. */
enum evaluation_source judged_main(const struct judged *judged);
/* Are two evaluations of the same test images, as far as they say: by names and labels of all of them where both know
 * these, by number, classes and, of sets of images, the set's path. */
bool judged_same_test(const struct judged *a, const struct judged *b);
/* A member of the whole. */
const struct json_value *judged_member(const struct judged *judged, const char *name);

/* How a value is shown: hundredfold where it is a share. */
double judged_shown(enum metric metric, double value);
int judged_decimals(enum metric metric);
/* "74.8 [74.0, 75.7]", or "74.8"; "-" for NaN. */
enum { JUDGED_TEXT = 96 };
void judged_write(char out[JUDGED_TEXT], enum metric metric, double value, double low, double high);
/* What a source is called for people, under this protocol. */
const char *judged_source_name(enum evaluation_source source, const char *protocol);

#endif
