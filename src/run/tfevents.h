/* run/tfevents.h -- TensorBoard's event files, written by hand: TFRecord framing around protobuf messages. */
#ifndef RUN_TFEVENTS_H
#define RUN_TFEVENTS_H

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

struct tfevents;

/* A new file folder/events.out.tfevents.<time>.<host>.<pid>.<n>. step > 0: the file begins by telling TensorBoard that
 * the run restarted there, so that it forgets what an earlier file has beyond. */
int tfevents_open(struct tfevents **out, const char *folder, int64_t step, struct error *error);
void tfevents_close(struct tfevents **events); /* nulls; NULL is fine */

/* One event with any number of scalars. events NULL: nothing happens. */
void tfevents_begin(struct tfevents *events, int64_t step);
void tfevents_scalar(struct tfevents *events, const char *tag, double value);
int tfevents_end(struct tfevents *events, struct error *error);

/* The framing of one record, appended to `out`: u64 length, its masked CRC-32C, the bytes, their masked CRC-32C. */
void tfevents_frame(struct text *out, const char *bytes, size_t count);

#endif
