/* The ground of test_golden_network and test_golden_steps without the reference folder: ResNets, SimCLR steps and
 * schedules against PyTorch's float64, from small files of this project (tools/make_golden_network.py) that hold
 * results only. Weights and inputs are functions of their names. Of a gradient the files hold the norm and eight
 * projections onto random vectors. So the distance is estimated instead of computed: the root mean square of the
 * projections' differences. */
#include "golden/steps.h"
#include "support/images.h"

enum { PROBES = 8 };
static const char *const FOLDER = "tests/golden/data";

struct job {
    char name[64];
    char variant[32];
    const char *file;
    int depth;
    enum dtype dtype;
};

/* ---- numbers that PyTorch's side makes too ------------------------------------------------------------------ */
/* Number i of the stream `name`: in [-1, 1), a multiple of 2^-23. */
static double hashed(uint32_t seed, size_t i)
{
    uint32_t x = seed + (uint32_t)i * 0x9E3779B9u;
    x ^= x >> 16;
    x *= 0x85EBCA6Bu;
    x ^= x >> 13;
    x *= 0xC2B2AE35u;
    x ^= x >> 16;
    return (x >> 8) / 8388608.0 - 1;
}

static uint32_t name_seed(const char *name)
{
    uint32_t seed = 2166136261u;
    for (; *name; name++) seed = (seed ^ (uint8_t)*name) * 16777619u;
    return seed;
}

static bool ends_with(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && !strcmp(text + strlen(text) - strlen(end), end);
}

static void fill_parameters(struct parameters *parameters)
{
    for (int p = 0; p < parameters->count; p++) {
        const struct parameter *item = &parameters->items[p];
        float *values = parameter_weights(parameters, p);
        uint32_t seed = name_seed(item->name);
        double scale = 0.1, shift = 0;
        if (item->rank > 1)
            scale = sqrt(3.0 / ((double)item->count / item->dims[0]));
        else if (ends_with(item->name, ".bn3.weight"))
            scale = 0.0625, shift = 0.25;
        else if (ends_with(item->name, ".weight") || ends_with(item->name, ".running_var"))
            scale = 0.25, shift = 1;
        for (size_t i = 0; i < item->count; i++) values[i] = (float)(shift + scale * hashed(seed, i));
    }
}

/* Images number `number`. */
static float *make_images(int number, size_t count)
{
    float *images = memory_array(count, sizeof *images);
    char name[16];
    snprintf(name, sizeof name, "x%d", number);
    uint32_t seed = name_seed(name);
    for (size_t i = 0; i < count; i++) images[i] = (float)(0.5 + 0.5 * hashed(seed, i));
    return images;
}

/* Adds the estimated distance of `values` (less `base`, unless NULL) from a summary to `distance`. */
static void distance_to_summary(struct distance *distance, const char *name, const float *values, const float *base,
                                size_t count, struct reference_tensor summary)
{
    assert_int_equal(summary.count, PROBES + 1);
    double squares = 0;
    for (int k = 0; k < PROBES; k++) {
        char probe[128];
        snprintf(probe, sizeof probe, "probe%d.%s", k, name);
        uint32_t seed = name_seed(probe);
        double sum = 0;
        for (size_t i = 0; i < count; i++) sum += ((double)values[i] - (base ? base[i] : 0)) * hashed(seed, i);
        double difference = sum * sqrt(3.0) - reference_number(summary, k + 1);
        squares += difference * difference / PROBES;
    }
    distance->difference += squares;
    distance->norm += reference_number(summary, 0) * reference_number(summary, 0);
}

static void open_golden(struct reference *file, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s.safetensors", FOLDER, name);
    if (!reference_open_path(file, path)) fail_msg("%s cannot be read", path);
}

/* ---- ResNets ------------------------------------------------------------------------------------------------ */
struct errors {
    double train, eval, running, gradients, worst_gradient;
};

static void measure_parameters(struct errors *errors, const struct parameters *parameters, const struct reference *file)
{
    struct distance running = {0, 0}, gradients = {0, 0};
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_BUFFER) {
            const float *theirs = reference_f32(reference_get(file, "train.%s", item->name));
            distance_add(&running, parameter_next(parameters, i), theirs, item->count);
            continue;
        }
        struct distance one = {0, 0};
        distance_to_summary(&one, item->name, parameter_gradients(parameters, i), NULL, item->count,
                            reference_get(file, "train.grad.%s", item->name));
        gradients.difference += one.difference;
        gradients.norm += one.norm;
        if (!(distance_ratio(one) <= errors->worst_gradient)) errors->worst_gradient = distance_ratio(one);
    }
    errors->running = distance_ratio(running);
    errors->gradients = distance_ratio(gradients);
}

static struct errors run_resnet(const struct job *job, const struct reference *file)
{
    struct error error = {0};
    struct errors errors = {0};
    struct bench_backend bench = open_backend(job->variant);
    struct model_config config = {.resnet.depth = job->depth,
                                  .resnet.width = reference_metadata(file, "width", 0),
                                  .image_size = (int)reference_metadata(file, "image_size", 0),
                                  .resnet.stem =
                                      reference_metadata(file, "cifar_stem", 0) != 0 ? STEM_CIFAR : STEM_IMAGENET};
    int batch = (int)reference_metadata(file, "batch", 0);
    struct model *model;
    struct network *network;
    struct model_tensors tensors;
    CHECK_OK(model_create(&model, &config, bench.backend, 1, &error), error);
    fill_parameters(&model->parameters);
    size_t count = (size_t)batch * (size_t)model_feature_dim(&config);
    float *x = make_images((int)reference_metadata(file, "x", 0),
                           (size_t)batch * 3 * (size_t)(config.image_size * config.image_size));
    float *h = memory_array(count, sizeof *h), *r = memory_array(count, sizeof *r);
    for (size_t i = 0; i < count; i++) r[i] = (float)hashed(name_seed("r"), i);

    CHECK_OK(model_plan(model,
                        &(struct model_plan_args){.backend = bench.backend,
                                                  .mode = NETWORK_TRAINING,
                                                  .dtype = job->dtype,
                                                  .batch = batch,
                                                  .encoder_only = true,
                                                  .options = bench.options},
                        &network, &tensors, &error),
             error);
    void *images = images_of(network, x);
    network_forward(network, images);
    network_read(network, tensors.h, h);
    errors.train = relative(h, reference_f32(reference_get(file, "train.h")), count);
    network_backward(network, tensors.h, r);
    measure_parameters(&errors, &model->parameters, file);
    network_destroy(&network);
    commit_statistics(&model->parameters);

    CHECK_OK(model_plan(model,
                        &(struct model_plan_args){.backend = bench.backend,
                                                  .mode = NETWORK_INFERENCE,
                                                  .dtype = job->dtype,
                                                  .batch = batch,
                                                  .encoder_only = true,
                                                  .options = bench.options},
                        &network, &tensors, &error),
             error);
    network_forward(network, images); /* of the same type */
    network_read(network, tensors.h, h);
    errors.eval = relative(h, reference_f32(reference_get(file, "eval.h")), count);
    network_destroy(&network);
    print_message("%s: train.h %.2g, eval.h %.2g, running %.2g, gradients %.2g (worst %.2g)\n", job->name, errors.train,
                  errors.eval, errors.running, errors.gradients, errors.worst_gradient);
    memory_free(images);
    memory_free(x);
    memory_free(h);
    memory_free(r);
    model_destroy(&model);
    close_backend(&bench);
    return errors;
}

static void test_resnet(void **state)
{
    const struct job *job = *state;
    struct reference file;
    open_golden(&file, job->file);
    struct errors errors = run_resnet(job, &file);
    if (job->dtype == DTYPE_F32) {
        CHECK_WITHIN(errors.train, 1e-5, "h in training");
        CHECK_WITHIN(errors.eval, 1e-5, "h in inference");
        CHECK_WITHIN(errors.running, 1e-5, "running statistics");
        CHECK_WITHIN(errors.worst_gradient, 1e-4, "a gradient");
    } else { /* the metadata holds PyTorch's own bf16 error on the same tensors */
        CHECK_WITHIN(errors.train, 1.25 * reference_metadata(&file, "bf16_train", 0), "h in training");
        CHECK_WITHIN(errors.eval, 1.25 * reference_metadata(&file, "bf16_eval", 0), "h in inference");
        CHECK_WITHIN(errors.running, 1.25 * reference_metadata(&file, "bf16_running", 0), "running statistics");
        CHECK_WITHIN(errors.gradients, 1.25 * reference_metadata(&file, "bf16_gradients", 0), "all gradients");
    }
    reference_close(&file);
}

/* ---- SimCLR steps ------------------------------------------------------------------------------------------- */
static double worst_change(const struct parameters *parameters, const float *first, const struct reference *file,
                           int step)
{
    double worst = 0;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_BUFFER) continue;
        struct distance one = {0, 0};
        distance_to_summary(&one, item->name, parameter_weights(parameters, i), first + item->offset, item->count,
                            reference_get(file, "change%d.%s", step, item->name));
        if (!(distance_ratio(one) <= worst)) worst = distance_ratio(one);
    }
    return worst;
}

static void set_weights(struct parameters *parameters, const struct reference *file)
{
    (void)file;
    fill_parameters(parameters);
}

static void run_steps(struct step_run *run, const struct job *job, const struct reference *file)
{
    const struct parameters *parameters = &run->model->parameters;
    const int rows = (int)reference_metadata(file, "rows", 0), size = run->model->config.image_size;
    float *first = memory_array(parameters->weight_count, sizeof *first);
    memcpy(first, parameters->weights, parameters->weight_count * sizeof *first);
    struct reference_tensor losses = reference_get(file, "losses");
    for (int step = 0; step < (int)losses.count; step++) {
        int number = (int)reference_number(reference_get(file, "inputs"), step);
        float *x = make_images(number, (size_t)rows * 3 * (size_t)(size * size));
        const double value = one_step(run, x);
        struct reference_tensor z = reference_get(file, "z%d", step);
        double loss = fabs(value / reference_number(losses, step) - 1);
        double z_error = relative(run->z, reference_f32(z), (size_t)z.count);
        double change = worst_change(parameters, first, file, step + 1);
        print_message("%s, step %d: loss %.6f (%.2g off), z %.2g, worst change %.2g\n", job->name, step, value, loss,
                      z_error, change);
        CHECK_WITHIN(loss, 1e-5, "the loss");
        CHECK_WITHIN(z_error, 1e-4, "z");
        CHECK_WITHIN(change, 1e-3, "the change of a parameter");
        memory_free(x);
    }
    memory_free(first);
}

static void test_steps(void **state)
{
    const struct job *job = *state;
    struct reference file;
    open_golden(&file, job->file);
    struct step_run run = open_steps(&file, job->variant, job->dtype, (int)reference_metadata(&file, "rows", 0),
                                     (int)reference_metadata(&file, "image_size", 0),
                                     (int)reference_metadata(&file, "dim", 0), set_weights);
    run_steps(&run, job, &file);
    close_steps(&run);
    reference_close(&file);
}

/* ---- schedule ----------------------------------------------------------------------------------------------- */
static void test_schedule(void **state)
{
    (void)state;
    struct reference file;
    open_golden(&file, "network_schedule");
    assert_int_equal(check_schedules(&file), 4);
    reference_close(&file);
}

/* ---- the list of tests -------------------------------------------------------------------------------------- */
#define MOST 64
struct list {
    struct job jobs[MOST];
    struct CMUnitTest tests[MOST];
    int count;
};

static void add(struct list *list, CMUnitTestFunction function, const char *file, int depth, const char *variant,
                enum dtype dtype)
{
    if (list->count == MOST) abort();
    struct job *job = &list->jobs[list->count];
    *job = (struct job){.file = file, .depth = depth, .dtype = dtype};
    snprintf(job->variant, sizeof job->variant, "%s", variant);
    snprintf(job->name, sizeof job->name, "%s, %s, %s", file, variant, dtype_name(dtype));
    list->tests[list->count++] = (struct CMUnitTest){.name = job->name, .test_func = function, .initial_state = job};
}

static void add_backend(struct list *list, const char *variant)
{
    add(list, test_resnet, "network_resnet18", 18, variant, DTYPE_F32);
    add(list, test_resnet, "network_resnet50", 50, variant, DTYPE_F32);
    add(list, test_steps, "network_steps", 18, variant, DTYPE_F32);
}

int main(int argc, char **argv)
{
    static struct list list;
    if (argc > 1) run_state.filter = argv[1];
    add(&list, test_schedule, "network_schedule", 0, "ref", DTYPE_F32);
    add_backend(&list, "ref");
    for (const char *const *variant = simd_words(); *variant; variant++) {
        if (!simd_runs(*variant)) {
            skip_part("this CPU lacks %s", *variant);
            continue;
        }
        add_backend(&list, *variant);
        add(&list, test_resnet, "network_resnet18", 18, *variant, DTYPE_BF16);
        add(&list, test_resnet, "network_resnet50", 50, *variant, DTYPE_BF16);
        char forced[32];
        snprintf(forced, sizeof forced, "%s winograd", *variant);
        add(&list, test_resnet, "network_resnet18", 18, forced, DTYPE_BF16);
        add(&list, test_resnet, "network_resnet50", 50, forced, DTYPE_BF16);
    }
    return run_group("golden_small", list.tests, (size_t)list.count, NULL, NULL);
}
