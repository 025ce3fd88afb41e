/* command/predict/images.c -- see images.h. */
#include "command/predict/images.h"

#include <string.h>

#include "base/memory.h"

int images_open(struct images *images, const struct session *session, struct predictor *predictor,
                const struct classifier *classifier, struct writer *writer, int batch, struct error *error)
{
    const size_t rows = (size_t)batch, bytes = predictor_view_bytes(predictor);
    const int places = writer->places;
    *images = (struct images){
        .session = session, .predictor = predictor, .writer = writer, .batch = batch, .rows = {.places = places}};
    images->makers = memory_array((size_t)pool_threads(session->pool), sizeof *images->makers);
    images->views = memory_array(rows, bytes);
    images->failures = memory_array(rows, sizeof *images->failures);
    images->seen = memory_array(rows, sizeof *images->seen);
    images->names = memory_array(rows, sizeof *images->names);
    images->rows.top = memory_array(rows * (size_t)places, sizeof *images->rows.top);
    images->rows.probabilities = memory_array(rows * (size_t)classifier->classes, sizeof(float));
    images->rows.similarity = memory_array(rows, sizeof(float));
    if (images->makers && images->views && images->failures && images->seen && images->names && images->rows.top &&
        images->rows.probabilities && images->rows.similarity)
        return SIMCLR_OK;
    return error_no_memory(error, "a batch of images (choose a smaller batch)", rows * bytes);
}

void images_close(struct images *images)
{
    for (int i = 0; images->makers && i < pool_threads(images->session->pool); i++) {
        image_free(&images->makers[i].storage);
        memory_free(images->makers[i].scratch);
    }
    memory_free(images->makers);
    memory_free(images->views);
    memory_free(images->failures);
    memory_free(images->seen);
    memory_free(images->names);
    memory_free(images->rows.top);
    memory_free(images->rows.probabilities);
    memory_free(images->rows.similarity);
    *images = (struct images){0};
}

/* ---- views ------------------------------------------------------------------------------------------------------ */

static int suit_image(struct maker *maker, const struct view_policy *policy, const struct image *image,
                      struct error *error)
{
    if (maker->scratch && image->width <= maker->width && image->height <= maker->height) return SIMCLR_OK;
    const int width = image->width > maker->width ? image->width : maker->width;
    const int height = image->height > maker->height ? image->height : maker->height;
    const size_t bytes = view_scratch_bytes(policy, width, height);
    memory_free(maker->scratch);
    *maker = (struct maker){.storage = maker->storage};
    maker->scratch = memory_allocate_working(bytes);
    if (!maker->scratch) return error_no_memory(error, "scratch for views", bytes);
    view_scratch_prepare(policy, width, height, maker->scratch);
    maker->width = width;
    maker->height = height;
    return SIMCLR_OK;
}

static void make_view(void *context, int64_t index, int thread)
{
    struct images *images = context;
    struct maker *maker = &images->makers[thread];
    struct error *failure = &images->failures[index];
    const struct view_policy *policy = predictor_policy(images->predictor);
    struct seen *seen = &images->seen[index];
    seen->brightest = -1;
    failure->status = listing_read(images->listing, images->begin + index, &maker->storage, &seen->header, failure);
    if (!failure->status && seen->header.depth > 8) seen->brightest = tally_brightest(&maker->storage);
    if (!failure->status) failure->status = suit_image(maker, policy, &maker->storage, failure);
    if (failure->status) return;
    view_render_evaluation(policy, &maker->storage,
                           images->views + (size_t)index * predictor_view_bytes(images->predictor), maker->scratch);
}

/* Moves the good images' views together. How many there are, or a failure that is no image's. */
static int close_ranks(struct images *images, int count, int *good, struct error *error)
{
    const size_t bytes = predictor_view_bytes(images->predictor);
    *good = 0;
    for (int i = 0; i < count; i++) {
        const struct error *failure = &images->failures[i];
        if (failure->status && !listing_is_image_fault(failure->status))
            return error_set(error, failure->status, "%s", failure->text);
        if (failure->status) continue;
        if (*good < i) memmove(images->views + (size_t)*good * bytes, images->views + (size_t)i * bytes, bytes);
        images->names[*good] = listing_name(images->listing, images->begin + i);
        *good += 1;
    }
    return SIMCLR_OK;
}

/* ---- lines ------------------------------------------------------------------------------------------------------ */

static struct classified row_of(const struct images *images, int row)
{
    const struct classified *all = &images->rows;
    return (struct classified){.places = all->places,
                               .top = all->top + (int64_t)row * all->places,
                               .probabilities = all->probabilities + (int64_t)row * images->writer->classifier->classes,
                               .similarity = all->similarity + row};
}

static void refuse(struct images *images, const char *name, const struct error *failure)
{
    log_warning(&images->session->log, "%s", failure->text);
    writer_add(images->writer, name, NULL, failure->text);
    images->count += 1;
    images->bad += 1;
}

static int write_lines(struct images *images, int count, struct error *error)
{
    for (int i = 0, row = 0; i < count; i++) {
        const char *name = listing_name(images->listing, images->begin + i);
        tally_add(images->tally, &images->seen[i].header, images->seen[i].brightest);
        if (images->failures[i].status) {
            refuse(images, name, &images->failures[i]);
            continue;
        }
        const struct classified said = row_of(images, row++);
        writer_add(images->writer, name, &said, NULL);
        images->count += 1;
    }
    return writer_flush(images->writer, error);
}

static int judge_batch(struct images *images, int count, struct error *error)
{
    int good;
    if (session_is_interrupted(images->session))
        return error_set(error, SIMCLR_INTERRUPTED, "predict: stopped by request after %lld images",
                         (long long)images->count);
    pool_run(images->session->pool, count, make_view, images);
    int status = close_ranks(images, count, &good, error);
    if (!status && good > 0)
        status = predictor_run(images->predictor, images->views, good, images->names, &images->rows, error);
    return status ? status : write_lines(images, count, error);
}

int images_judge(struct images *images, const struct listing *listing, struct tally *tally, struct error *error)
{
    const int64_t all = listing_count(listing);
    int status = SIMCLR_OK;
    images->listing = listing;
    images->tally = tally;
    for (images->begin = 0; !status && images->begin < all; images->begin += images->batch) {
        const int64_t left = all - images->begin;
        status = judge_batch(images, (int)(left < images->batch ? left : images->batch), error);
    }
    images->listing = NULL;
    images->tally = NULL;
    return status;
}
