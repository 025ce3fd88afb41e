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
    const size_t batch = (size_t)source->config.batch, rows = batch * (size_t)source->config.views;
    *slot = (struct slot){.failed_row = 0};
    slot->views = memory_array(rows, source->view_bytes);
    slot->indices = memory_array(batch, sizeof *slot->indices);
    slot->labels = memory_array(batch, sizeof *slot->labels);
    if (slot->views == NULL || slot->indices == NULL || slot->labels == NULL)
        return error_no_memory(error, "a batch of views (choose a smaller batch)", rows * source->view_bytes);
    slot->batch = (struct batch){
        .type = source->config.policy.type, .views = slot->views, .indices = slot->indices, .labels = slot->labels};
    return SIMCLR_OK;
}

void slot_close(struct slot *slot)
{
    memory_free(slot->views);
    memory_free(slot->indices);
    memory_free(slot->labels);
    *slot = (struct slot){.failed_row = 0};
}

/* The views that an image is wanted for. */
struct wish {
    const struct loader_config *config;
    uint32_t epoch, index;
    struct view_draw draw[LOADER_MAX_VIEWS];
};

/* Draws the views' parameters as soon as the image's size is known; the box that holds all of their crops. */
static struct box draw_views(void *context, int width, int height, int *reduction)
{
    struct wish *wish = context;
    const struct loader_config *config = wish->config;
    if (config->evaluation) return (struct box){0, 0, width, height};
    int left = width, top = height, right = 0, bottom = 0, least = width < height ? width : height;
    for (int view = 0; view < config->views; view++) {
        struct view_draw *draw = &wish->draw[view];
        *draw = view_draw_random(&config->policy, config->seed, config->purpose, wish->epoch, wish->index,
                                 (uint32_t)view, width, height);
        const struct box box = draw->box;
        left = box.x < left ? box.x : left;
        top = box.y < top ? box.y : top;
        right = box.x + box.width > right ? box.x + box.width : right;
        bottom = box.y + box.height > bottom ? box.y + box.height : bottom;
        least = box.width < least ? box.width : least;
        least = box.height < least ? box.height : least;
    }
    while (config->scaled_decoding && *reduction < 8 && least >= 2 * *reduction * config->policy.size) *reduction *= 2;
    return (struct box){left, top, right - left, bottom - top};
}

/* One decoding serves all views of an image: of a JPEG, of the union of their crops. */
int slot_make_row(struct slot *slot, const struct view_source *source, struct view_maker *maker, int row,
                  struct error *error)
{
    const struct loader_config *config = &source->config;
    const uint32_t index = slot->indices[row];
    struct wish wish = {.config = config, .epoch = slot->batch.epoch, .index = index};
    struct dataset_piece part;
    int status = dataset_image_part(source->dataset, index, draw_views, &wish, &maker->storage, &part, error);
    if (status == SIMCLR_OK) status = suit_image(maker, source, part.image, error);
    if (status != SIMCLR_OK) return status;
    slot->labels[row] = dataset_label(source->dataset, index);
    for (int view = 0; view < config->views; view++) {
        void *out = slot->views + ((size_t)view * (size_t)slot->batch.count + (size_t)row) * source->view_bytes;
        if (config->evaluation) {
            view_render_evaluation(&config->policy, part.image, out, maker->scratch);
        } else {
            struct view_draw draw = wish.draw[view];
            draw.box.x -= part.place.x;
            draw.box.y -= part.place.y;
            draw.reduction = part.reduction;
            view_render(&config->policy, &draw, part.image, out, maker->scratch);
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
