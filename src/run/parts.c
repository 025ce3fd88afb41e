/* run/parts.c -- see parts.h. */
#include "run/parts.h"

#include <inttypes.h>
#include <string.h>

#include "data/names/match.h"
#include "run/settings.h"

static int say_left_out(const struct session *session, struct error *error)
{
    struct dataset *test = NULL;
    struct error reason = {0};
    const int status = session_open_test(session, &test, &reason);
    if (status == SIMCLR_NO_MEMORY) return error_set(error, status, "%s", reason.text);
    if (status)
        log_warning(&session->log, "the test part is left out, and cannot be opened: %s", reason.text);
    else if (test)
        log_info(&session->log,
                 "the test part is left out (%" PRId64 " images): --part all takes both, --part test it alone",
                 dataset_count(test));
    dataset_close(&test);
    return SIMCLR_OK;
}

int parts_open(const struct session *session, struct dataset *sets[2], struct error *error)
{
    const struct config *config = session->config;
    const bool test = strcmp(config->part, "train") != 0, train = strcmp(config->part, "test") != 0;
    sets[DATASET_TRAIN] = sets[DATASET_TEST] = NULL;
    if (train) {
        const int status = session_open_dataset(session, config->data, DATASET_TRAIN, &sets[DATASET_TRAIN], error);
        if (status) return status;
    }
    if (!test) return say_left_out(session, error);
    const int status = session_open_test(session, &sets[DATASET_TEST], error);
    if (status || sets[DATASET_TEST] || train) return status;
    return error_set(error, SIMCLR_DATA, "%s: there is no test or val part: leave --part out", config->data);
}

int parts_open_table(const struct session *session, const char *path, struct feature_table *out, struct error *error)
{
    const int status = feature_table_open(out, path, error);
    if (!status && out->ignored > 0)
        log_warning(&session->log, "%s: %d array%s of other names not used (%s%s)", path, out->ignored,
                    out->ignored == 1 ? "" : "s", out->first_ignored, out->ignored == 1 ? "" : ", ...");
    return status;
}

int parts_match_tables(const struct session *session, struct feature_table tables[2], int64_t *comparable,
                       struct error *error)
{
    const char *paths[2] = {session->config->features, session->config->test_features};
    struct match_part parts[2];
    *comparable = 0;
    for (int i = 0; i < 2; i++)
        parts[i] = (struct match_part){&tables[i].catalog, paths[i], NULL, tables[i].catalog.count};
    if (tables[0].dim != tables[1].dim)
        return error_set(error, SIMCLR_DATA,
                         "%.160s has %d features a row and %.160s has %d: both must come from one encoder", paths[0],
                         tables[0].dim, paths[1], tables[1].dim);
    if (!tables[0].labelled || !tables[1].labelled) return SIMCLR_OK;
    return match_parts(&parts[0], &parts[1], comparable, &session->log, error);
}

void parts_tell_cached(const struct session *session)
{
    log_info(&session->log,
             "features come from the cache, as they were made before; --no-feature-cache makes them anew");
}
