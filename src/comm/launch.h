/* comm/launch.h -- was this process started as one of several, by whom, and the communicator of all of them. */
#ifndef COMM_LAUNCH_H
#define COMM_LAUNCH_H

#include "comm/communicator.h"

enum launcher {
    LAUNCHER_NONE,    /* a process of its own, or the only one */
    LAUNCHER_OPENMPI, /* Open MPI's mpirun, or srun --mpi=pmix */
    LAUNCHER_MPICH,   /* MPICH's mpiexec, or srun --mpi=pmi2 */
    LAUNCHER_SILENT   /* srun that lets its tasks know nothing of each other */
};
struct launch {
    enum launcher launcher;
    int size; /* processes that were started together; 1: this one */
    int rank; /* which of them this is, and which of those on its machine; 0 where the launcher does not say */
    int local_rank;
    const char *word; /* of who started them, for sentences: "mpirun" */
};
/* From the environment: get(name) is getenv. */
struct launch launch_of(const char *(*get)(const char *name));

/* word: "auto" (as launched), "single" (one process whatever launched it) or "mpi" (SIMCLR_INVALID where nothing has).
 * *out: NULL for one process. SIMCLR_UNSUPPORTED where the engine is not there; the sentence says which package has it.
 * SIMCLR_INVALID for processes that cannot know each other. */
int launch_open(struct communicator **out, const char *word, struct error *error);

#endif
