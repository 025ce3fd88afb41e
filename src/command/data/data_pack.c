/* command/data/data_pack.c -- simclr data pack: a data set as tar shards of encoded images, or as one raw file, for
 * each part.
 *
 * Images are made in pieces on all threads and written in order. A shard gets its name when it is whole, so a pack that
 * was stopped goes on after the last whole shard; a raw pack goes on after its last image (data/sets/pack.h). */
#include "command/data/data_pack.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/commands.h"
#include "data/names/bad.h"
#include "data/names/class_names.h"
#include "data/write/pack_write.h"
#include "data/write/shard_write.h"
#include "run/settings.h"

enum { PER_THREAD = 16 };

/* A part of the set on its way into files. */
struct packing {
    struct session *session;
    const struct config *config;
    struct dataset *set;
    struct pack_place *place;
    const char *part; /* "train", "test" */
    struct packed *piece;
    int64_t piece_size;
    int64_t first; /* number of the piece's first image */
    int64_t done, bytes, written;
    int64_t bad; /* left out by this command and by earlier ones; those that the set left out are not among them */
    double start;
    int64_t started_at;
};

static int stopped(const struct packing *packing, struct error *error)
{
    return error_set(error, SIMCLR_INTERRUPTED, "stopped after %" PRId64 " images; the same command goes on",
                     packing->done);
}

static void make_task(void *context, int64_t i, int thread)
{
    struct packing *packing = context;
    (void)thread;
    if (session_is_interrupted(packing->session)) {
        packing->piece[i] = (struct packed){0};
        (void)stopped(packing, &packing->piece[i].error);
        return;
    }
    packed_make(&packing->piece[i], packing->set, packing->first + i, packing->config, packing->session->simd);
}

static void tell(const struct packing *packing)
{
    const struct session *session = packing->session;
    const double seconds = clock_seconds() - packing->start;
    const double rate = seconds > 0 ? (double)(packing->done - packing->started_at) / seconds : 0;
    const int64_t left = dataset_count(packing->set) - packing->done;
    struct progress progress = progress_at("pack", packing->done, dataset_count(packing->set));
    if (rate > 0) progress.eta_seconds = (double)left / rate;
    session_tell(session, &progress);
}

/* Images that the pack lacks: those that the set has left out, and those that could not be packed by this command or by
 * an earlier one. */
static int64_t left_out(const struct packing *packing)
{
    return dataset_bad_count(packing->set) + packing->bad;
}

static int judge_bad(const struct packing *packing, struct error *error)
{
    const int64_t images = dataset_count(packing->set) + dataset_bad_count(packing->set);
    if ((double)left_out(packing) <= packing->config->max_bad * (double)images * (1 + 1e-12)) return SIMCLR_OK;
    return error_set(error, SIMCLR_DATA,
                     "%.120s: %" PRId64 " images cannot be used, more than the accepted %g %%; see the log, "
                     "remove them or raise --max-bad",
                     packing->config->data, left_out(packing), 100 * packing->config->max_bad);
}

/* An image that cannot be used is named and left out; too many end the command. */
static int note_bad(struct packing *packing, const struct error *failure, struct error *error)
{
    if (!bad_is_image_fault(failure->status)) {
        if (error != NULL) *error = *failure;
        return failure->status;
    }
    log_warning(&packing->session->log, "image left out: %s", failure->text);
    packing->bad++;
    return judge_bad(packing, error);
}

/* Makes images first .. last - 1 and hands each to `write`, in order. */
static int pack_range(struct packing *packing, int64_t last,
                      int (*write)(struct packing *, int64_t, const struct packed *, void *, struct error *), void *to,
                      struct error *error)
{
    int status = SIMCLR_OK;
    while (status == SIMCLR_OK && packing->done < last) {
        const int64_t left = last - packing->done, count = left < packing->piece_size ? left : packing->piece_size;
        if (session_is_interrupted(packing->session)) return stopped(packing, error);
        packing->first = packing->done;
        pool_run(packing->session->pool, count, make_task, packing);
        for (int64_t i = 0; i < count && status == SIMCLR_OK; i++) {
            struct packed *packed = &packing->piece[i];
            if (packed->error.status != SIMCLR_OK)
                status = note_bad(packing, &packed->error, error);
            else
                packing->written++;
            if (status == SIMCLR_OK) status = write(packing, packing->first + i, packed, to, error);
        }
        for (int64_t i = 0; i < count; i++) packed_free(&packing->piece[i]);
        packing->done += count;
        tell(packing);
    }
    return status;
}

/* ---- tar shards ---- */

static int write_sample(struct packing *packing, int64_t number, const struct packed *packed, void *to,
                        struct error *error)
{
    (void)error; /* the writer remembers its failures until commit */
    if (packed->error.status != SIMCLR_OK) return SIMCLR_OK;
    shard_add_sample(to, number, packed->ending, packed->bytes, packed->count, dataset_label(packing->set, number));
    packing->bytes += (int64_t)packed->count;
    return SIMCLR_OK;
}

static int pack_shard(struct packing *packing, const char *path, int64_t shard, int64_t last, struct error *error)
{
    struct file_writer *writer = NULL;
    const int64_t before = packing->bad;
    int status = file_writer_open(&writer, path, error);
    if (status == SIMCLR_OK) status = pack_range(packing, last, write_sample, writer, error);
    if (status == SIMCLR_OK) status = pack_place_note_left(packing->place, shard, packing->bad - before, error);
    if (status == SIMCLR_OK) {
        shard_end(writer);
        status = file_writer_commit(&writer, error);
    }
    file_writer_abort(&writer);
    return status;
}

static int pack_shards(struct packing *packing, struct error *error)
{
    const int64_t count = dataset_count(packing->set), each = packing->config->shard_images;
    int64_t shards = 0, skipped = 0;
    int status = pack_place_read_left(packing->place, (count + each - 1) / each, error);
    for (; status == SIMCLR_OK && shards * each < count; shards++) {
        char path[4200];
        const int64_t last = (shards + 1) * each < count ? (shards + 1) * each : count;
        snprintf(path, sizeof path, "%.4096s/%s-%06" PRId64 ".tar", packing->config->out, packing->part, shards);
        if (file_exists(path)) {
            skipped++;
            packing->done = packing->started_at = last;
            packing->bad += packing->place->left[shards];
            status = judge_bad(packing, error);
            continue;
        }
        status = pack_shard(packing, path, shards, last, error);
    }
    if (status == SIMCLR_OK)
        session_print(packing->session,
                      "%s/%s-*.tar: %" PRId64 " shard%s (%" PRId64 " of them were there), %" PRId64
                      " images written, %.1f MiB, %" PRId64 " left out\n",
                      packing->config->out, packing->part, shards, shards == 1 ? "" : "s", skipped, packing->written,
                      (double)packing->bytes / 1048576, left_out(packing));
    return status;
}

/* Shards have class numbers; their names stand beside them, where they are found when the shards are opened. */
static int write_class_names(const struct packing *packing, struct error *error)
{
    struct text text = {0};
    char *path = file_join(packing->config->out, CLASS_NAMES_FILE);
    const int classes = dataset_classes(packing->set);
    bool marked = false;
    for (int i = 0; i < classes; i++) marked |= lines_need_mark(dataset_class_name(packing->set, i));
    if (marked) text_add(&text, "%s\n", LINES_MARK);
    for (int i = 0; i < classes; i++) lines_add(&text, dataset_class_name(packing->set, i), marked);
    int status = SIMCLR_OK;
    if (path == NULL || text.failed)
        status = error_no_memory(error, "the names of the classes", text.length);
    else if (text.length > 0)
        status = file_write_atomic(path, text.bytes, text.length, error);
    text_free(&text);
    memory_free(path);
    return status;
}

/* ---- raw ---- */

static int write_pixels(struct packing *packing, int64_t number, const struct packed *packed, void *to,
                        struct error *error)
{
    const bool good = packed->error.status == SIMCLR_OK;
    if (good) packing->bytes += 3 * (int64_t)packed->image.width * packed->image.height;
    return pack_writer_add(to, number, good ? &packed->image : NULL, dataset_label(packing->set, number), error);
}

static int commit_raw(struct packing *packing, struct pack_writer **writer, int64_t *images, struct error *error)
{
    const int classes = dataset_classes(packing->set);
    const char **names = memory_array((size_t)classes + 1, sizeof *names);
    if (names == NULL) return error_no_memory(error, "the names of the classes", (size_t)classes * sizeof *names);
    for (int i = 0; i < classes; i++) names[i] = dataset_class_name(packing->set, i);
    const int status = pack_writer_commit(writer, names, classes, images, error);
    memory_free(names);
    return status;
}

static int pack_raw(struct packing *packing, struct error *error)
{
    const int64_t count = dataset_count(packing->set);
    struct pack_writer *writer = NULL;
    char path[4200];
    int64_t images = 0, flushed = 0;
    snprintf(path, sizeof path, "%.4096s/%s.pack", packing->config->out, packing->part);
    if (file_exists(path)) {
        session_print(packing->session, "%s: is whole already\n", path);
        return SIMCLR_OK;
    }
    int status = pack_writer_open(&writer, path, &packing->done, &packing->bad, error);
    packing->started_at = flushed = packing->done;
    if (status == SIMCLR_OK) status = judge_bad(packing, error);
    if (status == SIMCLR_OK && packing->done > 0)
        log_info(&packing->session->log, "%s: going on after %" PRId64 " images", path, packing->done);
    while (status == SIMCLR_OK && packing->done < count) { /* what a crash may cost: this many images */
        const int64_t next = flushed + packing->config->shard_images;
        status = pack_range(packing, next < count ? next : count, write_pixels, writer, error);
        const int kept = pack_writer_flush(writer, status == SIMCLR_OK ? error : NULL);
        if (status == SIMCLR_OK) status = kept;
        flushed = packing->done;
    }
    if (status == SIMCLR_OK) status = commit_raw(packing, &writer, &images, error);
    pack_writer_close(&writer);
    if (status == SIMCLR_OK)
        session_print(packing->session,
                      "%s: %" PRId64 " images (%" PRId64 " written now), %.1f MiB, %" PRId64 " left out\n", path,
                      images, packing->written, (double)file_size(path) / 1048576, left_out(packing));
    return status;
}

static int pack_part(struct session *session, struct dataset *set, struct pack_place *place, struct error *error)
{
    struct packing packing = {.session = session,
                              .config = session->config,
                              .set = set,
                              .place = place,
                              .part = place->part,
                              .start = clock_seconds()};
    const bool raw = strcmp(session->config->format, "raw") == 0;
    packing.piece_size = (int64_t)PER_THREAD * pool_threads(session->pool);
    packing.piece = memory_array((size_t)packing.piece_size, sizeof *packing.piece);
    int status = packing.piece != NULL ? SIMCLR_OK : error_no_memory(error, "a piece of a pack", 1);
    if (status == SIMCLR_OK && !raw) status = write_class_names(&packing, error);
    if (status == SIMCLR_OK) status = raw ? pack_raw(&packing, error) : pack_shards(&packing, error);
    memory_free(packing.piece);
    return status;
}

/* classes.txt of something else would be replaced by ours, and its shards be called by our names. */
static int check_class_names(const struct pack_place places[2], struct error *error)
{
    const struct config *config = places[0].config;
    if (places[0].noted || places[1].noted || config->overwrite || strcmp(config->format, "tar") != 0) return SIMCLR_OK;
    enum file_kind found;
    const int status = file_find(config->out, CLASS_NAMES_FILE, &found, error);
    if (status || found != FILE_OTHER) return status;
    return error_set(error, SIMCLR_INVALID,
                     "%s: holds a %s, which no pack here has begun; use another --out, or --overwrite to replace it",
                     config->out, CLASS_NAMES_FILE);
}

int command_data_pack(struct session *session, struct error *error)
{
    const struct config *config = session->config;
    struct dataset *train = NULL, *test = NULL;
    struct pack_place places[2] = {{0}};
    int64_t comparable;
    int lock = -1;
    int status = file_make_folder(config->out, error);
    if (status == SIMCLR_OK) status = file_lock_folder(config->out, &lock, error);
    if (status == SIMCLR_OK) status = session_open_dataset(session, config->data, DATASET_TRAIN, &train, error);
    /* Both parts have the same class numbers: those of classes.txt. */
    if (status == SIMCLR_OK) status = session_open_test(session, &test, error);
    if (status == SIMCLR_OK) session_tell_parts(session, train, test);
    if (status == SIMCLR_OK && test) status = dataset_match_classes(train, test, &comparable, &session->log, error);
    if (status == SIMCLR_OK) status = pack_place_look(&places[0], config, "train", train, error);
    if (status == SIMCLR_OK) status = pack_place_look(&places[1], config, "test", test, error);
    if (status == SIMCLR_OK) status = check_class_names(places, error);
    for (int i = 0; i < 2 && status == SIMCLR_OK; i++) status = pack_place_take(&places[i], error);
    if (status == SIMCLR_OK) status = pack_part(session, train, &places[0], error);
    if (status == SIMCLR_OK && test) status = pack_part(session, test, &places[1], error);
    for (int i = 0; i < 2; i++) pack_place_free(&places[i]);
    dataset_close(&train);
    dataset_close(&test);
    if (lock >= 0) file_unlock(&lock);
    return status;
}
