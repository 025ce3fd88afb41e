/* eval/average_precision.c -- see average_precision.h. */
#include "eval/average_precision.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { ELEVEN = 11 };

/* A place in the order of a class. */
struct place {
    uint32_t image : 31;
    uint32_t is_of_it : 1;
};

struct average_precision {
    int64_t images;
    int classes;
    bool eleven;
    struct place *places; /* [classes][images]; this and the next two lie in the block behind the structure */
    int64_t *counts;      /* [classes] */
    uint8_t *ends;        /* [classes][images] 1: the last of its score */
};

static struct place *places_of(const struct average_precision *ranked, int label)
{
    return ranked->places + (int64_t)label * ranked->images;
}

static uint8_t *ends_of(const struct average_precision *ranked, int label)
{
    return ranked->ends + (int64_t)label * ranked->images;
}

struct scored {
    float score;
    struct place place;
};

static int by_falling_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->place.image > y->place.image) - (x->place.image < y->place.image);
}

int average_precision_create(struct average_precision **out, const float *score, const uint8_t *member, int64_t images,
                             int classes, bool eleven, struct error *error)
{
    const size_t cells = (size_t)images * (size_t)classes;
    const size_t bytes = sizeof **out + (size_t)classes * sizeof(int64_t) + cells * (sizeof(struct place) + 1);
    struct scored *scored = memory_array((size_t)images, sizeof *scored);
    *out = scored ? memory_allocate(bytes) : NULL;
    if (!*out) {
        memory_free(scored);
        return error_no_memory(error, "the order of scores", bytes);
    }
    **out = (struct average_precision){.images = images, .classes = classes, .eleven = eleven};
    (*out)->counts = (int64_t *)(void *)(*out + 1); /* what needs most alignment stands first */
    (*out)->places = (struct place *)(void *)((*out)->counts + classes);
    (*out)->ends = (uint8_t *)(void *)((*out)->places + cells);
    for (int c = 0; c < classes; c++) {
        int64_t count = 0;
        for (int64_t i = 0; i < images; i++) {
            const int64_t cell = i * classes + c;
            if (member[cell] == MEMBER_UNKNOWN) continue;
            scored[count++] = (struct scored){score[cell], {(uint32_t)i & 0x7FFFFFFF, member[cell] == MEMBER_YES}};
        }
        qsort(scored, (size_t)count, sizeof *scored, by_falling_score);
        (*out)->counts[c] = count;
        for (int64_t i = 0; i < count; i++) {
            places_of(*out, c)[i] = scored[i].place;
            ends_of(*out, c)[i] = i + 1 == count || scored[i].score != scored[i + 1].score;
        }
    }
    memory_free(scored);
    return SIMCLR_OK;
}

double average_precision_of(const struct average_precision *ranked, int label, const uint32_t *times)
{
    const struct place *places = places_of(ranked, label);
    const uint8_t *ends = ends_of(ranked, label);
    const int64_t count = ranked->counts[label];
    double best[ELEVEN] = {0}, sum = 0;
    int64_t of_it = 0, seen = 0, found = 0, found_before = 0;
    for (int64_t i = 0; i < count; i++)
        if (places[i].is_of_it) of_it += times ? times[places[i].image] : 1;
    if (of_it == 0) return NAN;
    for (int64_t i = 0; i < count && found_before < of_it; i++) {
        const int64_t weight = times ? times[places[i].image] : 1;
        seen += weight;
        if (places[i].is_of_it) found += weight;
        if (!ends[i] || found == found_before) continue;
        const double precision = (double)found / (double)seen;
        const int64_t reached = found * (ELEVEN - 1) / of_it; /* the last t that this recall is not below */
        if (precision > best[reached]) best[reached] = precision;
        sum += precision * (double)(found - found_before);
        found_before = found;
    }
    if (!ranked->eleven) return sum / (double)of_it;
    double total = 0, largest = 0;
    for (int t = ELEVEN - 1; t >= 0; t--) {
        largest = fmax(largest, best[t]);
        total += largest;
    }
    return total / ELEVEN;
}

double average_precision_mean(const struct average_precision *ranked, const uint32_t *times)
{
    double total = 0;
    int classes = 0;
    for (int c = 0; c < ranked->classes; c++) {
        const double value = average_precision_of(ranked, c, times);
        if (isnan(value)) continue;
        total += value;
        classes++;
    }
    return classes > 0 ? total / classes : NAN;
}

double average_precision_resampled(void *context, const uint32_t *times, int64_t count)
{
    (void)count; /* that of the images it was made of */
    return average_precision_mean(context, times);
}
