/* api/internal.h -- what is behind the opaque handles of simclr.h. */
#ifndef API_INTERNAL_H
#define API_INTERNAL_H

#include <stdatomic.h>

#include "base/error.h"
#include "run/session.h"
#include "simclr/simclr.h"

struct simclr_context {
    simclr_options options;
    struct error error;                                /* of the last call that failed; text "" before */
    char shown[4 * sizeof(((struct error *)0)->text)]; /* the text as simclr_error last gave it: escaped */
    atomic_int interrupted;                            /* asked for by any thread or a signal handler */
    bool output_lost;                                  /* by the command that runs */
    struct communicator *parting;                      /* of the last command: the ranks part when this closes */
};

/* A session of this context over `config`, not yet started. */
void context_session(simclr_context *context, const struct config *config, struct session *out);

/* Forgets the last error: every call that can fail starts so. */
void context_begin(simclr_context *context);

#endif
