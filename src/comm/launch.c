/* comm/launch.c -- see launch.h. */
#include "comm/launch.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/format.h"
#include "base/memory.h"
#include "base/number.h"
#include "comm/places.h"
#include "comm/plugin.h"

#ifndef SIMCLR_VERSION
#define SIMCLR_VERSION "0.0.0"
#endif
#ifndef SIMCLR_BUILT_OPENMPI
#define SIMCLR_BUILT_OPENMPI false
#endif
#ifndef SIMCLR_BUILT_MPICH
#define SIMCLR_BUILT_MPICH false
#endif

/* ---- who launched ----------------------------------------------------------------------------------------------- */
static int count_of(const char *text)
{
    const long count = text ? strtol(text, NULL, 10) : 0;
    return count > 1 && count < INT_MAX ? (int)count : 1;
}

static int number_of(const char *text)
{
    const long number = text ? strtol(text, NULL, 10) : 0;
    return number > 0 && number < INT_MAX ? (int)number : 0;
}

/* The variables by which a launcher tells its processes of each other. The first row whose `size` is set counts: an
 * mpirun may run inside of a Slurm job. */
struct variables {
    enum launcher launcher;
    const char *mark, *size, *rank, *local_rank, *word;
};
static const struct variables variables[] = {
    {LAUNCHER_OPENMPI, "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK",
     "OMPI_COMM_WORLD_LOCAL_RANK", "mpirun of Open MPI"},
    {LAUNCHER_MPICH, "PMI_SIZE", "PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID", "mpiexec of MPICH"},
    {LAUNCHER_OPENMPI, "PMIX_RANK", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", "srun"},
    {LAUNCHER_SILENT, "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID", "srun"},
};

struct launch launch_of(const char *(*get)(const char *name))
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const struct variables *of = &variables[i];
        if (!get(of->mark)) continue;
        const int size = count_of(get(of->size));
        if (size == 1) break;
        return (struct launch){of->launcher, size, number_of(get(of->rank)), number_of(get(of->local_rank)), of->word};
    }
    return (struct launch){LAUNCHER_NONE, 1, 0, 0, ""};
}

/* ---- the engine's library ---------------------------------------------------------------------------------------- */
struct engine {
    const char *file, *package, *libraries; /* the library; what it is built with; what it runs with */
    bool built;                             /* with this program */
};
static const struct engine engines[] = {
    [LAUNCHER_OPENMPI] = {"libsimclr-openmpi.so", "libopenmpi-dev", "openmpi-bin", SIMCLR_BUILT_OPENMPI},
    [LAUNCHER_MPICH] = {"libsimclr-mpich.so", "libmpich-dev", "mpich", SIMCLR_BUILT_MPICH},
};

/* What was tried, for the sentence: empty, or begins with "; ". */
struct tried {
    char at[PLACES_MOST][200];
};

/* Loads the first that is there. $SIMCLR_PLUGINS is for who keeps it elsewhere, and then the only place. */
static void *load(const struct engine *engine, struct tried *tried)
{
    const char *own = getenv("SIMCLR_PLUGINS");
    struct places places = {0};
    void *library = NULL;
    if (own && own[0] != '\0')
        places = (struct places){.folder = {memory_string(own)}, .count = 1};
    else
        places_here(&places);
    for (int i = 0; i < places.count && !library; i++) {
        char *path = places.folder[i] ? file_join(places.folder[i], engine->file) : NULL;
        if (path && file_exists(path)) {
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
            if (!library) format_line(tried->at[i], sizeof tried->at[i], "; %s", dlerror());
        } else if (path) {
            format_line(tried->at[i], sizeof tried->at[i], "; it is not in %s", places.folder[i]);
        }
        memory_free(path);
    }
    places_free(&places);
    return library;
}

static int check_form(const struct communicator_plugin *plugin, const char *file, struct error *error)
{
    if (!plugin) return error_set(error, SIMCLR_UNSUPPORTED, "%s is no plugin of simclr: install it anew", file);
    if (plugin->form == COMMUNICATOR_PLUGIN_FORM && plugin->pointer_bytes == sizeof(void *) &&
        plugin->communicator_bytes == sizeof(struct communicator) && plugin->error_bytes == sizeof(struct error) &&
        strncmp(plugin->version, SIMCLR_VERSION, sizeof plugin->version) == 0)
        return SIMCLR_OK;
    return error_set(error, SIMCLR_UNSUPPORTED,
                     "%s is of simclr %.31s, and the program is %s: build and install both together", file,
                     plugin->version, SIMCLR_VERSION);
}

static int open_engine(struct communicator **out, const struct launch *launch, struct error *error)
{
    const struct engine *engine = &engines[launch->launcher];
    struct tried tried = {0};
    void *library = load(engine, &tried);
    if (!library) {
        char remedy[80] = "install this library too, or name its folder in SIMCLR_PLUGINS";
        if (!engine->built) format_line(remedy, sizeof remedy, "build simclr where %s is installed", engine->package);
        return error_set(error, SIMCLR_UNSUPPORTED,
                         "%s started %d processes, and simclr has no %s to connect them%s%s%s%s: %s, and run it where "
                         "%s is, or give --communicator single",
                         launch->word, launch->size, engine->file, tried.at[0], tried.at[1], tried.at[2], tried.at[3],
                         remedy, engine->libraries);
    }
    const struct communicator_plugin *plugin = dlsym(library, COMMUNICATOR_PLUGIN);
    const int status = check_form(plugin, engine->file, error);
    if (status) {
        dlclose(library);
        return status;
    }
    return plugin->open(out, launch->size, error); /* the library stays: an MPI cannot be unloaded */
}

static const char *environment(const char *name)
{
    return getenv(name);
}

int launch_open(struct communicator **out, const char *word, struct error *error)
{
    const struct launch launch = launch_of(environment);
    *out = NULL;
    if (strcmp(word, "single") == 0) return SIMCLR_OK;
    if (launch.launcher == LAUNCHER_SILENT)
        return error_set(error, SIMCLR_INVALID,
                         "srun started %d tasks that cannot reach each other: give it --mpi=pmix, or --ntasks=1",
                         launch.size);
    if (launch.launcher != LAUNCHER_NONE) return open_engine(out, &launch, error);
    if (strcmp(word, "mpi") != 0) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID,
                     "--communicator mpi, and nothing started this program as one of several: put mpirun -n 2, or "
                     "how many there are to be, before it");
}
