/* comm/launch.c -- see launch.h. */
#include "comm/launch.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "comm/plugin.h"

#ifndef SIMCLR_VERSION
#define SIMCLR_VERSION "0.0.0"
#endif
#ifndef SIMCLR_PLUGIN_FOLDER
#define SIMCLR_PLUGIN_FOLDER ""
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
};
static const struct engine engines[] = {
    [LAUNCHER_OPENMPI] = {"libsimclr-openmpi.so", "libopenmpi-dev", "openmpi-bin"},
    [LAUNCHER_MPICH] = {"libsimclr-mpich.so", "libmpich-dev", "mpich"},
};

/* The folder that the running program lies in: new string, NULL where the system does not say. */
static char *program_folder(void)
{
    char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return NULL;
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    if (slash) *slash = '\0';
    return memory_string(path);
}

/* Loads the first that is there. Beside the program it lies in a build folder; SIMCLR_PLUGIN_FOLDER is where it is
 * installed; $SIMCLR_PLUGINS is for who keeps it elsewhere, and then the only place. */
static void *load(const struct engine *engine, struct text *looked)
{
    const char *own = getenv("SIMCLR_PLUGINS");
    const bool given = own && own[0] != '\0';
    char *beside = given ? NULL : program_folder();
    const char *folders[] = {given ? own : beside, given ? NULL : SIMCLR_PLUGIN_FOLDER};
    void *library = NULL;
    for (size_t i = 0; i < 2 && !library; i++) {
        if (!folders[i] || folders[i][0] == '\0') continue;
        char *path = file_join(folders[i], engine->file);
        if (path && file_exists(path)) {
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
            if (!library) text_add(looked, "; %.250s", dlerror());
        } else {
            text_add(looked, "; it is not in %.200s", folders[i]);
        }
        memory_free(path);
    }
    memory_free(beside);
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
    struct text looked = {0};
    void *library = load(engine, &looked);
    if (!library) {
        error_set(error, SIMCLR_UNSUPPORTED,
                  "%s started %d processes, and simclr has no %s to connect them%.500s: build simclr where %s is "
                  "installed, and run it where %s is, or give --communicator single",
                  launch->word, launch->size, engine->file, looked.bytes ? looked.bytes : "", engine->package,
                  engine->libraries);
        text_free(&looked);
        return SIMCLR_UNSUPPORTED;
    }
    text_free(&looked);
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
