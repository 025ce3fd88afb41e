/* run/tfevents.c -- see tfevents.h.
 *
 * Messages and field numbers (tensorflow/core/util/event.proto, framework/summary.proto):
 *   Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
 *             SessionLog session_log = 7; }
 *   Summary { repeated Value value = 1; }   Value { string tag = 1; float simple_value = 2; }
 *   SessionLog { enum status = 1; }         START = 1 */
#include "run/tfevents.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "base/wire.h"

struct tfevents {
    FILE *file;
    char *path;
    struct text values; /* the Summary of the event being built */
    struct text event, record;
    int64_t step;
};

/* ---- TFRecord ---- */

static uint32_t masked_crc(const char *bytes, size_t count)
{
    const uint32_t crc = crc32c(bytes, count);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

void tfevents_frame(struct text *out, const char *bytes, size_t count)
{
    char length[8];
    for (int i = 0; i < 8; i++) length[i] = (char)((uint64_t)count >> 8 * i);
    text_add_bytes(out, length, sizeof length);
    wire_add_little_endian(out, masked_crc(length, sizeof length), 4);
    text_add_bytes(out, bytes, count);
    wire_add_little_endian(out, masked_crc(bytes, count), 4);
}

/* Starts an event in events->event: its time and step. */
static void begin_event(struct tfevents *events, int64_t step)
{
    events->event.length = 0;
    wire_add_double(&events->event, 1, clock_wall());
    wire_add_integer(&events->event, 2, step);
}

static int write_event(struct tfevents *events, struct error *error)
{
    events->record.length = 0;
    tfevents_frame(&events->record, events->event.bytes, events->event.length);
    if (events->event.failed || events->record.failed)
        return error_no_memory(error, "a TensorBoard event", events->event.capacity);
    if (fwrite(events->record.bytes, 1, events->record.length, events->file) != events->record.length ||
        fflush(events->file) != 0)
        return error_set(error, SIMCLR_IO, "%s: cannot write: %s", events->path, strerror(errno));
    return SIMCLR_OK;
}

static int write_header(struct tfevents *events, int64_t step, struct error *error)
{
    static const char version[] = "brain.Event:2";
    begin_event(events, 0);
    wire_add_bytes(&events->event, 3, version, sizeof version - 1);
    int status = write_event(events, error);
    if (status != SIMCLR_OK || step == 0) return status;
    const char start[] = {1 << 3 | WIRE_VARINT, 1};
    begin_event(events, step + 1); /* everything from the next step on is written anew */
    wire_add_bytes(&events->event, 7, start, sizeof start);
    return write_event(events, error);
}

/* A name that no earlier start of this run has taken. */
static int create_file(struct tfevents *events, const char *folder, struct error *error)
{
    char host[65] = "localhost", name[160];
    gethostname(host, sizeof host - 1);
    for (int i = 0; i < 1000; i++) {
        format_write(name, sizeof name, "events.out.tfevents.%010.0f.%s.%ld.%d", clock_wall(), host, (long)getpid(), i);
        events->path = file_join(folder, name);
        if (events->path == NULL) return error_no_memory(error, "a path", strlen(folder) + sizeof name);
        events->file = fopen(events->path, "wxe");
        if (events->file != NULL) return SIMCLR_OK;
        if (errno != EEXIST) break;
        memory_free(events->path);
        events->path = NULL;
    }
    return error_set(error, SIMCLR_IO, "%s: cannot write a TensorBoard file: %s", folder, strerror(errno));
}

int tfevents_open(struct tfevents **out, const char *folder, int64_t step, struct error *error)
{
    *out = NULL;
    struct tfevents *events = memory_allocate(sizeof *events);
    if (events == NULL) return error_no_memory(error, "a TensorBoard file", sizeof *events);
    int status = create_file(events, folder, error);
    if (status == SIMCLR_OK) status = write_header(events, step, error);
    if (status != SIMCLR_OK) tfevents_close(&events);
    *out = events;
    return status;
}

void tfevents_close(struct tfevents **events)
{
    if (events == NULL || *events == NULL) return;
    if ((*events)->file != NULL) fclose((*events)->file);
    memory_free((*events)->path);
    text_free(&(*events)->values);
    text_free(&(*events)->event);
    text_free(&(*events)->record);
    memory_free(*events);
    *events = NULL;
}

void tfevents_begin(struct tfevents *events, int64_t step)
{
    if (events == NULL) return;
    events->step = step;
    events->values.length = 0;
}

void tfevents_scalar(struct tfevents *events, const char *tag, double value)
{
    if (events == NULL) return;
    struct text scalar = {0};
    wire_add_bytes(&scalar, 1, tag, strlen(tag));
    wire_add_float(&scalar, 2, (float)value);
    wire_add_bytes(&events->values, 1, scalar.bytes, scalar.length);
    events->values.failed |= scalar.failed;
    text_free(&scalar);
}

int tfevents_end(struct tfevents *events, struct error *error)
{
    if (events == NULL) return SIMCLR_OK;
    begin_event(events, events->step);
    wire_add_bytes(&events->event, 5, events->values.bytes, events->values.length);
    events->event.failed |= events->values.failed;
    return write_event(events, error);
}
