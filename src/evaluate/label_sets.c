/* evaluate/label_sets.c -- see label_sets.h. */
#include "evaluate/label_sets.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"
#include "eval/average_precision.h"
#include "evaluate/name_index.h"

enum { LIST_BYTES_MAX = 1 << 30, EXAMPLE = 160 };
static const size_t CELLS_MAX = (size_t)4 << 30;

/* What a line says: of an image of a part, one class (-1: none). */
struct statement {
    int64_t image;
    int32_t label;
    uint8_t part, member;
    long line;
};

struct reading {
    const struct evaluation *evaluation;
    const char *path;
    struct label_sets *out;
    struct name_index index[PART_COUNT];
    struct statement *statement;
    size_t count;
    int64_t strangers; /* lines of images that neither part has */
    char stranger[EXAMPLE];
};

static const char *train_name(const void *evaluation, int64_t index)
{
    const struct evaluation *of = evaluation;
    return of->train ? dataset_name(of->train, index) : evaluation_name(of, PART_TRAIN, index);
}

static const char *test_name(const void *evaluation, int64_t index)
{
    const struct evaluation *of = evaluation;
    return of->test ? dataset_name(of->test, index) : evaluation_name(of, PART_TEST, index);
}

/* Room for every class of every image in both parts. */
static int reading_open(struct reading *r, const uint8_t *text, size_t bytes, struct error *error)
{
    size_t room = 2;
    for (size_t i = 0; i < bytes; i++) room += text[i] == '\n' || text[i] == '\t' ? 2 : 0;
    r->statement = memory_array(room, sizeof *r->statement);
    if (!r->statement) return error_no_memory(error, "the classes of images", room * sizeof *r->statement);
    int status = SIMCLR_OK;
    for (int p = 0; !status && p < PART_COUNT; p++)
        status = name_index_open(&r->index[p], p == PART_TRAIN ? train_name : test_name, r->evaluation,
                                 evaluation_count(r->evaluation, (enum evaluation_part)p), error);
    return status;
}

static void reading_close(struct reading *r)
{
    for (int p = 0; p < PART_COUNT; p++) name_index_close(&r->index[p]);
    memory_free(r->statement);
}

static void state(struct reading *r, const int64_t *image, int32_t label, uint8_t member, long line)
{
    for (int p = 0; p < PART_COUNT; p++)
        if (image[p] >= 0) r->statement[r->count++] = (struct statement){image[p], label, (uint8_t)p, member, line};
}

/* The images of both parts that a line is about. -1: the part has none. */
static int find_images(struct reading *r, const char *name, long line, int64_t *image, struct error *error)
{
    int found = 0;
    for (int p = 0; p < PART_COUNT; p++) {
        image[p] = -1;
        const int matches = name_index_find(&r->index[p], name, &image[p]);
        if (matches > 1)
            return error_set(error, SIMCLR_DATA, "%s:%ld: several %s images are called %.200s: name one of them",
                             r->path, line, p == PART_TRAIN ? "training" : "test", name);
        found += matches;
    }
    if (found == 0 && r->strangers++ == 0) snprintf(r->stranger, sizeof r->stranger, "%s", name);
    return SIMCLR_OK;
}

static int read_line(struct reading *r, struct lines *lines, const char *name, struct error *error)
{
    const long line = lines->number;
    int64_t image[PART_COUNT];
    int status = find_images(r, name, line, image, error);
    if (status) return status;
    state(r, image, -1, MEMBER_NO, line);
    const char *field;
    while (!(status = lines_field(lines, r->path, &field, error)) && field) {
        const bool unknown = field[0] == '?';
        int32_t label;
        if (field[unknown] == '\0')
            return error_set(error, SIMCLR_DATA, "%s:%ld: a class has no name behind its \"?\"", r->path, line);
        status = labels_intern(&r->out->names, field + unknown, strlen(field + unknown), &label, error);
        if (status) return status;
        state(r, image, label, unknown ? MEMBER_UNKNOWN : MEMBER_YES, line);
    }
    return status;
}

/* ---- the tables ------------------------------------------------------------------------------------------------- */

static int make_part(struct label_sets_part *part, int64_t images, int classes, struct error *error)
{
    const size_t cells = (size_t)images * (size_t)classes;
    if (cells > CELLS_MAX)
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "--label-sets: %d classes of %" PRId64 " images are more than 4 GiB: are they classes?",
                         classes, images);
    part->member = memory_array(cells, 1);
    part->named = memory_array((size_t)images, 1);
    if (!part->member || !part->named) return error_no_memory(error, "the classes of images", cells);
    return SIMCLR_OK;
}

static int fill(const struct reading *r, struct error *error)
{
    struct label_sets *out = r->out;
    for (size_t i = 0; i < r->count; i++) {
        const struct statement *s = &r->statement[i];
        struct label_sets_part *part = &out->part[s->part];
        part->count += !part->named[s->image];
        part->named[s->image] = 1;
        if (s->label < 0) continue;
        uint8_t *cell = &part->member[s->image * out->classes + s->label];
        if (*cell != MEMBER_NO && *cell != s->member)
            return error_set(error, SIMCLR_DATA,
                             "%s:%ld: %.200s is said to be of %.100s, and not known to be: leave one of the two",
                             r->path, s->line, r->index[s->part].name(r->evaluation, s->image),
                             catalog_name(&out->names.names, s->label));
        *cell = s->member;
    }
    for (int p = 0; p < PART_COUNT; p++) {
        struct label_sets_part *part = &out->part[p];
        const int64_t images = evaluation_count(r->evaluation, (enum evaluation_part)p);
        for (int64_t i = 0; i < images; i++)
            if (!part->named[i]) memset(part->member + i * out->classes, MEMBER_UNKNOWN, (size_t)out->classes);
    }
    return SIMCLR_OK;
}

/* What is left out is said, with one for an example. */
static int tell(const struct reading *r, struct error *error)
{
    const struct log *log = &r->evaluation->session->log;
    if (r->strangers > 0)
        log_warning(log, "%s: %" PRId64 " line%s of images that are in neither part (%s)", r->path, r->strangers,
                    r->strangers == 1 ? "" : "s", r->stranger);
    for (int p = 0; p < PART_COUNT; p++) {
        const struct label_sets_part *part = &r->out->part[p];
        const char *word = p == PART_TRAIN ? "training" : "test";
        const int64_t images = evaluation_count(r->evaluation, (enum evaluation_part)p),
                      left_out = images - part->count;
        if (part->count == 0)
            return error_set(error, SIMCLR_DATA, "%s: names no %s image: give their paths, or the ends of these",
                             r->path, word);
        int64_t first = 0;
        while (first < images && part->named[first]) first++;
        if (left_out > 0)
            log_warning(log, "%s names %" PRId64 " of %" PRId64 " %s images: multilabel leaves out the others (%s%s)",
                        r->path, part->count, images, word, r->index[p].name(r->evaluation, first),
                        left_out > 1 ? ", ..." : "");
    }
    log_info(log, "%s: %d classes, of %" PRId64 " training and %" PRId64 " test images", r->path, r->out->classes,
             r->out->part[PART_TRAIN].count, r->out->part[PART_TEST].count);
    return SIMCLR_OK;
}

static int build(struct reading *r, struct error *error)
{
    struct label_sets *out = r->out;
    out->classes = (int)out->names.names.count;
    if (out->classes == 0) return error_set(error, SIMCLR_DATA, "%s: names no class: give one behind a tab", r->path);
    int status = SIMCLR_OK;
    for (int p = 0; !status && p < PART_COUNT; p++)
        status =
            make_part(&out->part[p], evaluation_count(r->evaluation, (enum evaluation_part)p), out->classes, error);
    if (!status) status = fill(r, error);
    return status ? status : tell(r, error);
}

int label_sets_parse(struct label_sets *out, const struct evaluation *evaluation, const char *path, char *text,
                     size_t bytes, struct error *error)
{
    struct reading r = {.evaluation = evaluation, .path = path, .out = out};
    struct lines lines;
    *out = (struct label_sets){0};
    int status = reading_open(&r, (const uint8_t *)text, bytes, error);
    if (!status) status = lines_open(&lines, text, bytes, path, error);
    const char *name = "";
    while (!status && name) {
        status = lines_next(&lines, path, &name, error);
        if (!status && name) status = read_line(&r, &lines, name, error);
    }
    if (!status) status = build(&r, error);
    reading_close(&r);
    if (status) label_sets_free(out);
    return status;
}

int label_sets_read(struct label_sets *out, const struct evaluation *evaluation, const char *path, struct error *error)
{
    uint8_t *text;
    size_t bytes;
    *out = (struct label_sets){0};
    for (int i = 0; i < PART_COUNT; i++)
        if (evaluation_is_of_tables(evaluation) && !evaluation->tables[i].named)
            return error_set(error, SIMCLR_DATA,
                             "--label-sets: the %s features have no names by which it could name them",
                             i == PART_TRAIN ? "training" : "test");
    int status = file_read(path, LIST_BYTES_MAX, &text, &bytes, error);
    if (status) return error_prefix(error, "--label-sets");
    status = label_sets_parse(out, evaluation, path, (char *)text, bytes, error);
    memory_free(text);
    return status;
}

void label_sets_free(struct label_sets *sets)
{
    labels_free(&sets->names);
    for (int p = 0; p < PART_COUNT; p++) {
        memory_free(sets->part[p].member);
        memory_free(sets->part[p].named);
    }
    *sets = (struct label_sets){0};
}
