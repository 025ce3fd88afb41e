/* command/demo/demo_picture.c -- see demo_picture.h. */
#include "command/demo/demo_picture.h"

#include <string.h>

#include "base/memory.h"
#include "eval/neighbours.h"
#include "image/sheet.h"
#include "run/settings.h"

enum { COLUMNS = 9, VIEW_ROWS = 3, NEIGHBOUR_ROWS = 6, CELL = 100 };

static const struct color gray = {150, 150, 150}, green = {20, 150, 60}, red = {210, 40, 40}, ink = {30, 30, 30};

/* The sheet, and the images that it shows. */
struct drawing {
    struct sheet *sheet;
    struct dataset *set;
    struct image storage; /* an image copied out of the data set: reused by the next */
};

static int place_image(struct drawing *drawing, int column, int row, int64_t index, struct color frame,
                       struct error *error)
{
    const struct image *image;
    const int status = dataset_image(drawing->set, index, &drawing->storage, &image, error);
    if (status == SIMCLR_OK) sheet_place(drawing->sheet, column, row, image, frame);
    return status;
}

/* One image of each of the first classes, so that rows differ: the index of the first image of class `label`. */
static int64_t first_of_class(const struct dataset *set, int label)
{
    for (int64_t i = 0; i < dataset_count(set); i++)
        if (dataset_label(set, i) == label) return i;
    return 0;
}

/* What the network sees in training: an image and eight random views of it. */
static int draw_views(struct drawing *drawing, const struct session *session, struct error *error)
{
    struct sheet *sheet = drawing->sheet;
    struct dataset *set = drawing->set;
    struct view_policy policy;
    int width, height, status = session_view_policy(session, &policy, error);
    if (status != SIMCLR_OK) return status;
    dataset_max_size(set, &width, &height);
    float *view = memory_array(3 * (size_t)policy.size * (size_t)policy.size, sizeof *view);
    void *scratch = memory_allocate(view_scratch_bytes(&policy, width, height));
    if (view == NULL || scratch == NULL)
        status = error_no_memory(error, "a view", view_scratch_bytes(&policy, width, height));
    if (scratch != NULL) view_scratch_prepare(&policy, width, height, scratch);
    for (int row = 0; row < VIEW_ROWS && status == SIMCLR_OK; row++) {
        const int64_t index = first_of_class(set, row * 3 % dataset_classes(set));
        const struct image *image;
        status = dataset_image(set, index, &drawing->storage, &image, error);
        if (status != SIMCLR_OK) break;
        sheet_place(sheet, 0, row, image, ink);
        for (int column = 1; column < COLUMNS; column++) {
            const struct view_draw draw =
                view_draw_random(&policy, (uint64_t)session->config->seed, RNG_VIEW, 0, (uint32_t)index,
                                 (uint32_t)column, image->width, image->height);
            view_render(&policy, &draw, image, view, scratch);
            sheet_place_view(sheet, column, row, view, policy.size, gray);
        }
    }
    memory_free(view);
    memory_free(scratch);
    return status;
}

/* What it finds alike: queries of different classes and their nearest neighbours, framed green where the class agrees.
 */
static int draw_neighbours(struct drawing *drawing, struct session *session, const struct features *features,
                           struct error *error)
{
    const struct dataset *set = drawing->set;
    int32_t found[COLUMNS]; /* the query itself comes first and is passed over */
    int status = SIMCLR_OK;
    for (int row = 0; row < NEIGHBOUR_ROWS && status == SIMCLR_OK; row++) {
        const int64_t query = first_of_class(set, row % dataset_classes(set));
        const struct neighbours_args args = {.rows = features->values,
                                             .count = features->count,
                                             .query = features->values + query * features->dim,
                                             .query_count = 1,
                                             .dim = features->dim,
                                             .k = COLUMNS};
        status = neighbours_find(session->backend, found, NULL, &args, error);
        if (status == SIMCLR_OK) status = place_image(drawing, 0, VIEW_ROWS + row, query, ink, error);
        for (int i = 0, column = 1; i < COLUMNS && column < COLUMNS && status == SIMCLR_OK; i++) {
            if (found[i] < 0 || found[i] == query) continue;
            const bool same = dataset_label(set, found[i]) == dataset_label(set, query);
            status = place_image(drawing, column++, VIEW_ROWS + row, found[i], same ? green : red, error);
        }
    }
    return status;
}

int demo_picture(struct session *session, struct dataset *test, const struct features *features, const char *path,
                 struct error *error)
{
    struct sheet sheet;
    struct drawing drawing = {.sheet = &sheet, .set = test};
    int status = sheet_create(&sheet, COLUMNS, VIEW_ROWS + NEIGHBOUR_ROWS, CELL, error);
    if (status != SIMCLR_OK) return status;
    sheet_text(&sheet, 0, 0, "an image, and random views of it: training pulls views of one image together", ink);
    sheet_text(&sheet, 0, VIEW_ROWS, "an image, and its nearest neighbours by the learned features (green: same kind)",
               ink);
    status = draw_views(&drawing, session, error);
    if (status == SIMCLR_OK) status = draw_neighbours(&drawing, session, features, error);
    if (status == SIMCLR_OK) status = image_write_sheet(path, &sheet.image, error);
    image_free(&drawing.storage);
    sheet_free(&sheet);
    return status;
}
