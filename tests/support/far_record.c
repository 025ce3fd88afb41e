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
    struct recording slots[BACKEND_RECORDINGS];
    struct recording *under_way; /* or NULL */
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

static bool far_replay(struct backend *backend, int slot)
{
    const struct recording *recording = &record.slots[slot];
    (void)backend;
    far_refuse_while_recording(__func__);
    if (!recording->end) return false;
    for (const struct call *call = recording->first; call; call = call->next) WITHIN(call->run(call->arguments));
    record.replays += 1;
    return true;
}

static int far_record_begin(struct backend *backend, int slot, struct error *error)
{
    (void)backend;
    (void)error;
    far_refuse_while_recording(__func__);
    record.under_way = &record.slots[slot];
    if (record.under_way->end) abort(); /* it is there already: to be replayed, or forgotten first */
    record.under_way->end = &record.under_way->first;
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

static void far_record_forget(struct backend *backend)
{
    (void)backend;
    far_refuse_while_recording(__func__);
    for (int slot = 0; slot < BACKEND_RECORDINGS; slot++) {
        for (struct call *call = record.slots[slot].first, *next; call; call = next) {
            next = call->next;
            memory_free(call);
        }
        record.slots[slot] = (struct recording){0};
    }
}

void far_take_recording(struct backend_ops *ops)
{
    ops->replay = far_replay;
    ops->record_begin = far_record_begin;
    ops->record_end = far_record_end;
    ops->record_forget = far_record_forget;
}

void far_forget_everything(void)
{
    far_record_forget(NULL);
    record.replays = 0;
}

int64_t far_replays(void)
{
    return record.replays;
}
