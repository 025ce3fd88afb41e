#include "support/small_network.h"

#include "support/images.h"
#include "support/poison.h"

#include "base/memory.h"
#include "base/rng.h"

void small_network_fill(float *values, size_t count, uint32_t item)
{
    struct rng rng = rng_open(12, RNG_TEST, 0, item, 0);
    for (size_t i = 0; i < count; i++) values[i] = (float)rng_normal(&rng);
}

void small_network_open(struct small_network *f, const struct small_network_kind *kind,
                        const struct bench_backend *bench, enum network_mode mode, enum dtype dtype, bool relu)
{
    const size_t values = (size_t)SMALL_BATCH * 3 * kind->side * kind->side;
    struct error error = {0};
    memset(f, 0, sizeof *f);
    CHECK_OK(network_create(&f->network, &f->parameters, mode, dtype, &error), error);
    f->y = kind->build(f->network, relu);
    CHECK_OK(network_check(f->network, &error), error);
    CHECK_OK(parameters_allocate(&f->parameters, NULL, &error), error);
    parameters_initialize(&f->parameters, 3);
    CHECK_OK(network_plan(f->network, bench->backend, &bench->options, &error), error);
    f->images = memory_array(values, sizeof *f->images);
    small_network_fill(f->images, values, 1);
    small_network_fill(f->r, SMALL_OUT, 2);
    f->input = images_of(f->network, f->images);
    network_set_weights(f->network);
}

void small_network_close(struct small_network *f)
{
    network_destroy(&f->network);
    parameters_free(&f->parameters);
    memory_free(f->images);
    memory_free(f->input);
}

void small_network_forward(struct small_network *f, int64_t step)
{
    network_set_draw(f->network, 5, step);
    network_forward(f->network, f->input);
    network_read(f->network, f->y, f->out);
}

void small_network_run(struct small_network *f, int64_t step)
{
    small_network_forward(f, step);
    network_backward(f->network, f->y, f->r);
}

double small_network_slope(struct small_network *f, int row, const float *direction, float step)
{
    const size_t count = f->parameters.items[row].count;
    float *w = parameter_weights(&f->parameters, row), *saved = memory_array(count, sizeof *saved);
    double loss[2] = {0, 0};
    memcpy(saved, w, count * sizeof *w);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < count; i++) w[i] = saved[i] + (side ? -step : step) * direction[i];
        network_set_weights(f->network);
        small_network_forward(f, 3);
        for (int i = 0; i < SMALL_OUT; i++) loss[side] += (double)f->out[i] * f->r[i];
        memcpy(w, saved, count * sizeof *w);
    }
    network_set_weights(f->network);
    memory_free(saved);
    return (loss[0] - loss[1]) / (2 * (double)step);
}

struct small_slope small_network_direction(const struct small_network *f, int row, const float *gradients)
{
    const struct parameter *item = &f->parameters.items[row];
    struct small_slope slope = {.direction = memory_array(item->count, sizeof *slope.direction)};
    small_network_fill(slope.direction, item->count, 100 + (uint32_t)row);
    for (size_t i = 0; i < item->count; i++) {
        const double gradient = gradients[item->offset + i], direction = slope.direction[i];
        slope.analytic += gradient * direction;
        slope.gradient += gradient * gradient;
        slope.length += direction * direction;
    }
    return slope;
}

/* ---- every instruction set ----------------------------------------------------------------------------------- */
struct small_case {
    const struct small_network_kind *kind;
    const char *variant;
    char lifetimes[48], beside[48]; /* names of its two cases */
};

static void check_beside_ref(void **state)
{
    const struct small_case *c = *state;
    struct bench_backend ref = open_backend("ref"), bench = open_backend(c->variant);
    struct small_network want, got;
    small_network_open(&want, c->kind, &ref, NETWORK_TRAINING, DTYPE_F32, false);
    small_network_open(&got, c->kind, &bench, NETWORK_TRAINING, DTYPE_F32, false);
    small_network_run(&want, 1);
    small_network_run(&got, 1);
    CHECK_WITHIN(relative(got.out, want.out, SMALL_OUT), 1e-5, "y");
    CHECK_WITHIN(relative(got.parameters.gradients, want.parameters.gradients, want.parameters.weight_count), 2e-5,
                 "gradients");
    small_network_close(&want);
    small_network_close(&got);
    close_backend(&ref);
    close_backend(&bench);
}

static void check_equal(const struct small_network *clean, const struct small_network *spoiled)
{
    for (int i = 0; i < SMALL_OUT; i++) assert_true(isfinite(clean->out[i]));
    assert_memory_equal(clean->out, spoiled->out, sizeof clean->out);
    assert_memory_equal(clean->parameters.gradients, spoiled->parameters.gradients,
                        clean->parameters.weight_count * sizeof(float));
    if (clean->parameters.buffer_count > 0)
        assert_memory_equal(clean->parameters.buffers, spoiled->parameters.buffers,
                            clean->parameters.buffer_count * sizeof(float));
}

static void check_lifetimes(void **state)
{
    const struct small_case *c = *state;
    struct bench_backend bench = open_backend(c->variant);
    const bool ref = strcmp(c->variant, "ref") == 0;
    for (int kind = 0; kind < 4; kind++) {
        const enum network_mode mode = kind % 2 ? NETWORK_INFERENCE : NETWORK_TRAINING;
        const enum dtype dtype = kind / 2 == 0 ? DTYPE_F32 : ref ? DTYPE_F64 : DTYPE_BF16;
        struct small_network clean, spoiled;
        bench.options.recompute = RECOMPUTE_OFF;
        small_network_open(&clean, c->kind, &bench, mode, dtype, true);
        bench.options.recompute = RECOMPUTE_ON;
        small_network_open(&spoiled, c->kind, &bench, mode, dtype, true);
        if (mode == NETWORK_TRAINING && c->kind->recomputes)
            assert_true(network_arena_bytes(spoiled.network) < network_arena_bytes(clean.network));
        poison_always(spoiled.network);
        for (int step = 0; step < 2; step++) small_network_run(&clean, step), small_network_run(&spoiled, step);
        check_equal(&clean, &spoiled);
        small_network_close(&clean);
        small_network_close(&spoiled);
    }
    close_backend(&bench);
}

enum { SMALL_VARIANTS = 16, SMALL_TESTS = 40 };

static void add(struct CMUnitTest *all, size_t *count, const char *name, CMUnitTestFunction run, struct small_case *c)
{
    assert_true(*count < SMALL_TESTS);
    all[(*count)++] = (struct CMUnitTest){name, run, NULL, NULL, c};
}

int small_network_cases(const char *name, const struct small_network_kind *kind, const struct CMUnitTest *tests,
                        size_t count)
{
    struct CMUnitTest all[SMALL_TESTS];
    struct small_case cases[SMALL_VARIANTS] = {{.kind = kind, .variant = "ref"}};
    size_t variants = 1;
    memcpy(all, tests, count * sizeof *tests);
    add(all, &count, "lifetimes on ref", check_lifetimes, &cases[0]);
    for (const char *const *variant = simd_words(); *variant; variant++) {
        if (!simd_runs(*variant)) {
            skip_part("this CPU lacks %s", *variant);
            continue;
        }
        assert_true(variants < SMALL_VARIANTS);
        struct small_case *c = &cases[variants++];
        *c = (struct small_case){.kind = kind, .variant = *variant};
        snprintf(c->lifetimes, sizeof c->lifetimes, "lifetimes on %s", *variant);
        snprintf(c->beside, sizeof c->beside, "%s beside ref", *variant);
        add(all, &count, c->lifetimes, check_lifetimes, c);
        add(all, &count, c->beside, check_beside_ref, c);
    }
    return run_group(name, all, count, NULL, NULL);
}
