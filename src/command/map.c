/* command/map.c -- a set as points of the plane, as numbers or as a picture. */
#include <inttypes.h>
#include <math.h>

#include "base/file.h"
#include "base/memory.h"
#include "command/commands.h"
#include "explore/collection_map.h"
#include "run/outputs.h"

/* Asked before the work. */
static int check_out(const struct config *config, struct error *error)
{
    const enum map_format format = collection_map_format(config->out);
    if (format == MAP_OTHER)
        return error_set(error, SIMCLR_INVALID, "--out %s: give a name that ends in " MAP_ENDINGS, config->out);
    if (format == MAP_PNG && config->features[0])
        return error_set(
            error, SIMCLR_INVALID,
            "--out %s: an atlas shows images, and a table of features has none: give .svg, .csv, .parquet or .npy",
            config->out);
    int status = outputs_check(config, "out", config->out, error);
    if (status || format != MAP_NPY) return status;
    char *names = file_beside(config->out, ".npy", ".txt");
    status = names ? outputs_check(config, "out", names, error) : error_no_memory(error, "a path", 1);
    memory_free(names);
    return status;
}

static int tell_json(const struct session *session, const struct collection_map *map, const struct collection *c,
                     struct error *error)
{
    struct text json = {0};
    text_json_open_object(&json, NULL);
    text_json_string(&json, "out", session->config->out);
    text_json_integer(&json, "images", collection_count(c));
    text_json_integer(&json, "features", c->dim);
    text_json_number(&json, "neighbours_kept", map->kept);
    text_json_number(&json, "neighbours_kept_by_principal_plane", map->principal_kept);
    text_json_integer(&json, "neighbours_counted_on", map->kept_rows);
    text_json_number(&json, "graph_recall", map->recall);
    text_json_close_object(&json);
    const int status = session_print_json(session, &json, error);
    text_free(&json);
    return status;
}

static int tell(const struct session *session, const struct collection_map *map, const struct collection *c,
                struct error *error)
{
    if (session->config->json) return tell_json(session, map, c, error);
    session_print(session, "%s: a map of %" PRId64 " images\n", session->config->out, collection_count(c));
    if (isnan(map->kept))
        session_print(session, "neighbours kept: not counted, there are too few images\n");
    else
        session_print(session, "neighbours kept: %.1f %% of the 10 nearest (the principal plane keeps %.1f %%)\n",
                      100 * map->kept, 100 * map->principal_kept);
    return SIMCLR_OK;
}

int command_map(struct session *session, struct error *error)
{
    struct collection collection;
    struct collection_map map = {0};
    int status = check_out(session->config, error);
    if (status) return status;
    status = collection_open(&collection, session, error);
    if (status) return status;
    status = collection_map_make(&map, &collection, error);
    if (!status) status = collection_map_write(session->config->out, &map, &collection, error);
    if (!status) status = tell(session, &map, &collection, error);
    collection_map_free(&map);
    collection_close(&collection);
    return status;
}
