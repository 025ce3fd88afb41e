/* command/linear.c -- linear evaluation in its fast form: logistic regression on cached features (paper, appendix B.8).
 */
#include "command/commands.h"
#include "command/evaluation.h"

int command_linear(struct session *session, struct error *error)
{
    return evaluation_run(session, "linear", evaluation_linear, error);
}
