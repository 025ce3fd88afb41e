/* command/data/data_gather.c -- counts what a data set holds: every header, and the pixels of a sample or of all. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "command/data/data_info.h"
#include "data/names/bad.h"

enum { HEAD_BYTES = 16384, STRIDE = 7919 /* a prime: the sample is spread over the classes */ };

/* What the tasks of both passes share. Sums go per thread, so that nothing is locked. */
struct gather {
    struct session *session;
    struct part_info *part;
    struct part_info *sum; /* [threads]: formats, turned, profiles, bytes */
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
    struct part_info *part = gather->part, *sum = &gather->sum[thread];
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
    sum->format[header.format]++;
    sum->turned += header.orientation > 1;
    sum->profiles += header.profile;
    sum->encoded_bytes += bytes;
    sum->pixels += (double)header.width * header.height;
}

static void decode_task(void *context, int64_t number, int thread)
{
    struct gather *gather = context;
    const struct image *image;
    if (session_is_interrupted(gather->session) || (!gather->all && clock_seconds() > gather->end)) return;
    const int64_t index = gather->all ? number : number * gather->stride % gather->part->images;
    struct error failure = {0};
    if (dataset_image(gather->part->set, index, &gather->storage[thread], &image, &failure) == SIMCLR_OK)
        atomic_fetch_add(&gather->decoded, 1);
    else if (gather->error[thread].status == SIMCLR_OK)
        gather->error[thread] = failure;
}

/* Runs a pass over all images in pieces, so that progress is shown. */
static int run_pass(struct gather *gather, const char *phase, pool_task *task, struct error *error)
{
    struct session *session = gather->session;
    pool_run(session->pool, gather->part->images, task, gather);
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

static void add_up(struct gather *gather)
{
    struct part_info *part = gather->part;
    for (int thread = 0; thread < pool_threads(gather->session->pool); thread++) {
        const struct part_info *sum = &gather->sum[thread];
        for (int i = 0; i < FORMATS; i++) part->format[i] += sum->format[i];
        part->turned += sum->turned;
        part->profiles += sum->profiles;
        part->encoded_bytes += sum->encoded_bytes;
        part->pixels += sum->pixels;
    }
    for (int i = 0; i < SIZES; i++) qsort(part->size[i], (size_t)part->images, sizeof(int32_t), ascending);
    while (part->unmeasured < part->images && part->size[0][part->unmeasured] == 0) part->unmeasured++;
    for (int64_t i = 0; i < part->images; i++) {
        const int label = dataset_label(part->set, i);
        if (label >= 0)
            part->in_class[label]++;
        else
            part->unlabelled++;
    }
}

static int measure_decoding(struct gather *gather, struct error *error)
{
    const struct config *config = gather->session->config;
    const double start = clock_seconds();
    gather->all = config->check;
    gather->stride = gather->part->images % STRIDE != 0 ? STRIDE : 1;
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
    part->images = dataset_count(part->set);
    part->in_class = memory_array((size_t)dataset_classes(part->set) + 1, sizeof *part->in_class);
    gather.sum = memory_array(threads, sizeof *gather.sum);
    gather.storage = memory_array(threads, sizeof *gather.storage);
    gather.error = memory_array(threads, sizeof *gather.error);
    bool room = part->in_class && gather.sum && gather.storage && gather.error;
    for (int i = 0; i < SIZES; i++) {
        part->size[i] = memory_array(images, sizeof(int32_t));
        room = room && part->size[i] != NULL;
    }
    int status = room ? run_pass(&gather, "reading headers", header_task, error)
                      : error_no_memory(error, "the sizes of all images", images * SIZES * sizeof(int32_t));
    if (status == SIMCLR_OK) {
        add_up(&gather);
        status = measure_decoding(&gather, error);
        part->bad = dataset_bad_count(part->set);
    }
    for (size_t i = 0; i < threads && gather.storage; i++) image_free(&gather.storage[i]);
    memory_free(gather.sum);
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
