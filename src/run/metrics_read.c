/* run/metrics_read.c -- metrics.jsonl as numbers again. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "run/metrics.h"

/* JSON has no NaN: the writer puts null in its place. */
static bool read_number(const struct json_value *json, double *out)
{
    *out = json_is_number(json) ? json->number : NAN;
    return json_is_number(json) || json_is(json, JSON_NULL);
}

static bool is_of_every_row(const char *name)
{
    return strcmp(name, "step") == 0 || strcmp(name, "epoch") == 0 || strcmp(name, "wall_time") == 0;
}

static void row_free(struct metrics_row *row)
{
    for (size_t i = 0; i < row->count; i++) memory_free(row->values[i].name);
    memory_free(row->values);
}

/* SIMCLR_CORRUPT, without a sentence, for what is no flat object of numbers with a step. */
static int read_row(const struct json_value *line, struct metrics_row *row)
{
    const struct json_value *step = json_member(line, "step");
    if (!json_is(step, JSON_INTEGER) || !read_number(json_member(line, "epoch"), &row->epoch) ||
        !read_number(json_member(line, "wall_time"), &row->wall_time))
        return SIMCLR_CORRUPT;
    row->step = step->integer;
    row->values = memory_array(line->count, sizeof *row->values);
    if (!row->values) return SIMCLR_NO_MEMORY;
    const struct json_value *json = json_first(line);
    for (size_t i = 0; i < line->count; i++, json = json_next(json)) {
        struct metrics_value *value = &row->values[row->count];
        if (is_of_every_row(json->name)) continue;
        if (!read_number(json, &value->value)) return SIMCLR_CORRUPT;
        value->name = memory_string(json->name);
        if (!value->name) return SIMCLR_NO_MEMORY;
        row->count++;
    }
    return SIMCLR_OK;
}

/* text: whole lines. */
static int read_rows(const char *path, const char *text, size_t bytes, struct metrics_history *out, struct error *error)
{
    size_t lines = 0;
    for (size_t i = 0; i < bytes; i++) lines += text[i] == '\n';
    out->rows = memory_array(lines + 1, sizeof *out->rows);
    if (!out->rows) return error_no_memory(error, "metrics", lines * sizeof *out->rows);
    for (size_t at = 0; at < bytes;) {
        const size_t length = (size_t)((const char *)memchr(text + at, '\n', bytes - at) - (text + at));
        struct json line;
        int status = json_read(&line, text + at, length, true, NULL);
        if (!status) status = read_row(line.values, &out->rows[out->count]);
        json_free(&line);
        out->count++; /* what it has is freed with the others */
        if (status == SIMCLR_NO_MEMORY) return error_no_memory(error, "metrics", length);
        if (status)
            return error_set(error, status, "%s:%zu: is no line of metrics: numbers under names, with a step", path,
                             out->count);
        at += length + 1;
    }
    return SIMCLR_OK;
}

int metrics_read(const char *folder, struct metrics_history *out, struct error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    *out = (struct metrics_history){0};
    char *path = file_join(folder, "metrics.jsonl");
    if (!path) return error_no_memory(error, "a path", strlen(folder));
    int status = file_read(path, SIZE_MAX / 2, &bytes, &count, error);
    while (count > 0 && bytes[count - 1] != '\n') count--;
    if (!status) status = read_rows(path, (const char *)bytes, count, out, error);
    if (status) metrics_history_free(out);
    memory_free(bytes);
    memory_free(path);
    return status;
}

/* ---- following ---- */

enum { BLOCK_BYTES = 1 << 20 };

struct follower {
    const char *path;
    int descriptor;
    int64_t at;  /* of the block */
    char *block; /* [BLOCK_BYTES] */
    size_t used;
    bool within; /* a line that is longer than a block: what is read is a part of it */
};

static int read_block(struct follower *file, bool *ended, struct error *error)
{
    *ended = false;
    while (file->used < BLOCK_BYTES && !*ended) {
        const ssize_t got = pread(file->descriptor, file->block + file->used, BLOCK_BYTES - file->used,
                                  (off_t)(file->at + (int64_t)file->used));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return error_set(error, SIMCLR_IO, "%s: cannot read: %s", file->path, strerror(errno));
        *ended = got == 0;
        file->used += (size_t)got;
    }
    return SIMCLR_OK;
}

static int take_line(const char *text, size_t length, metrics_take *take, void *cookie)
{
    struct json line;
    struct metrics_row row = {0};
    int status = json_read(&line, text, length, true, NULL);
    if (!status) status = read_row(line.values, &row);
    json_free(&line);
    if (status != SIMCLR_NO_MEMORY) take(cookie, status ? NULL : &row);
    row_free(&row);
    return status == SIMCLR_NO_MEMORY ? status : SIMCLR_OK;
}

/* The whole lines of the block, which then begins with what follows them. */
static int take_block(struct follower *file, metrics_take *take, void *cookie)
{
    size_t from = 0;
    for (;;) {
        const char *newline = memchr(file->block + from, '\n', file->used - from);
        if (!newline) break;
        const size_t length = (size_t)(newline - file->block) - from;
        const int status = file->within ? SIMCLR_OK : take_line(file->block + from, length, take, cookie);
        if (status) return status;
        if (file->within) take(cookie, NULL);
        file->within = false;
        from += length + 1;
    }
    if (from == 0 && file->used == BLOCK_BYTES) { /* not one end in all of it */
        file->within = true;
        from = file->used;
    }
    memmove(file->block, file->block + from, file->used - from);
    file->used -= from;
    file->at += (int64_t)from;
    return SIMCLR_OK;
}

static int follow(struct follower *file, int64_t *at, metrics_take *take, void *cookie, struct error *error)
{
    int status = SIMCLR_OK;
    file->at = *at;
    file->block = memory_allocate(BLOCK_BYTES);
    if (!file->block) return error_no_memory(error, "lines of metrics", BLOCK_BYTES);
    for (bool ended = false; !status && !ended;) {
        status = read_block(file, &ended, error);
        if (!status && take_block(file, take, cookie)) status = error_no_memory(error, "a line of metrics", file->used);
        if (!file->within) *at = file->at; /* else the long line is read again once more of it is there */
    }
    memory_free(file->block);
    return status;
}

int metrics_follow(const char *folder, int64_t *at, metrics_take *take, void *cookie, struct error *error)
{
    struct stat info;
    char *path = file_join(folder, "metrics.jsonl");
    if (!path) return error_no_memory(error, "a path", strlen(folder));
    struct follower file = {.path = path, .descriptor = -1};
    int status = file_exists(path) ? file_open(path, O_RDONLY, &file.descriptor, &info, error) : SIMCLR_OK;
    if (!status && file.descriptor >= 0 && info.st_size < *at) {
        *at = 0;
    } else if (!status && file.descriptor >= 0) {
        status = follow(&file, at, take, cookie, error);
    }
    if (file.descriptor >= 0) close(file.descriptor);
    memory_free(path);
    return status;
}

void metrics_history_free(struct metrics_history *history)
{
    for (size_t i = 0; i < history->count; i++) row_free(&history->rows[i]);
    memory_free(history->rows);
    *history = (struct metrics_history){0};
}

const double *metrics_find(const struct metrics_row *row, const char *name)
{
    for (size_t i = 0; i < row->count; i++)
        if (strcmp(row->values[i].name, name) == 0) return &row->values[i].value;
    return NULL;
}
