/* tensor/parameters.c -- the parameter table: rows, slabs, initialisation, hash. */
#include "tensor/parameters.h"

#include <math.h>
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "base/rng.h"

/* Every tensor starts on a cache line, so that threads that share slabs by tensor share no line. */
#define PARAMETER_ALIGNMENT 16

/* The largest tensor accepted, in elements (8 GiB of float32): guards the size arithmetic. */
#define PARAMETER_LARGEST ((size_t)1 << 31)

static size_t round_up(size_t count)
{
    return (count + PARAMETER_ALIGNMENT - 1) / PARAMETER_ALIGNMENT * PARAMETER_ALIGNMENT;
}

static int make_room(struct parameters *parameters, struct error *error)
{
    if (parameters->count < parameters->capacity) return SIMCLR_OK;
    size_t old = (size_t)parameters->capacity, capacity = old ? 2 * old : 64;
    void *items = memory_grow(parameters->items, old, capacity, sizeof *parameters->items);
    if (!items) return error_no_memory(error, "the parameter table", capacity * sizeof *parameters->items);
    parameters->items = items;
    parameters->capacity = (int)capacity;
    return SIMCLR_OK;
}

int parameters_add(struct parameters *parameters, const char *name, const struct parameter_form *form,
                   struct error *error)
{
    const int rank = form->rank, *dims = form->dims;
    struct parameter item = {
        .rank = rank, .count = 1, .flags = form->flags, .init = form->init, .fan_in = form->fan_in, .rate = 1};
    if (parameters->weights)
        return error_set(error, SIMCLR_INVALID,
                         "parameter %s: the table is already laid out; add it before "
                         "parameters_allocate",
                         name);
    if (!*name || strlen(name) >= sizeof item.name)
        return error_set(error, SIMCLR_INVALID, "parameter name '%s' must have 1 to %zu characters", name,
                         sizeof item.name - 1);
    if (parameters_find(parameters, name) >= 0)
        return error_set(error, SIMCLR_INVALID, "parameter %s is declared twice; give each layer its own name", name);
    if (rank < 1 || rank > 4)
        return error_set(error, SIMCLR_INVALID, "parameter %s has rank %d; 1 to 4 dimensions are possible", name, rank);
    for (int d = 0; d < rank; d++) {
        if (dims[d] < 1 || (size_t)dims[d] > PARAMETER_LARGEST / item.count)
            return error_set(error, SIMCLR_INVALID,
                             "parameter %s: dimension %d of size %d is not positive or makes "
                             "the tensor too large",
                             name, d, dims[d]);
        item.dims[d] = dims[d];
        item.count *= (size_t)dims[d];
    }
    if ((form->init == INIT_TRUNCATED_NORMAL || form->init == INIT_UNIFORM) && form->fan_in < 1)
        return error_set(error, SIMCLR_INVALID, "parameter %s: its initialisation needs a positive fan-in, not %d",
                         name, form->fan_in);
    int status = make_room(parameters, error);
    if (status) return status;
    memcpy(item.name, name, strlen(name) + 1);
    size_t *slab = form->flags & PARAMETER_BUFFER ? &parameters->buffer_count : &parameters->weight_count;
    item.offset = *slab;
    *slab += round_up(item.count);
    parameters->items[parameters->count] = item;
    return parameters->count++;
}

static size_t largest_tensor(const struct parameters *parameters)
{
    size_t largest = 1;
    for (int i = 0; i < parameters->count; i++)
        if (parameters->items[i].count > largest) largest = parameters->items[i].count;
    return largest;
}

static void release_slabs(struct parameters *parameters)
{
    float *const slabs[] = {parameters->weights, parameters->gradients, parameters->buffers, parameters->buffers_next};
    for (int i = 0; i < 4; i++)
        if (slabs[i]) parameters->memory.release(parameters->memory.owner, slabs[i]);
    memory_free(parameters->staging);
    parameters->weights = parameters->gradients = parameters->buffers = parameters->buffers_next = NULL;
    parameters->staging = NULL;
}

int parameters_allocate(struct parameters *parameters, const struct tensor_memory *memory, struct error *error)
{
    if (parameters->weights) return error_set(error, SIMCLR_INVALID, "the parameter slabs are already allocated");
    parameters->memory = memory ? *memory : tensor_memory_host;
    float **const slabs[] = {&parameters->weights, &parameters->gradients, &parameters->buffers,
                             &parameters->buffers_next};
    for (int i = 0; i < 4; i++) {
        const size_t count = i < 2 ? parameters->weight_count : parameters->buffer_count;
        *slabs[i] = parameters->memory.allocate(parameters->memory.owner, count * sizeof(float), NULL);
    }
    parameters->staging = memory_array(largest_tensor(parameters), sizeof *parameters->staging);
    if (parameters->weights && parameters->gradients && parameters->buffers && parameters->buffers_next &&
        parameters->staging)
        return SIMCLR_OK;
    release_slabs(parameters);
    return error_no_memory(error, "weights, gradients and batch-norm statistics",
                           2 * (parameters->weight_count + parameters->buffer_count) * sizeof(float));
}

void parameters_free(struct parameters *parameters)
{
    release_slabs(parameters);
    memory_free(parameters->items);
    memset(parameters, 0, sizeof *parameters);
}

const float *parameters_look(const struct parameters *parameters, const float *values, size_t count)
{
    parameters->memory.download(parameters->memory.owner, parameters->staging, values, count * sizeof *values);
    return parameters->staging;
}

void parameters_put(const struct parameters *parameters, float *to, const void *from_host, size_t count)
{
    parameters->memory.upload(parameters->memory.owner, to, from_host, count * sizeof *to);
}

int parameters_find(const struct parameters *parameters, const char *name)
{
    for (int i = 0; i < parameters->count; i++)
        if (!strcmp(parameters->items[i].name, name)) return i;
    return -1;
}

float *parameter_weights(const struct parameters *parameters, int index)
{
    const struct parameter *item = &parameters->items[index];
    return (item->flags & PARAMETER_BUFFER ? parameters->buffers : parameters->weights) + item->offset;
}

float *parameter_gradients(const struct parameters *parameters, int index)
{
    const struct parameter *item = &parameters->items[index];
    return item->flags & PARAMETER_BUFFER ? NULL : parameters->gradients + item->offset;
}

float *parameter_next(const struct parameters *parameters, int index)
{
    const struct parameter *item = &parameters->items[index];
    return item->flags & PARAMETER_BUFFER ? parameters->buffers_next + item->offset : NULL;
}

/* N(0, 1) cut at two standard deviations, by drawing again (about one draw in 22). */
static double truncated_normal(struct rng *rng)
{
    double value;
    do value = rng_normal(rng);
    while (fabs(value) > 2);
    return value;
}

/* The standard deviation of N(0, 1) cut at two: dividing by it restores the wanted variance (method.md section 2;
 * TensorFlow's VarianceScaling, which the authors' code uses). */
#define TRUNCATED_DEVIATION 0.87962566103423978

static void initialize_one(const struct parameter *item, float *values, uint64_t seed)
{
    struct rng rng = rng_open(seed, RNG_INIT, 0, rng_name_hash(item->name), 0);
    switch (item->init) {
    case INIT_ZERO:
        memset(values, 0, item->count * sizeof *values);
        break;
    case INIT_ONE:
        for (size_t i = 0; i < item->count; i++) values[i] = 1;
        break;
    case INIT_TRUNCATED_NORMAL: {
        double deviation = sqrt(1.0 / item->fan_in) / TRUNCATED_DEVIATION;
        for (size_t i = 0; i < item->count; i++) values[i] = (float)(deviation * truncated_normal(&rng));
        break;
    }
    case INIT_NORMAL_001:
        for (size_t i = 0; i < item->count; i++) values[i] = (float)(0.01 * rng_normal(&rng));
        break;
    case INIT_UNIFORM: {
        const double bound = 1 / sqrt(item->fan_in);
        for (size_t i = 0; i < item->count; i++) values[i] = (float)rng_between(&rng, -bound, bound);
        break;
    }
    }
}

static void initialize_row(struct parameters *parameters, int index, uint64_t seed)
{
    const struct parameter *item = &parameters->items[index];
    float *gradients = parameter_gradients(parameters, index), *staging = parameters->staging;
    initialize_one(item, staging, seed);
    parameters_put(parameters, parameter_weights(parameters, index), staging, item->count);
    if (!gradients) return;
    memset(staging, 0, item->count * sizeof *staging);
    parameters_put(parameters, gradients, staging, item->count);
}

void parameters_initialize(struct parameters *parameters, uint64_t seed)
{
    for (int i = 0; i < parameters->count; i++) initialize_row(parameters, i, seed);
}

uint64_t parameters_encoder_hash(const struct parameters *parameters)
{
    uint64_t hash = 0;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (!(item->flags & PARAMETER_HEAD))
            hash = hash64(parameters_look(parameters, parameter_weights(parameters, i), item->count),
                          item->count * sizeof(float), hash);
    }
    return hash;
}
