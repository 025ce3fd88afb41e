/* loader/slot.h -- one batch in the making: its buffers, which images it has, and how a row of it is made. */
#ifndef DATA_SLOT_H
#define DATA_SLOT_H

#include <stdatomic.h>

#include "base/error.h"
#include "base/stop.h"
#include "data/dataset.h"
#include "loader/loader.h"

/* What all batches of a loader are made from; not changed after opening. */
struct view_source {
    struct loader_config config;
    struct grouping grouping;
    bool by_parts;
    struct dataset *dataset;
    size_t view_bytes; /* 3 * S * S values */
    struct stop stop;  /* once it is asked for, rows fail with SIMCLR_INTERRUPTED */
};

/* What one thread needs to make views. */
struct view_maker {
    void *scratch;              /* of the view's operations */
    int width, height;          /* of the largest image that it does for */
    struct image_store storage; /* of decoding, for sets that are not in memory */
};
int view_maker_open(struct view_maker *maker, const struct view_source *source, struct error *error);
void view_maker_close(struct view_maker *maker);

struct slot {
    struct batch batch; /* what the caller gets: points to the blocks below */
    char *views;
    struct batch_memory memory; /* of the views */
    uint32_t *indices;
    int32_t *labels;
    uint8_t *replaced;
    int group;      /* of a part: its group of the batch */
    int tasks;      /* rows to make: images, or single views where the views of an image lie in two groups */
    int failed_row; /* the first row (lowest number) that failed, or `tasks`; its failure: */
    struct error error;
    int started;                  /* rows handed to the ring's workers; */
    _Alignas(64) atomic_int left; /* of these not claimed yet, */
    atomic_int done;              /* and made */
};
int slot_open(struct slot *slot, const struct view_source *source, struct error *error);
void slot_close(struct slot *slot);

/* Makes all views of row `row` that belong into the slot. May run in many threads, each with its own maker and row. */
int slot_make_row(struct slot *slot, const struct view_source *source, struct view_maker *maker, int row,
                  struct error *error);

/* Notes that a row failed. Which failure a batch reports does not depend on the order of threads. */
void slot_fail(struct slot *slot, int row, const struct error *failure);

#endif
