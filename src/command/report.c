/* command/report.c -- one page about a run or several. */
#include "report/report.h"
#include "command/commands.h"

int command_report(struct session *session, struct error *error)
{
    return report_write(session, error);
}
