/* command/views.c -- a sheet of images and their views, the ones that pretraining makes, with what was drawn for each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/memory.h"
#include "command/commands.h"
#include "image/canvas.h"
#include "run/outputs.h"
#include "run/settings.h"

enum {
    CELL = 264, /* of a picture: 22 letters */
    GAP = 16,
    TITLE = 74,
    HEAD = 24,
    LINE = 19,
    LETTERS = CELL / CANVAS_LETTER_WIDTH,
    LINES_MAX = 8,
    FRAME = 4,
    SIDE_MAX = 30000
};

static const struct color ink = {30, 30, 30}, pale = {110, 110, 110};

/* One color for a view's frame and its box on the image; pairs of an epoch are near each other. */
static const struct color colors[] = {
    {214, 39, 40}, {255, 127, 14}, {31, 119, 180},  {23, 190, 207},
    {44, 160, 44}, {148, 191, 40}, {148, 103, 189}, {227, 119, 194},
};
enum { COLORS = sizeof colors / sizeof *colors };

struct caption {
    char line[LINES_MAX][LETTERS + 1];
    int lines;
};

struct sheet_of_views {
    struct session *session;
    struct dataset *set;
    struct view_policy policy;
    int images, views;
    struct view_draw *draw;  /* [images][views] */
    struct caption *caption; /* [images][1 + views] */
    int lines;               /* of the longest caption */
    int height;              /* of the highest picture on the sheet */
    struct image canvas, storage;
    float *view;
    void *scratch; /* for the image of the row that is drawn */
};

/* ---- captions ---- */

/* Appends an item, on a new line where it does not fit or `fresh` asks for it. */
static void add(struct caption *caption, bool fresh, const char *item)
{
    char *line = caption->lines > 0 ? caption->line[caption->lines - 1] : NULL;
    const size_t used = line ? strlen(line) : 0, length = strlen(item);
    if (line == NULL || fresh || used + 1 + length > LETTERS) {
        if (caption->lines == LINES_MAX) return;
        snprintf(caption->line[caption->lines++], LETTERS + 1, "%s", item);
    } else {
        snprintf(line + used, LETTERS + 1 - used, " %s", item);
    }
}

static void describe_jitter(const struct view_draw *draw, struct caption *caption)
{
    static const char *const formats[] = {"bright %.2f", "contr %.2f", "satur %.2f", "hue %+.2f"};
    char item[LETTERS + 1];
    for (int i = 0; i < 4; i++) { /* in the order in which they are done */
        format_write(item, sizeof item, formats[draw->order[i]], draw->factor[draw->order[i]]);
        add(caption, i == 0, item);
    }
}

static void describe(const struct view_policy *policy, const struct view_draw *draw, const struct image *image,
                     struct caption *caption)
{
    char item[LETTERS + 1];
    const double share = (double)draw->box.width * draw->box.height / ((double)image->width * image->height);
    format_write(item, sizeof item, "crop %.0f%% %.2f:1", 100 * share, (double)draw->box.width / draw->box.height);
    add(caption, true, item);
    if (draw->flip) add(caption, false, "flip");
    const struct {
        bool on;
        const char *format;
        double number;
    } operations[VIEW_OPERATIONS] = {
        [VIEW_ROTATE] = {draw->quarters != 0, "rotate %.0f", 90.0 * draw->quarters},
        [VIEW_JITTER] = {draw->jitter, "", 0},
        [VIEW_GRAY] = {draw->gray, "gray", 0},
        [VIEW_BLUR] = {draw->blur, "blur %.2f", draw->sigma},
        [VIEW_SOLARIZE] = {draw->solarize, "solarize", 0},
        [VIEW_SOBEL] = {draw->sobel, "sobel", 0},
        [VIEW_NOISE] = {draw->noise, "noise %.2f", policy->noise_sigma},
        [VIEW_CUTOUT] = {draw->cutout, "cutout", 0},
    };
    bool fresh = true; /* does the next of them begin a line? rotation goes with the crop */
    for (int i = 0; i < VIEW_OPERATIONS; i++) {
        const enum view_operation operation = view_policy_operation(policy, i);
        if (!operations[operation].on) continue;
        if (operation == VIEW_JITTER) {
            describe_jitter(draw, caption);
            fresh = true;
            continue;
        }
        format_write(item, sizeof item, operations[operation].format, operations[operation].number);
        add(caption, fresh && operation != VIEW_ROTATE, item);
        fresh &= operation == VIEW_ROTATE;
    }
}

/* The last part of a long name is the telling one. */
static void describe_image(const struct dataset *set, int64_t index, const struct image *image, struct caption *caption)
{
    char item[LETTERS + 1];
    const char *name = dataset_name(set, index), *slash = strrchr(name, '/');
    if (slash != NULL && strncmp(name, "synthetic/", 10) != 0) name = slash + 1;
    const size_t length = strlen(name);
    if (length > LETTERS)
        snprintf(item, sizeof item, "...%s", name + length - (LETTERS - 3));
    else
        snprintf(item, sizeof item, "%s", name);
    add(caption, true, item);
    snprintf(item, sizeof item, "%d x %d", image->width, image->height);
    add(caption, true, item);
    const int label = dataset_label(set, index);
    if (label < 0) return;
    snprintf(item, sizeof item, "class %.*s", LETTERS - 6, dataset_class_name(set, label));
    add(caption, true, item);
}

/* ---- drawing ---- */

static int64_t index_of(const struct sheet_of_views *sheet, int row)
{
    return row * dataset_count(sheet->set) / sheet->images;
}

static int left_of(int column)
{
    return GAP + column * (CELL + GAP) + (column > 0 ? GAP : 0);
}

static int top_of(const struct sheet_of_views *sheet, int row)
{
    return TITLE + HEAD + row * (sheet->height + 2 * FRAME + sheet->lines * LINE + 2 * GAP);
}

/* Below a picture of `height` pixels. */
static void write_caption(struct sheet_of_views *sheet, int row, int column, int height)
{
    const struct caption *caption = &sheet->caption[row * (1 + sheet->views) + column];
    const int top = top_of(sheet, row) + height + 2 * FRAME + 4;
    for (int i = 0; i < caption->lines; i++)
        canvas_text(&sheet->canvas, left_of(column), top + i * LINE, caption->line[i], column == 0 ? pale : ink);
}

/* The image, and on it a frame where each view was cut out. */
static int draw_image(struct sheet_of_views *sheet, int row, const struct image *image, struct error *error)
{
    const int left = left_of(0), top = top_of(sheet, row) + FRAME;
    const int status = canvas_picture(sheet->policy.simd, &sheet->canvas, left, top, CELL, image, error);
    int width = image->width, height = image->height;
    canvas_fit(CELL, &width, &height);
    for (int view = sheet->views - 1; view >= 0 && status == SIMCLR_OK; view--) {
        const struct box box = sheet->draw[row * sheet->views + view].box;
        const int x0 = (int)((int64_t)box.x * width / image->width);
        const int x1 = (int)((int64_t)(box.x + box.width) * width / image->width);
        const int y0 = (int)((int64_t)box.y * height / image->height);
        const int y1 = (int)((int64_t)(box.y + box.height) * height / image->height);
        canvas_frame(&sheet->canvas, left + x0, top + y0, x1 - x0, y1 - y0, 2, colors[view % COLORS]);
    }
    write_caption(sheet, row, 0, height);
    return status;
}

static int draw_view(struct sheet_of_views *sheet, int row, int number, const struct image *image, struct error *error)
{
    const struct view_policy *policy = &sheet->policy;
    const int size = policy->size, left = left_of(1 + number), top = top_of(sheet, row);
    struct image picture;
    view_render(policy, &sheet->draw[row * sheet->views + number], image, sheet->view, sheet->scratch);
    for (int i = 0; i < 3 * size * size && policy->normalize; i++) { /* back to what people can see */
        const int channel = i / (size * size);
        sheet->view[i] = (float)((double)sheet->view[i] * policy->std[channel] + policy->mean[channel]);
    }
    int status = canvas_view(sheet->view, size, &picture, error);
    if (status != SIMCLR_OK) return status;
    status = canvas_picture(sheet->policy.simd, &sheet->canvas, left, top + FRAME, CELL, &picture, error);
    int width = size, height = size;
    canvas_fit(CELL, &width, &height);
    canvas_frame(&sheet->canvas, left - FRAME, top, width + 2 * FRAME, height + 2 * FRAME, FRAME,
                 colors[number % COLORS]);
    write_caption(sheet, row, 1 + number, height);
    image_free(&picture);
    return status;
}

static void write_title(struct sheet_of_views *sheet)
{
    const struct config *config = sheet->session->config;
    const struct view_policy *policy = &sheet->policy;
    char text[256];
    snprintf(text, sizeof text, "%.60s: %d of %" PRId64 " images and their views of %d x %d pixels, seed %" PRId64,
             config->data, sheet->images, dataset_count(sheet->set), policy->size, policy->size, config->seed);
    canvas_text(&sheet->canvas, GAP, GAP, text, ink);
    static const char *const hints[] = {
        (". Frames on the image show where views were cut out; numbers are what was drawn, in the order of the "
         "operations"),
        ". Frames on the image show where views were cut out",
        "",
    };
    size_t hint = 0;
    const int used =
        format_write(text, sizeof text, "%s preset, jitter strength %g", config->view_preset, policy->jitter_strength);
    while ((used + (int)strlen(hints[hint])) * CANVAS_LETTER_WIDTH + 2 * GAP > sheet->canvas.width && hints[hint][0])
        hint++;
    snprintf(text + used, sizeof text - (size_t)used, "%s", hints[hint]);
    canvas_text(&sheet->canvas, GAP, GAP + 24, text, pale);
    for (int view = 0; view < sheet->views; view++) {
        snprintf(text, sizeof text, "epoch %d view %c", 1 + view / 2, view % 2 ? 'B' : 'A');
        canvas_text(&sheet->canvas, left_of(1 + view), TITLE, text, colors[view % COLORS]);
    }
    canvas_text(&sheet->canvas, left_of(0), TITLE, "image", ink);
}

/* ---- the command ---- */

/* Draws the parameters and makes the captions of all, so that the longest is known. */
static int draw_parameters(struct sheet_of_views *sheet, struct error *error)
{
    const uint64_t seed = (uint64_t)sheet->session->config->seed;
    int side = sheet->policy.size;
    sheet->height = side;
    canvas_fit(CELL, &side, &sheet->height); /* of the views */
    for (int row = 0; row < sheet->images; row++) {
        const int64_t index = index_of(sheet, row);
        const struct image *image;
        if (session_is_interrupted(sheet->session)) return stop_error(error, "views");
        const int status = dataset_image(sheet->set, index, &sheet->storage, &image, error);
        if (status != SIMCLR_OK) return status;
        struct caption *caption = &sheet->caption[(ptrdiff_t)row * (1 + sheet->views)];
        int width = image->width, height = image->height;
        canvas_fit(CELL, &width, &height);
        sheet->height = height > sheet->height ? height : sheet->height;
        describe_image(sheet->set, index, image, caption);
        for (int view = 0; view < sheet->views; view++) {
            struct view_draw *draw = &sheet->draw[row * sheet->views + view];
            *draw = view_draw_random(&sheet->policy, seed, RNG_VIEW, (uint32_t)view / 2, (uint32_t)index,
                                     (uint32_t)view % 2, image->width, image->height);
            describe(&sheet->policy, draw, image, &caption[1 + view]);
        }
        for (int i = 0; i <= sheet->views; i++)
            if (caption[i].lines > sheet->lines) sheet->lines = caption[i].lines;
    }
    return SIMCLR_OK;
}

static int allocate(struct sheet_of_views *sheet, struct error *error)
{
    const size_t cells = (size_t)sheet->images * (size_t)(1 + sheet->views), size = (size_t)sheet->policy.size;
    sheet->draw = memory_array(cells, sizeof *sheet->draw);
    sheet->caption = memory_array(cells, sizeof *sheet->caption);
    sheet->view = memory_array(3 * size * size, sizeof *sheet->view);
    if (sheet->draw == NULL || sheet->caption == NULL || sheet->view == NULL)
        return error_no_memory(error, "a sheet of views", cells * sizeof *sheet->caption);
    return SIMCLR_OK;
}

/* Each image has scratch of its own size. Of a large set not every image was measured at opening: one may be larger
 * than all that were. */
static int make_scratch(struct sheet_of_views *sheet, const struct image *image, struct error *error)
{
    const size_t bytes = view_scratch_bytes(&sheet->policy, image->width, image->height);
    memory_free(sheet->scratch);
    sheet->scratch = memory_allocate(bytes);
    if (sheet->scratch == NULL) return error_no_memory(error, "scratch for views", bytes);
    view_scratch_prepare(&sheet->policy, image->width, image->height, sheet->scratch);
    return SIMCLR_OK;
}

static int draw_sheet(struct sheet_of_views *sheet, struct error *error)
{
    const int width = left_of(1 + sheet->views), height = top_of(sheet, sheet->images);
    if (width > SIDE_MAX || height > SIDE_MAX)
        return error_set(error, SIMCLR_INVALID,
                         "a sheet of %d x %d pixels is too large; ask for fewer --images or --views", width, height);
    int status = image_create(width, height, &sheet->canvas, error);
    if (status != SIMCLR_OK) return status;
    memset(sheet->canvas.rgb, 250, (size_t)width * (size_t)height * 3);
    write_title(sheet);
    for (int row = 0; row < sheet->images && status == SIMCLR_OK; row++) {
        const struct image *image;
        if (session_is_interrupted(sheet->session)) return stop_error(error, "views");
        status = dataset_image(sheet->set, index_of(sheet, row), &sheet->storage, &image, error);
        if (status == SIMCLR_OK) status = draw_image(sheet, row, image, error);
        if (status == SIMCLR_OK) status = make_scratch(sheet, image, error);
        for (int view = 0; view < sheet->views && status == SIMCLR_OK; view++)
            status = draw_view(sheet, row, view, image, error);
    }
    return status;
}

static int open_set(struct session *session, struct dataset **out, struct error *error)
{
    const int status = session_open_dataset(session, session->config->data, DATASET_TRAIN, out, error);
    return status == SIMCLR_OK ? session_resolve(session, *out, error) : status;
}

int command_views(struct session *session, struct error *error)
{
    const struct config *config = session->config;
    struct sheet_of_views sheet = {.session = session, .views = (int)config->views};
    int status = outputs_check(config, "out", config->out, error);
    if (status == SIMCLR_OK) status = open_set(session, &sheet.set, error);
    if (status == SIMCLR_OK) status = session_view_policy(session, &sheet.policy, error);
    if (status == SIMCLR_OK) {
        log_info(&session->log, "views: %s", simd_name(sheet.policy.simd & SIMD_VIEWS));
        const int64_t count = dataset_count(sheet.set);
        sheet.images = (int)(config->images < count ? config->images : count);
        status = allocate(&sheet, error);
    }
    if (status == SIMCLR_OK) status = draw_parameters(&sheet, error);
    if (status == SIMCLR_OK) status = draw_sheet(&sheet, error);
    if (status == SIMCLR_OK) status = image_write_sheet(config->out, &sheet.canvas, error);
    if (status == SIMCLR_OK)
        session_print(session, "%s: %d images, %d views of each, %d x %d pixels\n", config->out, sheet.images,
                      sheet.views, sheet.canvas.width, sheet.canvas.height);
    image_free(&sheet.canvas);
    image_free(&sheet.storage);
    memory_free(sheet.draw);
    memory_free(sheet.caption);
    memory_free(sheet.view);
    memory_free(sheet.scratch);
    dataset_close(&sheet.set);
    return status;
}
