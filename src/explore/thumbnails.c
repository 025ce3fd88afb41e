/* explore/thumbnails.c -- the images of a collection, and small gray ones of all. */
#include "base/memory.h"
#include "explore/keeping.h"
#include "image/resize.h"

int collection_image(const struct collection *collection, int64_t row, struct image *storage, const struct image **out,
                     struct error *error)
{
    const int part = collection_part(collection, row);
    if (!collection->model)
        return error_set(error, SIMCLR_DATA,
                         "a table of features has no images: give MODEL and --data instead of --features");
    return dataset_image(collection->sets[part], row - collection->begin[part], storage, out, error);
}

/* ---- showing many ---------------------------------------------------------------------------------------------- */

struct showing {
    const struct collection *collection;
    const int64_t *rows;
    collection_visit *visit;
    void *context;
    struct image *storage; /* [threads] */
    struct error *errors;  /* [threads]: the first that each met */
    struct stop stop;
};

static void show_one(void *context, int64_t number, int thread)
{
    const struct showing *job = context;
    const struct image *image = NULL;
    struct error *error = &job->errors[thread];
    if (stop_is_asked(job->stop) || error->status) return;
    const int64_t row = job->rows ? job->rows[number] : number;
    int status = collection_image(job->collection, row, &job->storage[thread], &image, error);
    if (!status) status = job->visit(job->context, number, image, error);
    error->status = status;
}

int collection_each_image(const struct collection *collection, const int64_t *rows, int64_t count,
                          collection_visit *visit, void *context, const char *what, struct error *error)
{
    struct pool *pool = collection->session->pool;
    const size_t threads = (size_t)pool_threads(pool);
    struct showing job = {.collection = collection,
                          .rows = rows,
                          .visit = visit,
                          .context = context,
                          .storage = memory_array(threads, sizeof *job.storage),
                          .errors = memory_array(threads, sizeof *job.errors),
                          .stop = pool_stop(pool)};
    const bool ready = job.storage && job.errors;
    int status = ready ? SIMCLR_OK : error_no_memory(error, what, threads * sizeof *job.errors);
    if (ready) pool_run(pool, count, show_one, &job);
    if (ready && stop_is_asked(job.stop)) status = stop_error(error, what);
    for (size_t i = 0; ready && i < threads; i++) {
        if (!status && job.errors[i].status) status = error_set(error, job.errors[i].status, "%s", job.errors[i].text);
        image_free(&job.storage[i]);
    }
    memory_free(job.storage);
    memory_free(job.errors);
    return status;
}

/* ---- thumbnails ------------------------------------------------------------------------------------------------ */

struct thumbnails {
    uint8_t *out;
    enum simd simd;
};

static void to_gray(uint8_t *out, const struct image *image)
{
    for (int i = 0; i < THUMBNAIL_BYTES; i++) {
        const uint8_t *rgb = image->rgb + 3 * (size_t)i;
        out[i] = (uint8_t)((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000);
    }
}

int thumbnail_make(uint8_t *out, enum simd simd, const struct image *image, struct error *error)
{
    struct image small;
    if (image->width == THUMBNAIL_SIDE && image->height == THUMBNAIL_SIDE) {
        to_gray(out, image);
        return SIMCLR_OK;
    }
    const int status = image_resize(simd, image, THUMBNAIL_SIDE, THUMBNAIL_SIDE, &small, error);
    if (status) return status;
    to_gray(out, &small);
    image_free(&small);
    return SIMCLR_OK;
}

static int make_thumbnail(void *context, int64_t number, const struct image *image, struct error *error)
{
    const struct thumbnails *job = context;
    return thumbnail_make(job->out + number * THUMBNAIL_BYTES, job->simd, image, error);
}

/* Others stand in for images that were found to be bad: the names of before are not those of the rows. */
static int make_part(const struct collection *c, int part, uint8_t *out, struct error *error)
{
    const int64_t bad = dataset_bad_count(c->sets[part]), rows = c->begin[part + 1] - c->begin[part];
    struct thumbnails job = {out, c->session->simd};
    struct kept kept;
    int status = keeping_open_thumbnails(&kept, c, part, error);
    if (status || keeping_load_thumbnails(&kept, c, part, out)) {
        kept_close(&kept);
        return status;
    }
    int64_t *numbers = memory_array((size_t)rows, sizeof *numbers);
    if (!numbers) status = error_no_memory(error, "thumbnails", (size_t)rows * sizeof *numbers);
    for (int64_t i = 0; !status && i < rows; i++) numbers[i] = c->begin[part] + i;
    if (!status) status = collection_each_image(c, numbers, rows, make_thumbnail, &job, "thumbnails", error);
    if (!status && dataset_bad_count(c->sets[part]) == bad) keeping_store_thumbnails(&kept, c, part, out);
    memory_free(numbers);
    kept_close(&kept);
    return status;
}

static int make_all(const struct collection *c, uint8_t *out, struct error *error)
{
    if (!c->model) return collection_image(c, 0, NULL, NULL, error); /* its sentence */
    for (int part = 0; part < 2; part++) {
        if (!c->sets[part]) continue;
        const int status = make_part(c, part, out + c->begin[part] * THUMBNAIL_BYTES, error);
        if (status) return status;
    }
    return SIMCLR_OK;
}

int collection_thumbnails(struct collection *collection, const uint8_t **out, struct error *error)
{
    const int64_t rows = collection_count(collection);
    if (!collection->thumbnails) {
        uint8_t *made = memory_array((size_t)rows, THUMBNAIL_BYTES);
        if (!made) return error_no_memory(error, "thumbnails", (size_t)rows * THUMBNAIL_BYTES);
        const int status = make_all(collection, made, error);
        if (status) {
            memory_free(made);
            return status;
        }
        collection->thumbnails = made;
    }
    *out = collection->thumbnails;
    return SIMCLR_OK;
}
