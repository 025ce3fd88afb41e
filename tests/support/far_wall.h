/* support/far_wall.h -- what the files of `far` share.
 * - far.c: the wall, the memory behind it, planning, the table.
 * - far_record.c: recording and replay.
 * - far_ops.c: the operations, each of which can be recorded. */
#ifndef SUPPORT_FAR_WALL_H
#define SUPPORT_FAR_WALL_H

#include "backend/backend.h"

/* Ends the process where an argument (NULL: left out) is not on its side: the backend's memory, or the host's. */
void far_check_side(const char *operation, const char *argument, const void *address, bool inside);
#define FAR(argument) far_check_side(__func__, #argument, argument, true)
#define NEAR(argument) far_check_side(__func__, #argument, argument, false)

/* Makes a call with the memory behind the wall open. */
void far_open_wall(void);
void far_close_wall(void);
#define WITHIN(call)                                                                                                   \
    do {                                                                                                               \
        far_open_wall();                                                                                               \
        call;                                                                                                          \
        far_close_wall();                                                                                              \
    } while (0)

struct backend *far_inner(void); /* ref, which does the work */
#define INNER (far_inner()->ops)

void far_say(const char *text); /* on stderr; from a signal handler too */

/* Runs an operation; while a recording is under way it is kept as well. `arguments`: a struct of `bytes`, copied. */
void far_perform(void (*run)(const void *arguments), const void *arguments, size_t bytes);

/* Ends the process while a recording is under way: what the host asks for while operations are only being taken down
 * would come too early on a device. */
void far_refuse_while_recording(const char *operation);

/* Put the functions of far_record.c, of far_ops.c into the table. */
void far_take_recording(struct backend_ops *ops);
void far_take_operations(struct backend_ops *ops);

void far_end_recording(void); /* of all: none may be left. Sets the count of replays to zero */

#endif
