/* explore/audit/files.c -- what an audit leaves behind: tables, lists, JSON (docs/formats.md). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/memory.h"
#include "explore/audit/audit.h"
#include "explore/names.h"

enum { WORST_IN_JSON = 100 };

static const char *class_of(const struct audit *audit, int32_t label)
{
    return label < 0 ? "" : collection_class_name(&audit->collection, label);
}

static const char *part_of(const struct audit *audit, int64_t row)
{
    return collection_part(&audit->collection, row) == DATASET_TEST ? "test" : "train";
}

/* ---- tables ---------------------------------------------------------------------------------------------------- */

static void add_text(struct text *line, const char *value)
{
    csv_add(line, value);
    text_add(line, ",");
}

static void add_flag(struct text *line, bool there, bool value)
{
    text_add(line, there ? value ? "1," : "0," : ",");
}

static void add_number(struct text *line, bool there, double value)
{
    if (there)
        text_add(line, "%.6g,", value);
    else
        text_add(line, ",");
}

static void add_integer(struct text *line, bool there, int64_t value)
{
    if (there)
        text_add(line, "%" PRId64 ",", value);
    else
        text_add(line, ",");
}

static const char audit_head[] =
    "name,part,class,width,height,bytes,group,copy_of,likeness,exact_duplicate,near_duplicate,leak,remove,"
    "outlier_distance,outlier,label_probability,suggested_class,suggested_probability,label_score,suspect_label,"
    "dark,bright,blurred,low_information,odd_shape,odd_size,gray,"
    "dark_score,bright_score,blurred_score,low_information_score,odd_shape_score,odd_size_score\r\n";

static void add_duplicates(struct text *line, const struct audit *audit, int64_t row)
{
    const bool there = audit->group;
    float score;
    add_integer(line, there && audit->group[row] >= 0, there ? audit->group[row] : 0);
    add_text(line, there && audit->copy[row] >= 0 ? collection_name(&audit->collection, audit->copy[row]) : "");
    add_number(line, there && audit->copy[row] >= 0, there ? (double)audit->copy_likeness[row] : 0);
    for (enum audit_list list = LIST_EXACT; list <= LIST_LEAKS; list++)
        add_flag(line, audit_has_list(audit, list), audit_lists(audit, list, row, &score));
    add_flag(line, there, there && audit->removed[row]);
}

static void add_row_findings(struct text *line, const struct audit *audit, int64_t row)
{
    float score;
    const struct label_vote none = {.suggested = -1}, *vote = audit->votes ? &audit->votes[row] : &none;
    const bool voted = audit->votes && audit->collection.labels[row] >= 0;
    add_number(line, audit->distance, audit->distance ? (double)audit->distance[row] : 0);
    add_flag(line, audit->distance, audit_lists(audit, LIST_OUTLIERS, row, &score));
    add_number(line, voted, (double)vote->given);
    add_text(line, class_of(audit, vote->suggested));
    add_number(line, voted, (double)vote->other);
    add_number(line, voted, (double)label_score(vote));
    add_flag(line, voted, vote->suspect);
}

static void add_picture(struct text *line, const struct audit *audit, int64_t row)
{
    const bool there = audit_asks(audit, AUDIT_PICTURES) && audit->pictures;
    for (int i = 0; i < PICTURE_FAULTS; i++) add_flag(line, there, there && audit->pictures[row].faults >> i & 1);
    for (int i = 0; i < PICTURE_GRAY; i++) add_number(line, there, there ? (double)audit->pictures[row].score[i] : 0);
    if (line->length > 0) line->length--; /* the last comma */
    text_add(line, "\r\n");
}

static void add_image(struct text *line, const struct audit *audit, int64_t row)
{
    const struct picture *picture = audit->pictures ? &audit->pictures[row] : NULL;
    add_text(line, collection_name(&audit->collection, row));
    text_add(line, "%s,", part_of(audit, row));
    add_text(line, class_of(audit, audit->collection.labels[row]));
    add_integer(line, picture, picture ? picture->width : 0);
    add_integer(line, picture, picture ? picture->height : 0);
    add_integer(line, picture && audit->bytes[row] >= 0, picture ? audit->bytes[row] : 0);
}

/* Closes a table whose lines were handed to the writer. */
static int end_table(struct file_writer **writer, struct text *line, int status, struct error *error)
{
    if (!status && line->failed) status = error_no_memory(error, "a table", line->capacity);
    text_free(line);
    if (status)
        file_writer_abort(writer);
    else
        status = file_writer_commit(writer, error);
    return status;
}

static int write_images(const struct audit *audit, const char *path, struct error *error)
{
    struct file_writer *writer;
    struct text line = {0};
    const int status = file_writer_open(&writer, path, error);
    if (status) return status;
    file_writer_write(writer, audit_head, sizeof audit_head - 1);
    for (int64_t i = 0; i < audit->rows && !line.failed; i++) {
        if (audit->absent[i]) continue;
        line.length = 0;
        add_image(&line, audit, i);
        add_duplicates(&line, audit, i);
        add_row_findings(&line, audit, i);
        add_picture(&line, audit, i);
        if (!line.failed) file_writer_write(writer, line.bytes, line.length);
    }
    return end_table(&writer, &line, SIMCLR_OK, error);
}

/* Why a row is in its group. */
static const char *kind_of(const struct audit *audit, int64_t row)
{
    float score;
    if (!audit_lists(audit, LIST_EXACT, row, &score)) return "near";
    if (!audit->pictures) return "features";
    return audit->same_file[audit->exact[row] == row ? audit->copy[row] : row] ? "file" : "pixels";
}

static const char groups_head[] = "group,name,part,class,width,height,bytes,kind,copy_of,likeness,leak,keep\r\n";

static int write_groups(const struct audit *audit, const char *path, struct error *error)
{
    int64_t count;
    int64_t *rows = audit_group_rows(audit, &count);
    struct file_writer *writer;
    struct text line = {0};
    if (!rows) return error_no_memory(error, "groups", (size_t)audit->rows * sizeof *rows);
    const int status = file_writer_open(&writer, path, error);
    if (status) {
        memory_free(rows);
        return status;
    }
    file_writer_write(writer, groups_head, sizeof groups_head - 1);
    for (int64_t i = 0; i < count && !line.failed; i++) {
        const int64_t row = rows[i];
        line.length = 0;
        text_add(&line, "%" PRId32 ",", audit->group[row]);
        add_image(&line, audit, row);
        text_add(&line, "%s,", kind_of(audit, row));
        add_text(&line, collection_name(&audit->collection, audit->copy[row]));
        text_add(&line, "%.6g,%d,%d\r\n", (double)audit->copy_likeness[row], audit->leaks[row], !audit->removed[row]);
        if (!line.failed) file_writer_write(writer, line.bytes, line.length);
    }
    memory_free(rows);
    return end_table(&writer, &line, SIMCLR_OK, error);
}

/* The names of all rows that are removed, or of all that are kept. */
static int write_list(const struct audit *audit, const char *path, bool removed, struct error *error)
{
    int64_t *rows = memory_array((size_t)audit->rows, sizeof *rows), count = 0;
    if (!rows) return error_no_memory(error, "a list of names", (size_t)audit->rows * sizeof *rows);
    for (int64_t i = 0; i < audit->rows; i++)
        if (!audit->absent[i] && !audit->repeated[i] && (audit->removed && audit->removed[i]) == removed)
            rows[count++] = i;
    const int status = names_write(path, &audit->collection, rows, count, error);
    memory_free(rows);
    return status;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static void json_list(const struct audit *audit, enum audit_list list, struct text *json)
{
    int64_t count;
    int64_t *rows = audit_list_rows(audit, list, &count);
    char rule[AUDIT_RULE];
    json->failed |= !rows;
    if (!rows) return;
    audit_list_rule(audit, list, rule);
    text_json_open_object(json, audit_list_name(list));
    text_json_integer(json, "images", count);
    text_json_string(json, "rule", rule);
    text_json_open_array(json, "worst");
    for (int64_t i = 0; i < count && i < WORST_IN_JSON; i++)
        text_json_string(json, NULL, collection_name(&audit->collection, rows[i]));
    text_json_close_array(json);
    text_json_close_object(json);
    memory_free(rows);
}

static void json_check(const struct near *near, struct text *json)
{
    int64_t copies = 0, found = 0;
    text_json_open_object(json, "check");
    for (int i = 0; i < COPY_KINDS; i++) {
        copies += near->copies[i];
        found += near->found[i];
    }
    text_json_integer(json, "copies", copies);
    text_json_integer(json, "found", found);
    text_json_number(json, "likeness_quantile_1", near->lowest);
    text_json_open_object(json, "kinds");
    for (int i = 0; i < COPY_KINDS; i++) {
        text_json_open_object(json, copy_names[i]);
        text_json_integer(json, "copies", near->copies[i]);
        text_json_integer(json, "among_candidates", near->met[i]);
        text_json_integer(json, "found", near->found[i]);
        text_json_close_object(json);
    }
    text_json_close_object(json);
    text_json_close_object(json);
}

void audit_json(const struct audit *audit, struct text *json)
{
    const struct collection *c = &audit->collection;
    text_json_open_object(json, NULL);
    if (c->model) {
        text_json_string(json, "checkpoint", c->session->config->checkpoint);
        text_json_hash(json, "encoder_hash", parameters_encoder_hash(&c->model->parameters));
    }
    text_json_string(json, "data", c->model ? c->session->config->data : c->session->config->features);
    text_json_integer(json, "images", audit->rows - audit->absent_count);
    text_json_integer(json, "train_images", audit_images(audit, DATASET_TRAIN));
    text_json_integer(json, "test_images", audit_images(audit, DATASET_TEST));
    text_json_integer(json, "classes", collection_classes(c));
    text_json_integer(json, "left_out", c->left_out + audit->absent_count);
    text_json_number(json, "graph_recall", audit->recall);
    if (audit->group) {
        text_json_integer(json, "groups", audit->group_count);
        text_json_integer(json, "groups_with_exact_duplicates", audit->exact_groups);
        text_json_integer(json, "groups_across_parts", audit->leak_groups);
        text_json_integer(json, "groups_with_different_labels", audit->divided_groups);
        text_json_integer(json, "removed", audit_removed(audit));
    }
    if (audit->near.pairs) {
        text_json_number(json, "likeness_limit", audit->near.limit);
        text_json_integer(json, "pairs_compared", audit->near.compared);
        json_check(&audit->near, json);
    }
    text_json_open_object(json, "lists");
    for (enum audit_list list = 0; list < AUDIT_LISTS; list++)
        if (audit_has_list(audit, list)) json_list(audit, list, json);
    text_json_close_object(json);
    text_json_number(json, "seconds", audit->seconds);
    text_json_close_object(json);
}

static int write_json(const struct audit *audit, const char *path, struct error *error)
{
    struct text json = {0};
    audit_json(audit, &json);
    text_add(&json, "\n");
    const int status = json.failed ? error_no_memory(error, "JSON", json.capacity)
                                   : file_write_atomic(path, json.bytes, json.length, error);
    text_free(&json);
    return status;
}

/* ---- all ------------------------------------------------------------------------------------------------------- */

static int write_keep(const struct audit *audit, const char *path, struct error *error)
{
    return write_list(audit, path, false, error);
}

static int write_remove(const struct audit *audit, const char *path, struct error *error)
{
    return write_list(audit, path, true, error);
}

const struct audit_file audit_files[] = {
    {"audit.csv", write_images, false}, {"groups.csv", write_groups, true},      {"keep.txt", write_keep, true},
    {"remove.txt", write_remove, true}, {"audit.html", audit_write_page, false}, {"audit.json", write_json, false},
};
const int audit_file_count = sizeof audit_files / sizeof *audit_files;

int audit_write(const struct audit *audit, const char *folder, struct error *error)
{
    int status = file_make_folder(folder, error);
    for (int i = 0; !status && i < audit_file_count; i++) {
        char *path = file_join(folder, audit_files[i].name);
        if (!path) return error_no_memory(error, "a path", strlen(folder) + 16);
        if (!audit_files[i].of_groups || audit->group)
            status = audit_files[i].write(audit, path, error);
        else
            remove(path); /* of an earlier audit: it is not of this one */
        memory_free(path);
    }
    return status;
}
