/* command/data/data_gather.c -- counts what a data set holds: every header, and the pixels of a sample or of all. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "command/data/data_info.h"
#include "data/names/bad.h"

enum { HEAD_BYTES = 16384, STRIDE = 7919 /* a prime: the sample is spread over the classes */ };

/* Of a header. Whether the image is good is known only when it was decoded. */
struct facts {
    int64_t bytes;
    bool turned, profile;
    uint8_t format;
};

/* What the tasks of both passes share. Each image has a place, so that nothing is locked. */
struct gather {
    struct session *session;
    struct part_info *part;
    struct facts *facts; /* [all]: of the images of the set when it was opened */
    int64_t all_images;
    struct image *storage; /* [threads] */
    struct error *error;   /* [threads] */
    double end;            /* of the decoding, when it is a sample */
    bool all;
    int64_t stride; /* of the sample; has no factor in common with the number of images */
    atomic_llong decoded;
};

static int read_header(struct gather *gather, int64_t index, struct image_header *header, int64_t *bytes,
                       struct error *error)
{
    uint8_t *head = NULL;
    size_t count = 0;
    int status = dataset_encoded(gather->part->set, index, HEAD_BYTES, &head, &count, bytes, error);
    if (status != SIMCLR_OK) {
        *bytes = -1; /* the pixels were never encoded, or the file cannot be had */
        return status;
    }
    const char *name = dataset_name(gather->part->set, index);
    status = image_read_header(head, count, name, header, error);
    memory_free(head);
    if (status == SIMCLR_OK || (int64_t)count == *bytes) return status;
    status = dataset_encoded(gather->part->set, index, SIZE_MAX, &head, &count, bytes, error);
    if (status == SIMCLR_OK) status = image_read_header(head, count, name, header, error);
    memory_free(head);
    return status;
}

/* Pixels that were never encoded have only a size. */
static int read_size(struct gather *gather, int64_t index, int thread, struct image_header *header, struct error *error)
{
    const struct image *image;
    const int status = dataset_image(gather->part->set, index, &gather->storage[thread], &image, error);
    *header = (struct image_header){.format = IMAGE_OTHER, .orientation = 1};
    if (status == SIMCLR_OK) {
        header->width = image->width;
        header->height = image->height;
    }
    return status;
}

static void header_task(void *context, int64_t index, int thread)
{
    struct gather *gather = context;
    struct part_info *part = gather->part;
    struct image_header header;
    struct error failure = {0};
    int64_t bytes = 0;
    if (session_is_interrupted(gather->session)) return;
    int status = read_header(gather, index, &header, &bytes, &failure);
    if (status == SIMCLR_UNSUPPORTED && bytes < 0) {
        bytes = 0;
        status = read_size(gather, index, thread, &header, &failure);
    } else if (bad_is_image_fault(status)) { /* of a large set, not every header was looked at when it was opened */
        if (read_size(gather, index, thread, &header, &failure) == SIMCLR_OK) {
            status = read_header(gather, index, &header, &bytes, &failure); /* it was the reading that failed */
            if (bad_is_image_fault(status)) return;                         /* noted, another stood in */
        }
    }
    if (status != SIMCLR_OK) {
        if (gather->error[thread].status == SIMCLR_OK) gather->error[thread] = failure;
        return;
    }
    part->size[0][index] = header.width;
    part->size[1][index] = header.height;
    part->size[2][index] = header.width < header.height ? header.width : header.height;
    gather->facts[index] = (struct facts){bytes, header.orientation > 1, header.profile, (uint8_t)header.format};
}

static void decode_task(void *context, int64_t number, int thread)
{
    struct gather *gather = context;
    const struct image *image;
    if (session_is_interrupted(gather->session) || (!gather->all && clock_seconds() > gather->end)) return;
    const int64_t index = gather->all ? number : number * gather->stride % gather->all_images;
    struct error failure = {0};
    if (dataset_image(gather->part->set, index, &gather->storage[thread], &image, &failure) == SIMCLR_OK)
        atomic_fetch_add(&gather->decoded, !dataset_is_replaced(gather->part->set, index));
    else if (gather->error[thread].status == SIMCLR_OK)
        gather->error[thread] = failure;
}

/* Runs a pass over all images in pieces, so that progress is shown. */
static int run_pass(struct gather *gather, const char *phase, pool_task *task, struct error *error)
{
    struct session *session = gather->session;
    pool_run(session->pool, gather->all_images, task, gather);
    if (session_is_interrupted(session)) return error_set(error, SIMCLR_INTERRUPTED, "stopped while %s", phase);
    for (int thread = 0; thread < pool_threads(session->pool); thread++)
        if (gather->error[thread].status != SIMCLR_OK) {
            if (error != NULL) *error = gather->error[thread];
            return gather->error[thread].status;
        }
    return SIMCLR_OK;
}

static int ascending(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Images that were found to be bad, by their headers or their pixels, count among the bad ones alone. */
static void add_up(struct gather *gather)
{
    struct part_info *part = gather->part;
    for (int64_t i = 0; i < gather->all_images; i++) {
        const struct facts *facts = &gather->facts[i];
        const int label = dataset_own_label(part->set, i);
        if (dataset_is_replaced(part->set, i)) continue;
        for (int k = 0; k < SIZES; k++) part->size[k][part->images] = part->size[k][i];
        part->pixels += (double)part->size[0][i] * part->size[1][i];
        part->format[facts->format]++;
        part->turned += facts->turned;
        part->profiles += facts->profile;
        part->encoded_bytes += facts->bytes;
        if (label >= 0)
            part->in_class[label]++;
        else
            part->unlabelled++;
        part->images++;
    }
    for (int k = 0; k < SIZES; k++) qsort(part->size[k], (size_t)part->images, sizeof(int32_t), ascending);
    part->bad = dataset_bad_count(part->set);
}

static int measure_decoding(struct gather *gather, struct error *error)
{
    const struct config *config = gather->session->config;
    const double start = clock_seconds();
    gather->all = config->check;
    gather->stride = gather->all_images % STRIDE != 0 ? STRIDE : 1;
    gather->end = start + config->seconds;
    if (!config->check && !(config->seconds > 0)) return SIMCLR_OK;
    const int status = run_pass(gather, "decoding", decode_task, error);
    const double seconds = clock_seconds() - start;
    gather->part->decoded = atomic_load(&gather->decoded);
    gather->part->decoded_per_second = seconds > 0 ? (double)gather->part->decoded / seconds : 0;
    return status;
}

int part_gather(struct session *session, struct part_info *part, struct error *error)
{
    const size_t threads = (size_t)pool_threads(session->pool), images = (size_t)dataset_count(part->set);
    struct gather gather = {.session = session, .part = part};
    gather.all_images = (int64_t)images;
    part->in_class = memory_array((size_t)dataset_classes(part->set) + 1, sizeof *part->in_class);
    gather.facts = memory_array(images, sizeof *gather.facts);
    gather.storage = memory_array(threads, sizeof *gather.storage);
    gather.error = memory_array(threads, sizeof *gather.error);
    bool room = part->in_class && gather.facts && gather.storage && gather.error;
    for (int i = 0; i < SIZES; i++) {
        part->size[i] = memory_array(images, sizeof(int32_t));
        room = room && part->size[i] != NULL;
    }
    int status = room ? run_pass(&gather, "reading headers", header_task, error)
                      : error_no_memory(error, "the sizes of all images", images * SIZES * sizeof(int32_t));
    if (status == SIMCLR_OK) status = measure_decoding(&gather, error);
    if (status == SIMCLR_OK) add_up(&gather);
    for (size_t i = 0; i < threads && gather.storage; i++) image_free(&gather.storage[i]);
    memory_free(gather.facts);
    memory_free(gather.storage);
    memory_free(gather.error);
    return status;
}

void part_free(struct part_info *part)
{
    for (int i = 0; i < SIZES; i++) memory_free(part->size[i]);
    memory_free(part->in_class);
    *part = (struct part_info){0};
}
