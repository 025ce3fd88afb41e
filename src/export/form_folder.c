/* export/form_folder.c -- folders of weights and texts: for torchvision, for timm, and for plain PyTorch. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "export/form.h"
#include "export/model_py.h"
#include "export/weights.h"

enum { TEXT_MOST = 1 << 28 };

/* ---- what they share ---- */
static int compare_text(const char *path, const char *bytes, size_t count, struct error *error)
{
    uint8_t *read;
    size_t length;
    const int status = file_read(path, TEXT_MOST, &read, &length, error);
    if (status) return status;
    const bool same = length == count && memcmp(read, bytes, count) == 0;
    memory_free(read);
    return same ? SIMCLR_OK
                : error_set(error, SIMCLR_CORRUPT,
                            "%s: reads back otherwise than it was written: the disk or the memory may be faulty", path);
}

int form_write_text(const struct export_task *task, const char *name, const char *bytes, size_t count,
                    struct error *error)
{
    char *path = staging_path(task->staging, name);
    if (!path) return error_no_memory(error, "a path", strlen(name));
    int status = file_write_atomic(path, bytes, count, error);
    if (!status) status = compare_text(path, bytes, count, error);
    memory_free(path);
    return status;
}

int form_write_folder(const struct export_task *task, const char *classifier, const struct export_card *card,
                      struct error *error)
{
    struct text config = {0}, readme = {0};
    char *weights = staging_path(task->staging, "model.safetensors");
    export_describe(&config, task->subject, NULL);
    int status = weights && !config.failed ? SIMCLR_OK : error_no_memory(error, "a description", config.capacity);
    if (!status) status = export_card_write(&readme, task->subject, card, &task->session->log, error);
    if (!status) status = export_weights(weights, task->subject, classifier, error);
    if (!status) status = form_write_text(task, "config.json", config.bytes, config.length, error);
    if (!status) status = form_write_text(task, "README.md", readme.bytes, readme.length, error);
    memory_free(weights);
    text_free(&config);
    text_free(&readme);
    return status;
}

/* ---- which networks other people's libraries have ---- */

/* Width 1, the 7x7 stem, and a classifier on h. `who` has depths up to `deepest`. */
static int check_network(const struct export_subject *subject, const char *who, int deepest, struct error *error)
{
    const struct model_config *config = &subject->model->config;
    const bool alexnet = config->encoder == ENCODER_ALEXNET;
    const double width = alexnet ? config->alexnet.width : config->resnet.width;
    const char *why = NULL;
    if (alexnet && deepest > 152)
        why = "no AlexNet";
    else if (width < 1 || width > 1)
        why = "one width, 1";
    else if (!alexnet && config->resnet.stem == STEM_CIFAR)
        why = "no 3x3 stem";
    else if (!alexnet && config->resnet.depth > deepest)
        why = "no such depth";
    else if (subject->classifier.classes > 0 && subject->classifier.encoder.layer > 0)
        why = "no place for a classifier on the projection head";
    if (!why) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID,
                     "%s%s: %s has %s: --format pytorch writes its own network, and --format onnx needs none",
                     subject->title.text, subject->title.stem, who, why);
}

/* ---- torchvision ---- */
int form_torchvision_check(const struct export_subject *subject, struct error *error)
{
    return check_network(subject, "torchvision", 152, error);
}

int form_torchvision_write(const struct export_task *task, struct error *error)
{
    const struct export_subject *subject = task->subject;
    const bool alexnet = subject->model->config.encoder == ENCODER_ALEXNET;
    const char *classifier = alexnet ? "classifier.6" : "fc";
    struct text loading = {0};
    text_add(&loading, "import torch, torchvision\nfrom safetensors.torch import load_file\n\n");
    if (subject->classifier.classes > 0)
        text_add(&loading, "model = torchvision.models.%s(num_classes=%d)\n", subject->title.word,
                 subject->classifier.classes);
    else
        text_add(&loading, "model = torchvision.models.%s()\nmodel.%s = torch.nn.Identity()  # features come out\n",
                 subject->title.word, alexnet ? "classifier[6]" : "fc");
    text_add(&loading, "model.load_state_dict(load_file(\"model.safetensors\"))\nmodel.eval()\n");
    int status = loading.failed ? error_no_memory(error, "a text", loading.capacity) : SIMCLR_OK;
    const struct export_card card = {.library = "pytorch",
                                     .loading = loading.bytes,
                                     .note = "`preprocess` in the `model.py` of `simclr export --format pytorch` does "
                                             "this exactly.\n"};
    if (!status) status = form_write_folder(task, classifier, &card, error);
    text_free(&loading);
    return status;
}

/* ---- timm ---- */
int form_timm_check(const struct export_subject *subject, struct error *error)
{
    return check_network(subject, "timm", 200, error);
}

int form_timm_write(const struct export_task *task, struct error *error)
{
    const struct export_card card = {
        .library = "timm",
        .loading = "import timm\n\n"
                   "model = timm.create_model(\"local-dir:PATH\", pretrained=True).eval()\n"
                   "transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))\n"
                   "# model.forward_features and model.forward_head(..., pre_logits=True) give the features\n",
        .note = "timm's transform resizes first and crops then: the same field of view, not the same pixels. "
                "`preprocess` in the\n`model.py` of `simclr export --format pytorch` does it as in training.\n"};
    return form_write_folder(task, "fc", &card, error);
}

/* ---- plain PyTorch ---- */
int form_pytorch_write(const struct export_task *task, struct error *error)
{
    const struct export_card card = {
        .library = "pytorch",
        .loading = "import sys\n\n"
                   "sys.path.insert(0, \"PATH\")  # this folder\n"
                   "import model\n\n"
                   "network = model.load()\n"
                   "x = model.preprocess(\"cat.jpg\", network)\n"
                   "h = network(x[None])  # features; network.logits and network.probabilities with a classifier\n",
        .note = "`preprocess` in `model.py` does this exactly.\n"};
    const int status = form_write_folder(task, "fc", &card, error);
    return status ? status : form_write_text(task, "model.py", export_model_py, export_model_py_bytes, error);
}
