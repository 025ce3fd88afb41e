/* command/neighbours.c -- what is most similar to a picture, or to each image of a set. */
#include <inttypes.h>

#include "command/commands.h"
#include "explore/similar.h"
#include "run/outputs.h"

/* Asked before the work. */
static int check_request(const struct config *config, struct error *error)
{
    const enum similar_format format = similar_format(config->out);
    if (!config->out[0] && !config->query[0])
        return error_set(error, SIMCLR_INVALID,
                         "neighbours of the whole set go to a file: give --out FILE (" SIMILAR_ENDINGS
                         "); or --query IMAGE");
    if (config->query[0] && config->features[0])
        return error_set(error, SIMCLR_INVALID,
                         "--query needs the encoder that made the features: give MODEL and --data instead of "
                         "--features");
    if (!config->out[0]) return SIMCLR_OK;
    if (format == SIMILAR_OTHER)
        return error_set(error, SIMCLR_INVALID, "--out %s: give a name that ends in " SIMILAR_ENDINGS, config->out);
    if (similar_shows_images(format) && config->features[0])
        return error_set(error, SIMCLR_INVALID,
                         "--out %s shows images, and a table of features has none: give .npz, .csv, .jsonl or .parquet",
                         config->out);
    return outputs_check(config, "out", config->out, error);
}

static void tell_lists(const struct session *session, const struct similar *similar, const struct collection *c)
{
    for (int64_t i = 0; i < similar->count; i++) {
        const struct neighbour *list = similar->list + i * similar->k;
        session_print(session, "%s\n", similar_name(similar, c, i));
        for (int k = 0; k < similar_length(similar, i); k++)
            session_print(session, "  %.4f  %s%s%s\n", (double)list[k].similarity, collection_name(c, list[k].row),
                          c->labels[list[k].row] >= 0 ? "  " : "", collection_class_name(c, c->labels[list[k].row]));
    }
}

static int tell_json(const struct session *session, const struct similar *similar, const struct collection *c,
                     struct error *error)
{
    struct text json = {0};
    text_json_open_object(&json, NULL);
    text_json_integer(&json, "images", collection_count(c));
    text_json_integer(&json, "queries", similar->count);
    text_json_integer(&json, "k", similar->k);
    text_json_number(&json, "graph_recall", similar->recall);
    if (session->config->out[0]) text_json_string(&json, "out", session->config->out);
    if (similar->set) {
        text_json_open_array(&json, "results");
        for (int64_t i = 0; i < similar->count; i++) similar_json(&json, similar, c, i);
        text_json_close_array(&json);
    }
    text_json_close_object(&json);
    const int status = session_print_json(session, &json, error);
    text_free(&json);
    return status;
}

static int tell(const struct session *session, const struct similar *similar, const struct collection *c,
                struct error *error)
{
    const struct config *config = session->config;
    if (config->json) return tell_json(session, similar, c, error);
    if (!config->out[0])
        tell_lists(session, similar, c);
    else
        session_print(session, "%s: the %d nearest of each of %" PRId64 " %s\n", config->out, similar->k,
                      similar->count, similar->set ? "queries" : "images");
    return SIMCLR_OK;
}

int command_neighbours(struct session *session, struct error *error)
{
    const struct config *config = session->config;
    struct collection collection;
    struct similar similar;
    int status = check_request(config, error);
    if (status) return status;
    status = collection_open(&collection, session, error);
    if (status) return status;
    status = similar_find(&similar, &collection, config->query, (int)config->k, error);
    if (!status && config->out[0]) status = similar_write(config->out, &similar, &collection, error);
    if (!status) status = tell(session, &similar, &collection, error);
    similar_free(&similar);
    collection_close(&collection);
    return status;
}
