/* command/export.c -- a trained encoder in the forms that other programs load. */
#include "export/export.h"
#include "command/commands.h"

int command_export(struct session *session, struct error *error)
{
    return export_run(session, error);
}
