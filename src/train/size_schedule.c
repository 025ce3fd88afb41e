/* train/size_schedule.c -- see size_schedule.h. */
#include "train/size_schedule.h"

#include <math.h>

#include "base/number.h"

enum { SIZE_SMALLEST = 8, SIZE_LARGEST = 1024 };

static int refuse(const char *text, const char *why, struct error *error)
{
    return error_set(error, SIMCLR_INVALID,
                     "--image-size-schedule %.200s: %s; give sizes and shares of the steps, 16:0.5,24:0.25,32:0.25 for "
                     "example",
                     text, why);
}

/* "16:0.5", at *at, which is moved behind it. */
static const char *read_stage(struct size_schedule *out, const char **at, double *before)
{
    char *end;
    const double size = number_read(*at, &end);
    if (end == *at || *end != ':') return "it is no list of SIZE:SHARE with commas between";
    if (!(size >= SIZE_SMALLEST && size <= SIZE_LARGEST) || size != floor(size))
        return "a size is not a whole number from 8 to 1024";
    *at = end + 1;
    const double share = number_read(*at, &end);
    if (end == *at || (*end != ',' && *end != '\0')) return "it is no list of SIZE:SHARE with commas between";
    if (!(share > 0 && share <= 1)) return "a share is not above 0 and at most 1";
    *before += share;
    out->stages[out->count].size = (int)size;
    out->stages[out->count++].end = *before;
    *at = *end == ',' ? end + 1 : end;
    if (*end == ',' && **at == '\0') return "it ends with a comma";
    return NULL;
}

static int count_sizes(const struct size_schedule *schedule, int *sizes, int room)
{
    int count = 0;
    for (int i = 0; i < schedule->count; i++) {
        bool known = false;
        for (int k = 0; k < i; k++) known = known || schedule->stages[k].size == schedule->stages[i].size;
        if (known) continue;
        if (count < room) sizes[count] = schedule->stages[i].size;
        count += 1;
    }
    return count;
}

int size_schedule_read(struct size_schedule *out, const char *text, struct error *error)
{
    double sum = 0;
    *out = (struct size_schedule){0};
    for (const char *at = text; *at != '\0';) {
        const char *why = out->count < SIZE_STAGES_MAX ? read_stage(out, &at, &sum) : "it has more than 32 stages";
        if (why) return refuse(text, why, error);
    }
    if (out->count == 0) return SIMCLR_OK;
    if (fabs(sum - 1) > 1e-6) return refuse(text, "its shares do not add up to 1", error);
    out->stages[out->count - 1].end = 1;
    int sizes[STEP_SIZES_MAX];
    if (count_sizes(out, sizes, STEP_SIZES_MAX) > STEP_SIZES_MAX)
        return refuse(text, "it has more than 8 different sizes", error);
    return SIMCLR_OK;
}

int size_schedule_sizes(const struct size_schedule *schedule, int sizes[STEP_SIZES_MAX])
{
    return count_sizes(schedule, sizes, STEP_SIZES_MAX);
}

int size_schedule_last(const struct size_schedule *schedule)
{
    return schedule->count > 0 ? schedule->stages[schedule->count - 1].size : 0;
}

int64_t size_schedule_end(const struct size_schedule *schedule, int index, int64_t steps)
{
    return index == schedule->count - 1 ? steps : (int64_t)llround(schedule->stages[index].end * (double)steps);
}

int size_schedule_at(const struct size_schedule *schedule, int64_t step, int64_t steps)
{
    for (int i = 0; i < schedule->count; i++)
        if (step < size_schedule_end(schedule, i, steps)) return schedule->stages[i].size;
    return size_schedule_last(schedule);
}
