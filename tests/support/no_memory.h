/* support/no_memory.h -- tests only: what must hold when memory runs out, whichever allocation it is that fails. */
#ifndef SUPPORT_NO_MEMORY_H
#define SUPPORT_NO_MEMORY_H

#include "base/error.h"
#include "base/memory.h"

/* Something that opens `path` and, where that succeeds, closes it again; *opened: whether anything is left open. */
typedef int no_memory_attempt(void *context, const char *path, bool *opened, struct error *error);

/* Lets allocation 1, 2, ... 99 of an attempt fail in turn: each either succeeds all the same (a cache that cannot be
 * used is no failure), or ends with SIMCLR_NO_MEMORY, a sentence, and nothing left open. The last succeeds. Returns how
 * many were refused. cmocka.h comes before this header. */
static inline int no_memory_steps(no_memory_attempt *attempt, void *context, const char *path)
{
    enum { STEPS = 99 };
    int status = SIMCLR_NO_MEMORY, refused = 0;
    for (long n = 1; n <= STEPS; n++) {
        struct error error = {0};
        bool opened = false;
        memory_fail_after(n);
        status = attempt(context, path, &opened, &error);
        memory_fail_after(0);
        if (status != SIMCLR_OK && (status != SIMCLR_NO_MEMORY || opened || error.text[0] == '\0'))
            fail_msg("allocation %ld: status %d, %s: %s", n, status, opened ? "left open" : "closed", error.text);
        refused += status != SIMCLR_OK;
    }
    assert_int_equal(status, SIMCLR_OK);
    return refused;
}

#endif
