/* support/far.h -- a backend whose memory the host cannot reach: `ref` behind a wall.
 *
 * What it allocates lies in pages without access, except while one of its own operations runs. So a line of the program
 * that follows such an address ends the process at once, as it would not with a real device before it gave wrong
 * numbers. The last words on stderr name the block: its number, its size, and the byte that was touched.
 *
 * It records (backend.h): calls are kept with their arguments by value, and a replay makes the same calls again. So
 * what changes from step to step lies in the backend's memory, or a replayed run ends in other bytes.
 *
 * The other way round, an operation that is given an address of the host where the contract wants the backend's own
 * ends the process too, and names the operation. */
#ifndef SUPPORT_FAR_H
#define SUPPORT_FAR_H

#include "backend/backend.h"

/* One at a time. pool is borrowed. */
int far_create(struct pool *pool, struct backend **out, struct error *error);

/* Blocks that are allocated now; since far_create: blocks that were allocated, operations that have run, and recordings
 * that were replayed. */
int far_blocks(void);
int far_allocations(void);
int64_t far_operations(void);
int64_t far_replays(void);

#endif
