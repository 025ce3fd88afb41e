/* command/knn.c -- weighted k-nearest-neighbour classification of a frozen encoder, beside its controls. */
#include "command/commands.h"
#include "evaluate/protocols.h"

int command_knn(struct session *session, struct error *error)
{
    return evaluation_run(session, PROTOCOL_KNN, error);
}
