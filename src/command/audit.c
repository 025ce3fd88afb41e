/* command/audit.c -- what is wrong with a set of images. */
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "command/commands.h"
#include "explore/audit/audit.h"
#include "run/outputs.h"

/* Asked before the work. */
static int check_outputs(const struct config *config, struct error *error)
{
    for (int i = 0; i < audit_file_count; i++) {
        char *path = file_join(config->out, audit_files[i].name);
        if (!path) return error_no_memory(error, "a path", strlen(config->out) + 16);
        const int status = outputs_check(config, "out", path, error);
        memory_free(path);
        if (status) return status;
    }
    return SIMCLR_OK;
}

static int tell(const struct audit *audit, struct error *error)
{
    const struct session *session = audit->collection.session;
    struct text json = {0};
    if (!session->config->json) {
        audit_print(audit);
        session_print(session, "written to %s, nothing was deleted: look at audit.html", session->config->out);
        if (audit->group) session_print(session, ", then give --subset %s/keep.txt", session->config->out);
        session_print(session, "\n");
        return SIMCLR_OK;
    }
    audit_json(audit, &json);
    const int status = session_print_json(session, &json, error);
    text_free(&json);
    return status;
}

int command_audit(struct session *session, struct error *error)
{
    struct audit audit;
    int status = audit_choose(&audit, session, error);
    if (!status) status = file_make_folder(session->config->out, error);
    if (!status) status = check_outputs(session->config, error);
    if (!status) status = audit_run(&audit, session, error);
    if (!status) status = audit_write(&audit, session->config->out, error);
    if (!status) status = tell(&audit, error);
    audit_close(&audit);
    return status;
}
