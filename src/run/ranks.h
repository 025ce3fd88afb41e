/* run/ranks.h -- a session that is one of several (rank): who speaks, who has which processors, what all must have in
 * common. */
#ifndef RUN_RANKS_H
#define RUN_RANKS_H

#include "run/session.h"

struct session_ranks; /* of a session with a communicator */

/* SIMCLR_INVALID where several processes were started and the session's command runs on one (traits.ranks); it is told
 * by the first of them alone: *error is empty on the others. */
int session_refuse_ranks(const struct session *session, struct error *error);

/* Sets session->communicator as --communicator says: NULL for one process. Collective from here on:
 *  - On ranks other than 0 the log keeps warnings, with rank and host before them, and nothing is printed or told.
 *  - Ranks on a machine that may run on the same processors divide them, unless --threads is given.
 *  - Options that matter and the program's version are compared. */
int session_open_ranks(struct session *session, struct error *error);
/* The instructions that all ranks may use: the update of the weights has other bits with others. */
int session_agree_simd(struct session *session, int status, struct error *error);
/* Says which ranks there are, and where. */
void session_say_ranks(const struct session *session);
/* Empties a sentence that all ranks have, on all but rank 0: who prints an empty one is quiet. */
void session_hush(const struct session *session, struct error *error);
/* Collective, where there are ranks. */
void session_close_ranks(struct session *session);

#endif
