/* support/far_record.c -- recording and replay of `far`: see far.h, and backend.h for the contract. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/far.h"
#include "support/far_wall.h"

/* A call, its arguments by value. */
struct call {
    struct call *next;
    void (*run)(const void *arguments);
    max_align_t arguments[];
};

struct recording {
    struct call *first, **end; /* end NULL: nothing is recorded */
};

static struct {
    struct recording *under_way; /* or NULL */
    int count;                   /* of recordings that are there */
    int64_t replays;
} record;

void far_perform(void (*run)(const void *arguments), const void *arguments, size_t bytes)
{
    WITHIN(run(arguments));
    if (!record.under_way) return;
    struct call *call = memory_allocate(sizeof *call + bytes);
    if (!call) abort();
    call->run = run;
    memcpy(call->arguments, arguments, bytes);
    *record.under_way->end = call;
    record.under_way->end = &call->next;
}

void far_refuse_while_recording(const char *operation)
{
    char text[100];
    if (!record.under_way) return;
    snprintf(text, sizeof text, "far: %s was called while a recording was under way\n", operation);
    far_say(text);
    abort();
}

static int far_recording_create(struct backend *backend, struct recording **out, struct error *error)
{
    (void)backend;
    *out = memory_allocate(sizeof **out);
    if (!*out) return error_no_memory(error, "a recording", sizeof **out);
    record.count += 1;
    return SIMCLR_OK;
}

static void far_recording_destroy(struct backend *backend, struct recording **recording)
{
    (void)backend;
    far_refuse_while_recording(__func__);
    if (!*recording) return;
    for (struct call *call = (*recording)->first, *next; call; call = next) {
        next = call->next;
        memory_free(call);
    }
    memory_free(*recording);
    *recording = NULL;
    record.count -= 1;
}

static bool far_replay(struct backend *backend, struct recording *recording)
{
    (void)backend;
    far_refuse_while_recording(__func__);
    if (!recording->end) return false;
    for (const struct call *call = recording->first; call; call = call->next) WITHIN(call->run(call->arguments));
    record.replays += 1;
    return true;
}

static int far_record_begin(struct backend *backend, struct recording *recording, struct error *error)
{
    (void)backend;
    (void)error;
    far_refuse_while_recording(__func__);
    if (recording->end) abort(); /* it is there already, to be replayed */
    recording->end = &recording->first;
    record.under_way = recording;
    return SIMCLR_OK;
}

static int far_record_end(struct backend *backend, struct error *error)
{
    (void)backend;
    (void)error;
    if (!record.under_way) abort();
    record.under_way = NULL;
    return SIMCLR_OK;
}

void far_take_recording(struct backend_ops *ops)
{
    ops->recording_create = far_recording_create;
    ops->recording_destroy = far_recording_destroy;
    ops->replay = far_replay;
    ops->record_begin = far_record_begin;
    ops->record_end = far_record_end;
}

void far_end_recording(void)
{
    if (record.count > 0) {
        far_say("far: a recording was not destroyed\n");
        abort();
    }
    record.replays = 0;
}

int64_t far_replays(void)
{
    return record.replays;
}
