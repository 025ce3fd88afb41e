/* support/far.c -- see far.h. */
#include "support/far.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/host.h"
#include "base/memory.h"

enum { BLOCKS_MAX = 4096 };

/* A call, its arguments by value. */
struct call {
    struct call *next;
    void (*run)(const void *arguments);
    max_align_t arguments[];
};

struct recording {
    struct call *first, **end; /* end NULL: nothing is recorded */
};

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
    int64_t operations, replays;
    struct recording recordings[BACKEND_RECORDINGS];
    struct recording *recording; /* under way, or NULL */
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

static void say(const char *text)
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
        say(text);
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

static void begin(void)
{
    far.operations += 1;
    if (far.open++ == 0) protect(PROT_READ | PROT_WRITE);
}

static void end(void)
{
    if (--far.open == 0) protect(PROT_NONE);
}

/* An argument that must be the backend's memory (NULL where it may be left out), or must not be. */
static void check_side(const char *operation, const char *argument, const void *address, bool inside)
{
    char text[200];
    if (!address || (block_of(address) != NULL) == inside) return;
    snprintf(text, sizeof text, "far: %s was given %s in %s memory\n", operation, argument,
             inside ? "the host's" : "the backend's");
    say(text);
    abort();
}
#define FAR(argument) check_side(__func__, #argument, argument, true)
#define NEAR(argument) check_side(__func__, #argument, argument, false)
#define WITHIN(call)                                                                                                   \
    do {                                                                                                               \
        begin();                                                                                                       \
        call;                                                                                                          \
        end();                                                                                                         \
    } while (0)
#define INNER (far.inner->ops)

/* Runs an operation; while a recording is under way it is kept as well. */
static void perform(void (*run)(const void *arguments), const void *arguments, size_t bytes)
{
    WITHIN(run(arguments));
    if (!far.recording) return;
    struct call *call = memory_allocate(sizeof *call + bytes);
    if (!call) abort();
    call->run = run;
    memcpy(call->arguments, arguments, bytes);
    *far.recording->end = call;
    far.recording->end = &call->next;
}

/* What the host asks for while operations are only being taken down would come too early on a device. */
static void refuse_while_recording(const char *operation)
{
    char text[100];
    if (!far.recording) return;
    snprintf(text, sizeof text, "far: %s was called while a recording was under way\n", operation);
    say(text);
    abort();
}

/* ---- recording ------------------------------------------------------------------------------------------------- */
static bool far_replay(struct backend *backend, int slot)
{
    const struct recording *recording = &far.recordings[slot];
    (void)backend;
    refuse_while_recording(__func__);
    if (!recording->end) return false;
    for (const struct call *call = recording->first; call; call = call->next) WITHIN(call->run(call->arguments));
    far.replays += 1;
    return true;
}

static int far_record_begin(struct backend *backend, int slot, struct error *error)
{
    (void)backend;
    (void)error;
    refuse_while_recording(__func__);
    far.recording = &far.recordings[slot];
    if (far.recording->end) abort(); /* it is there already: to be replayed, or forgotten first */
    far.recording->end = &far.recording->first;
    return SIMCLR_OK;
}

static int far_record_end(struct backend *backend, struct error *error)
{
    (void)backend;
    (void)error;
    if (!far.recording) abort();
    far.recording = NULL;
    return SIMCLR_OK;
}

static void far_record_forget(struct backend *backend)
{
    (void)backend;
    refuse_while_recording(__func__);
    for (int slot = 0; slot < BACKEND_RECORDINGS; slot++) {
        for (struct call *call = far.recordings[slot].first, *next; call; call = next) {
            next = call->next;
            memory_free(call);
        }
        far.recordings[slot] = (struct recording){0};
    }
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
    refuse_while_recording(__func__);
    FAR(to);
    NEAR(from_host);
    WITHIN(memcpy(to, from_host, bytes));
}

static void far_download(struct backend *backend, void *to_host, const void *from, size_t bytes)
{
    (void)backend;
    refuse_while_recording(__func__);
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
    refuse_while_recording(__func__);
    NEAR(canonical);
    FAR(tensor);
    WITHIN(INNER->tensor_read(far.inner, desc, canonical, tensor));
}

static void far_tensor_write(struct backend *backend, const struct tensor_desc *desc, void *tensor,
                             const float *canonical)
{
    (void)backend;
    refuse_while_recording(__func__);
    FAR(tensor);
    NEAR(canonical);
    WITHIN(INNER->tensor_write(far.inner, desc, tensor, canonical));
}

/* ---- planning: plans are ref's own, in plain memory ------------------------------------------------------------- */
static int far_conv_create(struct backend *backend, const struct conv_desc *desc, struct conv_plan **out,
                           struct error *error)
{
    (void)backend;
    return INNER->conv_create(far.inner, desc, out, error);
}

static double far_peak(struct backend *backend, enum dtype operands)
{
    (void)backend;
    return INNER->peak(far.inner, operands);
}

static int far_batch_norm_create(struct backend *backend, const struct batch_norm_desc *desc,
                                 struct batch_norm_plan **out, struct error *error)
{
    (void)backend;
    return INNER->batch_norm_create(far.inner, desc, out, error);
}

static int far_max_pool_create(struct backend *backend, const struct max_pool_desc *desc, struct max_pool_plan **out,
                               struct error *error)
{
    (void)backend;
    return INNER->max_pool_create(far.inner, desc, out, error);
}

static int far_global_pool_create(struct backend *backend, const struct global_pool_desc *desc,
                                  struct global_pool_plan **out, struct error *error)
{
    (void)backend;
    return INNER->global_pool_create(far.inner, desc, out, error);
}

static int far_average_pool_create(struct backend *backend, const struct average_pool_desc *desc,
                                   struct average_pool_plan **out, struct error *error)
{
    (void)backend;
    return INNER->average_pool_create(far.inner, desc, out, error);
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

static int far_cross_entropy_create(struct backend *backend, const struct cross_entropy_desc *desc,
                                    struct cross_entropy_plan **out, struct error *error)
{
    (void)backend;
    return INNER->cross_entropy_create(far.inner, desc, out, error);
}

static int far_nt_xent_create(struct backend *backend, const struct nt_xent_desc *desc, struct nt_xent_plan **out,
                              struct error *error)
{
    (void)backend;
    return INNER->nt_xent_create(far.inner, desc, out, error);
}

/* ---- operations: a struct of arguments each, so that a call can be kept by value and made again ------------------ */
struct conv_set_weights_call {
    struct conv_plan *plan;
    const float *weight;
};

static void run_conv_set_weights(const void *call)
{
    const struct conv_set_weights_call *c = call;
    INNER->conv_set_weights(c->plan, c->weight);
}

static void far_conv_set_weights(struct conv_plan *plan, const float *weight)
{
    FAR(weight);
    const struct conv_set_weights_call call = {plan, weight};
    perform(run_conv_set_weights, &call, sizeof call);
}

struct conv_set_folded_weights_call {
    struct conv_plan *plan;
    struct conv_folding args;
};

static void run_conv_set_folded_weights(const void *call)
{
    const struct conv_set_folded_weights_call *c = call;
    INNER->conv_set_folded_weights(c->plan, &c->args);
}

static void far_conv_set_folded_weights(struct conv_plan *plan, const struct conv_folding *args)
{
    FAR(args->bias);
    FAR(args->scratch);
    FAR(args->weight);
    FAR(args->conv_bias);
    FAR(args->gamma);
    FAR(args->beta);
    FAR(args->mean);
    FAR(args->variance);
    const struct conv_set_folded_weights_call call = {plan, *args};
    perform(run_conv_set_folded_weights, &call, sizeof call);
}

struct conv_forward_call {
    struct conv_plan *plan;
    void *y;
    double *statistics;
    const void *x;
    const float *bias;
};

static void run_conv_forward(const void *call)
{
    const struct conv_forward_call *c = call;
    INNER->conv_forward(c->plan, c->y, c->statistics, c->x, c->bias);
}

static void far_conv_forward(struct conv_plan *plan, void *y, double *statistics, const void *x, const float *bias)
{
    FAR(y);
    FAR(statistics);
    FAR(x);
    FAR(bias);
    const struct conv_forward_call call = {plan, y, statistics, x, bias};
    perform(run_conv_forward, &call, sizeof call);
}

struct conv_inference_call {
    struct conv_plan *plan;
    void *y;
    const void *x;
    const void *residual;
    const float *bias;
};

static void run_conv_inference(const void *call)
{
    const struct conv_inference_call *c = call;
    INNER->conv_inference(c->plan, c->y, c->x, c->residual, c->bias);
}

static void far_conv_inference(struct conv_plan *plan, void *y, const void *x, const void *residual, const float *bias)
{
    FAR(y);
    FAR(x);
    FAR(residual);
    FAR(bias);
    const struct conv_inference_call call = {plan, y, x, residual, bias};
    perform(run_conv_inference, &call, sizeof call);
}

struct conv_backward_data_call {
    struct conv_plan *plan;
    void *d_x;
    const void *d_y;
};

static void run_conv_backward_data(const void *call)
{
    const struct conv_backward_data_call *c = call;
    INNER->conv_backward_data(c->plan, c->d_x, c->d_y);
}

static void far_conv_backward_data(struct conv_plan *plan, void *d_x, const void *d_y)
{
    FAR(d_x);
    FAR(d_y);
    const struct conv_backward_data_call call = {plan, d_x, d_y};
    perform(run_conv_backward_data, &call, sizeof call);
}

struct conv_backward_weights_call {
    struct conv_plan *plan;
    float *d_weight;
    float *d_bias;
    const void *d_y;
    const void *x;
};

static void run_conv_backward_weights(const void *call)
{
    const struct conv_backward_weights_call *c = call;
    INNER->conv_backward_weights(c->plan, c->d_weight, c->d_bias, c->d_y, c->x);
}

static void far_conv_backward_weights(struct conv_plan *plan, float *d_weight, float *d_bias, const void *d_y,
                                      const void *x)
{
    FAR(d_weight);
    FAR(d_bias);
    FAR(d_y);
    FAR(x);
    const struct conv_backward_weights_call call = {plan, d_weight, d_bias, d_y, x};
    perform(run_conv_backward_weights, &call, sizeof call);
}

struct batch_norm_forward_call {
    struct batch_norm_plan *plan;
    struct batch_norm_forward_args args;
};

static void run_batch_norm_forward(const void *call)
{
    const struct batch_norm_forward_call *c = call;
    INNER->batch_norm_forward(c->plan, &c->args);
}

static void far_batch_norm_forward(struct batch_norm_plan *plan, const struct batch_norm_forward_args *args)
{
    FAR(args->y);
    FAR(args->mask);
    FAR(args->saved);
    FAR(args->next_mean);
    FAR(args->next_var);
    FAR(args->x);
    FAR(args->residual);
    FAR(args->statistics);
    FAR(args->gamma);
    FAR(args->beta);
    FAR(args->running_mean);
    FAR(args->running_var);
    const struct batch_norm_forward_call call = {plan, *args};
    perform(run_batch_norm_forward, &call, sizeof call);
}

struct batch_norm_again_call {
    struct batch_norm_plan *plan;
    struct batch_norm_again_args args;
};

static void run_batch_norm_again(const void *call)
{
    const struct batch_norm_again_call *c = call;
    INNER->batch_norm_again(c->plan, &c->args);
}

static void far_batch_norm_again(struct batch_norm_plan *plan, const struct batch_norm_again_args *args)
{
    FAR(args->y);
    FAR(args->mask);
    FAR(args->x);
    FAR(args->residual);
    FAR(args->saved);
    FAR(args->gamma);
    FAR(args->beta);
    const struct batch_norm_again_call call = {plan, *args};
    perform(run_batch_norm_again, &call, sizeof call);
}

struct batch_norm_inference_call {
    struct batch_norm_plan *plan;
    struct batch_norm_inference_args args;
};

static void run_batch_norm_inference(const void *call)
{
    const struct batch_norm_inference_call *c = call;
    INNER->batch_norm_inference(c->plan, &c->args);
}

static void far_batch_norm_inference(struct batch_norm_plan *plan, const struct batch_norm_inference_args *args)
{
    FAR(args->y);
    FAR(args->x);
    FAR(args->residual);
    FAR(args->gamma);
    FAR(args->beta);
    FAR(args->running_mean);
    FAR(args->running_var);
    const struct batch_norm_inference_call call = {plan, *args};
    perform(run_batch_norm_inference, &call, sizeof call);
}

struct batch_norm_backward_sums_call {
    struct batch_norm_plan *plan;
    struct batch_norm_sums_args args;
};

static void run_batch_norm_backward_sums(const void *call)
{
    const struct batch_norm_backward_sums_call *c = call;
    INNER->batch_norm_backward_sums(c->plan, &c->args);
}

static void far_batch_norm_backward_sums(struct batch_norm_plan *plan, const struct batch_norm_sums_args *args)
{
    FAR(args->sums);
    FAR(args->d_gamma);
    FAR(args->d_beta);
    FAR(args->d_y);
    FAR(args->x);
    FAR(args->mask);
    FAR(args->saved);
    const struct batch_norm_backward_sums_call call = {plan, *args};
    perform(run_batch_norm_backward_sums, &call, sizeof call);
}

struct batch_norm_backward_call {
    struct batch_norm_plan *plan;
    struct batch_norm_backward_args args;
};

static void run_batch_norm_backward(const void *call)
{
    const struct batch_norm_backward_call *c = call;
    INNER->batch_norm_backward(c->plan, &c->args);
}

static void far_batch_norm_backward(struct batch_norm_plan *plan, const struct batch_norm_backward_args *args)
{
    FAR(args->d_x);
    FAR(args->d_residual);
    FAR(args->sums);
    FAR(args->d_y);
    FAR(args->x);
    FAR(args->mask);
    FAR(args->saved);
    FAR(args->gamma);
    const struct batch_norm_backward_call call = {plan, *args};
    perform(run_batch_norm_backward, &call, sizeof call);
}

struct max_pool_forward_call {
    struct max_pool_plan *plan;
    void *y;
    void *saved;
    const void *x;
};

static void run_max_pool_forward(const void *call)
{
    const struct max_pool_forward_call *c = call;
    INNER->max_pool_forward(c->plan, c->y, c->saved, c->x);
}

static void far_max_pool_forward(struct max_pool_plan *plan, void *y, void *saved, const void *x)
{
    FAR(y);
    FAR(saved);
    FAR(x);
    const struct max_pool_forward_call call = {plan, y, saved, x};
    perform(run_max_pool_forward, &call, sizeof call);
}

struct max_pool_backward_call {
    struct max_pool_plan *plan;
    void *d_x;
    const void *d_y;
    const void *saved;
};

static void run_max_pool_backward(const void *call)
{
    const struct max_pool_backward_call *c = call;
    INNER->max_pool_backward(c->plan, c->d_x, c->d_y, c->saved);
}

static void far_max_pool_backward(struct max_pool_plan *plan, void *d_x, const void *d_y, const void *saved)
{
    FAR(d_x);
    FAR(d_y);
    FAR(saved);
    const struct max_pool_backward_call call = {plan, d_x, d_y, saved};
    perform(run_max_pool_backward, &call, sizeof call);
}

struct global_pool_forward_call {
    struct global_pool_plan *plan;
    void *y;
    const void *x;
};

static void run_global_pool_forward(const void *call)
{
    const struct global_pool_forward_call *c = call;
    INNER->global_pool_forward(c->plan, c->y, c->x);
}

static void far_global_pool_forward(struct global_pool_plan *plan, void *y, const void *x)
{
    FAR(y);
    FAR(x);
    const struct global_pool_forward_call call = {plan, y, x};
    perform(run_global_pool_forward, &call, sizeof call);
}

struct global_pool_backward_call {
    struct global_pool_plan *plan;
    void *d_x;
    const void *d_y;
};

static void run_global_pool_backward(const void *call)
{
    const struct global_pool_backward_call *c = call;
    INNER->global_pool_backward(c->plan, c->d_x, c->d_y);
}

static void far_global_pool_backward(struct global_pool_plan *plan, void *d_x, const void *d_y)
{
    FAR(d_x);
    FAR(d_y);
    const struct global_pool_backward_call call = {plan, d_x, d_y};
    perform(run_global_pool_backward, &call, sizeof call);
}

struct average_pool_forward_call {
    struct average_pool_plan *plan;
    void *y;
    const void *x;
};

static void run_average_pool_forward(const void *call)
{
    const struct average_pool_forward_call *c = call;
    INNER->average_pool_forward(c->plan, c->y, c->x);
}

static void far_average_pool_forward(struct average_pool_plan *plan, void *y, const void *x)
{
    FAR(y);
    FAR(x);
    const struct average_pool_forward_call call = {plan, y, x};
    perform(run_average_pool_forward, &call, sizeof call);
}

struct average_pool_backward_call {
    struct average_pool_plan *plan;
    void *d_x;
    const void *d_y;
};

static void run_average_pool_backward(const void *call)
{
    const struct average_pool_backward_call *c = call;
    INNER->average_pool_backward(c->plan, c->d_x, c->d_y);
}

static void far_average_pool_backward(struct average_pool_plan *plan, void *d_x, const void *d_y)
{
    FAR(d_x);
    FAR(d_y);
    const struct average_pool_backward_call call = {plan, d_x, d_y};
    perform(run_average_pool_backward, &call, sizeof call);
}

struct optimizer_run_call {
    struct optimizer_plan *plan;
    const struct step_inputs *inputs;
};

static void run_optimizer_run(const void *call)
{
    const struct optimizer_run_call *c = call;
    INNER->optimizer_run(c->plan, c->inputs);
}

static void far_optimizer_run(struct optimizer_plan *plan, const struct step_inputs *inputs)
{
    FAR(inputs);
    const struct optimizer_run_call call = {plan, inputs};
    perform(run_optimizer_run, &call, sizeof call);
}

struct sum_squares_call {
    double *out;
    const float *values;
    size_t count;
};

static void run_sum_squares(const void *call)
{
    const struct sum_squares_call *c = call;
    INNER->sum_squares(far.inner, c->out, c->values, c->count);
}

static void far_sum_squares(struct backend *backend, double *out, const float *values, size_t count)
{
    (void)backend;
    FAR(out);
    FAR(values);
    const struct sum_squares_call call = {out, values, count};
    perform(run_sum_squares, &call, sizeof call);
}

struct copy_call {
    void *to;
    const void *from;
    size_t bytes;
};

static void run_copy(const void *call)
{
    const struct copy_call *c = call;
    INNER->copy(far.inner, c->to, c->from, c->bytes);
}

static void far_copy(struct backend *backend, void *to, const void *from, size_t bytes)
{
    (void)backend;
    FAR(to);
    FAR(from);
    const struct copy_call call = {to, from, bytes};
    perform(run_copy, &call, sizeof call);
}

struct clear_call {
    void *to;
    size_t bytes;
};

static void run_clear(const void *call)
{
    const struct clear_call *c = call;
    INNER->clear(far.inner, c->to, c->bytes);
}

static void far_clear(struct backend *backend, void *to, size_t bytes)
{
    (void)backend;
    FAR(to);
    const struct clear_call call = {to, bytes};
    perform(run_clear, &call, sizeof call);
}

struct add_call {
    float *to;
    const float *from;
    size_t count;
};

static void run_add(const void *call)
{
    const struct add_call *c = call;
    INNER->add(far.inner, c->to, c->from, c->count);
}

static void far_add(struct backend *backend, float *to, const float *from, size_t count)
{
    (void)backend;
    FAR(to);
    FAR(from);
    const struct add_call call = {to, from, count};
    perform(run_add, &call, sizeof call);
}

struct nt_xent_unit_rows_call {
    struct nt_xent_plan *plan;
    void *unit;
    const void *z;
};

static void run_nt_xent_unit_rows(const void *call)
{
    const struct nt_xent_unit_rows_call *c = call;
    INNER->nt_xent_unit_rows(c->plan, c->unit, c->z);
}

static void far_nt_xent_unit_rows(struct nt_xent_plan *plan, void *unit, const void *z)
{
    FAR(unit);
    FAR(z);
    const struct nt_xent_unit_rows_call call = {plan, unit, z};
    perform(run_nt_xent_unit_rows, &call, sizeof call);
}

struct nt_xent_log_sums_call {
    struct nt_xent_plan *plan;
    struct nt_xent_result *result;
    void *sums;
    const void *unit;
};

static void run_nt_xent_log_sums(const void *call)
{
    const struct nt_xent_log_sums_call *c = call;
    INNER->nt_xent_log_sums(c->plan, c->result, c->sums, c->unit);
}

static void far_nt_xent_log_sums(struct nt_xent_plan *plan, struct nt_xent_result *result, void *sums, const void *unit)
{
    FAR(result);
    FAR(sums);
    FAR(unit);
    const struct nt_xent_log_sums_call call = {plan, result, sums, unit};
    perform(run_nt_xent_log_sums, &call, sizeof call);
}

struct nt_xent_gradient_call {
    struct nt_xent_plan *plan;
    void *d_z;
    const void *unit;
    const void *sums;
};

static void run_nt_xent_gradient(const void *call)
{
    const struct nt_xent_gradient_call *c = call;
    INNER->nt_xent_gradient(c->plan, c->d_z, c->unit, c->sums);
}

static void far_nt_xent_gradient(struct nt_xent_plan *plan, void *d_z, const void *unit, const void *sums)
{
    FAR(d_z);
    FAR(unit);
    FAR(sums);
    const struct nt_xent_gradient_call call = {plan, d_z, unit, sums};
    perform(run_nt_xent_gradient, &call, sizeof call);
}

struct cross_entropy_run_call {
    struct cross_entropy_plan *plan;
    struct cross_entropy_result *result;
    void *d_logits;
    const void *logits;
    const int32_t *labels;
};

static void run_cross_entropy_run(const void *call)
{
    const struct cross_entropy_run_call *c = call;
    INNER->cross_entropy_run(c->plan, c->result, c->d_logits, c->logits, c->labels);
}

static void far_cross_entropy_run(struct cross_entropy_plan *plan, struct cross_entropy_result *result, void *d_logits,
                                  const void *logits, const int32_t *labels)
{
    FAR(result);
    FAR(d_logits);
    FAR(logits);
    FAR(labels);
    const struct cross_entropy_run_call call = {plan, result, d_logits, logits, labels};
    perform(run_cross_entropy_run, &call, sizeof call);
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
    refuse_while_recording(__func__);
    return INNER->sync(far.inner, error);
}

static void far_destroy(struct backend *backend)
{
    (void)backend;
    for (int i = 0; i < 2; i++) sigaction(SIGNALS[i], &far.before[i], NULL);
    far_record_forget(NULL);
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
    far_ops.copy = far_copy;
    far_ops.clear = far_clear;
    far_ops.add = far_add;
    far_ops.replay = far_replay;
    far_ops.record_begin = far_record_begin;
    far_ops.record_end = far_record_end;
    far_ops.record_forget = far_record_forget;
    far_ops.tensor_bytes = far_tensor_bytes;
    far_ops.statistics_bytes = far_statistics_bytes;
    far_ops.tensor_read = far_tensor_read;
    far_ops.tensor_write = far_tensor_write;
    far_ops.conv_create = far_conv_create;
    far_ops.peak = far_peak;
    far_ops.conv_set_weights = far_conv_set_weights;
    far_ops.conv_set_folded_weights = far_conv_set_folded_weights;
    far_ops.conv_forward = far_conv_forward;
    far_ops.conv_inference = far_conv_inference;
    far_ops.conv_backward_data = far_conv_backward_data;
    far_ops.conv_backward_weights = far_conv_backward_weights;
    far_ops.batch_norm_create = far_batch_norm_create;
    far_ops.batch_norm_forward = far_batch_norm_forward;
    far_ops.batch_norm_again = far_batch_norm_again;
    far_ops.batch_norm_inference = far_batch_norm_inference;
    far_ops.batch_norm_backward_sums = far_batch_norm_backward_sums;
    far_ops.batch_norm_backward = far_batch_norm_backward;
    far_ops.max_pool_create = far_max_pool_create;
    far_ops.max_pool_forward = far_max_pool_forward;
    far_ops.max_pool_backward = far_max_pool_backward;
    far_ops.global_pool_create = far_global_pool_create;
    far_ops.global_pool_forward = far_global_pool_forward;
    far_ops.global_pool_backward = far_global_pool_backward;
    far_ops.average_pool_create = far_average_pool_create;
    far_ops.average_pool_forward = far_average_pool_forward;
    far_ops.average_pool_backward = far_average_pool_backward;
    far_ops.nt_xent_create = far_nt_xent_create;
    far_ops.nt_xent_unit_rows = far_nt_xent_unit_rows;
    far_ops.nt_xent_log_sums = far_nt_xent_log_sums;
    far_ops.nt_xent_gradient = far_nt_xent_gradient;
    far_ops.cross_entropy_create = far_cross_entropy_create;
    far_ops.cross_entropy_run = far_cross_entropy_run;
    far_ops.optimizer_create = far_optimizer_create;
    far_ops.optimizer_run = far_optimizer_run;
    far_ops.sum_squares = far_sum_squares;
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

int64_t far_operations(void)
{
    return far.operations;
}

int64_t far_replays(void)
{
    return far.replays;
}
