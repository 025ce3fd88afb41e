/* report/look.c -- see look.h: the images with their features, and what needs them. */
#include "report/look.h"

#include <math.h>
#include <string.h>

#include "augment/views.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/sampler.h"
#include "eval/principal.h"
#include "eval/quality.h"
#include "explore/collection_map.h"
#include "image/canvas.h"
#include "report/predicted.h"
#include "run/model_open.h"
#include "run/run_folder.h"
#include "run/settings.h"

enum {
    VIEW_IMAGES = 3,
    VIEWS = 8,
    SIDE = 96,
    SHOWN_SIDE = 86, /* of the views, and of every small picture */
    QUERIES = 4,
    UNLABELLED_QUERIES = 12,
    SHOWN = 8,   /* neighbours */
    SUREST = 12, /* mistakes */
    POINTS_MOST = 6000,
    ATLAS_WIDTH = 1100, /* of the map */
    SPECTRUM_ROWS = 10000,
    Z_ROWS = 2000,
    SPECTRUM_MOST = 512
};

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* Has the run's folder an encoder? One that cannot be read is none, which the page and the log say. */
static int find_encoder(const struct report *report, struct report_run *run, bool *there, struct error *error)
{
    struct checkpoint *checkpoint = NULL;
    char *weights = NULL;
    struct error reason = {0};
    int status = run_folder_newest(run->path, &report->session->log, &checkpoint, &reason);
    *there = !status && checkpoint;
    checkpoint_close(&checkpoint);
    if (!status && !*there) {
        *there = run_folder_weights(run->path, &weights, &reason) == SIMCLR_OK;
        status = reason.status == SIMCLR_NO_MEMORY ? SIMCLR_NO_MEMORY : SIMCLR_OK;
    }
    memory_free(weights);
    if (!status) return SIMCLR_OK;
    if (status == SIMCLR_NO_MEMORY || notes_add(&run->unread, reason.text, true))
        return error_no_memory(error, "a checkpoint", 1);
    log_warning(&report->session->log, "%s", reason.text);
    return SIMCLR_OK;
}

static int open_settings(struct look *look, const struct report *report, struct error *error)
{
    const struct config *config = report->session->config;
    bool has_test = config->test_data[0] != '\0';
    int status = config_derive(&look->settings, config, COMMAND_MAP, error);
    if (!status) status = config_set(look->settings, "checkpoint", report->runs[0].path, 2, error);
    if (!status && !has_test) status = dataset_has_test_part(config->data, &has_test, error);
    if (!status) status = config_set(look->settings, "part", has_test ? "test" : "train", 2, error);
    if (status) return status;
    look->session = session_derive(report->session, look->settings, report->session->log);
    return SIMCLR_OK;
}

int look_open(struct look *look, struct report *report, struct error *error)
{
    *look = (struct look){.open = false};
    bool there = false;
    if (!report->session->config->data[0]) return SIMCLR_OK;
    int status = find_encoder(report, &report->runs[0], &there, error);
    if (!status && !there)
        log_warning(&report->session->log,
                    "%s: has no encoder that can be read; the page goes without views, neighbours, map and spectrum",
                    report->runs[0].path);
    if (status || !there) return status;
    status = open_settings(look, report, error);
    if (!status) status = collection_open(&look->collection, &look->session, error);
    look->open = !status;
    return status;
}

void look_close(struct look *look)
{
    if (look->open) collection_close(&look->collection);
    config_destroy(&look->settings);
    *look = (struct look){.open = false};
}

/* An evaluation alone: another page has its encoder, if that is of a run. */
static void say_alone(struct report *report, const struct report_run *run)
{
    static const char what[] = "This is drawn from the encoder of a run and from images; here is an evaluation alone.";
    const char *given = report->session->config->data;
    if (run->encoder && run->encoder_is_run)
        words_missing(&report->page, what, "simclr report <1> --data <2> --evaluation <3>",
                      (const char *const[3]){run->encoder, given[0] ? given : "PHOTOS", run->path});
    else
        page_paragraph(&report->page, "%s", what);
}

/* False, with the words, where there is nothing to look at. */
static bool is_open(struct report *report, const struct look *look)
{
    const struct report_run *run = &report->runs[0];
    if (look->open) return true;
    if (run->state == RUN_NONE && (!run->encoder || strcmp(run->encoder, run->path) != 0))
        say_alone(report, run);
    else if (report->session->config->data[0])
        page_paragraph(&report->page, "%s has no encoder that can be read, so there is nothing to look at yet.",
                       run->name);
    else
        words_missing(
            &report->page,
            "This is drawn from the encoder and the images, where they are given:", "simclr report <1> --data <2>",
            (const char *const[3]){run->path, run->config && run->config->data[0] ? run->config->data : "PHOTOS"});
    return false;
}

/* False, with the words, where there is nothing to compare an image with. */
static bool has_others(struct report *report, const struct look *look, const char *what)
{
    if (collection_count(&look->collection) > 1) return true;
    page_paragraph(&report->page, "There is one image: %s take at least two.", what);
    return false;
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

struct showing {
    struct report *report;
    struct look *look;
    struct image storage;
};

static const char *class_of(const struct collection *collection, int64_t row)
{
    const int label = collection->labels[row];
    return label < 0 ? "" : collection_class_name(collection, label);
}

/* A figure of a row: its picture, its class (or name), and `note` below. */
static int show_row(struct showing *showing, int64_t row, const char *class_name, const char *note, struct error *error)
{
    struct collection *collection = &showing->look->collection;
    struct page *page = &showing->report->page;
    const struct image *image;
    const int status = collection_image(collection, row, &showing->storage, &image, error);
    if (status) return status;
    const char *name = collection_name(collection, row), *class = class_of(collection, row);
    page_figure(page, class_name);
    page_picture(page, showing->report->session->simd, image, SIDE, "%s%s%s", name, class[0] ? ", " : "", class);
    page_figure_close(page, "%s%s%s", class[0] ? class : name, note[0] ? ", " : "", note);
    return SIMCLR_OK;
}

/* ---- views ------------------------------------------------------------------------------------------------------- */

static int show_views(struct showing *showing, const struct session *training, const struct view_policy *policy,
                      int64_t row, struct error *error)
{
    struct collection *collection = &showing->look->collection;
    struct page *page = &showing->report->page;
    const struct image *image;
    int status = collection_image(collection, row, &showing->storage, &image, error);
    if (status) return status;
    float *view = memory_array(3 * (size_t)policy->size * (size_t)policy->size, sizeof *view);
    void *scratch = memory_allocate(view_scratch_bytes(policy, image->width, image->height));
    if (!view || !scratch)
        status = error_no_memory(error, "a view", view_scratch_bytes(policy, image->width, image->height));
    if (!status) {
        view_scratch_prepare(policy, image->width, image->height, scratch);
        page_figure(page, "query");
        page_picture(page, training->simd, image, SIDE, "%s", collection_name(collection, row));
        page_figure_close(page, "%s", collection_name(collection, row));
    }
    for (int i = 0; !status && i < VIEWS; i++) {
        const struct view_draw draw = view_draw_random(policy, (uint64_t)training->config->seed, RNG_VIEW, 0,
                                                       (uint32_t)row, (uint32_t)i, image->width, image->height);
        struct image picture;
        view_render(policy, &draw, image, view, scratch);
        status = canvas_view(view, policy->size, &picture, error);
        if (status) break;
        page_figure(page, NULL);
        page_picture(page, training->simd, &picture, SIDE, "view %d", i + 1);
        page_figure_close(page, "view %d", i + 1);
        image_free(&picture);
    }
    memory_free(view);
    memory_free(scratch);
    return status;
}

int section_views(struct report *report, struct look *look, struct error *error)
{
    const struct report_run *run = &report->runs[0];
    struct showing showing = {.report = report, .look = look};
    struct view_policy policy;
    int status = SIMCLR_OK;
    page_section(&report->page, "views", "What it sees");
    if (!run->config) {
        page_paragraph(
            &report->page,
            "The views of a run of simclr pretrain stand here; this is none whose configuration can be read.");
    } else if (run->command != COMMAND_PRETRAIN) {
        page_paragraph(&report->page,
                       "The pairs of views of a run of simclr pretrain stand here; this one is of simclr %s, which "
                       "makes none.",
                       command_name(run->command));
    } else if (is_open(report, look)) {
        const struct session training = session_derive(report->session, run->config, report->session->log);
        const int64_t rows = collection_count(&look->collection);
        page_paragraph(&report->page,
                       "Images, and random views of each as training makes them. Training pulls views of one "
                       "image together.");
        status = session_view_policy(&training, &policy, error);
        policy.normalize = false;
        const int64_t images = VIEW_IMAGES;
        for (int64_t i = 0; !status && i < images && i < rows; i++) {
            page_grid(&report->page, SHOWN_SIDE);
            status = show_views(&showing, &training, &policy, rows * (2 * i + 1) / (2 * images), error);
            page_close(&report->page);
        }
    }
    page_close(&report->page);
    image_free(&showing.storage);
    return status;
}

/* ---- neighbours -------------------------------------------------------------------------------------------------- */

static int show_neighbours(struct showing *showing, const struct neighbour *list, int64_t row, struct error *error)
{
    const struct collection *collection = &showing->look->collection;
    page_grid(&showing->report->page, SHOWN_SIDE);
    int status = show_row(showing, row, "query", "", error);
    for (int i = 0; !status && i < SHOWN && list[i].row >= 0; i++) {
        const int32_t own = collection->labels[row], other = collection->labels[list[i].row];
        char note[32];
        format_write(note, sizeof note, "%.3f", (double)list[i].similarity);
        status = show_row(showing, list[i].row,
                          own < 0 || other < 0 ? NULL
                          : own == other       ? "right"
                                               : "wrong",
                          note, error);
    }
    page_close(&showing->report->page);
    return status;
}

/* 1: the nearest is of another class; 0: of the same; -1: not known. */
static int is_wrong(const struct collection *collection, const struct neighbour *graph, int64_t row)
{
    const int32_t nearest = graph[row * COLLECTION_NEIGHBOURS].row, own = collection->labels[row];
    if (nearest < 0 || own < 0 || collection->labels[nearest] < 0) return -1;
    return own != collection->labels[nearest];
}

/* `count` rows of a kind (-2: of any), in a drawn order. */
static int show_kind(struct showing *showing, const struct neighbour *graph, int kind, int count, const char *heading,
                     struct error *error)
{
    const struct collection *collection = &showing->look->collection;
    const int64_t rows = collection_count(collection);
    uint32_t *order;
    int status = sampler_sample((uint64_t)showing->report->session->config->seed + (uint64_t)(kind + 3), (uint32_t)rows,
                                &order, error);
    if (status) return status;
    int shown = 0;
    for (int64_t i = 0; !status && i < rows && shown < count; i++) {
        if (kind != -2 && is_wrong(collection, graph, order[i]) != kind) continue;
        if (shown++ == 0) page_heading(&showing->report->page, 3, "%s", heading);
        status = show_neighbours(showing, graph + (int64_t)order[i] * COLLECTION_NEIGHBOURS, order[i], error);
    }
    memory_free(order);
    return status;
}

static int show_queries(struct showing *showing, struct error *error)
{
    struct page *page = &showing->report->page;
    struct collection *collection = &showing->look->collection;
    const bool labelled = collection_classes(collection) > 0;
    const struct neighbour *graph;
    double recall;
    int status = collection_graph(collection, &graph, &recall, error);
    if (status) return status;
    const char *frames = labelled ? " A whole frame is of the same class, a dashed one of another." : "";
    if (collection_count(collection) > SHOWN)
        page_paragraph(page, "Images, each with the %d that the features find most alike, and their cosine.%s", SHOWN,
                       frames);
    else
        page_paragraph(page,
                       "Images, each with all others, those that the features find most alike first, and their "
                       "cosine.%s",
                       frames);
    if (labelled) {
        status = show_kind(showing, graph, 0, QUERIES, "The nearest is of the same class", error);
        if (!status) status = show_kind(showing, graph, 1, QUERIES, "The nearest is of another class", error);
    }
    if (!status)
        status = show_kind(showing, graph, -2, labelled ? QUERIES : UNLABELLED_QUERIES, "Drawn at random", error);
    return status;
}

int section_neighbours(struct report *report, struct look *look, struct error *error)
{
    struct showing showing = {.report = report, .look = look};
    int status = SIMCLR_OK;
    page_section(&report->page, "neighbours", "Neighbours");
    if (is_open(report, look) && has_others(report, look, "neighbours")) status = show_queries(&showing, error);
    page_close(&report->page);
    image_free(&showing.storage);
    return status;
}

/* ---- surest mistakes --------------------------------------------------------------------------------------------- */

/* Whether the predictions are of the rows that are open. */
static bool is_of_rows(const struct predicted *predicted, const struct collection *collection)
{
    struct digest digest = digest_open(DIGEST_SHA256);
    char text[DIGEST_TEXT];
    for (int64_t i = 0; i < collection_count(collection); i++) {
        const char *name = collection_name(collection, i);
        digest_add(&digest, name, strlen(name) + 1);
    }
    digest_close(&digest, text);
    return predicted->count == collection_count(collection) && strcmp(text, predicted->names) == 0;
}

static char *class_name_of(const struct report_run *run, int label)
{
    const struct json_value *classes = json_member(judged_member(&run->judged, "linear_classifier"), "classes");
    return words_of_json(json_member(json_element(classes, (size_t)label), "name"));
}

static int show_mistake(struct showing *showing, const struct predicted *predicted, int64_t row, struct error *error)
{
    const struct report_run *run = &showing->report->runs[0];
    struct page *page = &showing->report->page;
    const struct image *image;
    const int status = collection_image(&showing->look->collection, row, &showing->storage, &image, error);
    if (status) return status;
    char *label = class_name_of(run, predicted->labels[row]), *best = class_name_of(run, predicted->best[row]);
    if (!label || !best) page->html.failed = true;
    page_figure(page, "wrong");
    page_picture(page, showing->report->session->simd, image, SIDE, "%s",
                 collection_name(&showing->look->collection, row));
    page_figure_close(page, "%s, taken for %s, %.1f %%", label ? label : "", best ? best : "",
                      100 * (double)predicted->probabilities[row]);
    memory_free(label);
    memory_free(best);
    return SIMCLR_OK;
}

/* The next row that is wrong, from the surest on; -1: there is none. `done` marks those before. */
static int64_t next_mistake(const struct predicted *predicted, uint8_t *done)
{
    int64_t next = -1;
    for (int64_t i = 0; i < predicted->count; i++)
        if (!done[i] && predicted->labels[i] != predicted->best[i] &&
            (next < 0 || predicted->probabilities[i] > predicted->probabilities[next]))
            next = i;
    if (next >= 0) done[next] = 1;
    return next;
}

static int show_mistakes(struct showing *showing, const struct predicted *predicted, struct error *error)
{
    struct page *page = &showing->report->page;
    uint8_t *done = memory_array((size_t)predicted->count + 1, sizeof *done);
    if (!done) return error_no_memory(error, "predictions", (size_t)predicted->count);
    int status = SIMCLR_OK;
    page_heading(page, 3, "Surest mistakes");
    page_paragraph(page,
                   "Test images of which the linear classifier is surest, and wrong. Some may have a wrong label: "
                   "simclr audit looks for those.");
    page_grid(page, SHOWN_SIDE);
    for (int i = 0; !status && i < SUREST; i++) {
        const int64_t row = next_mistake(predicted, done);
        if (row < 0) break;
        status = show_mistake(showing, predicted, row, error);
    }
    page_close(page);
    memory_free(done);
    return status;
}

int show_surest(struct report *report, struct look *look, struct error *error)
{
    struct showing showing = {.report = report, .look = look};
    struct predicted predicted = {.count = 0};
    struct error reason = {0};
    const struct judged *judged = &report->runs[0].judged;
    if (!look->open || !judged_is_there(judged)) return SIMCLR_OK;
    int status = predicted_read_beside(&predicted, judged->path, &reason);
    if (status && status != SIMCLR_NO_MEMORY) {
        words_note(&report->page, "warn", reason.text, NULL);
        log_warning(&report->session->log, "%s", reason.text);
        status = SIMCLR_OK;
    } else if (status) {
        *error = reason;
    } else if (predicted.count > 0 && is_of_rows(&predicted, &look->collection)) {
        status = show_mistakes(&showing, &predicted, error);
    }
    predicted_free(&predicted);
    image_free(&showing.storage);
    return status;
}

/* ---- map --------------------------------------------------------------------------------------------------------- */

/* The principal plane, drawn with the groups of the map. */
static int draw_plane(struct report *report, const struct look *look, const struct collection_map *map,
                      struct error *error)
{
    const struct collection *collection = &look->collection;
    const size_t rows = (size_t)collection_count(collection);
    double *plane = memory_array(2 * rows, sizeof *plane);
    float *points = memory_array(2 * rows, sizeof *points);
    int status = plane && points ? SIMCLR_OK : error_no_memory(error, "a plane", 24 * rows);
    if (!status)
        status = principal_plane(plane, report->session->pool,
                                 &(struct principal_args){collection->values, (int64_t)rows, collection->dim,
                                                          (uint64_t)report->session->config->seed},
                                 error);
    for (size_t i = 0; !status && i < 2 * rows; i++) points[i] = (float)plane[i];
    if (!status) {
        page_figure(&report->page, NULL);
        page_cloud(&report->page, &(struct chart_cloud){.title = "The two directions in which features vary most",
                                                        .summary = "The same images by their principal components.",
                                                        .points = points,
                                                        .groups = map->groups,
                                                        .group_count = map->group_count,
                                                        .count = rows,
                                                        .most = POINTS_MOST});
        if (isfinite(map->principal_kept))
            page_figure_close(&report->page, "The same by the two principal components, which keep %.1f %%.",
                              100 * map->principal_kept);
        else
            page_figure_close(&report->page, "The same by the two principal components.");
    }
    memory_free(plane);
    memory_free(points);
    return status;
}

static int draw_atlas(struct report *report, struct look *look, const struct collection_map *map, struct error *error)
{
    struct image atlas = {0};
    int64_t shown;
    const int status = collection_map_atlas(&atlas, &shown, map, &look->collection, error);
    if (status) return status;
    page_figure(&report->page, NULL);
    page_picture(&report->page, report->session->simd, &atlas, ATLAS_WIDTH,
                 "%lld %s in a grid, in the places of the map", (long long)shown, shown == 1 ? "picture" : "pictures");
    page_figure_close(&report->page, "%lld %s near where its point lies on the map.", (long long)shown,
                      shown == 1 ? "picture," : "pictures, each");
    image_free(&atlas);
    return SIMCLR_OK;
}

static void draw_map(struct report *report, const struct look *look, const struct collection_map *map)
{
    char images[WORDS], kept[WORDS];
    struct page *page = &report->page;
    words_count(images, collection_count(&look->collection));
    format_write(kept, sizeof kept, "It keeps %.1f %%", 100 * map->kept);
    page_figure(page, NULL);
    collection_map_draw(page, map, &look->collection, POINTS_MOST);
    page_figure_close(page,
                      "A map (PaCMAP) of %s images: near each other is what the encoder finds alike. %s of the ten "
                      "nearest neighbours%s; distances between far groups mean little.",
                      images, isfinite(map->kept) ? kept : "What it keeps",
                      isfinite(map->kept) ? "" : " is not counted, since there are too few images");
}

int section_map(struct report *report, struct look *look, struct error *error)
{
    struct collection_map map = {0};
    int status = SIMCLR_OK;
    page_section(&report->page, "map", "Map");
    if (is_open(report, look) && has_others(report, look, "a map and its atlas")) {
        status = collection_map_make(&map, &look->collection, error);
        if (!status) {
            page_open(&report->page, "div", "class=\"charts\"");
            draw_map(report, look, &map);
            status = draw_plane(report, look, &map, error);
            page_close(&report->page);
        }
        if (!status) status = draw_atlas(report, look, &map, error);
        collection_map_free(&map);
    }
    page_close(&report->page);
    return status;
}

/* ---- spectrum ---------------------------------------------------------------------------------------------------- */

struct spectrum {
    double *rank, *value; /* log10 of the share of the largest */
    size_t count;
};

static void spectrum_free(struct spectrum *spectrum)
{
    memory_free(spectrum->rank);
    memory_free(spectrum->value);
}

static int find_spectrum(struct spectrum *out, struct pool *pool, const float *rows, int64_t count, int dim,
                         struct error *error)
{
    *out = (struct spectrum){.rank = memory_array((size_t)dim, sizeof *out->rank),
                             .value = memory_array((size_t)dim, sizeof *out->value)};
    if (!out->rank || !out->value) return error_no_memory(error, "a spectrum", (size_t)dim * 16);
    const int status = quality_spectrum(out->value, pool, rows, count, dim, error);
    const double largest = out->value[0];
    for (int i = 0; !status && i < dim && out->value[i] > 1e-7 * largest; i++) { /* what is below is rounding */
        out->rank[i] = i + 1;
        out->value[i] = log10(out->value[i] / largest);
        out->count++;
    }
    return status;
}

/* z of some of the images. */
static int find_z(struct spectrum *out, const struct report *report, struct look *look, struct error *error)
{
    struct collection *collection = &look->collection;
    struct features z = {0};
    const int layers = collection->model->config.head_layers;
    struct dataset *set = collection->sets[1] ? collection->sets[1] : collection->sets[0];
    if (layers < 1 || collection->model->config.classes > 0) return SIMCLR_OK;
    const struct features_request request = {.kind = FEATURES_HEAD,
                                             .model = collection->model,
                                             .policy = &collection->policy,
                                             .dataset = set,
                                             .limit = dataset_count(set) < Z_ROWS ? dataset_count(set) : Z_ROWS,
                                             .layer = layers};
    int status = features_extract(&look->session, &request, &z, error);
    if (!status && z.count > 1) status = find_spectrum(out, report->session->pool, z.values, z.count, z.dim, error);
    features_free(&z);
    return status;
}

int section_spectrum(struct report *report, struct look *look, struct error *error)
{
    struct spectrum h = {0}, z = {0};
    int status = SIMCLR_OK;
    page_section(&report->page, "spectrum", "Spectrum");
    if (is_open(report, look)) {
        const struct collection *collection = &look->collection;
        const int64_t rows =
            collection_count(collection) < SPECTRUM_ROWS ? collection_count(collection) : SPECTRUM_ROWS;
        if (rows > 1)
            status = find_spectrum(&h, report->session->pool, collection->values, rows, collection->dim, error);
        if (!status) status = find_z(&z, report, look, error);
        const struct chart_series series[] = {{.name = "h", .x = h.rank, .y = h.value, .count = h.count, .hue = 0},
                                              {.name = "z", .x = z.rank, .y = z.value, .count = z.count, .hue = 1}};
        if (!status) {
            page_open(&report->page, "div", "class=\"charts\"");
            page_figure(&report->page, NULL);
            page_chart(&report->page,
                       &(struct chart){.title = "Spectrum of the features",
                                       .summary = "Variance along each direction, as a share of the largest.",
                                       .x_name = "direction, by its variance",
                                       .y_name = "variance, log10 of the share of the largest",
                                       .log_x = true,
                                       .series = series,
                                       .count = 2});
            page_figure_close(&report->page,
                              "How much the features h of the encoder, and z behind the head, vary in each "
                              "direction. A steep fall means few dimensions in use.");
            page_close(&report->page);
        }
    }
    page_close(&report->page);
    spectrum_free(&h);
    spectrum_free(&z);
    return status;
}
