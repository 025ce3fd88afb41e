/* explore/collection.c -- see collection.h. */
#include "explore/collection.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "run/model_open.h"
#include "run/parts.h"
#include "run/settings.h"

/* ---- tables ---------------------------------------------------------------------------------------------------- */

static int open_tables(struct collection *c, struct error *error)
{
    const struct config *config = c->session->config;
    const char *paths[2] = {config->features, config->test_features};
    int64_t comparable;
    for (int part = 0; part < 2 && paths[part][0]; part++) {
        struct feature_table *table = &c->tables[part];
        const int status = parts_open_table(c->session, paths[part], table, error);
        if (status) return status;
        log_info(&c->session->log, "features: %s: %" PRId64 " rows of %d", paths[part], table->catalog.count,
                 table->dim);
    }
    c->dim = c->tables[0].dim;
    return c->tables[1].values ? parts_match_tables(c->session, c->tables, &comparable, error) : SIMCLR_OK;
}

static int64_t rows_of(const struct collection *c, int part)
{
    if (!c->model) return c->tables[part].catalog.count;
    return c->sets[part] ? dataset_count(c->sets[part]) : 0;
}

/* ---- images ---------------------------------------------------------------------------------------------------- */

static int open_images(struct collection *c, struct error *error)
{
    struct session *session = c->session;
    int64_t comparable;
    int status = model_open(session, session->config->checkpoint, &c->model, &c->policy, error);
    if (status) return status;
    status = feature_rows_check_layer(&c->model->config, (int)session->config->layer, error);
    if (status) return status;
    c->dim = model_layer_dim(&c->model->config, (int)session->config->layer);
    status = parts_open(session, c->sets, error);
    if (status || !c->sets[DATASET_TRAIN] || !c->sets[DATASET_TEST]) return status;
    return dataset_match_classes(c->sets[DATASET_TRAIN], c->sets[DATASET_TEST], &comparable, &session->log, error);
}

/* The next `count` rows. One part's where there are no others are kept as they come: of a million rows there is no
 * second copy. most: rows that there may be in all. */
static int take(struct collection *c, int part, int64_t count, int64_t most, float **values, const int32_t *labels,
                struct error *error)
{
    const int64_t begin = c->begin[part];
    c->begin[part + 1] = begin + count;
    if (!*values) return SIMCLR_OK; /* no rows */
    if (labels) memcpy(c->labels + begin, labels, (size_t)count * sizeof *labels);
    if (rows_of(c, 1 - part) == 0) {
        c->values = *values;
        *values = NULL;
        return SIMCLR_OK;
    }
    if (!c->values) c->values = memory_array((size_t)most * (size_t)c->dim, sizeof *c->values);
    if (!c->values) return error_no_memory(error, "features", (size_t)most * (size_t)c->dim * sizeof *c->values);
    memcpy(c->values + begin * c->dim, *values, (size_t)count * (size_t)c->dim * sizeof **values);
    memory_free(*values);
    *values = NULL;
    return SIMCLR_OK;
}

static int extract(struct collection *c, int part, int64_t most, bool *cached, struct error *error)
{
    const int layer = (int)c->session->config->layer;
    const struct features_request request = {.kind = features_of_layer(layer),
                                             .layer = layer,
                                             .model = c->model,
                                             .policy = &c->policy,
                                             .dataset = c->sets[part]};
    const int64_t rows = rows_of(c, part);
    struct features features;
    bool from_cache;
    int status = features_extract_cached(c->session, &request, &features, &from_cache, error);
    if (!status && features.count != dataset_count(c->sets[part]))
        status = error_set(error, SIMCLR_DATA, "the data set changed while it was read");
    if (!status) status = features_leave_out_bad(c->session, c->sets[part], &features, error);
    if (!status) c->left_out += rows - features.count;
    if (!status && from_cache && !*cached) parts_tell_cached(c->session);
    *cached |= !status && from_cache;
    if (!status) status = take(c, part, features.count, most, &features.values, features.labels, error);
    features_free(&features);
    return status;
}

static int fill(struct collection *c, struct error *error)
{
    const int64_t most = rows_of(c, 0) + rows_of(c, 1);
    bool cached = false;
    c->labels = memory_array((size_t)most, sizeof *c->labels);
    if (!c->labels) return error_no_memory(error, "labels", (size_t)most * sizeof *c->labels);
    for (int part = 0; part < 2; part++) {
        struct feature_table *table = &c->tables[part];
        c->begin[part + 1] = c->begin[part];
        if (rows_of(c, part) == 0) continue;
        const int status = c->model
                               ? extract(c, part, most, &cached, error)
                               : take(c, part, table->catalog.count, most, &table->values, table->catalog.label, error);
        if (status) return status;
    }
    return SIMCLR_OK;
}

int collection_open(struct collection *out, struct session *session, struct error *error)
{
    *out = (struct collection){
        .session = session, .exact_rows = session->config->exact ? INT64_MAX : COLLECTION_EXACT, .recall = 1};
    int status = session->config->features[0] ? open_tables(out, error) : open_images(out, error);
    if (!status) status = fill(out, error);
    if (status) collection_close(out);
    return status;
}

void collection_close(struct collection *collection)
{
    model_destroy(&collection->model);
    for (int part = 0; part < 2; part++) {
        dataset_close(&collection->sets[part]);
        feature_table_free(&collection->tables[part]);
    }
    memory_free(collection->values);
    memory_free(collection->labels);
    memory_free(collection->graph);
    memory_free(collection->thumbnails);
    *collection = (struct collection){0};
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

const char *collection_name(const struct collection *collection, int64_t row)
{
    const int part = collection_part(collection, row);
    const int64_t index = row - collection->begin[part];
    if (!collection->model) return catalog_name(&collection->tables[part].catalog, index);
    return dataset_own_name(collection->sets[part], index);
}

/* The part whose classes are those of both: matched sets have the same ones. */
static int class_part(const struct collection *c)
{
    if (!c->model) return c->tables[0].catalog.classes > 0 ? 0 : 1;
    return c->sets[0] && dataset_classes(c->sets[0]) > 0 ? 0 : 1;
}

int collection_classes(const struct collection *collection)
{
    const int part = class_part(collection);
    if (!collection->model) return collection->tables[part].catalog.classes;
    return collection->sets[part] ? dataset_classes(collection->sets[part]) : 0;
}

const char *collection_class_name(const struct collection *collection, int label)
{
    const int part = class_part(collection);
    if (label < 0 || label >= collection_classes(collection)) return "";
    return collection->model ? dataset_class_name(collection->sets[part], label)
                             : collection->tables[part].catalog.class_name[label];
}
