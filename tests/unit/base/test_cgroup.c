/* Limits of control groups, read below a folder that stands for the root. */
#include "support/run.h"

#include <math.h>
#include <string.h>

#include "base/cgroup.h"
#include "base/file.h"
#include "base/memory.h"
#include "support/folder.h"

static char root[512];

/* An empty root of its own. */
static void begin(const char *name)
{
    snprintf(root, sizeof root, "%s", at("%s", name));
}

static void put(const char *path, const char *text)
{
    char *file = file_join(root, path), *slash;
    slash = strrchr(file, '/');
    *slash = '\0';
    assert_int_equal(file_make_folder(file, NULL), SIMCLR_OK);
    *slash = '/';
    assert_int_equal(file_write_atomic(file, text, strlen(text), NULL), SIMCLR_OK);
    memory_free(file);
}

static void expect(uint64_t memory, double processors)
{
    const struct cgroup_limits limits = cgroup_limits(root);
    assert_true(limits.memory == memory);
    assert_true(limits.processors == processors);
}

static const uint64_t none = UINT64_MAX, mebibyte = 1 << 20;

static void nothing_there_is_no_limit(void **state)
{
    (void)state;
    begin("nothing");
    expect(none, INFINITY);
    put("proc/self/cgroup", "0::\n:::\n4:memory\n\n");
    put("proc/self/mountinfo", "\n1 2 3\n1 2 3:4 / /m rw - cgroup2\n1 2 3:4 / /m rw - cgroup2 a\n- - -\n");
    expect(none, INFINITY);
}

/* systemd, Slurm: the limit lies in a group above ours, or in ours, and the smallest counts. */
static void version_2_nested(void **state)
{
    (void)state;
    begin("v2");
    put("proc/self/cgroup", "0::/system.slice/job_1/step 0\n");
    put("proc/self/mountinfo", "24 1 0:2 / /proc rw - proc proc rw\n"
                               "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
    put("sys/fs/cgroup/system.slice/job_1/step 0/memory.max", "max\n");
    put("sys/fs/cgroup/system.slice/job_1/step 0/cpu.max", "max 100000\n");
    expect(none, INFINITY);
    put("sys/fs/cgroup/system.slice/job_1/memory.max", "314572800\n");
    put("sys/fs/cgroup/system.slice/cpu.max", "150000 100000\n");
    expect(300 * mebibyte, 1.5);
    put("sys/fs/cgroup/system.slice/job_1/step 0/memory.high", "104857600\n");
    put("sys/fs/cgroup/system.slice/job_1/step 0/cpu.max", "2000000 50000\n"); /* more than the group above */
    expect(100 * mebibyte, 1.5);
    put("sys/fs/cgroup/other/memory.max", "1\n"); /* not ours */
    put("sys/fs/cgroup/system.slice/job_2/memory.max", "1\n");
    put("sys/fs/cgroup/system.slice/job_1/step 0/below/memory.max", "1\n");
    expect(100 * mebibyte, 1.5);
}

static void version_1(void **state)
{
    (void)state;
    begin("v1");
    put("proc/self/cgroup",
        "9:cpuset:/\n4:memory:/slurm/uid_0/job_7\n3:cpu,cpuacct:/slurm\n1:name=systemd:/x\n0::/x\n");
    put("proc/self/mountinfo", "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
                               "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
                               "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n");
    put("sys/fs/cgroup/memory/slurm/uid_0/job_7/memory.limit_in_bytes", "9223372036854771712\n");
    put("sys/fs/cgroup/memory/slurm/uid_0/memory.limit_in_bytes", "1048576\n");
    put("sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_period_us", "100000\n");
    expect(mebibyte, INFINITY);
    put("sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_quota_us", "50000\n");
    expect(mebibyte, 0.5);
}

/* A container sees its own group at the mount; what it is told of the host's names leads nowhere. */
static void containers(void **state)
{
    (void)state;
    begin("docker");
    put("proc/self/cgroup", "4:memory:/docker/abc/inner\n3:cpu:/docker/abc\n0::/../../x\n");
    put("proc/self/mountinfo", "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
                               "36 31 0:32 /docker/ab /a\\040mount ro - cgroup cgroup rw,cpu\n"
                               "37 31 0:33 / /two ro - cgroup2 none rw\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "3000\n");
    put("sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "2000\n");
    put("a mount/cpu.cfs_quota_us", "300000\n"); /* the mount's own: our group is not below it */
    put("a mount/cpu.cfs_period_us", "100000\n");
    expect(2000, 3);
    put("two/memory.max", "1000\n");
    expect(1000, 3);
    begin("plain"); /* without mountinfo */
    put("sys/fs/cgroup/cpu.max", "100000 100000\n");
    put("sys/fs/cgroup/memory.max", "5\n");
    expect(5, 1);
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "4\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "25000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    expect(4, 0.25);
}

/* Files that are not what they should be say nothing. */
static void nonsense(void **state)
{
    (void)state;
    begin("nonsense");
    static const char *const texts[] = {"", "\n", "-5 100\n", "0 0\n", "x\n", "5\n", "5 -1\n", "5 0\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put("sys/fs/cgroup/cpu.max", texts[i]);
        expect(none, INFINITY);
    }
    put("sys/fs/cgroup/memory.max", "0\n");
    expect(none, INFINITY);
    put("sys/fs/cgroup/memory.max", "99999999999999999999999999\n");
    expect(none, INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_there_is_no_limit),
        cmocka_unit_test(version_2_nested),
        cmocka_unit_test(version_1),
        cmocka_unit_test(containers),
        cmocka_unit_test(nonsense),
    };
    return run_cases(tests, make_folder, remove_folder);
}
