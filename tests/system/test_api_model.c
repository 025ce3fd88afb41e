/* A trained model as a C program uses it: batches of images of every form, handles for several threads, neighbours. */
#include "support/run.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "image/image.h"
#include "simclr/simclr.h"
#include "support/folder.h"
#include "support/no_memory.h"

enum { DIM = 64, IMAGES = 131, SIDE = 20 }; /* a whole batch of 128, and a part of one */

static struct {
    simclr_context *context;
    simclr_model *model;
    struct image pictures[IMAGES];
    char paths[IMAGES][512];
    float expected[IMAGES][DIM]; /* as `simclr embed` writes them */
} made;

static simclr_config *configure(simclr_context *context, const char *command, const char *const *settings)
{
    simclr_config *config;
    assert_int_equal(simclr_config_create(context, command, &config), SIMCLR_OK);
    for (; *settings; settings += 2)
        if (simclr_config_set(config, settings[0], settings[1]) != SIMCLR_OK) fail_msg("%s", simclr_error(context));
    return config;
}

static void run(simclr_context *context, const char *command, const char *const *settings)
{
    simclr_config *config = configure(context, command, settings);
    if (simclr_run(context, config) != SIMCLR_OK) fail_msg("%s: %s", command, simclr_error(context));
    simclr_config_destroy(&config);
}
#define RUN(command, ...) run(made.context, command, (const char *const[]){__VA_ARGS__, NULL})

/* Pictures of many sizes; every fifth is narrow. */
static void make_pictures(void)
{
    char photos[400];
    snprintf(photos, sizeof photos, "%s", at("photos"));
    assert_int_equal(mkdir(photos, 0700), 0);
    for (int n = 0; n < IMAGES; n++) {
        struct image *image = &made.pictures[n];
        assert_int_equal(image_create(SIDE + n % 7, n % 5 ? SIDE : 3 * SIDE, image, NULL), SIMCLR_OK);
        for (int i = 0; i < image->width * image->height * 3; i++)
            image->rgb[i] = (uint8_t)(i * (n + 3) + i / 61 * (n % 11) + n * 40);
        snprintf(made.paths[n], sizeof made.paths[n], "%s/%03d.png", photos, n);
        assert_int_equal(image_write_png(made.paths[n], image, NULL), SIMCLR_OK);
    }
}

static void read_rows(const char *path, float (*rows)[DIM], int count)
{
    uint8_t *bytes;
    size_t size;
    assert_int_equal(file_read(path, 1 << 24, &bytes, &size, NULL), SIMCLR_OK);
    assert_true(size > sizeof(float) * DIM * (size_t)count);
    memcpy(rows, bytes + size - sizeof(float) * DIM * (size_t)count, sizeof(float) * DIM * (size_t)count);
    memory_free(bytes);
}

static int make_model(void **state)
{
    if (make_folder(state)) return 1;
    assert_int_equal(simclr_open(&made.context, NULL), SIMCLR_OK);
    RUN("pretrain", "data", "synthetic", "synthetic-images", "64", "width", "1/8", "image-size", "16", "batch", "16",
        "threads", "2", "epochs", "1", "knn-every", "0", "diagnostics-images", "0", "out", at("run"));
    make_pictures();
    RUN("embed", "checkpoint", at("run"), "data", at("photos"), "out", at("all.npy"), "threads", "2");
    read_rows(at("all.npy"), made.expected, IMAGES);
    if (simclr_model_load(made.context, at("run"), 2, &made.model) != SIMCLR_OK)
        fail_msg("%s", simclr_error(made.context));
    assert_int_equal(simclr_model_dim(made.model), DIM);
    return 0;
}

static int close_model(void **state)
{
    for (int n = 0; n < IMAGES; n++) image_free(&made.pictures[n]);
    simclr_model_close(&made.model);
    simclr_close(&made.context);
    return remove_folder(state);
}

/* ---- batches ---- */

static simclr_image by_path(int n)
{
    return (simclr_image){.size = sizeof(simclr_image), .path = made.paths[n]};
}

static simclr_image by_pixels(int n)
{
    const struct image *image = &made.pictures[n];
    return (simclr_image){
        .size = sizeof(simclr_image), .rgb = image->rgb, .width = image->width, .height = image->height};
}

static void embed(simclr_model *model, const simclr_image *images, int count, float (*features)[DIM])
{
    if (simclr_model_embed_batch(model, images, count, features[0]) != SIMCLR_OK)
        fail_msg("%s", simclr_error(made.context));
}

static void rows_are_those_of_the_command(void **state)
{
    (void)state;
    static float rows[IMAGES][DIM];
    simclr_image images[IMAGES];
    for (int n = 0; n < IMAGES; n++) images[n] = by_path(n);
    embed(made.model, images, IMAGES, rows);
    assert_memory_equal(rows, made.expected, sizeof rows);
    /* another number of images is another plan: the command makes the same one */
    assert_int_equal(mkdir(at("alone"), 0700), 0);
    assert_int_equal(image_write_png(at("alone/000.png"), &made.pictures[0], NULL), SIMCLR_OK);
    RUN("embed", "checkpoint", at("run"), "data", at("alone"), "out", at("one.npy"), "threads", "2");
    read_rows(at("one.npy"), rows, 1);
    float one[2][DIM];
    embed(made.model, images, 1, one);
    assert_memory_equal(one[0], rows[0], sizeof one[0]);
    assert_int_equal(simclr_model_embed_file(made.model, made.paths[0], one[1]), SIMCLR_OK);
    assert_memory_equal(one[0], one[1], sizeof one[0]);
    /* and back */
    embed(made.model, images, IMAGES, rows);
    assert_memory_equal(rows, made.expected, sizeof rows);
}

static void every_form_of_an_image_gives_the_same(void **state)
{
    (void)state;
    enum { COUNT = 20, GAP = 13 };
    float expected[COUNT][DIM], rows[COUNT][DIM];
    simclr_image images[COUNT];
    uint8_t *blocks[COUNT];
    for (int n = 0; n < COUNT; n++) images[n] = by_path(n);
    embed(made.model, images, COUNT, expected);
    for (int n = 0; n < COUNT; n++) {
        const struct image *image = &made.pictures[n];
        const size_t row = (size_t)image->width * 3, stride = row + GAP;
        size_t count;
        images[n] = (simclr_image){.size = sizeof *images};
        if (n % 3 == 0) { /* bytes of a file */
            assert_int_equal(image_encode_png(image, &blocks[n], &count, NULL), SIMCLR_OK);
            images[n].bytes = blocks[n];
            images[n].byte_count = count;
            continue;
        }
        blocks[n] = memory_allocate(stride * (size_t)image->height);
        assert_non_null(blocks[n]);
        const size_t used = n % 3 == 1 ? stride : row;
        for (int y = 0; y < image->height; y++) memcpy(blocks[n] + (size_t)y * used, image->rgb + (size_t)y * row, row);
        images[n].rgb = blocks[n];
        images[n].width = image->width;
        images[n].height = image->height;
        images[n].stride = n % 3 == 1 ? (ptrdiff_t)stride : 0;
    }
    embed(made.model, images, COUNT, rows);
    assert_memory_equal(rows, expected, sizeof rows);
    for (int n = 0; n < COUNT; n++) memory_free(blocks[n]);
}

/* Whatever the batch, an image has the same bits. */
static void a_batch_that_is_set_stays(void **state)
{
    (void)state;
    static float rows[IMAGES][DIM];
    simclr_image images[IMAGES];
    for (int n = 0; n < IMAGES; n++) images[n] = by_pixels(n);
    assert_int_equal(simclr_model_batch(made.model), 128);
    assert_int_equal(simclr_model_set_batch(made.model, 128), SIMCLR_OK);
    embed(made.model, images, 50, rows);
    embed(made.model, images + 50, IMAGES - 50, rows + 50);
    assert_memory_equal(rows, made.expected, sizeof rows);
    assert_int_equal(simclr_model_set_batch(made.model, 7), SIMCLR_OK);
    assert_int_equal(simclr_model_batch(made.model), 7);
    embed(made.model, images, IMAGES, rows);
    assert_memory_equal(rows, made.expected, sizeof rows);
    assert_int_equal(simclr_model_set_batch(made.model, -1), SIMCLR_INVALID);
    assert_int_equal(simclr_model_set_batch(made.model, 1 << 20), SIMCLR_INVALID);
    assert_int_equal(simclr_model_set_batch(made.model, 0), SIMCLR_OK);
    assert_int_equal(simclr_model_batch(made.model), 128);
}

/* What is said of `image` as the second of three. */
static void refused(simclr_image image, int status, const char *words)
{
    float rows[3][DIM];
    const simclr_image images[3] = {by_path(0), image, by_path(1)};
    assert_int_equal(simclr_model_embed_batch(made.model, images, 3, rows[0]), status);
    if (!strstr(simclr_error(made.context), words)) fail_msg("\"%s\" lacks: %s", simclr_error(made.context), words);
}

static void what_is_no_image_is_refused(void **state)
{
    (void)state;
    float row[DIM];
    const simclr_image good = by_pixels(0);
    simclr_image image = good;
    image.width = 0;
    refused(image, SIMCLR_INVALID, "image 1: an image of 0 x");
    image.width = image.height = 1 << 30;
    refused(image, SIMCLR_INVALID, "image 1: an image of 1073741824 x");
    image = good;
    image.stride = 3 * image.width - 1;
    refused(image, SIMCLR_INVALID, "image 1: 59 bytes from a row to the next");
    image.stride = -3 * image.width;
    refused(image, SIMCLR_INVALID, "image 1: -60 bytes from a row to the next");
    image = good;
    image.path = made.paths[0];
    refused(image, SIMCLR_INVALID, "give one of rgb, path and bytes");
    refused((simclr_image){.size = sizeof image}, SIMCLR_INVALID, "image 1: give one of");
    refused((simclr_image){.path = made.paths[0]}, SIMCLR_INVALID, "its size is 0");
    refused((simclr_image){.size = sizeof image, .bytes = "GIF89a", .byte_count = 6}, SIMCLR_UNSUPPORTED, "image 1: ");
    refused((simclr_image){.size = sizeof image, .bytes = "", .byte_count = 0}, SIMCLR_CORRUPT, "image 1: ");
    refused((simclr_image){.size = sizeof image, .path = "/nowhere\xff.png"}, SIMCLR_IO, "/nowhere\\xff.png");
    refused((simclr_image){.size = sizeof image, .path = at("photos")}, SIMCLR_IO, "photos");

    image = (simclr_image){.path = made.paths[0]};
    assert_int_equal(simclr_model_embed_batch(made.model, &image, 1, row), SIMCLR_INVALID);
    assert_non_null(strstr(simclr_error(made.context), "simclr_image.size is 0"));
    image.size = sizeof image + 8;
    assert_int_equal(simclr_model_embed_batch(made.model, &image, 1, row), SIMCLR_INVALID);
    assert_int_equal(simclr_model_embed_batch(made.model, &good, 0, row), SIMCLR_INVALID);
    assert_int_equal(simclr_model_embed_batch(made.model, &good, -1, row), SIMCLR_INVALID);
    assert_int_equal(simclr_model_embed_batch(made.model, NULL, 1, row), SIMCLR_INVALID);
    assert_int_equal(simclr_model_embed_batch(made.model, &good, 1, NULL), SIMCLR_INVALID);
    assert_int_equal(simclr_model_embed_batch(NULL, &good, 1, row), SIMCLR_INVALID);
    assert_int_equal(simclr_model_set_batch(NULL, 1), SIMCLR_INVALID);
    assert_int_equal(simclr_model_batch(NULL), SIMCLR_INVALID);
}

/* Whatever thread meets it first. */
static void the_first_bad_image_is_named(void **state)
{
    (void)state;
    static float rows[IMAGES][DIM];
    simclr_image images[IMAGES];
    for (int n = 0; n < IMAGES; n++) images[n] = by_path(n);
    for (int n = 40; n < 90; n++)
        images[n] = (simclr_image){.size = sizeof *images, .bytes = "no picture", .byte_count = 10};
    for (int round = 0; round < 5; round++) {
        assert_int_equal(simclr_model_embed_batch(made.model, images, IMAGES, rows[0]), SIMCLR_CORRUPT);
        assert_non_null(strstr(simclr_error(made.context), "image 40: "));
    }
}

static void a_request_to_stop_ends_one_call(void **state)
{
    (void)state;
    static float rows[IMAGES][DIM];
    simclr_image images[IMAGES];
    for (int n = 0; n < IMAGES; n++) images[n] = by_path(n);
    simclr_interrupt(made.context);
    assert_int_equal(simclr_model_embed_batch(made.model, images, IMAGES, rows[0]), SIMCLR_INTERRUPTED);
    assert_non_null(strstr(simclr_error(made.context), "stopped by request"));
    embed(made.model, images, IMAGES, rows);
    assert_memory_equal(rows, made.expected, sizeof rows);
}

/* ---- handles for threads ---- */

struct worker {
    simclr_context *context;
    simclr_model *model;
    float rows[IMAGES][DIM];
    int status;
};

static void *embed_all(void *argument)
{
    struct worker *worker = argument;
    simclr_image images[IMAGES];
    for (int n = 0; n < IMAGES; n++) images[n] = n % 2 ? by_path(n) : by_pixels(n);
    for (int round = 0; !worker->status && round < 2; round++)
        worker->status = simclr_model_embed_batch(worker->model, images, IMAGES, worker->rows[0]);
    return NULL;
}

static void four_threads_give_the_same_bits(void **state)
{
    (void)state;
    enum { WORKERS = 4 };
    static struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    simclr_context *context;
    simclr_model *model;
    assert_int_equal(simclr_open(&context, NULL), SIMCLR_OK);
    assert_int_equal(simclr_model_load(context, at("run"), 2, &model), SIMCLR_OK);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(simclr_open(&workers[i].context, NULL), SIMCLR_OK);
        if (simclr_model_share(workers[i].context, model, &workers[i].model) != SIMCLR_OK)
            fail_msg("%s", simclr_error(workers[i].context));
        assert_int_equal(simclr_model_dim(workers[i].model), DIM);
        assert_int_equal(simclr_model_image_size(workers[i].model), 16);
    }
    simclr_model_close(&model); /* the others keep the weights */
    simclr_close(&context);
    for (int i = 0; i < WORKERS; i++) assert_int_equal(pthread_create(&threads[i], NULL, embed_all, &workers[i]), 0);
    for (int i = 0; i < WORKERS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < WORKERS; i++) {
        if (workers[i].status) fail_msg("%s", simclr_error(workers[i].context));
        assert_memory_equal(workers[i].rows, made.expected, sizeof made.expected);
        simclr_model_close(&workers[i].model);
        simclr_close(&workers[i].context);
    }
    simclr_model *none;
    assert_int_equal(simclr_model_share(made.context, NULL, &none), SIMCLR_INVALID);
    assert_null(none);
    assert_int_equal(simclr_model_share(NULL, made.model, &none), SIMCLR_INVALID);
    assert_int_equal(simclr_model_share(made.context, made.model, NULL), SIMCLR_INVALID);
}

/* ---- predicting ---- */

/* A line of `simclr predict --format csv --top 1`: PATH,LABEL,PROBABILITY,UNLIKE. */
static void check_line(const char *line, const simclr_model *model, const float *row, signed char unlike)
{
    const int classes = simclr_model_class_count(model);
    int best = 0;
    char expected[128], number[32] = "";
    for (int i = 1; i < classes; i++) best = row[i] > row[best] ? i : best;
    const int before = snprintf(expected, sizeof expected, ",%s,", simclr_model_class_name(model, best));
    const char *found = strstr(line, expected);
    if (!found) fail_msg("%.80s lacks %s", line, expected);
    const size_t length = strcspn(found + before, ",");
    assert_true(length < sizeof number);
    memcpy(number, found + before, length);
    assert_true(strtof(number, NULL) == row[best]);
    assert_true(found[(size_t)before + length + 1] == (unlike ? '1' : '0'));
}

static void read_text(void *cookie, const char *text, size_t length)
{
    char *all = cookie;
    const size_t used = strlen(all);
    assert_true(used + length < (size_t)IMAGES * 400);
    memcpy(all + used, text, length);
    all[used + length] = '\0';
}

static void classes_are_those_of_the_command(void **state)
{
    (void)state;
    static char text[IMAGES * 400];
    static float rows[IMAGES][10], again[IMAGES][10], features[2][IMAGES][DIM];
    static signed char unlike[IMAGES];
    const simclr_options options = {.output = read_text, .cookie = text};
    simclr_context *context;
    simclr_model *model, *other;
    simclr_image images[IMAGES];
    for (int n = 0; n < IMAGES; n++) images[n] = n % 2 ? by_path(n) : by_pixels(n);
    assert_int_equal(simclr_open(&context, &options), SIMCLR_OK);
    RUN("finetune", "checkpoint", at("run"), "data", "synthetic", "synthetic-images", "80", "batch", "16", "threads",
        "2", "epochs", "1", "labels", "100%", "out", at("tuned"));
    run(context, "predict",
        (const char *const[]){"checkpoint", at("tuned"), "pictures", at("photos"), "format", "csv", "top", "1",
                              "threads", "2", NULL});
    if (simclr_model_load(context, at("tuned"), 2, &model) != SIMCLR_OK) fail_msg("%s", simclr_error(context));
    assert_int_equal(simclr_model_class_count(model), 10);
    assert_null(simclr_model_class_name(model, 10));
    assert_null(simclr_model_class_name(model, -1));
    assert_int_equal(simclr_model_embed_batch(model, images, IMAGES, features[0][0]), SIMCLR_OK);
    if (simclr_model_predict(model, images, IMAGES, rows[0], unlike) != SIMCLR_OK)
        fail_msg("%s", simclr_error(context));
    const char *line = strchr(text, '\n');
    for (int n = 0; n < IMAGES; n++) {
        assert_non_null(line);
        check_line(line + 1, model, rows[n], unlike[n]);
        line = strchr(line + 1, '\n');
    }
    /* another handle, another batch, and features between */
    assert_int_equal(simclr_model_share(context, model, &other), SIMCLR_OK);
    assert_int_equal(simclr_model_predict(other, images, 5, again[0], NULL), SIMCLR_OK);
    assert_int_equal(simclr_model_embed_batch(other, images, IMAGES, features[1][0]), SIMCLR_OK);
    assert_int_equal(simclr_model_predict(other, images + 5, IMAGES - 5, again[5], NULL), SIMCLR_OK);
    assert_memory_equal(features[0], features[1], sizeof features[0]);
    assert_memory_equal(rows, again, sizeof rows);
    images[3] = (simclr_image){.size = sizeof *images, .bytes = "no picture", .byte_count = 10};
    assert_int_equal(simclr_model_predict(model, images, IMAGES, rows[0], unlike), SIMCLR_CORRUPT);
    assert_non_null(strstr(simclr_error(context), "image 3: "));
    assert_int_equal(simclr_model_predict(model, images, 0, rows[0], unlike), SIMCLR_INVALID);
    assert_int_equal(simclr_model_predict(model, NULL, 1, rows[0], unlike), SIMCLR_INVALID);
    assert_int_equal(simclr_model_predict(model, images, 1, NULL, unlike), SIMCLR_INVALID);
    simclr_model_close(&model);
    simclr_model_close(&other);
    simclr_close(&context);
}

static void a_model_without_classes_says_so(void **state)
{
    (void)state;
    const simclr_image image = by_path(0);
    float row[DIM];
    assert_int_equal(simclr_model_class_count(made.model), 0);
    assert_null(simclr_model_class_name(made.model, 0));
    assert_int_equal(simclr_model_predict(made.model, &image, 1, row, NULL), SIMCLR_INVALID);
    assert_non_null(strstr(simclr_error(made.context), "classifier.safetensors"));
    assert_int_equal(simclr_model_class_count(NULL), SIMCLR_INVALID);
    assert_null(simclr_model_class_name(NULL, 0));
    assert_int_equal(simclr_model_predict(NULL, &image, 1, row, NULL), SIMCLR_INVALID);
}

/* ---- no memory ---- */

static int try_share(void *context, const char *path, bool *opened, struct error *error)
{
    (void)context, (void)path;
    simclr_model *model;
    float row[2][DIM];
    const simclr_image images[2] = {by_path(0), by_pixels(1)};
    int status = simclr_model_share(made.context, made.model, &model);
    if (!status) status = simclr_model_set_batch(model, 2);
    if (!status) status = simclr_model_embed_batch(model, images, 2, row[0]);
    snprintf(error->text, sizeof error->text, "%s", simclr_error(made.context));
    simclr_model_close(&model);
    *opened = model != NULL;
    return status;
}

static int try_search(void *context, const char *path, bool *opened, struct error *error)
{
    (void)context, (void)path, (void)opened;
    int32_t index[IMAGES];
    const simclr_search search = {
        .size = sizeof search, .rows = made.expected[0], .row_count = IMAGES, .dim = DIM, .k = 1, .threads = 1};
    const int status = simclr_neighbours(made.context, &search, index, NULL);
    snprintf(error->text, sizeof error->text, "%s", simclr_error(made.context));
    return status;
}

/* There are hundreds of allocations: every `step`th fails once. Returns how many were refused. */
static int let_memory_fail(no_memory_attempt *attempt, long step)
{
    int refused = 0, status = SIMCLR_NO_MEMORY;
    for (long n = 1; status && n < 10000; n += step) {
        struct error error = {0};
        bool opened = false;
        memory_fail_after(n);
        status = attempt(NULL, "", &opened, &error);
        memory_fail_after(0);
        if (status && (status != SIMCLR_NO_MEMORY || opened || error.text[0] == '\0'))
            fail_msg("allocation %ld: status %d: %s", n, status, error.text);
        refused += status != SIMCLR_OK;
    }
    assert_int_equal(status, SIMCLR_OK);
    return refused;
}

static void no_memory_leaves_the_model_usable(void **state)
{
    (void)state;
    assert_true(let_memory_fail(try_search, 3) > 10);
    assert_true(let_memory_fail(try_share, 7) > 10);
    const simclr_image images[2] = {by_path(0), by_path(1)};
    float expected[2][DIM], rows[2][DIM];
    embed(made.model, images, 2, expected);
    for (long n = 1; n < 60; n += 3) { /* a plan that fails, and the next one */
        assert_int_equal(simclr_model_set_batch(made.model, 3), SIMCLR_OK);
        memory_fail_after(n);
        const int status = simclr_model_embed_batch(made.model, images, 2, rows[0]);
        memory_fail_after(0);
        assert_true(status == SIMCLR_OK || status == SIMCLR_NO_MEMORY);
        assert_int_equal(simclr_model_set_batch(made.model, 0), SIMCLR_OK);
        assert_int_equal(simclr_model_embed_file(made.model, made.paths[0], rows[0]), SIMCLR_OK);
        embed(made.model, images, 2, rows);
        assert_memory_equal(rows, expected, sizeof rows);
    }
}

/* ---- neighbours ---- */

static void the_nearest_rows_are_found(void **state)
{
    (void)state;
    const float rows[5][2] = {{1, 0}, {2, 0.1f}, {0, 3}, {-1, 0}, {NAN, 1}}, queries[2][2] = {{5, 0}, {0.1f, 9}};
    int32_t index[5][4];
    float similarity[5][4];
    simclr_search search = {.size = sizeof search, .rows = rows[0], .row_count = 5, .dim = 2, .k = 4, .threads = 1};
    assert_int_equal(simclr_neighbours(made.context, &search, index[0], similarity[0]), SIMCLR_OK);
    const int32_t expected[5][4] = {{1, 2, 3, -1}, {0, 2, 3, -1}, {1, 0, 3, -1}, {2, 1, 0, -1}, {-1, -1, -1, -1}};
    assert_memory_equal(index, expected, sizeof index);
    assert_true(fabs((double)similarity[0][0] - 2 / sqrt(4.01)) < 1e-6 && fabs((double)similarity[3][2] + 1) < 1e-6);
    assert_true(similarity[0][3] == 0);
    search.queries = queries[0];
    search.query_count = 2;
    search.k = 1;
    assert_int_equal(simclr_neighbours(made.context, &search, index[0], NULL), SIMCLR_OK);
    assert_true(index[0][0] == 0 && index[0][1] == 2);
    search = (simclr_search){.size = sizeof search, .rows = rows[0], .row_count = 1, .dim = 2, .k = 2, .threads = 1};
    assert_int_equal(simclr_neighbours(made.context, &search, index[0], similarity[0]), SIMCLR_OK);
    assert_true(index[0][0] == -1 && index[0][1] == -1 && similarity[0][0] == 0 && similarity[0][1] == 0);
}

static void what_is_no_search_is_refused(void **state)
{
    (void)state;
    const float rows[2][2] = {{1, 0}, {0, 1}};
    int32_t index[2];
    const simclr_search good = {.size = sizeof good, .rows = rows[0], .row_count = 2, .dim = 2, .k = 1};
    simclr_search bad[8];
    for (int i = 0; i < 8; i++) bad[i] = good;
    bad[0].size = 0;
    bad[1].rows = NULL;
    bad[2].row_count = 0;
    bad[3].dim = 0;
    bad[4].k = 0;
    bad[5].threads = -1;
    bad[6].queries = rows[0]; /* none of them */
    bad[7].size += 8;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(simclr_neighbours(made.context, &bad[i], index, NULL), SIMCLR_INVALID);
        assert_true(strlen(simclr_error(made.context)) > 20);
    }
    assert_int_equal(simclr_neighbours(made.context, NULL, index, NULL), SIMCLR_INVALID);
    assert_int_equal(simclr_neighbours(made.context, &good, NULL, NULL), SIMCLR_INVALID);
    assert_int_equal(simclr_neighbours(NULL, &good, index, NULL), SIMCLR_INVALID);
    assert_int_equal(simclr_neighbours(made.context, &good, index, NULL), SIMCLR_OK);
    assert_true(index[0] == 1 && index[1] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_those_of_the_command),   cmocka_unit_test(every_form_of_an_image_gives_the_same),
        cmocka_unit_test(a_batch_that_is_set_stays),       cmocka_unit_test(what_is_no_image_is_refused),
        cmocka_unit_test(the_first_bad_image_is_named),    cmocka_unit_test(a_request_to_stop_ends_one_call),
        cmocka_unit_test(four_threads_give_the_same_bits), cmocka_unit_test(classes_are_those_of_the_command),
        cmocka_unit_test(a_model_without_classes_says_so), cmocka_unit_test(no_memory_leaves_the_model_usable),
        cmocka_unit_test(the_nearest_rows_are_found),      cmocka_unit_test(what_is_no_search_is_refused),
    };
    return run_cases(tests, make_model, close_model);
}
