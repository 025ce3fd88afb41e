/* export/onnx/build.c -- the operations of a network become nodes:
 *
 * - conv: Conv;
 * - batch_norm: BatchNormalization, which is absent where it is folded; then Add and Relu, as far as it has them;
 * - relu: Relu;
 * - max_pool: MaxPool;
 * - average_pool: two MatMul, since an average over bins is a product on each axis;
 * - global_pool: GlobalAveragePool, Flatten;
 * - dense: Flatten where it reads a map, then Gemm.
 *
 * Subtracting the mean and dividing by the deviation stay nodes of their own: a convolution pads with zeros behind
 * them, so they cannot be folded into its weights. */
#include "export/onnx/build.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { WEIGHT, BIAS };                                /* parameters of convolutions and dense layers */
enum { GAMMA, BETA, RUNNING_MEAN, RUNNING_VARIANCE }; /* of batch norms */

struct builder {
    struct onnx_graph *graph;
    const struct onnx_build_args *args;
    const struct parameters *parameters;
    struct network *network;
    struct model_tensors tensors;
    char (*names)[ONNX_NAME]; /* of the values, by tensor of the network */
    bool *flat;               /* [N][C], no map any more */
    struct error *error;
};

struct label {
    char text[ONNX_NAME];
};
static struct label label(const char *name, const char *part)
{
    struct label label;
    snprintf(label.text, sizeof label.text, "%.90s.%s", name, part);
    return label;
}

/* What the value of tensor y is called: h has a fixed name. */
static struct label name_of(const struct builder *builder, int y, const char *name)
{
    struct label label;
    snprintf(label.text, sizeof label.text, "%s", y == builder->tensors.h ? "features" : name);
    return label;
}

static void set_name(struct builder *builder, int y, const char *name, bool flat)
{
    snprintf(builder->names[y], ONNX_NAME, "%s", name);
    builder->flat[y] = flat;
}

/* Values of a row of the table, in double, or `otherwise` where there is none. */
static void read_row(const struct builder *builder, int row, size_t count, double otherwise, double *out)
{
    const float *values =
        row < 0 ? NULL : parameters_look(builder->parameters, parameter_weights(builder->parameters, row), count);
    for (size_t i = 0; i < count; i++) out[i] = values ? (double)values[i] : otherwise;
}

/* ---- input ---- */
static void add_three(struct builder *builder, const char *name, const double *values)
{
    float *tensor = onnx_add_tensor(builder->graph, name, 4, (const int64_t[]){1, 3, 1, 1});
    for (int i = 0; tensor && i < 3; i++) tensor[i] = (float)values[i];
}

static void add_input(struct builder *builder)
{
    struct onnx_graph *graph = builder->graph;
    const struct onnx_build_args *args = builder->args;
    const int64_t size = args->model->config.image_size;
    const char *value = "images";
    if (args->bytes) {
        graph->input = onnx_value(value, ONNX_UINT8, 4, (const int64_t[]){0, size, size, 3});
        float *scale = onnx_add_tensor(graph, "images.scale", 1, (const int64_t[]){1});
        if (scale) *scale = 1.0f / 255.0f;
        onnx_set_integer(onnx_add_node(graph, "Cast", "images.float", READS(value)), "to", ONNX_FLOAT32);
        onnx_add_node(graph, "Mul", "images.scaled", READS("images.float", "images.scale"));
        onnx_set_order(onnx_add_node(graph, "Transpose", "images.planes", READS("images.scaled")), "perm",
                       (const int64_t[]){0, 3, 1, 2}, 4);
        value = "images.planes";
    } else
        graph->input = onnx_value(value, ONNX_FLOAT32, 4, (const int64_t[]){0, 3, size, size});
    if (args->mean) {
        add_three(builder, "images.mean", args->mean);
        add_three(builder, "images.std", args->std);
        onnx_add_node(graph, "Sub", "images.centred", READS(value, "images.mean"));
        onnx_add_node(graph, "Div", "images.normalized", READS("images.centred", "images.std"));
        value = "images.normalized";
    }
    set_name(builder, builder->tensors.images, value, false);
}

/* ---- convolutions and dense layers, with the batch norm behind them ---- */

/* The batch norm that alone reads tensor y; false: there is none, or batch norms stay. */
static bool find_norm(const struct builder *builder, int y, struct network_operation *norm)
{
    struct network_operation operation;
    int readers = 0;
    bool found = false;
    for (int i = 0; network_operation(builder->network, i, &operation); i++) {
        readers += (operation.x == y) + (operation.residual == y);
        if (operation.x != y || strcmp(operation.type, "batch_norm") != 0) continue;
        *norm = operation;
        found = true;
    }
    return builder->args->fold && found && readers == 1 && y != builder->tensors.h;
}

/* factor = gamma / sqrt(variance + epsilon); bias = beta - mean factor + bias factor. */
static int fold(const struct builder *builder, const struct network_operation *layer,
                const struct network_operation *norm, double *factor, float *bias)
{
    const size_t count = (size_t)layer->row->output.channels;
    double *rows = memory_array(4 * count, sizeof *rows);
    if (!rows) return error_no_memory(builder->error, "a batch norm to be folded", 4 * count * sizeof *rows);
    double *variance = rows, *mean = rows + count, *beta = mean + count, *own = beta + count;
    read_row(builder, norm->parameters[GAMMA], count, 1, factor);
    read_row(builder, norm->parameters[RUNNING_VARIANCE], count, 1, variance);
    read_row(builder, norm->parameters[RUNNING_MEAN], count, 0, mean);
    read_row(builder, norm->parameters[BETA], count, 0, beta);
    read_row(builder, layer->parameters[BIAS], count, 0, own);
    for (size_t i = 0; i < count; i++) {
        factor[i] /= sqrt(variance[i] + (double)norm->row->epsilon);
        bias[i] = (float)(beta[i] + (own[i] - mean[i]) * factor[i]);
    }
    memory_free(rows);
    return SIMCLR_OK;
}

/* Adds "NAME.weight" and, with a bias or a batch norm folded, "NAME.bias". */
static int add_weights(struct builder *builder, const struct network_operation *layer,
                       const struct network_operation *norm, bool *has_bias)
{
    const struct label weight = label(layer->name, "weight"), bias = label(layer->name, "bias");
    const int64_t count = layer->row->output.channels;
    double *factor = NULL;
    int status = SIMCLR_OK;
    *has_bias = norm || layer->parameters[BIAS] >= 0;
    if (norm) {
        factor = memory_array((size_t)count, sizeof *factor);
        if (!factor)
            return error_no_memory(builder->error, "a batch norm to be folded", (size_t)count * sizeof *factor);
        float *folded = onnx_add_tensor(builder->graph, bias.text, 1, &count);
        if (folded) status = fold(builder, layer, norm, factor, folded);
    } else if (*has_bias)
        onnx_add_parameter(builder->graph, bias.text, builder->parameters, layer->parameters[BIAS], NULL);
    onnx_add_parameter(builder->graph, weight.text, builder->parameters, layer->parameters[WEIGHT], factor);
    return status;
}

static int add_conv(struct builder *builder, const struct network_operation *conv)
{
    struct network_operation norm;
    bool has_bias;
    const bool folds = find_norm(builder, conv->y, &norm);
    const struct label y = name_of(builder, conv->y, conv->name);
    const int status = add_weights(builder, conv, folds ? &norm : NULL, &has_bias);
    struct onnx_node *node = onnx_add_node(builder->graph, "Conv", y.text,
                                           READS(builder->names[conv->x], label(conv->name, "weight").text,
                                                 has_bias ? label(conv->name, "bias").text : NULL));
    onnx_set_integers(node, "dilations", 1, 2);
    onnx_set_integer(node, "group", 1);
    onnx_set_integers(node, "kernel_shape", conv->row->kernel, 2);
    onnx_set_integers(node, "pads", conv->row->padding, 4);
    onnx_set_integers(node, "strides", conv->row->stride, 2);
    set_name(builder, conv->y, y.text, false);
    return status;
}

static void add_flatten(struct builder *builder, const char *output, const char *input)
{
    onnx_set_integer(onnx_add_node(builder->graph, "Flatten", output, READS(input)), "axis", 1);
}

static int add_dense(struct builder *builder, const struct network_operation *dense)
{
    struct network_operation norm;
    bool has_bias;
    const bool folds = find_norm(builder, dense->y, &norm);
    const struct label y = name_of(builder, dense->y, dense->name), flat = label(dense->name, "input");
    if (!builder->flat[dense->x]) add_flatten(builder, flat.text, builder->names[dense->x]);
    const int status = add_weights(builder, dense, folds ? &norm : NULL, &has_bias);
    struct onnx_node *node =
        onnx_add_node(builder->graph, "Gemm", y.text,
                      READS(builder->flat[dense->x] ? builder->names[dense->x] : flat.text,
                            label(dense->name, "weight").text, has_bias ? label(dense->name, "bias").text : NULL));
    onnx_set_integer(node, "transB", 1);
    set_name(builder, dense->y, y.text, true);
    return status;
}

/* ---- the other operations ---- */

/* Whether what makes the batch norm's x has taken it in. */
static bool is_folded(const struct builder *builder, const struct network_operation *norm)
{
    struct network_operation operation, of;
    for (int i = 0; network_operation(builder->network, i, &operation); i++)
        if (operation.y == norm->x && (!strcmp(operation.type, "conv") || !strcmp(operation.type, "dense")))
            return find_norm(builder, norm->x, &of);
    return false;
}

/* A row of the table as a tensor; where there is none (a batch norm without shift), zeros. */
static struct label add_row(struct builder *builder, const struct network_operation *operation, const char *part,
                            int row)
{
    const struct label name = label(operation->name, part);
    const int64_t channels = operation->row->output.channels;
    if (row >= 0)
        onnx_add_parameter(builder->graph, name.text, builder->parameters, row, NULL);
    else
        onnx_add_tensor(builder->graph, name.text, 1, &channels);
    return name;
}

static int add_batch_norm(struct builder *builder, const struct network_operation *norm)
{
    struct onnx_graph *graph = builder->graph;
    const struct label y = name_of(builder, norm->y, norm->name);
    struct label last = y; /* of the value made so far: it has the final name once nothing follows */
    snprintf(last.text, sizeof last.text, "%s", builder->names[norm->x]);
    if (!is_folded(builder, norm)) {
        const struct label scale = add_row(builder, norm, "weight", norm->parameters[GAMMA]),
                           shift = add_row(builder, norm, "bias", norm->parameters[BETA]),
                           mean = add_row(builder, norm, "running_mean", norm->parameters[RUNNING_MEAN]),
                           variance = add_row(builder, norm, "running_var", norm->parameters[RUNNING_VARIANCE]);
        const struct label made = norm->residual >= 0 || norm->relu ? label(norm->name, "normalized") : y;
        onnx_set_float(onnx_add_node(graph, "BatchNormalization", made.text,
                                     READS(last.text, scale.text, shift.text, mean.text, variance.text)),
                       "epsilon", norm->row->epsilon);
        last = made;
    }
    if (norm->residual >= 0) {
        const struct label made = norm->relu ? label(norm->name, "sum") : y;
        onnx_add_node(graph, "Add", made.text, READS(last.text, builder->names[norm->residual]));
        last = made;
    }
    if (norm->relu) {
        onnx_add_node(graph, "Relu", y.text, READS(last.text));
        last = y;
    }
    set_name(builder, norm->y, last.text, builder->flat[norm->x]);
    return SIMCLR_OK;
}

static int add_relu(struct builder *builder, const struct network_operation *relu)
{
    const struct label y = name_of(builder, relu->y, relu->name);
    onnx_add_node(builder->graph, "Relu", y.text, READS(builder->names[relu->x]));
    set_name(builder, relu->y, y.text, builder->flat[relu->x]);
    return SIMCLR_OK;
}

/* A network may have several of one name ("maxpool"): their number tells them apart. */
static struct label numbered(const struct builder *builder, const struct network_operation *operation)
{
    struct label label;
    struct network_operation other;
    int same = 0;
    for (int i = 0; network_operation(builder->network, i, &other) && other.y != operation->y; i++)
        same += !strcmp(other.name, operation->name);
    snprintf(label.text, sizeof label.text, same ? "%.90s.%d" : "%.90s", operation->name, same);
    return label;
}

static int add_max_pool(struct builder *builder, const struct network_operation *pool)
{
    const struct label y = name_of(builder, pool->y, numbered(builder, pool).text);
    struct onnx_node *node = onnx_add_node(builder->graph, "MaxPool", y.text, READS(builder->names[pool->x]));
    onnx_set_integers(node, "kernel_shape", pool->row->kernel, 2);
    onnx_set_integers(node, "pads", pool->row->padding, 4);
    onnx_set_integers(node, "strides", pool->row->stride, 2);
    set_name(builder, pool->y, y.text, false);
    return SIMCLR_OK;
}

static int add_global_pool(struct builder *builder, const struct network_operation *pool)
{
    const struct label y = name_of(builder, pool->y, pool->name), map = label(pool->name, "map");
    onnx_add_node(builder->graph, "GlobalAveragePool", map.text, READS(builder->names[pool->x]));
    add_flatten(builder, y.text, map.text);
    set_name(builder, pool->y, y.text, true);
    return SIMCLR_OK;
}

/* Bin i of `bins` is the mean of pixels floor(i n / bins) to ceil((i + 1) n / bins) - 1, as PyTorch's adaptive pool has
 * it. down: [bins][n], else its transpose. */
static void add_bins(struct builder *builder, const char *name, int64_t n, int64_t bins, bool down)
{
    const int64_t dims[2] = {down ? bins : n, down ? n : bins};
    float *values = onnx_add_tensor(builder->graph, name, 2, dims);
    for (int64_t i = 0; values && i < bins; i++) {
        const int64_t begin = i * n / bins, end = ((i + 1) * n + bins - 1) / bins;
        for (int64_t k = begin; k < end; k++) values[down ? i * n + k : k * bins + i] = 1.0f / (float)(end - begin);
    }
}

/* Windows would have a kernel of theirs in the row; no model has any. */
static int add_average_pool(struct builder *builder, const struct network_operation *pool)
{
    const struct tensor_desc *in = &pool->row->input, *out = &pool->row->output;
    if (pool->row->kernel != 0)
        return error_set(builder->error, SIMCLR_UNSUPPORTED, "%s: an average over windows has no place in the export",
                         pool->name);
    const struct label y = name_of(builder, pool->y, pool->name), across = label(pool->name, "across"),
                       down = label(pool->name, "down"), rows = label(pool->name, "rows");
    add_bins(builder, across.text, in->width, out->width, false);
    add_bins(builder, down.text, in->height, out->height, true);
    onnx_add_node(builder->graph, "MatMul", rows.text, READS(builder->names[pool->x], across.text));
    onnx_add_node(builder->graph, "MatMul", y.text, READS(down.text, rows.text));
    set_name(builder, pool->y, y.text, false);
    return SIMCLR_OK;
}

static int add_operation(struct builder *builder, const struct network_operation *operation)
{
    static const struct {
        const char *type;
        int (*add)(struct builder *builder, const struct network_operation *operation);
    } translations[] = {{"conv", add_conv},
                        {"dense", add_dense},
                        {"batch_norm", add_batch_norm},
                        {"relu", add_relu},
                        {"max_pool", add_max_pool},
                        {"global_pool", add_global_pool},
                        {"average_pool", add_average_pool}};
    for (size_t i = 0; i < sizeof translations / sizeof *translations; i++)
        if (!strcmp(operation->type, translations[i].type)) return translations[i].add(builder, operation);
    return error_set(builder->error, SIMCLR_UNSUPPORTED, "%s: the operation %s has no place in an ONNX file",
                     operation->name, operation->type);
}

/* ---- outputs ---- */
static void add_output(struct onnx_graph *graph, const char *name, int64_t dim)
{
    graph->output[graph->outputs++] = onnx_value(name, ONNX_FLOAT32, 2, (const int64_t[]){0, dim});
}

static void add_classifier(struct builder *builder)
{
    struct onnx_graph *graph = builder->graph;
    const struct onnx_classifier *classifier = &builder->args->classifier;
    const int64_t dims[2] = {classifier->classes, model_layer_dim(&builder->args->model->config, classifier->layer)};
    float *weight = onnx_add_tensor(graph, "classifier.weight", 2, dims);
    float *bias = weight ? onnx_add_tensor(graph, "classifier.bias", 1, dims) : NULL;
    if (!bias) return;
    memcpy(weight, classifier->weight, (size_t)(dims[0] * dims[1]) * sizeof *weight);
    memcpy(bias, classifier->bias, (size_t)dims[0] * sizeof *bias);
    onnx_set_integer(onnx_add_node(graph, "Gemm", "logits",
                                   READS(builder->names[builder->tensors.z], "classifier.weight", "classifier.bias")),
                     "transB", 1);
}

static void add_outputs(struct builder *builder)
{
    struct onnx_graph *graph = builder->graph;
    const struct onnx_classifier *classifier = &builder->args->classifier;
    const char *logits = "logits";
    add_output(graph, "features", model_feature_dim(&builder->args->model->config));
    if (classifier->classes == 0) return;
    add_classifier(builder);
    add_output(graph, "logits", classifier->classes);
    add_output(graph, "probabilities", classifier->classes);
    if (classifier->temperature < 1 || classifier->temperature > 1) {
        float *temperature = onnx_add_tensor(graph, "temperature", 1, (const int64_t[]){1});
        if (temperature) *temperature = (float)classifier->temperature;
        onnx_add_node(graph, "Div", "logits.tempered", READS(logits, "temperature"));
        logits = "logits.tempered";
    }
    onnx_set_integer(onnx_add_node(graph, "Softmax", "probabilities", READS(logits)), "axis", 1);
}

int onnx_build(struct onnx_graph *graph, const struct onnx_build_args *args, struct error *error)
{
    struct builder builder = {.graph = graph, .args = args, .parameters = &args->model->parameters, .error = error};
    const struct network_row *rows;
    struct network_operation operation;
    int status = model_describe_network(args->model, args->classifier.layer, &builder.network, &builder.tensors, error);
    if (status) return status;
    const size_t tensors = (size_t)network_rows(builder.network, &rows) + 1;
    builder.names = memory_array(tensors, sizeof *builder.names);
    builder.flat = memory_array(tensors, sizeof *builder.flat);
    if (!builder.names || !builder.flat) status = error_no_memory(error, "names of values", tensors * ONNX_NAME);
    if (!status) add_input(&builder);
    for (int i = 0; !status && network_operation(builder.network, i, &operation); i++)
        status = add_operation(&builder, &operation);
    if (!status) add_outputs(&builder);
    if (!status && graph->failed) status = error_no_memory(error, "an ONNX graph", tensors * sizeof *graph->nodes);
    memory_free(builder.names);
    memory_free(builder.flat);
    network_destroy(&builder.network);
    return status;
}
