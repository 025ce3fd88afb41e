/* comm/mpi/mpi.c -- the engine over MPI: a library of its own, the only file that knows mpi.h. It is built once for
 * each MPI that is found, and links nothing else of the program.
 *
 * Messages are non-blocking and polled: for a moment without a pause, then with naps between the polls. Blocked ranks
 * of an MPI spin, and on few processors against each other. Polling also has a deadline (`patience`), behind which the
 * run ends with a sentence. */
#include <limits.h>
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "comm/plugin.h"

enum { SHORTEST_NS = 20000, LONGEST_NS = 1000000, TAG = 1, TAG_ANSWER = 2, EXIT_FAILED = 1 };
/* Seconds of polls without a pause: what a small message takes where all have come. A poll of TCP is a call of the
 * system, so they are counted by time. */
static const double SPIN = 1e-4;
static const int LONGEST_MESSAGE = 1 << 30; /* of counts that are int */
static const double FIRST_PATIENCE = 300;

struct mpi {
    struct communicator communicator; /* the first field */
    MPI_Comm comm;
    bool is_world;
    double spin;          /* seconds; 0 where the ranks of this host outnumber its processors */
    int *counts, *places; /* [size] */
    char host[MPI_MAX_PROCESSOR_NAME + 1], name[MPI_MAX_LIBRARY_VERSION_STRING];
    struct communicator_ops ops;
};

static struct mpi *mpi_of(struct communicator *communicator)
{
    return (struct mpi *)communicator;
}

/* ---- waiting ------------------------------------------------------------------------------------------------------
 */
static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void end_run(const struct mpi *mpi, int code)
{
    fflush(NULL);
    MPI_Abort(mpi->comm, code);
    _Exit(code); /* where it returned */
}

static void give_up(struct communicator *own, const char *what)
{
    if (own->news && own->news->spill) own->news->spill(own->news->cookie);
    fprintf(stderr,
            "simclr: rank %d of %d on %s has waited %d s for the others (%s): the rank that does not say so too has "
            "stopped, or cannot be reached; the same command goes on from the last checkpoint\n",
            own->rank, own->size, own->host, (int)(own->patience + 0.5), what);
    end_run(mpi_of(own), EXIT_FAILED);
}

static void wait_for(struct mpi *mpi, MPI_Request *request, const char *what)
{
    const double start = seconds_now();
    double waited = 0, before = start;
    long pause = SHORTEST_NS;
    for (;;) {
        int done = 0;
        MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (done) return;
        const double now = seconds_now();
        waited += communicator_waited(now - before);
        before = now;
        if (!mpi->communicator.beside && now - start < mpi->spin) continue;
        if (waited > mpi->communicator.patience) give_up(&mpi->communicator, what);
        const struct timespec rest = {0, pause};
        nanosleep(&rest, NULL);
        if (pause < LONGEST_NS) pause += pause / 4;
    }
}

/* ---- messages ------------------------------------------------------------------------------------------------------
 */
/* NOLINTBEGIN(clang-analyzer-optin.mpi.MPI-Checker): wait_for ends each request, by MPI_Test */
static int part_of(size_t bytes, size_t at)
{
    const size_t left = at < bytes ? bytes - at : 0;
    return left < (size_t)LONGEST_MESSAGE ? (int)left : LONGEST_MESSAGE;
}

/* One block goes to rank `to` while another comes from rank `from`; in parts, where they do not fit an int. It ends
 * when the receiver has answered: a block that is "sent" may still wait in this machine, where the next would share its
 * cable.
 *
 * A send is begun before the receive. Two ranks that send to each other may have one connection: the engine's
 * announcement of this block then goes ahead of its answer to the other's. An announcement behind a block waits until
 * that is over, and the two blocks go one after the other. */
static void pass(struct mpi *mpi, int to, const char *out, size_t out_bytes, int from, char *in, size_t in_bytes,
                 const char *what)
{
    for (size_t at = 0; at < out_bytes || at < in_bytes; at += (size_t)LONGEST_MESSAGE) {
        const int sent = part_of(out_bytes, at), received = part_of(in_bytes, at);
        MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
        if (sent > 0) MPI_Isend(out + at, sent, MPI_BYTE, to, TAG, mpi->comm, &requests[0]);
        if (received > 0) MPI_Irecv(in + at, received, MPI_BYTE, from, TAG, mpi->comm, &requests[1]);
        for (int i = 0; i < 2; i++) wait_for(mpi, &requests[i], what);
    }
    MPI_Request answers[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    if (in_bytes > 0) MPI_Isend(NULL, 0, MPI_BYTE, from, TAG_ANSWER, mpi->comm, &answers[0]);
    if (out_bytes > 0) MPI_Irecv(NULL, 0, MPI_BYTE, to, TAG_ANSWER, mpi->comm, &answers[1]);
    for (int i = 0; i < 2; i++) wait_for(mpi, &answers[i], what);
}

static void gather_in_rounds(struct mpi *mpi, char *all, const size_t *bytes)
{
    const int size = mpi->communicator.size, rank = mpi->communicator.rank;
    for (int k = 1; k < size; k++) {
        const int to = (rank + k) % size, from = (rank - k + size) % size;
        size_t own = 0, other = 0;
        for (int r = 0; r < rank; r++) own += bytes[r];
        for (int r = 0; r < from; r++) other += bytes[r];
        pass(mpi, to, all + own, bytes[rank], from, all + other, bytes[from], "a gather");
    }
}

static void gather(struct communicator *communicator, void *all, const size_t *bytes)
{
    struct mpi *mpi = mpi_of(communicator);
    size_t at = 0;
    for (int r = 0; r < communicator->size; r++) at += bytes[r];
    if (at > COMMUNICATOR_SMALL) {
        gather_in_rounds(mpi, all, bytes);
        return;
    }
    at = 0;
    for (int r = 0; r < communicator->size; r++) {
        mpi->counts[r] = (int)bytes[r];
        mpi->places[r] = (int)at;
        at += bytes[r];
    }
    MPI_Request request;
    MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_BYTE, all, mpi->counts, mpi->places, MPI_BYTE, mpi->comm, &request);
    wait_for(mpi, &request, "a gather");
}

static void exchange_in_rounds(struct mpi *mpi, char *received, const char *sent, size_t bytes)
{
    const int size = mpi->communicator.size, rank = mpi->communicator.rank;
    memcpy(received + (size_t)rank * bytes, sent + (size_t)rank * bytes, bytes);
    for (int k = 1; k < size; k++) {
        const int to = (rank + k) % size, from = (rank - k + size) % size;
        pass(mpi, to, sent + (size_t)to * bytes, bytes, from, received + (size_t)from * bytes, bytes, "an exchange");
    }
}

static void exchange(struct communicator *communicator, void *received, const void *sent, size_t bytes)
{
    struct mpi *mpi = mpi_of(communicator);
    if ((size_t)communicator->size * bytes > COMMUNICATOR_SMALL) {
        exchange_in_rounds(mpi, received, sent, bytes);
        return;
    }
    MPI_Request request;
    MPI_Ialltoall(sent, (int)bytes, MPI_BYTE, received, (int)bytes, MPI_BYTE, mpi->comm, &request);
    wait_for(mpi, &request, "an exchange");
}
/* NOLINTEND(clang-analyzer-optin.mpi.MPI-Checker) */

static void engine_abort(struct communicator *communicator, int code)
{
    end_run(mpi_of(communicator), code);
}

static bool overlaps(const struct communicator *communicator)
{
    int provided = MPI_THREAD_SINGLE;
    MPI_Query_thread(&provided);
    return provided == MPI_THREAD_MULTIPLE && communicator->node_size < communicator->size;
}

/* ---- coming and going ----------------------------------------------------------------------------------------------
 */
static void release(struct mpi *mpi)
{
    free(mpi->communicator.scratch);
    free(mpi->communicator.sizes);
    free(mpi->counts);
    free(mpi->places);
    free(mpi);
}

static void destroy(struct communicator **communicator)
{
    struct mpi *mpi = mpi_of(*communicator);
    MPI_Request request;
    if (mpi->is_world) {
        MPI_Ibarrier(mpi->comm, &request);
        wait_for(mpi, &request, "the end");
        MPI_Finalize();
    } else {
        MPI_Comm_free(&mpi->comm); /* all ranks come here at some time; MPIs wait for none of them */
    }
    release(mpi);
    *communicator = NULL;
}

static int split(struct communicator *communicator, int colour, struct communicator **out, struct error *error);

/* "Open MPI v4.1.4", out of a longer text; "MPICH 4.0.2", out of "MPICH Version:\t4.0.2\n...". */
static void name_engine(char name[MPI_MAX_LIBRARY_VERSION_STRING])
{
    static const char version[] = "Version:";
    int length = 0;
    if (MPI_Get_library_version(name, &length) != MPI_SUCCESS) return;
    name[strcspn(name, ",\n")] = '\0';
    char *word = strstr(name, version);
    if (!word) return;
    const char *number = word + sizeof version - 1;
    number += strspn(number, " \t");
    memmove(word, number, strlen(number) + 1);
}

static int wrap(struct communicator **out, MPI_Comm comm, bool is_world, struct error *error)
{
    struct mpi *mpi = calloc(1, sizeof *mpi);
    int size = 1, rank = 0, length = 0, node_rank = 0, node_size = 1;
    MPI_Comm node;
    MPI_Comm_size(comm, &size);
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &node_size);
    MPI_Comm_rank(node, &node_rank);
    MPI_Comm_free(&node);
    if (mpi) {
        MPI_Get_processor_name(mpi->host, &length);
        name_engine(mpi->name);
        mpi->ops = (struct communicator_ops){.name = mpi->name,
                                             .gather = gather,
                                             .exchange = exchange,
                                             .split = split,
                                             .destroy = destroy,
                                             .abort = engine_abort,
                                             .give_up = give_up,
                                             .overlaps = overlaps};
        mpi->comm = comm;
        mpi->is_world = is_world;
        mpi->spin = node_size > sysconf(_SC_NPROCESSORS_ONLN) ? 0 : SPIN;
        mpi->counts = calloc((size_t)size, sizeof *mpi->counts);
        mpi->places = calloc((size_t)size, sizeof *mpi->places);
        mpi->communicator = (struct communicator){.ops = &mpi->ops,
                                                  .rank = rank,
                                                  .size = size,
                                                  .node_rank = node_rank,
                                                  .node_size = node_size,
                                                  .host = mpi->host,
                                                  .patience = FIRST_PATIENCE,
                                                  .scratch = aligned_alloc(64, COMMUNICATOR_SCRATCH),
                                                  .sizes = calloc((size_t)size, sizeof(size_t))};
    }
    if (mpi && mpi->counts && mpi->places && mpi->communicator.scratch && mpi->communicator.sizes) {
        *out = &mpi->communicator;
        return SIMCLR_OK;
    }
    if (mpi) release(mpi);
    if (error) {
        error->status = SIMCLR_NO_MEMORY;
        snprintf(error->text, sizeof error->text, "no memory for messages of %d ranks: free some memory", size);
    }
    return SIMCLR_NO_MEMORY;
}

static int split(struct communicator *communicator, int colour, struct communicator **out, struct error *error)
{
    MPI_Comm part;
    int size = 1;
    *out = NULL;
    MPI_Comm_split(mpi_of(communicator)->comm, colour, communicator->rank, &part);
    MPI_Comm_size(part, &size);
    if (size > 1) return wrap(out, part, false, error);
    MPI_Comm_free(&part);
    return SIMCLR_OK;
}

static int open_world(struct communicator **out, int expected, struct error *error)
{
    int provided = 0, size = 1, running = 0;
    *out = NULL;
    MPI_Initialized(&running);
    if (running) {
        error->status = SIMCLR_UNSUPPORTED;
        snprintf(error->text, sizeof error->text,
                 "this process has started MPI already: give --communicator single, or run simclr by itself");
        return SIMCLR_UNSUPPORTED;
    }
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS) {
        error->status = SIMCLR_UNSUPPORTED;
        snprintf(error->text, sizeof error->text, "MPI does not start: see what it says above");
        return SIMCLR_UNSUPPORTED;
    }
    char name[MPI_MAX_LIBRARY_VERSION_STRING] = "this MPI";
    name_engine(name);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size == expected) return wrap(out, MPI_COMM_WORLD, true, error);
    error->status = SIMCLR_UNSUPPORTED;
    snprintf(error->text, sizeof error->text,
             "%d processes were started, and %.80s sees %d: they were started by another MPI; start them by its own "
             "mpirun",
             expected, name, size);
    MPI_Finalize();
    return SIMCLR_UNSUPPORTED;
}

extern const struct communicator_plugin simclr_communicator_plugin;
__attribute__((visibility("default"))) const struct communicator_plugin simclr_communicator_plugin = {
    .form = COMMUNICATOR_PLUGIN_FORM,
    .pointer_bytes = sizeof(void *),
    .communicator_bytes = sizeof(struct communicator),
    .error_bytes = sizeof(struct error),
    .version = SIMCLR_VERSION,
    .open = open_world,
};
