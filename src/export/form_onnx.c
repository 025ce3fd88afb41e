/* export/form_onnx.c -- one ONNX file. The texts in it are the model card and config.json of the other forms. */
#include <string.h>

#include "base/memory.h"
#include "export/form.h"
#include "export/onnx/build.h"
#include "export/onnx/file.h"

static void add_values(struct text *text, const char *key, const char *const *names, int count)
{
    text_json_open_array(text, key);
    for (int i = 0; i < count; i++) text_json_string(text, NULL, names[i]);
    text_json_close_array(text);
}

/* What the graph's input and outputs are. */
static void add_graph(const void *context, struct text *text)
{
    static const char *const outputs[] = {"features", "logits", "probabilities"};
    const struct export_task *task = context;
    const bool bytes = strcmp(task->session->config->input, "bytes") == 0;
    text_json_open_object(text, "input");
    text_json_string(text, "name", "images");
    text_json_string(text, "type", bytes ? "uint8" : "float32");
    text_json_string(text, "layout", bytes ? "NHWC" : "NCHW");
    text_json_string(text, "range", bytes ? "0 to 255" : "0 to 1");
    text_json_boolean(text, "mean_and_std_inside", true);
    text_json_close_object(text);
    add_values(text, "outputs", outputs, task->subject->classifier.classes > 0 ? 3 : 1);
    text_json_boolean(text, "folded", task->session->config->fold);
}

static int make_texts(const struct export_task *task, struct text *card, struct text *metadata, struct error *error)
{
    const bool bytes = strcmp(task->session->config->input, "bytes") == 0;
    const struct export_card words = {
        .loading = "import onnxruntime\n\n"
                   "session = onnxruntime.InferenceSession(\"model.onnx\")\n"
                   "features = session.run([\"features\"], {\"images\": images})[0]\n"
                   "session.get_modelmeta().custom_metadata_map[\"simclr\"]  # JSON: this input, classes in order\n",
        .note =
            bytes
                ? "Crop and resize come before the graph: `images` is uint8 [N, S, S, 3]. All that follows is in it.\n"
                : "Crop and resize come before the graph: `images` is float32 [N, 3, S, S] in [0, 1]. Mean and "
                  "deviation are in it.\n"};
    const struct export_extra extra = {add_graph, task};
    export_describe(metadata, task->subject, &extra);
    if (metadata->failed) return error_no_memory(error, "a description", metadata->capacity);
    return export_card_write(card, task->subject, &words, &task->session->log, error);
}

static int write_graph(const struct export_task *task, struct onnx_graph *graph, const char *path, struct error *error)
{
    const struct export_subject *subject = task->subject;
    const struct classifier *classifier = &subject->classifier;
    const bool normalize = subject->policy.normalize;
    const struct onnx_build_args args = {.model = subject->model,
                                         .mean = normalize ? subject->policy.mean : NULL,
                                         .std = normalize ? subject->policy.std : NULL,
                                         .classifier = {.weight = classifier->weight,
                                                        .bias = classifier->bias,
                                                        .classes = classifier->classes,
                                                        .layer = classifier->encoder.layer,
                                                        .temperature = classifier->temperature},
                                         .fold = task->session->config->fold,
                                         .bytes = strcmp(task->session->config->input, "bytes") == 0};
    int status = onnx_build(graph, &args, error);
    if (!status) status = onnx_write(path, graph, error);
    return status ? status : onnx_compare(path, graph, error);
}

int form_onnx_write(const struct export_task *task, struct error *error)
{
    struct text card = {0}, metadata = {0};
    struct onnx_graph graph = {0};
    char *path = staging_path(task->staging, FORM_ONNX_FILE);
    int status = path ? make_texts(task, &card, &metadata, error) : error_no_memory(error, "a path", 1);
    if (!status) {
        graph.name = task->subject->title.word;
        graph.version = SIMCLR_VERSION;
        graph.description = card.bytes;
        graph.metadata = metadata.bytes;
        status = write_graph(task, &graph, path, error);
    }
    onnx_graph_free(&graph);
    text_free(&card);
    text_free(&metadata);
    memory_free(path);
    return status;
}
