/* comm/plugin.h -- what the program and an engine in a shared library of its own (comm/mpi) agree on. The library is
 * loaded only where something has started the program as one of several, so the program itself needs no MPI. */
#ifndef COMM_PLUGIN_H
#define COMM_PLUGIN_H

#include "comm/communicator.h"

/* The library's one symbol. Everything before `open` is compared before it is called. */
#define COMMUNICATOR_PLUGIN "simclr_communicator_plugin"
enum { COMMUNICATOR_PLUGIN_FORM = 5 }; /* counts changes of this header and of communicator.h */

struct communicator_plugin {
    unsigned form;
    unsigned pointer_bytes, communicator_bytes, error_bytes;
    char version[32]; /* of the program that it was built with */
    /* Starts the engine and gives the communicator of all processes, which `destroy` ends with the engine. expected:
     * how many the launcher says there are. *out NULL after a failure. */
    int (*open)(struct communicator **out, int expected, struct error *error);
};

#endif
