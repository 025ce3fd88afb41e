/* base/cgroup.h -- what the control groups that this process is in let it have: Linux's cgroups, versions 1 and 2. */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include <stdint.h>

struct cgroup_limits {
    uint64_t memory;   /* bytes; UINT64_MAX: no limit */
    double processors; /* CPU time by time, 1.5: one processor and a half; INFINITY: no quota */
};

/* The smallest limits of the group of this process and of all groups above it, as far as they can be seen. `root`: a
 * folder that stands for the root of the file system, "" for the real one. Read are proc/self/cgroup and
 * proc/self/mountinfo in it, then memory.max, memory.high and cpu.max (version 2) or memory.limit_in_bytes and
 * cpu.cfs_quota_us (version 1) of the groups; and those at sys/fs/cgroup, where containers have their own. Allocates
 * nothing of ours; what cannot be read is no limit. */
struct cgroup_limits cgroup_limits(const char *root);
#endif
