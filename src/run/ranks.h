/* run/ranks.h -- a session that is one of several (rank): who speaks, who has which processors, what all must have in
 * common. */
#ifndef RUN_RANKS_H
#define RUN_RANKS_H

#include "data/dataset.h"
#include "run/session.h"

struct session_ranks; /* of a session with a communicator */

/* SIMCLR_INVALID where several processes were started and the session's command runs on one (traits.ranks); it is told
 * by the first of them alone: *error is empty on the others. */
int session_refuse_ranks(const struct session *session, struct error *error);

/* Sets session->communicator as --communicator says: NULL for one process. Collective from here on:
 *  - On ranks other than 0 nothing is printed or told. Their warnings wait until ranks next agree, and rank 0 logs
 * them, with rank and host before them (ranks_news.h).
 *  - Ranks on a machine that may run on the same processors divide them, unless --threads is given.
 *  - Options that matter and the program's version are compared. */
int session_open_ranks(struct session *session, struct error *error);
/* The instructions that all ranks may use: the update of the weights has other bits with others. */
int session_agree_simd(struct session *session, int status, struct error *error);
/* Rank 0: where other ranks' warnings go; NULL: to the session's log. `log` stays while it is set. */
void session_set_run_log(const struct session *session, const struct log *log);
/* A set that all ranks have opened: what one finds bad counts for all once they agree. Until it is closed. */
int session_join_images(const struct session *session, struct dataset *dataset, struct error *error);
/* SIMCLR_DATA where more images are bad, over all ranks, than are accepted. It may be told on one rank before others:
 * the status is for the next agreement. */
int session_judge_images(const struct session *session, struct error *error);
/* An agreement behind reading images: of those that any rank found bad too. The same status on every rank. */
int session_agree_images(const struct session *session, int status, struct error *error);
/* Says which ranks there are, and where. */
void session_say_ranks(const struct session *session);
/* Empties a sentence that all ranks have, on all but rank 0: who prints an empty one is quiet. */
void session_hush(const struct session *session, struct error *error);
/* Collective, where there are ranks, unless the session's owner parts them later (session->parting). */
void session_close_ranks(struct session *session);

#endif
