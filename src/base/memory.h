/* base/memory.h -- the one door to the heap. Blocks are 64-byte aligned (large ones 2 MiB aligned and
 * advised to use huge pages) and zeroed. All of it is released by memory_free. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed, 64-byte aligned; NULL when there is none or bytes is absurd. bytes == 0 gives a valid block. */
void *memory_allocate(size_t bytes);

/* The same for memory that one thread works in again and again: from half a MiB on it has pages of 2 MiB to itself, in
 * one piece, so that it does not push itself out of the L2 cache as scattered small pages do. */
void *memory_allocate_working(size_t bytes);
size_t memory_working_bytes(size_t bytes); /* what that takes */

/* The same for count items of `size` bytes; NULL on overflow. */
void *memory_array(size_t count, size_t size);

/* Grows an array: returns a new block with the first old_count items copied and the old one freed, or
 * NULL (the old block stays valid). */
void *memory_grow(void *old, size_t old_count, size_t new_count, size_t size);

/* A heap copy of a C string; NULL when there is no memory. */
char *memory_string(const char *text);

void memory_free(void *block); /* NULL is fine */

/* Bytes of memory that this process may count on: RAM, or the limit of its control group (cgroup.h) if that is lower.
 */
size_t memory_of_machine(void);
bool memory_is_limited(void); /* it is the group's */
/* Bytes of that which a program may still take without pushing others out, as far as the system says: at most
 * memory_of_machine. */
size_t memory_available(void);

/* Bytes of the process that were in memory at once, at most, since it began; 0 where the system does not say. */
size_t memory_peak_resident(void);

/* Tests only: the n-th allocation from now (1 = next) fails on this thread; 0 turns it off. */
void memory_fail_after(long n);

#endif
