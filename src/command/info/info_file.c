/* command/info/info_file.c -- what a checkpoint, an exported encoder or any safetensors file holds. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "checkpoint/safetensors.h"
#include "command/info/info.h"
#include "run/run_folder.h"
#include "run/weights_file.h"

static const char *dtype_text(const struct safetensors_entry *entry)
{
    if (entry->instead) return "none";
    if (entry->stored) return entry->stored;
    switch (entry->dtype) {
    case ST_F32:
        return "float32";
    case ST_F64:
        return "float64";
    case ST_I64:
        return "int64";
    case ST_U8:
        return "uint8";
    case ST_BF16:
        return "bf16";
    case ST_F16:
        return "float16";
    case ST_OTHER:
        return "other";
    }
    return "other";
}

static int64_t elements(const struct safetensors_entry *entry)
{
    int64_t count = 1;
    for (int i = 0; i < entry->rank; i++) count *= entry->dims[i];
    return count;
}

/* ---- as text ---- */

static void print_metadata(const struct session *session, const struct safetensors *file)
{
    const char *key, *value;

    for (int i = 0; i < safetensors_metadata_count(file); i++) {
        safetensors_metadata_at(file, i, &key, &value);
        session_print(session, "%-18.100s ", key);
        if (strcmp(key, "config") == 0) {
            session_print(session, "(the run's options; --json shows them)\n");
            continue;
        }
        session_print(session, "%.100s\n", value);
    }
}

static void print_tensors(const struct session *session, const struct safetensors *file)
{
    int64_t total = 0;

    session_print(session, "\n%-46s %-8s %-20s %12s\n", "tensor", "type", "shape", "elements");
    for (int i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_entry *entry = safetensors_at(file, i);
        char shape[200] = "";
        size_t used = 0;
        for (int d = 0; d < entry->rank && used < sizeof shape; d++) {
            used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%" PRId64, d ? " x " : "", entry->dims[d]);
        }
        session_print(session, "%-46.100s %-8s %-20s %12" PRId64 "\n", entry->name, dtype_text(entry), shape,
                      elements(entry));
        total += elements(entry);
    }
    session_print(session, "%-46s %-8s %-20s %12" PRId64 "\n", "total", "", "", total);
}

/* ---- as JSON ---- */

static void write_json(struct text *json, const char *path, const struct safetensors *file)
{
    const char *key, *value;

    text_json_open_object(json, NULL);
    text_json_string(json, "file", path);
    text_json_open_object(json, "metadata");
    for (int i = 0; i < safetensors_metadata_count(file); i++) {
        safetensors_metadata_at(file, i, &key, &value);
        text_json_exact(json, key, value);
    }
    text_json_close_object(json);
    text_json_open_array(json, "tensors");
    for (int i = 0; i < safetensors_count(file); i++) {
        const struct safetensors_entry *entry = safetensors_at(file, i);
        text_json_open_object(json, NULL);
        text_json_string(json, "name", entry->name);
        text_json_string(json, "type", dtype_text(entry));
        text_json_open_array(json, "shape");
        for (int d = 0; d < entry->rank; d++) text_json_integer(json, NULL, entry->dims[d]);
        text_json_close_array(json);
        text_json_close_object(json);
    }
    text_json_close_array(json);
    text_json_close_object(json);
}

/* ---- which file ---- */

/* The newest whole checkpoint of a run's folder or of its folder of checkpoints, else the weights that it stands for; a
 * file is itself. New string (memory_free). */
static int find_file(const struct session *session, const char *path, char **out, struct error *error)
{
    struct checkpoint *checkpoint = NULL;

    *out = NULL;
    if (!file_is_folder(path)) {
        *out = memory_string(path);
        return *out ? SIMCLR_OK : error_no_memory(error, "a path", strlen(path));
    }
    const int status = run_folder_newest(path, &session->log, &checkpoint, error);
    if (status != SIMCLR_OK) return status;
    if (checkpoint) {
        *out = memory_string(checkpoint_path(checkpoint));
        checkpoint_close(&checkpoint);
        return *out ? SIMCLR_OK : error_no_memory(error, "a path", strlen(path));
    }
    return run_folder_weights(path, out, error);
}

int info_file(struct session *session, struct error *error)
{
    struct safetensors *file = NULL;
    struct text text = {0};
    char *path;

    int status = find_file(session, session->config->checkpoint, &path, error);
    if (status == SIMCLR_OK) status = weights_file_open(&file, path, &session->log, error);
    if (status == SIMCLR_OK) status = safetensors_verify(file, error);
    if (status == SIMCLR_OK && session->config->json) {
        write_json(&text, path, file);
        status = session_print_json(session, &text, error);
    } else if (status == SIMCLR_OK) {
        session_print(session, "%s: %d tensors, %" PRId64 " bytes\n", path, safetensors_count(file), file_size(path));
        print_metadata(session, file);
        print_tensors(session, file);
    }
    text_free(&text);
    safetensors_close(&file);
    memory_free(path);
    return status;
}
