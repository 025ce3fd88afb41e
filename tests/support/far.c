/* support/far.c -- see far.h. */
#include "support/far.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/host.h"
#include "support/far_wall.h"

enum { BLOCKS_MAX = 4096 };

struct block {
    char *start;          /* NULL: free */
    size_t bytes, mapped; /* asked for; whole pages, and one more that never opens */
    int number;           /* of all that were ever allocated */
};

static struct {
    struct backend base;
    struct backend *inner; /* ref */
    struct block blocks[BLOCKS_MAX];
    int host_blocks;     /* of memory for uploads */
    int allocated, open; /* open: operations under way */
    int64_t operations;
    struct sigaction before[2];
} far;

static const int SIGNALS[2] = {SIGSEGV, SIGBUS};

/* ---- the wall ----------------------------------------------------------------------------------------------- */
static const struct block *block_of(const void *address)
{
    for (int i = 0; i < BLOCKS_MAX; i++) {
        const struct block *block = &far.blocks[i];
        if (block->start && (const char *)address >= block->start &&
            (const char *)address < block->start + block->mapped)
            return block;
    }
    return NULL;
}

void far_say(const char *text)
{
    const ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

/* Says which block was touched; then the same access, met again without a handler, ends the process. */
static void touched(int signal, siginfo_t *info, void *context)
{
    char text[160];
    (void)context;
    const struct block *block = block_of(info->si_addr);
    if (block) {
        snprintf(text, sizeof text, "far: the host touched byte %zu of block %d (%zu bytes), which is the backend's\n",
                 (size_t)((const char *)info->si_addr - block->start), block->number, block->bytes);
        far_say(text);
    }
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigaction(signal, &usual, NULL);
}

static void protect(int access)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < BLOCKS_MAX; i++) {
        const struct block *block = &far.blocks[i];
        if (block->start && mprotect(block->start, block->mapped - page, access) != 0) abort();
    }
}

void far_open_wall(void)
{
    far.operations += 1;
    if (far.open++ == 0) protect(PROT_READ | PROT_WRITE);
}

void far_close_wall(void)
{
    if (--far.open == 0) protect(PROT_NONE);
}

void far_check_side(const char *operation, const char *argument, const void *address, bool inside)
{
    char text[200];
    if (!address || (block_of(address) != NULL) == inside) return;
    snprintf(text, sizeof text, "far: %s was given %s in %s memory\n", operation, argument,
             inside ? "the host's" : "the backend's");
    far_say(text);
    abort();
}

struct backend *far_inner(void)
{
    return far.inner;
}

/* ---- memory --------------------------------------------------------------------------------------------------- */
static void *far_allocate(struct backend *backend, size_t bytes, struct error *error)
{
    (void)backend;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), mapped = (bytes + page - 1) / page * page + page;
    int i = 0;
    while (i < BLOCKS_MAX && far.blocks[i].start) i++;
    char *start = i < BLOCKS_MAX ? mmap(NULL, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;
    if (start == MAP_FAILED) {
        error_no_memory(error, "memory behind the wall", bytes);
        return NULL;
    }
    far.blocks[i] = (struct block){start, bytes, mapped, far.allocated++};
    return start;
}

static void far_release(struct backend *backend, void *block)
{
    (void)backend;
    for (int i = 0; block && i < BLOCKS_MAX; i++) {
        if (far.blocks[i].start != block) continue;
        munmap(block, far.blocks[i].mapped);
        far.blocks[i].start = NULL;
        return;
    }
    if (block) abort(); /* it was not allocated here, or was released before */
}

static void *far_allocate_host(struct backend *backend, size_t bytes, struct error *error)
{
    void *block = host_allocate(backend, bytes, error);
    far.host_blocks += block != NULL;
    return block;
}

static void far_release_host(struct backend *backend, void *block)
{
    far.host_blocks -= block != NULL;
    host_release(backend, block);
}

static void far_upload(struct backend *backend, void *to, const void *from_host, size_t bytes)
{
    (void)backend;
    far_refuse_while_recording(__func__);
    FAR(to);
    NEAR(from_host);
    WITHIN(memcpy(to, from_host, bytes));
}

static void far_download(struct backend *backend, void *to_host, const void *from, size_t bytes)
{
    (void)backend;
    far_refuse_while_recording(__func__);
    NEAR(to_host);
    FAR(from);
    WITHIN(memcpy(to_host, from, bytes));
}

static size_t far_tensor_bytes(const struct backend *backend, const struct tensor_desc *desc)
{
    (void)backend;
    return INNER->tensor_bytes(far.inner, desc);
}

static size_t far_statistics_bytes(const struct backend *backend, int channels)
{
    (void)backend;
    return INNER->statistics_bytes(far.inner, channels);
}

static void far_tensor_read(struct backend *backend, const struct tensor_desc *desc, float *canonical,
                            const void *tensor)
{
    (void)backend;
    far_refuse_while_recording(__func__);
    NEAR(canonical);
    FAR(tensor);
    WITHIN(INNER->tensor_read(far.inner, desc, canonical, tensor));
}

static void far_tensor_write(struct backend *backend, const struct tensor_desc *desc, void *tensor,
                             const float *canonical)
{
    (void)backend;
    far_refuse_while_recording(__func__);
    FAR(tensor);
    NEAR(canonical);
    WITHIN(INNER->tensor_write(far.inner, desc, tensor, canonical));
}

/* ---- planning: plans are ref's own, in plain memory ------------------------------------------------------------- */
/* far_NAME_create, which is ref's. */
#define CREATE(name)                                                                                                   \
    static int far_##name##_create(struct backend *backend, const struct name##_desc *desc, struct name##_plan **out,  \
                                   struct error *error)                                                                \
    {                                                                                                                  \
        (void)backend;                                                                                                 \
        return INNER->name##_create(far.inner, desc, out, error);                                                      \
    }
CREATE(conv)
CREATE(batch_norm)
CREATE(max_pool)
CREATE(global_pool)
CREATE(average_pool)
CREATE(relu)
CREATE(dropout)
CREATE(cross_entropy)
CREATE(nt_xent)

static double far_peak(struct backend *backend, enum dtype operands)
{
    (void)backend;
    return INNER->peak(far.inner, operands);
}

static int far_optimizer_create(struct backend *backend, const struct optimizer_desc *desc, struct optimizer_plan **out,
                                struct error *error)
{
    (void)backend;
    for (int i = 0; i < desc->count; i++) {
        FAR(desc->segments[i].weight);
        FAR(desc->segments[i].state1);
        FAR(desc->segments[i].state2);
        FAR(desc->segments[i].gradient);
    }
    return INNER->optimizer_create(far.inner, desc, out, error);
}

/* A service of the host, for evaluation. */
static void far_matmul(struct backend *backend, const struct matmul_args *args)
{
    (void)backend;
    NEAR(args->a);
    NEAR(args->b);
    NEAR(args->c);
    INNER->matmul(far.inner, args);
}

/* ---- the table ------------------------------------------------------------------------------------------------- */
static const char *far_description(const struct backend *backend)
{
    (void)backend;
    return INNER->description(far.inner);
}

static bool far_supports(const struct backend *backend, enum dtype dtype)
{
    (void)backend;
    return INNER->supports(far.inner, dtype);
}

static enum dtype far_preferred(const struct backend *backend)
{
    (void)backend;
    return INNER->preferred(far.inner);
}

static enum dtype far_image_type(const struct backend *backend, enum dtype precision)
{
    (void)backend;
    return INNER->image_type(far.inner, precision);
}

static bool far_reads_host(const struct backend *backend)
{
    (void)backend;
    return false;
}

static int far_sync(struct backend *backend, struct error *error)
{
    (void)backend;
    far_refuse_while_recording(__func__);
    return INNER->sync(far.inner, error);
}

static void far_destroy(struct backend *backend)
{
    (void)backend;
    for (int i = 0; i < 2; i++) sigaction(SIGNALS[i], &far.before[i], NULL);
    far_end_recording();
    for (int i = 0; i < BLOCKS_MAX; i++)
        if (far.blocks[i].start) munmap(far.blocks[i].start, far.blocks[i].mapped);
    backend_destroy(&far.inner);
    memset(&far, 0, sizeof far);
}

static struct backend_ops far_ops;

int far_create(struct pool *pool, struct backend **out, struct error *error)
{
    const int status = far.inner ? error_set(error, SIMCLR_INVALID, "there is a wall already")
                                 : backend_create("ref", SIMD_PORTABLE, pool, &far.inner, error);
    if (status) return status;
    far_ops = *INNER; /* what asks a plan, or destroys it, is ref's */
    far_ops.name = "far";
    far_ops.destroy = far_destroy;
    far_ops.description = far_description;
    far_ops.supports = far_supports;
    far_ops.preferred = far_preferred;
    far_ops.image_type = far_image_type;
    far_ops.sync = far_sync;
    far_ops.reads_host = far_reads_host;
    far_ops.allocate = far_allocate;
    far_ops.release = far_release;
    far_ops.allocate_host = far_allocate_host;
    far_ops.release_host = far_release_host;
    far_ops.upload = far_upload;
    far_ops.download = far_download;
    far_take_recording(&far_ops);
    far_take_operations(&far_ops);
    far_ops.tensor_bytes = far_tensor_bytes;
    far_ops.statistics_bytes = far_statistics_bytes;
    far_ops.tensor_read = far_tensor_read;
    far_ops.tensor_write = far_tensor_write;
    far_ops.conv_create = far_conv_create;
    far_ops.peak = far_peak;
    far_ops.batch_norm_create = far_batch_norm_create;
    far_ops.max_pool_create = far_max_pool_create;
    far_ops.global_pool_create = far_global_pool_create;
    far_ops.average_pool_create = far_average_pool_create;
    far_ops.relu_create = far_relu_create;
    far_ops.dropout_create = far_dropout_create;
    far_ops.nt_xent_create = far_nt_xent_create;
    far_ops.cross_entropy_create = far_cross_entropy_create;
    far_ops.optimizer_create = far_optimizer_create;
    far_ops.matmul = far_matmul;
    far.base = (struct backend){.ops = &far_ops, .pool = pool};
    for (int i = 0; i < 2; i++) {
        struct sigaction action = {.sa_sigaction = touched, .sa_flags = SA_SIGINFO};
        sigemptyset(&action.sa_mask);
        sigaction(SIGNALS[i], &action, &far.before[i]);
    }
    *out = &far.base;
    return SIMCLR_OK;
}

int far_blocks(void)
{
    int count = far.host_blocks;
    for (int i = 0; i < BLOCKS_MAX; i++) count += far.blocks[i].start != NULL;
    return count;
}

int far_allocations(void)
{
    return far.allocated;
}

int64_t far_operations(void)
{
    return far.operations;
}
