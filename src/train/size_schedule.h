/* train/size_schedule.h -- progressive resolution: the size of the views as a function of the step
 * (--image-size-schedule 16:0.5,24:0.25,32:0.25: shares of the steps, in order). */
#ifndef TRAIN_SIZE_SCHEDULE_H
#define TRAIN_SIZE_SCHEDULE_H

#include <stdint.h>

#include "base/error.h"
#include "train/step.h"

enum { SIZE_STAGES_MAX = 32 };

struct size_schedule {
    int count; /* of stages; 0: one size for all steps */
    struct {
        int size;
        double end; /* share of the steps that are over when this stage is; of the last one 1 */
    } stages[SIZE_STAGES_MAX];
};

/* text: as the option has it; "": no stages. SIMCLR_INVALID with a sentence for who gave the option: no such list, a
 * size that no model takes, shares that are not above 0 or do not add up to 1, more stages or sizes than there is room
 * for. */
int size_schedule_read(struct size_schedule *out, const char *text, struct error *error);

/* The schedule of --image-size-schedule. The run's own size, at which it is judged and exported, is that of its last
 * steps: an open --image-size becomes it. SIMCLR_INVALID as above, and for another --image-size. */
struct session;
int size_schedule_take(struct size_schedule *out, struct session *session, struct error *error);

/* Each size once; sizes: [STEP_SIZES_MAX]. Returns how many. */
int size_schedule_sizes(const struct size_schedule *schedule, int sizes[STEP_SIZES_MAX]);
int size_schedule_last(const struct size_schedule *schedule); /* that of the run's end; 0: no stages */
/* The first step that stage `index` does not have any more, of `steps`. */
int64_t size_schedule_end(const struct size_schedule *schedule, int index, int64_t steps);
/* Of step `step`, from 0 on; a step behind the end has the last size. There are stages. */
int size_schedule_at(const struct size_schedule *schedule, int64_t step, int64_t steps);

#endif
