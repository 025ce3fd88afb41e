/* command/predict/names.h -- names that come on standard input, one a line, as soon as each is whole: another program
 * may wait for the answer before it writes the next. */
#ifndef COMMAND_PREDICT_NAMES_H
#define COMMAND_PREDICT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/stop.h"

enum { NAMES_LONGEST = 1 << 16 /* bytes of a line */ };

/* Start from {0}, with the descriptor and the stop; release with names_close. */
struct names {
    int descriptor; /* borrowed */
    struct stop stop;
    char *bytes;        /* [2 NAMES_LONGEST + 1]: what was read and not given yet */
    size_t begin, end;  /* of it */
    long number;        /* of the line that was given last */
    bool escaped, over; /* the first line is the mark of lists (base/lines.h); there is no more to read */
};
int names_open(struct names *names, int descriptor, struct stop stop, struct error *error);
void names_close(struct names *names);

/* The next name, ended by NUL, valid until the next call: as in lists of images, what stands before a tab, without
 * blanks at its end; empty lines are passed over. NULL at the end. Waits for a whole line, or the end.
 * SIMCLR_DATA, with the line's number: a line that is too long, has a NUL, or an escape that is none; SIMCLR_IO;
 * SIMCLR_INTERRUPTED within a fifth of a second. */
int names_next(struct names *names, const char **out, struct error *error);

#endif
