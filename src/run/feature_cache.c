/* run/feature_cache.c -- see feature_cache.h. */
#include "run/feature_cache.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/safetensors.h"
#include "data/bytes/archive_cache.h"
#include "data/contents.h"

static const char FORMAT[] = "simclr-features", BEGIN[] = "features-", END[] = ".safetensors";

/* ---- the key --------------------------------------------------------------------------------------------------- */

static int layer_of(const struct features_request *request)
{
    return request->kind == FEATURES_HEAD ? request->layer : 0;
}

/* Of the head's weights, where features come from it. */
static uint64_t head_hash(const struct features_request *request)
{
    const struct parameters *parameters = &request->model->parameters;
    uint64_t hash = 0;
    for (int i = 0; i < parameters->count && request->kind == FEATURES_HEAD; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_HEAD)
            hash = hash64(parameters_look(parameters, parameter_weights(parameters, i), item->count),
                          item->count * sizeof(float), hash);
    }
    return hash;
}

/* All that features depend on, one line each. Labels are not among it. */
static void describe(struct text *text, const struct session *session, const struct features_request *request,
                     uint64_t images)
{
    const struct view_policy *policy = request->policy;
    struct model_text model;
    model_config_to_text(&request->model->config, &model);
    text_add(text, "%s 1\nimages %016" PRIx64 "\nencoder %016" PRIx64 "\nlayer %d of %016" PRIx64 "\n", FORMAT, images,
             parameters_encoder_hash(&request->model->parameters), layer_of(request), head_hash(request));
    for (int i = 0; i < model.count; i++) text_add(text, "%s %s\n", model.entry[i].key, model.entry[i].value);
    text_add(text, "views %d %d %d\n", policy->size, (int)policy->filter, policy->normalize);
    for (int i = 0; i < 3 && policy->normalize; i++)
        text_add(text, "channel %.17g %.17g\n", policy->mean[i], policy->std[i]);
    text_add(text, "kernels %s\nviews by %s\nprecision %s\nconvolution %s\nbatch %lld\n",
             session->backend->ops->description(session->backend), simd_name(session->simd & SIMD_VIEWS),
             dtype_name(session->dtype), session->config->convolution, (long long)session->config->batch);
}

static char *make_key(const struct session *session, const struct features_request *request, uint64_t images)
{
    struct text text = {0};
    describe(&text, session, request, images);
    char *key = text.failed ? NULL : memory_allocate(DIGEST_TEXT);
    if (key) {
        struct digest digest = digest_open(DIGEST_SHA256);
        digest_add(&digest, text.bytes, text.length);
        digest_close(&digest, key);
    }
    text_free(&text);
    return key;
}

int feature_cache_open(struct feature_cache *cache, const struct session *session,
                       const struct features_request *request, struct error *error)
{
    uint64_t images;
    struct text name = {0};
    *cache = (struct feature_cache){0};
    if (!session->traits.keeps_features || !session->config->feature_cache) return SIMCLR_OK;
    char *folder = archive_cache_folder(NULL);
    if (!folder) return SIMCLR_OK;
    const int status = contents_state(request->dataset, session->pool, &images, error);
    if (!status && images) cache->key = make_key(session, request, images);
    if (cache->key) text_add(&name, "%s%s%s", BEGIN, cache->key, END);
    if (cache->key && !name.failed) cache->path = file_join(folder, name.bytes);
    text_free(&name);
    if (cache->path)
        cache->folder = folder;
    else
        memory_free(folder);
    cache->bad = dataset_bad_count(request->dataset);
    return status == SIMCLR_INTERRUPTED ? status : SIMCLR_OK; /* else it is a session without a cache */
}

void feature_cache_close(struct feature_cache *cache)
{
    memory_free(cache->folder);
    memory_free(cache->path);
    memory_free(cache->key);
    *cache = (struct feature_cache){0};
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static bool metadata_is(const struct safetensors *file, const char *key, const char *value)
{
    const char *found = safetensors_metadata(file, key);
    return found && (!value || strcmp(found, value) == 0);
}

/* Row i is name i. */
static bool names_agree(const struct safetensors_entry *entry, const struct dataset *dataset)
{
    const char *at = entry->data, *end = at + entry->bytes;
    for (int64_t i = 0; i < dataset_count(dataset); i++) {
        const char *name = dataset_short_name(dataset, i);
        const size_t length = strlen(name) + 1;
        if ((size_t)(end - at) < length || memcmp(at, name, length) != 0) return false;
        at += length;
    }
    return at == end;
}

static bool is_ours(const struct safetensors *file, const struct feature_cache *cache, const struct dataset *dataset,
                    int dim)
{
    const struct safetensors_entry *features = safetensors_find(file, "features");
    const struct safetensors_entry *names = safetensors_find(file, "names");
    return metadata_is(file, "format", FORMAT) && metadata_is(file, "key", cache->key) &&
           metadata_is(file, SAFETENSORS_CHECKSUM, NULL) && features && names && features->dtype == ST_F32 &&
           features->rank == 2 && features->dims[0] == dataset_count(dataset) && features->dims[1] == dim &&
           names->dtype == ST_U8 && names_agree(names, dataset) && safetensors_verify(file, NULL) == SIMCLR_OK;
}

bool feature_cache_load(const struct feature_cache *cache, const struct session *session,
                        const struct features_request *request, struct features *out)
{
    struct dataset *dataset = request->dataset;
    struct safetensors *file = NULL;
    struct error reason = {0};
    *out = (struct features){.count = dataset_count(dataset),
                             .dim = model_layer_dim(&request->model->config, layer_of(request))};
    if (!cache->path || !file_exists(cache->path)) return false;
    bool fine = safetensors_open(&file, cache->path, &reason) == SIMCLR_OK;
    if (fine && !is_ours(file, cache, dataset, out->dim)) {
        error_set(&reason, SIMCLR_CORRUPT, "%s: is damaged, or another file", cache->path);
        fine = false;
    }
    if (fine) {
        const struct safetensors_entry *features = safetensors_find(file, "features");
        out->values = memory_allocate(features->bytes);
        out->labels = memory_array((size_t)out->count, sizeof *out->labels);
        fine = out->values && out->labels;
        if (fine) memcpy(out->values, features->data, features->bytes);
    }
    safetensors_close(&file);
    if (!fine) {
        if (reason.status) log_info(&session->log, "the feature cache is not used: %s", reason.text);
        features_free(out);
        return false;
    }
    for (int64_t i = 0; i < out->count; i++) out->labels[i] = dataset_label(dataset, i);
    utimensat(AT_FDCWD, cache->path, NULL, 0); /* used now: the last to go */
    return true;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

struct kept_file {
    char *path;
    int64_t size;
    struct timespec used;
};

static int by_age(const void *a, const void *b)
{
    const struct timespec x = ((const struct kept_file *)a)->used, y = ((const struct kept_file *)b)->used;
    if (x.tv_sec != y.tv_sec) return x.tv_sec < y.tv_sec ? -1 : 1;
    return (x.tv_nsec > y.tv_nsec) - (x.tv_nsec < y.tv_nsec);
}

static bool is_kept_name(const char *name)
{
    const size_t length = strlen(name), begin = sizeof BEGIN - 1, end = sizeof END - 1;
    return length == begin + DIGEST_TEXT - 1 + end && memcmp(name, BEGIN, begin) == 0 &&
           strspn(name + begin, "0123456789abcdef") == DIGEST_TEXT - 1 && strcmp(name + length - end, END) == 0;
}

/* Removes what was not used for longest until `room` bytes are free of `limit`. */
static void make_room(const char *folder, int64_t room, int64_t limit)
{
    struct file_list list;
    if (file_list_folder(folder, &list, NULL)) return;
    struct kept_file *files = memory_array(list.count, sizeof *files);
    size_t count = 0;
    int64_t total = room;
    for (size_t i = 0; files && i < list.count; i++) {
        struct stat info;
        char *path = is_kept_name(list.names[i]) ? file_join(folder, list.names[i]) : NULL;
        if (path && lstat(path, &info) == 0 && S_ISREG(info.st_mode)) {
            files[count++] = (struct kept_file){path, info.st_size, info.st_mtim};
            total += info.st_size;
        } else {
            memory_free(path);
        }
    }
    if (count > 0) qsort(files, count, sizeof *files, by_age);
    for (size_t i = 0; i < count; i++) {
        if (total > limit && unlink(files[i].path) == 0) total -= files[i].size;
        memory_free(files[i].path);
    }
    memory_free(files);
    file_list_free(&list);
}

static int write_file(const struct feature_cache *cache, const struct dataset *dataset, const struct features *features,
                      struct error *error)
{
    struct text names = {0};
    int64_t *labels = memory_array((size_t)features->count, sizeof *labels);
    for (int64_t i = 0; labels && i < features->count; i++) {
        const char *name = dataset_short_name(dataset, i);
        labels[i] = features->labels[i];
        text_add_bytes(&names, name, strlen(name) + 1);
    }
    const struct safetensors_entry entries[] = {
        {.name = "features",
         .dtype = ST_F32,
         .rank = 2,
         .dims = {features->count, features->dim},
         .data = features->values,
         .bytes = (size_t)features->count * (size_t)features->dim * sizeof(float)},
        {.name = "names",
         .dtype = ST_U8,
         .rank = 1,
         .dims = {(int64_t)names.length},
         .data = names.bytes,
         .bytes = names.length},
        {.name = "labels",
         .dtype = ST_I64,
         .rank = 1,
         .dims = {features->count},
         .data = labels,
         .bytes = (size_t)features->count * sizeof *labels},
    };
    const struct safetensors_pair metadata[] = {{"format", FORMAT}, {"key", cache->key}};
    const int status = !labels || names.failed ? error_no_memory(error, "names", names.capacity)
                                               : safetensors_write(cache->path, entries, 3, metadata, 2, error);
    memory_free(labels);
    text_free(&names);
    return status;
}

void feature_cache_store(const struct feature_cache *cache, const struct session *session,
                         const struct features_request *request, const struct features *features)
{
    struct error reason = {0};
    const int64_t bytes = features->count * features->dim * (int64_t)sizeof(float);
    const int64_t limit = session->config->feature_cache_size;
    if (!cache->path) return;
    /* Others stand in for images that were found to be bad: the names of before are not those of the rows. */
    if (dataset_bad_count(request->dataset) != cache->bad || dataset_count(request->dataset) != features->count) return;
    if (bytes > limit) {
        log_info(&session->log, "the features are not kept: they take more than --feature-cache-size");
        return;
    }
    int status = file_make_folder(cache->folder, &reason);
    if (!status) {
        file_sweep(cache->folder, NULL); /* what killed commands left: no other would meet it */
        make_room(cache->folder, bytes, limit);
        status = write_file(cache, request->dataset, features, &reason);
    }
    if (status) log_info(&session->log, "the features are not kept: %s", reason.text);
}
