/* Who started the program, by the variables that launchers set. What follows from it: tests/system/test_mpirun.sh. */
#include "support/run.h"

#include "comm/launch.h"

/* The environment of the case under way: name, value, name, value ... NULL. */
static const char *const *variables;

static const char *get(const char *name)
{
    for (const char *const *at = variables; *at; at += 2)
        if (strcmp(*at, name) == 0) return at[1];
    return NULL;
}

static void check(const char *const *environment, enum launcher launcher, int size, int rank, int local_rank)
{
    variables = environment;
    const struct launch launch = launch_of(get);
    assert_int_equal(launch.launcher, launcher);
    assert_int_equal(launch.size, size);
    assert_int_equal(launch.rank, rank);
    assert_int_equal(launch.local_rank, local_rank);
    assert_true((launch.word[0] != '\0') == (launcher != LAUNCHER_NONE));
}

#define CHECK(launcher, size, rank, local_rank, ...)                                                                   \
    check((const char *const[]){__VA_ARGS__, NULL}, launcher, size, rank, local_rank)

static void launchers_are_known_by_their_variables(void **state)
{
    (void)state;
    CHECK(LAUNCHER_NONE, 1, 0, 0, "HOME", "/");
    CHECK(LAUNCHER_OPENMPI, 4, 3, 1, "OMPI_COMM_WORLD_SIZE", "4", "OMPI_COMM_WORLD_RANK", "3",
          "OMPI_COMM_WORLD_LOCAL_RANK", "1");
    CHECK(LAUNCHER_MPICH, 2, 1, 1, "PMI_SIZE", "2", "PMI_RANK", "1", "MPI_LOCALRANKID", "1");
    CHECK(LAUNCHER_OPENMPI, 8, 5, 0, "PMIX_RANK", "5", "SLURM_STEP_NUM_TASKS", "8", "SLURM_PROCID", "5",
          "SLURM_LOCALID", "0");
    CHECK(LAUNCHER_SILENT, 8, 5, 2, "SLURM_STEP_NUM_TASKS", "8", "SLURM_PROCID", "5", "SLURM_LOCALID", "2");
}

/* One process is one process, whoever started it; a batch script has the job's number of tasks, and is one. */
static void one_process_was_not_launched(void **state)
{
    (void)state;
    CHECK(LAUNCHER_NONE, 1, 0, 0, "OMPI_COMM_WORLD_SIZE", "1", "OMPI_COMM_WORLD_RANK", "0");
    CHECK(LAUNCHER_NONE, 1, 0, 0, "PMI_SIZE", "1");
    CHECK(LAUNCHER_NONE, 1, 0, 0, "SLURM_STEP_NUM_TASKS", "1", "SLURM_PROCID", "0");
    CHECK(LAUNCHER_NONE, 1, 0, 0, "SLURM_NTASKS", "8", "SLURM_PROCID", "0");
}

/* An mpirun inside of a Slurm job is the launcher. */
static void the_innermost_launcher_counts(void **state)
{
    (void)state;
    CHECK(LAUNCHER_OPENMPI, 2, 1, 1, "SLURM_STEP_NUM_TASKS", "8", "SLURM_PROCID", "0", "PMIX_RANK", "1",
          "OMPI_COMM_WORLD_SIZE", "2", "OMPI_COMM_WORLD_RANK", "1", "OMPI_COMM_WORLD_LOCAL_RANK", "1");
    CHECK(LAUNCHER_NONE, 1, 0, 0, "SLURM_STEP_NUM_TASKS", "8", "OMPI_COMM_WORLD_SIZE", "1");
}

static void numbers_that_are_none_count_as_one_process(void **state)
{
    (void)state;
    CHECK(LAUNCHER_NONE, 1, 0, 0, "OMPI_COMM_WORLD_SIZE", "many");
    CHECK(LAUNCHER_NONE, 1, 0, 0, "OMPI_COMM_WORLD_SIZE", "-4");
    CHECK(LAUNCHER_NONE, 1, 0, 0, "OMPI_COMM_WORLD_SIZE", "99999999999999");
    CHECK(LAUNCHER_OPENMPI, 4, 0, 0, "OMPI_COMM_WORLD_SIZE", "4", "OMPI_COMM_WORLD_RANK", "-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(launchers_are_known_by_their_variables),
        cmocka_unit_test(one_process_was_not_launched),
        cmocka_unit_test(the_innermost_launcher_counts),
        cmocka_unit_test(numbers_that_are_none_count_as_one_process),
    };
    return run_cases(tests, NULL, NULL);
}
