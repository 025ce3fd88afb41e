/* base/error.h -- how a failure travels: a status and one sentence (what, where, what to do). */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stddef.h>

#include "simclr/status.h"

/* Every fallible function takes one of these last and returns its status. The caller owns it; a NULL
 * pointer means that the sentence is not wanted. Contents are meaningful only after a failure. */
struct error {
    int status;
    char text[512];
};

/* The text holds names as they are: it is escaped (base/escape.h) where it leaves the library, by log_line and
 * simclr_error. Where a name is too long for the sentence it is cut in the middle (base/format.h).
 *
 * Records `status` and the printf-formatted sentence in `error` (if not NULL) and returns `status`,
 * so that failing reads `return error_set(error, SIMCLR_IO, "%s: cannot open: ...", path);`. */
int error_set(struct error *error, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the sentence that is already there; returns error's status. */
int error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* SIMCLR_NO_MEMORY with a standard sentence naming what was to be allocated and its size. */
static inline int error_no_memory(struct error *error, const char *what, size_t bytes)
{
    error_set(error, SIMCLR_NO_MEMORY,
              "no memory for %s (%zu bytes, %.1f MiB): free some memory or make the job smaller", what, bytes,
              (double)bytes / 1048576.0);
    return SIMCLR_NO_MEMORY; /* inline: a static analyzer sees that callers never go on as if all were well */
}

#endif
