/* api/pictures.c -- a caller's images, whatever they are given as, become views on the model's threads. */
#include <stdio.h>
#include <string.h>

#include "api/model.h"
#include "augment/views.h"
#include "base/memory.h"
#include "base/pool.h"
#include "image/image.h"

/* simclr_image as it was first published; what is added later stands behind it, and is 0 for older callers. */
enum { FIRST_SIZE = offsetof(simclr_image, byte_count) + sizeof(size_t) };

struct maker {
    const struct view_policy *policy; /* that the scratch is for */
    void *scratch;                    /* of the evaluation view; grows with the images */
    int width, height;
    struct image_store storage; /* of pictures that are decoded, or whose rows lie apart */
    int64_t failed;             /* the first image of its own that has an error; -1: none */
    struct error error;
};

int makers_open(simclr_model *model, struct error *error)
{
    const size_t threads = (size_t)pool_threads(model->session->pool);
    model->makers = memory_array(threads, sizeof *model->makers);
    return model->makers ? SIMCLR_OK : error_no_memory(error, "makers of views", threads * sizeof *model->makers);
}

void makers_close(simclr_model *model)
{
    for (int i = 0; model->makers && i < pool_threads(model->session->pool); i++) {
        memory_free(model->makers[i].scratch);
        image_store_free(&model->makers[i].storage);
    }
    memory_free(model->makers);
}

/* ---- what a caller gives ------------------------------------------------------------------------------------- */

/* Elements lie as far apart as the caller's version of the struct is large. */
static simclr_image image_at(const struct pictures *pictures, int64_t index)
{
    simclr_image image = {0};
    const size_t size = pictures->images->size;
    memcpy(&image, (const char *)pictures->images + (size_t)index * size, size < sizeof image ? size : sizeof image);
    return image;
}

const char *pictures_name(const struct pictures *pictures, int64_t index, char made[PICTURE_NAME])
{
    const simclr_image image = image_at(pictures, index);
    if (pictures->only) return pictures->only;
    if (image.path) return image.path;
    snprintf(made, PICTURE_NAME, "image %lld", (long long)index);
    return made;
}

static int check_pixels(const simclr_image *image, const char *name, struct error *error)
{
    const int64_t limit = image_limits_default().max_pixels;
    if (image->width < 1 || image->height < 1 || (int64_t)image->width * image->height > limit)
        return error_set(error, SIMCLR_INVALID,
                         "%s: an image of %d x %d pixels cannot be embedded; 1 to %lld pixels can", name, image->width,
                         image->height, (long long)limit);
    if (image->stride != 0 && image->stride / 3 < image->width)
        return error_set(
            error, SIMCLR_INVALID,
            "%s: %lld bytes from a row to the next are too few for %d pixels: give 3 * width or more, or 0", name,
            (long long)image->stride, image->width);
    return SIMCLR_OK;
}

static int check_image(const struct pictures *pictures, int64_t index, struct error *error)
{
    char made[PICTURE_NAME];
    const char *name = pictures_name(pictures, index, made);
    const simclr_image image = image_at(pictures, index);
    if (image.size != pictures->images->size)
        return error_set(error, SIMCLR_INVALID, "%s: its size is %zu and that of the first image %zu", name, image.size,
                         pictures->images->size);
    if ((image.rgb != NULL) + (image.path != NULL) + (image.bytes != NULL) != 1)
        return error_set(error, SIMCLR_INVALID, "%s: give one of rgb, path and bytes, and leave the others NULL", name);
    return image.rgb ? check_pixels(&image, name, error) : SIMCLR_OK;
}

int pictures_check(const struct pictures *pictures, int64_t count, struct error *error)
{
    const size_t size = pictures->images->size;
    if (size < FIRST_SIZE || size > sizeof(simclr_image))
        return error_set(error, SIMCLR_INVALID,
                         "simclr_image.size is %zu where this library has %zu: set it to sizeof(simclr_image), and "
                         "compile with a header that is not newer than the library",
                         size, sizeof(simclr_image));
    for (int64_t i = 0; i < count; i++) {
        const int status = check_image(pictures, i, error);
        if (status) return status;
    }
    return SIMCLR_OK;
}

/* ---- pixels ---------------------------------------------------------------------------------------------------- */

static int copy_rows(const simclr_image *image, struct image_store *storage, struct error *error)
{
    const size_t row = (size_t)image->width * 3, bytes = row * (size_t)image->height;
    if (storage->bytes < bytes) {
        image_store_free(storage);
        const int status = image_create(image->width, image->height, &storage->image, error);
        if (status) return status;
        storage->bytes = bytes;
    }
    storage->image.width = image->width;
    storage->image.height = image->height;
    for (int y = 0; y < image->height; y++)
        memcpy(storage->image.rgb + (size_t)y * row, image->rgb + y * image->stride, row);
    return SIMCLR_OK;
}

static int decode(const simclr_image *image, const char *name, struct image_store *storage, struct error *error)
{
    const struct image_limits limits = image_limits_default();
    struct image decoded;
    const int status = image->path ? image_load(image->path, &limits, &decoded, error)
                                   : image_decode(image->bytes, image->byte_count, &limits, name, &decoded, error);
    if (status) return status;
    image_store_free(storage);
    *storage = (struct image_store){decoded, (size_t)decoded.width * (size_t)decoded.height * 3};
    return SIMCLR_OK;
}

/* out: borrowed from the caller, or the storage's. */
static int take_pixels(const simclr_image *image, const char *name, struct image_store *storage, struct image *out,
                       struct error *error)
{
    int status = SIMCLR_OK;
    if (image->rgb && (image->stride == 0 || image->stride == 3 * (ptrdiff_t)image->width)) {
        *out = (struct image){image->width, image->height, (uint8_t *)image->rgb}; /* only read */
        return SIMCLR_OK;
    }
    status = image->rgb ? copy_rows(image, storage, error) : decode(image, name, storage, error);
    *out = storage->image;
    return status;
}

/* ---- views ----------------------------------------------------------------------------------------------------- */

static int suit(struct maker *maker, const struct view_policy *policy, const struct image *image, struct error *error)
{
    const bool same = maker->scratch && maker->policy == policy;
    if (same && image->width <= maker->width && image->height <= maker->height) return SIMCLR_OK;
    const int width = image->width > maker->width ? image->width : maker->width;
    const int height = image->height > maker->height ? image->height : maker->height;
    const size_t bytes = view_scratch_bytes(policy, width, height);
    memory_free(maker->scratch);
    maker->width = maker->height = 0;
    maker->scratch = memory_allocate(bytes);
    if (!maker->scratch) return error_no_memory(error, "scratch for an image", bytes);
    view_scratch_prepare(policy, width, height, maker->scratch);
    maker->width = width;
    maker->height = height;
    maker->policy = policy;
    return SIMCLR_OK;
}

static size_t bytes_of(const struct view_policy *policy)
{
    return 3 * (size_t)policy->size * (size_t)policy->size * view_type_bytes(policy->type);
}

int pictures_reserve(simclr_model *model, const struct view_policy *policy, int batch, struct error *error)
{
    const size_t bytes = (size_t)batch * bytes_of(policy);
    if (bytes <= model->views_bytes) return SIMCLR_OK;
    unsigned char *views = memory_allocate(bytes);
    if (!views) return error_no_memory(error, "views", bytes);
    memory_free(model->views);
    model->views = views;
    model->views_bytes = bytes;
    return SIMCLR_OK;
}

struct making {
    simclr_model *model;
    const struct view_policy *policy;
    const struct pictures *pictures;
    int64_t first;
};

static void make_view(void *context, int64_t index, int thread)
{
    const struct making *making = context;
    simclr_model *model = making->model;
    struct maker *maker = &model->makers[thread];
    const struct view_policy *policy = making->policy;
    const int64_t number = making->first + index;
    if (session_is_interrupted(model->session)) return;
    char made[PICTURE_NAME];
    const char *name = pictures_name(making->pictures, number, made);
    const simclr_image image = image_at(making->pictures, number);
    struct image pixels;
    struct error error;
    int status = take_pixels(&image, name, &maker->storage, &pixels, &error);
    if (!status) status = suit(maker, policy, &pixels, &error);
    if (!status) {
        view_render_evaluation(policy, &pixels, model->views + (size_t)index * bytes_of(policy), maker->scratch);
    } else if (maker->failed < 0 || number < maker->failed) {
        maker->failed = number;
        maker->error = error;
    }
}

int pictures_make(simclr_model *model, const struct view_policy *policy, const struct pictures *pictures, int64_t first,
                  int count, struct error *error)
{
    const int threads = pool_threads(model->session->pool);
    const struct maker *bad = NULL;
    for (int i = 0; i < threads; i++) model->makers[i].failed = -1;
    pool_run(model->session->pool, count, make_view,
             &(struct making){.model = model, .policy = policy, .pictures = pictures, .first = first});
    for (int i = 0; i < threads; i++) {
        const struct maker *maker = &model->makers[i];
        if (maker->failed >= 0 && (!bad || maker->failed < bad->failed)) bad = maker;
    }
    if (session_is_interrupted(model->session)) return stop_error(error, "embedding");
    if (!bad) return SIMCLR_OK;
    *error = bad->error;
    return error->status;
}
