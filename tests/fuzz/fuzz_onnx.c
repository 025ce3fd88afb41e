/* The ONNX reader and writer. First byte even: any bytes as a file, held to a graph: told apart from it unless they are
 * what the writer makes of it. Odd: the bytes describe a graph of random shapes, which must be read back as it was
 * written, and with any one bit changed must not. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "export/onnx/file.h"
#include "fuzz.h"

long fuzz_accepted;

struct input {
    const uint8_t *at, *end;
};
static unsigned take(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

/* Names of any bytes but NUL, and of any length that fits. */
static void take_name(struct input *input, char out[ONNX_NAME])
{
    const unsigned length = take(input) % (ONNX_NAME - 1);
    for (unsigned i = 0; i < length; i++) out[i] = (char)(1 + take(input) % 255);
    out[length] = '\0';
}

static void add_node(struct onnx_graph *graph, struct input *input)
{
    static const char *const types[] = {"Conv", "Relu", "", "A type of its own"};
    char names[4][ONNX_NAME];
    for (int i = 0; i < 4; i++) take_name(input, names[i]);
    const unsigned inputs = take(input) % 4;
    struct onnx_node *node =
        onnx_add_node(graph, types[take(input) % 4], names[3],
                      READS(inputs > 0 ? names[0] : NULL, inputs > 1 ? names[1] : NULL, inputs > 2 ? names[2] : NULL));
    for (unsigned i = take(input) % (ONNX_ATTRIBUTES + 1); i > 0; i--) {
        const unsigned kind = take(input) % 3;
        const int64_t value = (int64_t)take(input) << take(input) % 56;
        if (kind == 0) onnx_set_integer(node, "number", value);
        if (kind == 1) onnx_set_float(node, "", (float)value / 3);
        if (kind == 2) onnx_set_integers(node, "numbers", value, (int)(take(input) % (ONNX_RANK + 1)));
    }
}

static void add_tensor(struct onnx_graph *graph, struct input *input)
{
    char name[ONNX_NAME];
    int64_t dims[ONNX_RANK];
    take_name(input, name);
    const int rank = (int)(take(input) % (ONNX_RANK + 1));
    for (int i = 0; i < rank; i++) dims[i] = take(input) % 9;
    float *values = onnx_add_tensor(graph, name, rank, dims);
    const size_t count = graph->tensors[graph->tensor_count - 1].count;
    for (size_t i = 0; i < count; i++) values[i] = (float)take(input) - 100;
}

static struct onnx_value take_value(struct input *input)
{
    char name[ONNX_NAME];
    int64_t dims[ONNX_RANK];
    take_name(input, name);
    const int rank = (int)(take(input) % (ONNX_RANK + 1));
    for (int i = 0; i < rank; i++) dims[i] = (int64_t)take(input) << take(input) % 40;
    return onnx_value(name, take(input) % 2 ? ONNX_UINT8 : ONNX_FLOAT32, rank, dims);
}

/* name, texts: of the caller's, which must outlive the graph. */
static struct onnx_graph take_graph(struct input *input, char texts[4][ONNX_NAME])
{
    struct onnx_graph graph = {0};
    for (int i = 0; i < 4; i++) take_name(input, texts[i]);
    graph.name = texts[0];
    graph.description = texts[1];
    graph.metadata = texts[2];
    graph.version = texts[3];
    for (unsigned i = take(input) % 20; i > 0; i--) add_node(&graph, input);
    for (unsigned i = take(input) % 10; i > 0; i--) add_tensor(&graph, input);
    graph.input = take_value(input);
    graph.outputs = (int)(take(input) % (ONNX_OUTPUTS + 1));
    for (int i = 0; i < graph.outputs; i++) graph.output[i] = take_value(input);
    return graph;
}

static void write_graph(const struct onnx_graph *graph, uint8_t **bytes, size_t *count)
{
    char path[64];
    snprintf(path, sizeof path, "%s/simclr-fuzz-%ld.onnx", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
             (long)getpid());
    FUZZ_CHECK(onnx_write(path, graph, NULL) == SIMCLR_OK);
    FUZZ_CHECK(file_read(path, 1 << 28, bytes, count, NULL) == SIMCLR_OK);
    FUZZ_CHECK(*count == onnx_file_bytes(graph));
    unlink(path);
}

static void check_graph(struct input *input)
{
    char texts[4][ONNX_NAME];
    uint8_t *bytes;
    size_t count;
    const unsigned place = take(input) << 8 | take(input), bit = take(input) % 8;
    struct onnx_graph graph = take_graph(input, texts);
    write_graph(&graph, &bytes, &count);
    FUZZ_CHECK(onnx_compare_bytes(bytes, count, "fuzz", &graph, NULL) == SIMCLR_OK);
    bytes[place % count] ^= (uint8_t)(1u << bit);
    FUZZ_CHECK(onnx_compare_bytes(bytes, count, "fuzz", &graph, NULL) == SIMCLR_CORRUPT);
    FUZZ_CHECK(onnx_compare_bytes(bytes, place % count, "fuzz", &graph, NULL) == SIMCLR_CORRUPT);
    memory_free(bytes);
    onnx_graph_free(&graph);
    fuzz_accepted++;
}

/* A graph with one of each kind of thing. */
static void check_file(const uint8_t *bytes, size_t count)
{
    struct error error = {0};
    struct onnx_graph graph = {.name = "g", .description = "d", .metadata = "{}", .version = "1"};
    uint8_t *written;
    size_t length;
    float *values = onnx_add_tensor(&graph, "w", 2, (const int64_t[]){2, 3});
    for (int i = 0; i < 6; i++) values[i] = (float)i;
    struct onnx_node *node = onnx_add_node(&graph, "Gemm", "y", READS("x", "w"));
    onnx_set_integer(node, "transB", 1);
    onnx_set_float(node, "alpha", 1);
    onnx_set_integers(node, "pads", 300, 2);
    graph.input = onnx_value("x", ONNX_FLOAT32, 2, (const int64_t[]){0, 3});
    graph.output[graph.outputs++] = onnx_value("y", ONNX_FLOAT32, 2, (const int64_t[]){0, 2});
    const int status = onnx_compare_bytes(bytes, count, "fuzz", &graph, &error);
    FUZZ_CHECK(status == SIMCLR_OK || (status == SIMCLR_CORRUPT && error.text[0] != '\0'));
    write_graph(&graph, &written, &length);
    const bool same = length == count && memcmp(written, bytes, count) == 0;
    FUZZ_CHECK(!same || status == SIMCLR_OK); /* other orders of fields are equal too */
    fuzz_accepted += status == SIMCLR_OK;
    memory_free(written);
    onnx_graph_free(&graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count == 0) return 0;
    struct input input = {bytes + 1, bytes + count};
    if (bytes[0] % 2)
        check_graph(&input);
    else
        check_file(bytes + 1, count - 1);
    return 0;
}
