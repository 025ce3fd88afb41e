/* base/memory.c -- aligned zeroed blocks. A 64-byte header before each block remembers what malloc gave.
 *
 * Small blocks end exactly where the underlying allocation ends, so that AddressSanitizer sees every overrun.
 * Large ones come from calloc, whose fresh pages cost nothing until they are touched. */
#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cgroup.h"

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20, LARGE = 4 << 20, WORKING = 512 << 10 };

struct header {
    void *raw;     /* what free() wants, or, if it was mapped, munmap() */
    size_t mapped; /* bytes; 0: it was not */
};
_Static_assert(sizeof(struct header) <= ALIGNMENT, "the header lives in the 64 bytes before a block");

static _Thread_local long fail_countdown; /* fault injection for tests; 0 = off */

void memory_fail_after(long n)
{
    fail_countdown = n;
}

static void *place(void *raw, size_t offset, size_t mapped)
{
    unsigned char *block = (unsigned char *)raw + offset;
    const struct header header = {raw, mapped};
    memcpy(block - ALIGNMENT, &header, sizeof header);
    return block;
}

/* From `raw` to the next huge page with room for a header before it. */
static size_t to_huge_page(const void *raw)
{
    const size_t over = ((uintptr_t)raw + ALIGNMENT) % HUGE_PAGE;
    return ALIGNMENT + (over == 0 ? 0 : HUGE_PAGE - over);
}

static void *allocate_large(size_t bytes)
{
    unsigned char *raw = calloc(1, bytes + HUGE_PAGE + ALIGNMENT);
    if (raw == NULL) return NULL;
    unsigned char *block = place(raw, to_huge_page(raw), 0);
    madvise(block, bytes, MADV_HUGEPAGE); /* advice only: a refusal changes nothing but speed */
    return block;
}

void *memory_allocate(size_t bytes)
{
    if (fail_countdown > 0 && --fail_countdown == 0) return NULL;
    if (bytes > PTRDIFF_MAX - HUGE_PAGE - ALIGNMENT) return NULL;
    if (bytes >= LARGE) return allocate_large(bytes);
    void *raw;
    if (posix_memalign(&raw, ALIGNMENT, bytes + ALIGNMENT) != 0) return NULL;
    memset(raw, 0, bytes + ALIGNMENT);
    return place(raw, ALIGNMENT, 0);
}

size_t memory_working_bytes(size_t bytes)
{
    return bytes < WORKING ? bytes : (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

/* The heap would give pages that were used before, and are not of 2 MiB. */
void *memory_allocate_working(size_t bytes)
{
    if (bytes < WORKING || bytes > PTRDIFF_MAX - (ptrdiff_t)2 * HUGE_PAGE - ALIGNMENT) return memory_allocate(bytes);
    if (fail_countdown > 0 && --fail_countdown == 0) return NULL;
    const size_t whole = memory_working_bytes(bytes), mapped = whole + HUGE_PAGE + ALIGNMENT;
    void *raw = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) return NULL;
    void *block = place(raw, to_huge_page(raw), mapped);
    madvise(block, whole, MADV_HUGEPAGE);
    return block;
}

void *memory_array(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    return memory_allocate(bytes);
}

void *memory_grow(void *old, size_t old_count, size_t new_count, size_t size)
{
    void *block = memory_array(new_count, size);
    if (block == NULL) return NULL;
    const size_t kept = old_count < new_count ? old_count : new_count;
    if (old != NULL && kept > 0) memcpy(block, old, kept * size);
    memory_free(old);
    return block;
}

char *memory_string(const char *text)
{
    const size_t bytes = strlen(text) + 1;
    char *copy = memory_allocate(bytes);
    if (copy != NULL) memcpy(copy, text, bytes);
    return copy;
}

void memory_free(void *block)
{
    if (block == NULL) return;
    struct header header;
    memcpy(&header, (unsigned char *)block - ALIGNMENT, sizeof header);
    if (header.mapped > 0)
        munmap(header.raw, header.mapped);
    else
        free(header.raw);
}

size_t memory_of_machine(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const size_t bytes = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : (size_t)1 << 30;
    const uint64_t group = cgroup_limits("").memory;
    return group < bytes ? (size_t)group : bytes;
}

bool memory_is_limited(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 && memory_of_machine() < (size_t)pages * (size_t)page;
}

size_t memory_available(void)
{
    static const char name[] = "MemAvailable:";
    const size_t whole = memory_of_machine();
    char line[128];
    unsigned long long kibibytes = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    if (file == NULL) return whole;
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, name, sizeof name - 1) == 0 && sscanf(line + sizeof name - 1, "%llu", &kibibytes) == 1;
    fclose(file);
    return found && kibibytes < whole / 1024 ? (size_t)kibibytes * 1024 : whole;
}

size_t memory_peak_resident(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * 1024 : 0; /* Linux counts KiB */
}
