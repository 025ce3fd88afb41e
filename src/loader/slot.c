/* loader/slot.c -- see slot.h. */
#include "loader/slot.h"

#include "base/memory.h"

/* Makes scratch for images of up to width x height. */
static int make_scratch(struct view_maker *maker, const struct view_source *source, int width, int height,
                        struct error *error)
{
    const size_t bytes = view_scratch_bytes(&source->config.policy, width, height);
    memory_free(maker->scratch);
    maker->scratch = memory_allocate_working(bytes);
    if (maker->scratch == NULL) return error_no_memory(error, "scratch for views", bytes);
    view_scratch_prepare(&source->config.policy, width, height, maker->scratch);
    maker->width = width;
    maker->height = height;
    return SIMCLR_OK;
}

int view_maker_open(struct view_maker *maker, const struct view_source *source, struct error *error)
{
    int width, height;
    *maker = (struct view_maker){0};
    dataset_max_size(source->dataset, &width, &height);
    return make_scratch(maker, source, width, height, error);
}

/* Of a large set not every image was measured at opening: one may be larger than all that were. */
static int suit_image(struct view_maker *maker, const struct view_source *source, const struct image *image,
                      struct error *error)
{
    if (maker->scratch != NULL && image->width <= maker->width && image->height <= maker->height) return SIMCLR_OK;
    const int width = image->width > maker->width ? image->width : maker->width;
    const int height = image->height > maker->height ? image->height : maker->height;
    return make_scratch(maker, source, width, height, error);
}

void view_maker_close(struct view_maker *maker)
{
    image_store_free(&maker->storage);
    memory_free(maker->scratch);
    *maker = (struct view_maker){0};
}

int slot_open(struct slot *slot, const struct view_source *source, struct error *error)
{
    const size_t batch = (size_t)(source->by_parts ? grouping_size(&source->grouping) : source->grouping.images);
    const size_t rows = batch * (size_t)source->config.views;
    const size_t tasks = source->by_parts ? 2 * batch : batch;
    *slot = (struct slot){.memory = source->config.memory};
    slot->views = slot->memory.allocate ? slot->memory.allocate(slot->memory.owner, rows * source->view_bytes)
                                        : memory_array(rows, source->view_bytes);
    slot->indices = memory_array(tasks, sizeof *slot->indices);
    slot->labels = memory_array(tasks, sizeof *slot->labels);
    slot->replaced = memory_array(tasks, sizeof *slot->replaced);
    if (slot->views == NULL || slot->indices == NULL || slot->labels == NULL || slot->replaced == NULL)
        return error_no_memory(error, "a batch of views (choose a smaller batch)", rows * source->view_bytes);
    slot->batch = (struct batch){.type = source->config.policy.type,
                                 .views = slot->views,
                                 .indices = slot->indices,
                                 .labels = slot->labels,
                                 .replaced = slot->replaced};
    return SIMCLR_OK;
}

void slot_close(struct slot *slot)
{
    if (slot->memory.release && slot->views)
        slot->memory.release(slot->memory.owner, slot->views);
    else
        memory_free(slot->views);
    memory_free(slot->indices);
    memory_free(slot->labels);
    memory_free(slot->replaced);
    *slot = (struct slot){.failed_row = 0};
}

/* The views of one image. */
struct drawing {
    const struct loader_config *config;
    uint32_t epoch, index;
    struct view_draw draw[LOADER_MAX_VIEWS];
    struct box box; /* that holds all of their crops */
    int reduction;  /* so many times fewer pixels on each axis are enough for them */
};

/* Draws the views of an image of this size. */
static void draw_views(struct drawing *drawing, int width, int height)
{
    const struct loader_config *config = drawing->config;
    drawing->box = (struct box){0, 0, width, height};
    drawing->reduction = 1;
    if (config->evaluation) return;
    int left = width, top = height, right = 0, bottom = 0, least = width < height ? width : height;
    for (int view = 0; view < config->views; view++) {
        struct view_draw *draw = &drawing->draw[view];
        *draw = view_draw_random(&config->policy, config->seed, config->purpose, drawing->epoch, drawing->index,
                                 (uint32_t)view, width, height);
        const struct box box = draw->box;
        left = box.x < left ? box.x : left;
        top = box.y < top ? box.y : top;
        right = box.x + box.width > right ? box.x + box.width : right;
        bottom = box.y + box.height > bottom ? box.y + box.height : bottom;
        least = box.width < least ? box.width : least;
        least = box.height < least ? box.height : least;
    }
    while (config->scaled_decoding && drawing->reduction < 8 && least >= 2 * drawing->reduction * config->policy.size)
        drawing->reduction *= 2;
    drawing->box = (struct box){left, top, right - left, bottom - top};
}

/* What of an image was decoded: at least the box of its views. */
struct decoded {
    const struct image *image;
    int64_t number;   /* whose it is in the set */
    struct box place; /* in pixels of the whole; past its border by less than `reduction` */
    int reduction;    /* `image` has so many times fewer pixels on each axis */
};

/* Fetches image `number`, draws its views for the size that its header says, and decodes what they need: of a JPEG the
 * union of their crops, so that damage below it goes unnoticed. */
static int decode_image(struct decoded *out, struct drawing *drawing, struct dataset *dataset, int64_t number,
                        struct image_store *storage, struct error *error)
{
    struct dataset_fetched fetched;
    struct image_part part;
    int status = dataset_fetch(dataset, number, storage, &fetched, error);
    if (status) return status;
    draw_views(drawing, fetched.width, fetched.height);
    if (fetched.image) {
        *out = (struct decoded){fetched.image, number, {0, 0, fetched.width, fetched.height}, 1};
        return SIMCLR_OK;
    }
    status = image_decode_box(&fetched.encoded, drawing->box, drawing->reduction, storage, &part, error);
    dataset_release(&fetched);
    if (!status) *out = (struct decoded){&storage->image, number, part.place, part.reduction};
    return status;
}

/* The place of an image among those that the loader may take. */
static int64_t place_among(const struct loader_config *config, uint32_t index)
{
    uint32_t place = 0;
    if (!config->subset) return index;
    while (place < config->subset_count && config->subset[place] != index) place++;
    return place;
}

/* Whether an image is bad is asked anew for each draw: batches then depend neither on what was met before nor on other
 * processes, so a run that goes on makes those of one that was never interrupted. The next image stands in for a bad
 * one; of a subset the next one in it, since labels of others may not be known. */
static int take_image(struct decoded *out, struct drawing *drawing, struct dataset *dataset,
                      struct image_store *storage, struct error *error)
{
    const struct loader_config *config = drawing->config;
    const int64_t count = config->subset ? config->subset_count : dataset_count(dataset);
    int64_t number = drawing->index, place = -1;
    for (int64_t tried = 0; tried < count; tried++) {
        struct error failure = {0};
        if (decode_image(out, drawing, dataset, number, storage, &failure) == SIMCLR_OK) return SIMCLR_OK;
        const int status = dataset_refuse(dataset, number, &failure, error);
        if (status) return status;
        place = ((place < 0 ? place_among(config, drawing->index) : place) + 1) % count;
        number = config->subset ? config->subset[place] : place;
    }
    return error_set(error, SIMCLR_DATA, "none of the %lld images that are used can be read", (long long)count);
}

/* Where a view of the image of `row` goes in the slot; -1: it belongs into another group's. */
static int place_of(const struct slot *slot, const struct view_source *source, int row, int view)
{
    const struct grouping *grouping = &source->grouping;
    const int size = grouping_size(grouping);
    if (source->by_parts && grouping->shuffled) return row / size == view ? row : -1;
    if (source->by_parts || grouping->group == 0) return view * slot->batch.count + row;
    return grouping_row(grouping, view, row);
}

/* One decoding serves all views of an image. It is that of all of them even where one alone is made here, so that a
 * view has the same pixels however the batch is cut. */
int slot_make_row(struct slot *slot, const struct view_source *source, struct view_maker *maker, int row,
                  struct error *error)
{
    const struct loader_config *config = &source->config;
    const uint32_t index = slot->indices[row];
    struct drawing drawing; /* its 16 draws would be 2 KB to clear, for each image */
    drawing.config = config;
    drawing.epoch = slot->batch.epoch;
    drawing.index = index;
    struct decoded decoded = {0};
    if (stop_is_asked(source->stop)) return stop_error(error, "views");
    int status = take_image(&decoded, &drawing, source->dataset, &maker->storage, error);
    if (!status && decoded.image) status = suit_image(maker, source, decoded.image, error);
    if (status) return status;
    slot->labels[row] = dataset_own_label(source->dataset, decoded.number);
    slot->replaced[row] = decoded.number != index;
    for (int view = 0; view < config->views; view++) {
        const int place = place_of(slot, source, row, view);
        if (place < 0) continue;
        void *out = slot->views + (size_t)place * source->view_bytes;
        if (config->evaluation) {
            view_render_evaluation(&config->policy, decoded.image, out, maker->scratch);
        } else {
            struct view_draw draw = drawing.draw[view];
            draw.box.x -= decoded.place.x;
            draw.box.y -= decoded.place.y;
            draw.reduction = decoded.reduction;
            view_render(&config->policy, &draw, decoded.image, out, maker->scratch);
        }
    }
    return SIMCLR_OK;
}

void slot_fail(struct slot *slot, int row, const struct error *failure)
{
    if (row >= slot->failed_row) return;
    slot->failed_row = row;
    slot->error = *failure;
}
