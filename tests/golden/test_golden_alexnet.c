/* AlexNet against PyTorch's float64, that of the reference folder, on `ref` and on every cpu variant: logits, loss and
 * all gradients with the reference's own dropout masks, and logits in inference. It has no kink within float32's reach,
 * so its tolerances hold outright. bf16: 1.25 times PyTorch's own error. */
#include "golden/golden.h"
#include "loss/cross_entropy.h"

enum { CLASSES = 10, CASES = 2, MASKS = 2 };

/* bf16 in PyTorch, from the reference's README; `logits` in training and in inference. */
static const struct {
    double train, eval, gradients, worst_gradient;
} BF16 = {0.0065, 0.0066, 0.083, 0.13};

struct run {
    struct bench_backend bench;
    const struct job *job;
    const struct reference *file;
    int number; /* of the case */
    struct model *model;
    int masks; /* imposed so far */
};

static void load(struct run *run)
{
    struct parameters *parameters = &run->model->parameters;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        const struct reference_tensor values = reference_get(run->file, "weights.%s", item->name);
        assert_int_equal(values.count, item->count);
        memcpy(parameter_weights(parameters, i), reference_f32(values), item->count * sizeof(float));
    }
    assert_int_equal(parameters->count, 16);
}

static void open_run(struct run *run, const struct job *job, const struct reference *file, int number)
{
    struct error error = {0};
    const struct model_config config = {.encoder = ENCODER_ALEXNET,
                                        .alexnet.width = reference_metadata(file, "width", 0),
                                        .image_size = (int)reference_get(file, "case%d.x", number).dim[2],
                                        .classes = CLASSES};
    *run = (struct run){.bench = open_backend(job->variant), .job = job, .file = file, .number = number};
    CHECK_OK(model_create(&run->model, &config, run->bench.backend, 1, &error), error);
    load(run);
}

static void close_run(struct run *run)
{
    model_destroy(&run->model);
    close_backend(&run->bench);
}

/* The reference's masks in place of those that were drawn, and the values that they give. */
static void impose(struct network *network, int step, void *context)
{
    struct run *run = context;
    struct network_operation operation;
    if (!network_operation(network, step, &operation) || strcmp(operation.type, "dropout") != 0) return;
    const struct reference_tensor kept = reference_get(run->file, "case%d.mask%d", run->number, run->masks++);
    const struct tensor_desc *y = network_tensor(network, operation.y);
    struct tensor_desc of_mask = *y;
    of_mask.dtype = DTYPE_F32;
    const size_t count = tensor_elements(y);
    assert_int_equal(kept.count, count);
    float *mask = memory_array(count, sizeof *mask), *values = memory_array(count, sizeof *values);
    assert_true(mask && values && network_mask(network, step));
    network_read(network, operation.x, values);
    for (size_t i = 0; i < count; i++) {
        mask[i] = reference_u8(kept)[i] ? 2 : 0;
        values[i] *= mask[i];
    }
    const struct backend_ops *ops = run->bench.backend->ops;
    ops->tensor_write(run->bench.backend, &of_mask, network_mask(network, step), mask);
    ops->tensor_write(run->bench.backend, y, (void *)(uintptr_t)network_value(network, operation.y), values);
    memory_free(mask);
    memory_free(values);
}

/* Returns how far the logits are off; in training the loss and the gradients are measured too. */
static double pass(struct run *run, enum network_mode mode, const char *expected, double *loss_off)
{
    struct error error = {0};
    struct network *network;
    struct model_tensors tensors;
    struct backend *backend = run->bench.backend;
    const struct reference_tensor x = reference_get(run->file, "case%d.x", run->number);
    const struct reference_tensor labels = reference_get(run->file, "case%d.labels", run->number);
    const struct reference_tensor logits = reference_get(run->file, "case%d.%s", run->number, expected);
    const int batch = (int)x.dim[0];
    const struct model_plan_args args = {
        .backend = backend, .mode = mode, .dtype = run->job->dtype, .batch = batch, .options = run->bench.options};
    CHECK_OK(model_plan(run->model, &args, &network, &tensors, &error), error);
    if (mode == NETWORK_TRAINING) network_watch(network, impose, run);
    float *ours = memory_array((size_t)logits.count, sizeof *ours);
    void *images = images_of(network, reference_f32(x));
    network_forward(network, images);
    network_read(network, tensors.z, ours);
    const double off = relative(ours, reference_f32(logits), (size_t)logits.count);
    if (mode == NETWORK_TRAINING) {
        struct cross_entropy *loss;
        struct cross_entropy_result *result = backend->ops->allocate(backend, sizeof *result, &error);
        int32_t label[8];
        assert_int_equal(run->masks, MASKS);
        for (int i = 0; i < batch; i++) label[i] = (int32_t)reference_number(labels, i);
        CHECK_OK(cross_entropy_create(&loss, backend, batch, CLASSES, &error), error);
        cross_entropy_set_labels(loss, label, batch);
        cross_entropy_run(loss, result, network_gradient(network, tensors.z), network_value(network, tensors.z));
        network_backward(network, tensors.z, NULL);
        const double theirs = reference_number(reference_get(run->file, "case%d.loss", run->number), 0);
        *loss_off = fabs(result->loss / theirs - 1);
        cross_entropy_destroy(&loss);
        backend->ops->release(backend, result);
    }
    network_destroy(&network);
    memory_free(images);
    memory_free(ours);
    return off;
}

static void check_case(const struct job *job, const struct reference *file, int number)
{
    struct run run;
    struct distance gradients = {0, 0};
    double loss = INFINITY, worst = 0;
    const bool bf16 = job->dtype == DTYPE_BF16;
    open_run(&run, job, file, number);
    const double train = pass(&run, NETWORK_TRAINING, "train.logits", &loss);
    for (int i = 0; i < run.model->parameters.count; i++) {
        const struct parameter *item = &run.model->parameters.items[i];
        const float *ours = parameter_gradients(&run.model->parameters, i);
        const float *theirs = reference_f32(reference_get(file, "case%d.train.grad.%s", number, item->name));
        distance_add(&gradients, ours, theirs, item->count);
        worst = fmax(worst, relative(ours, theirs, item->count));
    }
    const double eval = pass(&run, NETWORK_INFERENCE, "eval.logits", NULL);
    print_message("%s, case %d: logits %.2g and %.2g, loss %.2g, gradients %.2g (worst %.2g)\n", job->name, number,
                  train, eval, loss, distance_ratio(gradients), worst);
    CHECK_WITHIN(train, bf16 ? 1.25 * BF16.train : 1e-5, "logits in training");
    CHECK_WITHIN(eval, bf16 ? 1.25 * BF16.eval : 1e-5, "logits in inference");
    CHECK_WITHIN(loss, bf16 ? 1.25 * BF16.train : 1e-5, "the loss");
    CHECK_WITHIN(distance_ratio(gradients), bf16 ? 1.25 * BF16.gradients : 2e-5, "all gradients");
    CHECK_WITHIN(worst, bf16 ? 1.25 * BF16.worst_gradient : 2e-5, "a gradient");
    close_run(&run);
}

static void test_alexnet(void **state)
{
    struct reference file;
    if (!reference_open(&file, "alexnet")) skip_reference("alexnet");
    for (int number = 0; number < CASES; number++) check_case(*state, &file, number);
    reference_close(&file);
}

static void add_variant(struct list *list, const char *variant, bool all, int i)
{
    (void)all;
    add(list, test_alexnet, "alexnet", NULL, variant, DTYPE_F32);
    if (i == 0) add(list, test_alexnet, "alexnet", NULL, variant, DTYPE_BF16);
}

int main(int argc, char **argv)
{
    static struct list list;
    if (argc > 1) run_state.filter = argv[1];
    add(&list, test_alexnet, "alexnet", NULL, "ref", DTYPE_F64);
    add(&list, test_alexnet, "alexnet", NULL, "ref", DTYPE_F32);
    add_variants(&list, true, add_variant);
    return run_group("golden_alexnet", list.tests, (size_t)list.count, NULL, NULL);
}
