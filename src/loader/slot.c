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
    if (slot->views == NULL || slot->indices == NULL || slot->labels == NULL)
        return error_no_memory(error, "a batch of views (choose a smaller batch)", rows * source->view_bytes);
    slot->batch = (struct batch){
        .type = source->config.policy.type, .views = slot->views, .indices = slot->indices, .labels = slot->labels};
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
    struct box place; /* in pixels of the whole; past its border by less than `reduction` */
    int reduction;    /* `image` has so many times fewer pixels on each axis */
};

/* Fetches an image, draws its views for the size that its header says, and decodes what they need: of a JPEG the union
 * of their crops, so that damage below it goes unnoticed. An image that proves bad in decoding is refused, and the next
 * one stands in. */
static int take_image(struct decoded *out, struct drawing *drawing, struct dataset *dataset,
                      struct image_store *storage, struct error *error)
{
    for (;;) {
        struct dataset_fetched fetched;
        struct error failure = {0};
        int status = dataset_fetch(dataset, drawing->index, storage, &fetched, error);
        if (status) return status;
        draw_views(drawing, fetched.width, fetched.height);
        if (fetched.image) {
            *out = (struct decoded){fetched.image, {0, 0, fetched.width, fetched.height}, 1};
            return SIMCLR_OK;
        }
        struct image_part part;
        const int64_t number = fetched.number;
        const bool good =
            image_decode_box(&fetched.encoded, drawing->box, drawing->reduction, storage, &part, &failure) == SIMCLR_OK;
        dataset_release(&fetched);
        if (good) {
            *out = (struct decoded){&storage->image, part.place, part.reduction};
            return SIMCLR_OK;
        }
        status = dataset_refuse(dataset, number, &failure, error);
        if (status) return status;
    }
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
    struct decoded decoded;
    if (stop_is_asked(source->stop)) return stop_error(error, "views");
    int status = take_image(&decoded, &drawing, source->dataset, &maker->storage, error);
    if (!status) status = suit_image(maker, source, decoded.image, error);
    if (status) return status;
    slot->labels[row] = dataset_label(source->dataset, index);
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
