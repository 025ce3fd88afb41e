/* command/table.c -- a row for every command: its function and what it needs. */
#include "command/table.h"

#include "command/commands.h"
#include "run/ranks.h"

const struct command_entry command_table[COMMAND_COUNT] = {
    [COMMAND_PRETRAIN] = {command_pretrain, {.ranks = true}},
    [COMMAND_PLAN] = {.run = command_plan},
    [COMMAND_WATCH] = {command_watch, {.no_network = true}},
    [COMMAND_VERIFY] = {command_verify, {.no_network = true, .recipe_is_of_run = true}},
    [COMMAND_KNN] = {command_knn, {.batch_is_of_features = true, .keeps_features = true, .ranks = true}},
    [COMMAND_LINEAR] = {command_linear, {.batch_is_of_features = true, .keeps_features = true, .ranks = true}},
    [COMMAND_EVALUATE] = {command_evaluate, {.batch_is_of_features = true, .keeps_features = true}},
    [COMMAND_FINETUNE] = {.run = command_finetune},
    [COMMAND_PREDICT] = {command_predict, {.batch_is_of_features = true, .keeps_no_images = true}},
    [COMMAND_SUPERVISED] = {.run = command_supervised},
    [COMMAND_EMBED] = {command_embed, {.batch_is_of_features = true, .keeps_no_images = true, .ranks = true}},
    [COMMAND_REPORT] = {command_report, {.batch_is_of_features = true, .keeps_features = true}},
    [COMMAND_AUDIT] = {command_audit, {.batch_is_of_features = true, .keeps_features = true, .keeps_no_images = true}},
    [COMMAND_NEIGHBOURS] = {command_neighbours,
                            {.batch_is_of_features = true, .keeps_features = true, .keeps_no_images = true}},
    [COMMAND_MAP] = {command_map, {.batch_is_of_features = true, .keeps_features = true, .keeps_no_images = true}},
    [COMMAND_SELECT] = {command_select,
                        {.batch_is_of_features = true, .keeps_features = true, .keeps_no_images = true}},
    [COMMAND_VIEWS] = {command_views, {.no_network = true, .keeps_no_images = true}},
    [COMMAND_INFO] = {command_info, {.image_size = 224}},
    [COMMAND_IMPORT] = {command_import, {.no_network = true, .keeps_no_images = true}},
    [COMMAND_DATA_INFO] = {command_data_info, {.no_network = true, .keeps_no_images = true}},
    [COMMAND_DATA_PACK] = {command_data_pack, {.no_network = true, .keeps_no_images = true}},
    [COMMAND_DATA_FETCH] = {command_data_fetch, {.no_network = true}},
    [COMMAND_BENCH] = {.run = command_bench},
    [COMMAND_DEMO] = {.run = command_demo},
    [COMMAND_EXPORT] = {command_export, {.no_network = true}},
};

int command_run(struct session *session, struct error *error)
{
    const struct command_entry *entry = &command_table[session->config->command];
    session->traits = entry->traits;
    int status = session_refuse_ranks(session, error);
    if (!status) status = session_start(session, error);
    if (status) return status;
    status = communicator_agree_status(session->communicator, entry->run(session, error), error);
    session_hush(session, error);
    session_stop(session);
    return status;
}
