/* run/feature_cache.c -- see feature_cache.h. */
#include "run/feature_cache.h"

#include <inttypes.h>
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "data/contents.h"

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

/* All that features depend on, one line each. Labels are not among it. The number in the first line stands for how
 * pictures are decoded: where decoders give other pixels, it is another. */
static void describe(struct text *text, const struct session *session, const struct features_request *request,
                     uint64_t images)
{
    const struct view_policy *policy = request->policy;
    struct model_text model;
    model_config_to_text(&request->model->config, &model);
    text_add(text, "simclr-features 2\nimages %016" PRIx64 "\nencoder %016" PRIx64 "\nlayer %d of %016" PRIx64 "\n",
             images, parameters_encoder_hash(&request->model->parameters), layer_of(request), head_hash(request));
    for (int i = 0; i < model.count; i++) text_add(text, "%s %s\n", model.entry[i].key, model.entry[i].value);
    text_add(text, "views %d %d %d\n", policy->size, (int)policy->filter, policy->normalize);
    for (int i = 0; i < 3 && policy->normalize; i++)
        text_add(text, "channel %.17g %.17g\n", policy->mean[i], policy->std[i]);
    text_add(text, "kernels %s\nviews by %s\nprecision %s\nconvolution %s\nbatch %lld\n",
             session->backend->ops->description(session->backend), simd_name(session->simd & SIMD_VIEWS),
             dtype_name(session->dtype), session->config->convolution, (long long)session->config->batch);
}

int feature_cache_open(struct feature_cache *cache, const struct session *session,
                       const struct features_request *request, struct error *error)
{
    uint64_t images;
    struct text text = {0};
    *cache = (struct feature_cache){0};
    if (!kept_is_possible(session)) return SIMCLR_OK;
    const int status = contents_state(request->dataset, session->pool, &images, error);
    if (!status && images) {
        describe(&text, session, request, images);
        kept_open(&cache->kept, session, KEPT_FEATURES, &text);
    }
    text_free(&text);
    cache->bad = dataset_bad_count(request->dataset);
    return status == SIMCLR_INTERRUPTED ? status : SIMCLR_OK; /* else it is a session without a cache */
}

void feature_cache_close(struct feature_cache *cache)
{
    kept_close(&cache->kept);
    *cache = (struct feature_cache){0};
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

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

static bool is_ours(const struct safetensors *file, const struct dataset *dataset, int dim)
{
    const struct safetensors_entry *features = safetensors_find(file, "features");
    const struct safetensors_entry *names = safetensors_find(file, "names");
    return features && names && features->dtype == ST_F32 && features->rank == 2 &&
           features->dims[0] == dataset_count(dataset) && features->dims[1] == dim && names->dtype == ST_U8 &&
           names_agree(names, dataset);
}

bool feature_cache_load(const struct feature_cache *cache, const struct session *session,
                        const struct features_request *request, struct features *out)
{
    struct dataset *dataset = request->dataset;
    struct safetensors *file;
    *out = (struct features){.count = dataset_count(dataset),
                             .dim = model_layer_dim(&request->model->config, layer_of(request))};
    bool fine = kept_load(&cache->kept, session, &file);
    if (fine && !is_ours(file, dataset, out->dim)) {
        kept_refuse(&cache->kept, session);
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
        features_free(out);
        return false;
    }
    for (int64_t i = 0; i < out->count; i++) out->labels[i] = dataset_label(dataset, i);
    return true;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

void feature_cache_store(const struct feature_cache *cache, const struct session *session,
                         const struct features_request *request, const struct features *features)
{
    const struct dataset *dataset = request->dataset;
    struct text names = {0};
    if (!cache->kept.path) return;
    /* Others stand in for images that were found to be bad: the names of before are not those of the rows. */
    if (dataset_bad_count(dataset) != cache->bad || dataset_count(dataset) != features->count) return;
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
    if (labels && !names.failed)
        kept_store(&cache->kept, session, entries, 3);
    else
        log_info(&session->log, "the features are not kept: there is no memory for their names");
    memory_free(labels);
    text_free(&names);
}
