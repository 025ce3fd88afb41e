/* checkpoint/weights.c -- see weights.h. */
#include "checkpoint/weights.h"

#include <stdio.h>
#include <string.h>

#include "checkpoint/tensors.h"

enum { NAME_MAX_BYTES = 256 }; /* longer names are nobody's */

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* ---- torchvision's children of a ResNet, by name and as a Sequential numbers them ------------------------------- */

static const char *const children[] = {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"};
enum { CHILDREN = sizeof children / sizeof *children };

/* Child i in a Sequential: 0, 1, and from layer1 on what its number says, which is one digit. */
static char number_of(const struct weights *weights, int i)
{
    return (char)('0' + (i < 2 ? i : weights->layer1 + i - 2));
}

/* The child that `name` begins with, of names (weights NULL) or of numbers, or -1; rest: what follows it. */
static int child_of(const char *name, const struct weights *weights, const char **rest)
{
    for (int i = 0; i < CHILDREN; i++) {
        const char number[2] = {weights ? number_of(weights, i) : '\0', '\0'};
        const char *word = weights ? number : children[i];
        const size_t length = strlen(word);
        if (strncmp(name, word, length) != 0 || name[length] != '.') continue;
        *rest = name + length;
        return i;
    }
    return -1;
}

/* Writes `name` with `to` for the first `from` in it; false where it is too long. */
static bool replace(char *out, size_t size, const char *name, const char *from, const char *to)
{
    const char *found = strstr(name, from);
    const int before = found ? (int)(found - name) : (int)strlen(name);
    const int bytes = snprintf(out, size, "%.*s%s%s", before, name, found ? to : "", found ? found + strlen(from) : "");
    return bytes >= 0 && (size_t)bytes < size;
}

/* torchvision's name of a tensor of the file; false where it is too long, or lies outside of the prefix. */
static bool torchvision_name(const struct weights *weights, const char *in_file, char out[NAME_MAX_BYTES])
{
    char plain[NAME_MAX_BYTES];
    const size_t length = strlen(weights->prefix);
    const char *rest = in_file + length;
    if (strncmp(in_file, weights->prefix, length) != 0) return false;
    const int child = weights->sequential ? child_of(in_file + length, weights, &rest) : -1;
    const int bytes = snprintf(plain, sizeof plain, "%s%s", child >= 0 ? children[child] : "", rest);
    if (bytes >= NAME_MAX_BYTES) return false;
    return replace(out, NAME_MAX_BYTES, plain, weights->shortcut ? ".shortcut." : ".downsample.", ".downsample.");
}

const struct safetensors_entry *weights_find(const struct weights *weights, const char *name)
{
    char plain[NAME_MAX_BYTES], in_file[WEIGHTS_PREFIX_MAX + NAME_MAX_BYTES];
    const char *rest = plain;
    if (!replace(plain, sizeof plain, name, ".downsample.", weights->shortcut ? ".shortcut." : ".downsample."))
        return NULL;
    const int child = weights->sequential ? child_of(plain, NULL, &rest) : -1;
    const char number[2] = {child >= 0 ? number_of(weights, child) : '\0', '\0'};
    const int bytes = snprintf(in_file, sizeof in_file, "%s%s%s", weights->prefix, number, rest);
    return bytes < (int)sizeof in_file ? safetensors_find(weights->file, in_file) : NULL;
}

/* Something that was trained on top of the encoder, behind the same prefix. */
static bool is_head(const struct weights *weights, const char *name)
{
    static const char *const words[] = {"head",  "proj",   "pred",  "proto",  "mlp",     "classif",  "queue", "linear",
                                        "logit", "center", "probe", "online", "teacher", "momentum", "optim"};
    const char *rest;
    const size_t length = strcspn(name, ".");
    if (child_of(name, NULL, &rest) >= 0) return false;
    if (weights->kind == ENCODER_ALEXNET && strncmp(name, "classifier.", strlen("classifier.")) == 0) return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *found = strstr(name, words[i]);
        if (found && (size_t)(found - name) < length) return true;
    }
    return false;
}

/* What an encoder's file may hold besides the encoder: the supervised classifier and PyTorch's counters. */
static bool ignored(const struct weights *weights, const char *name)
{
    const char *classifier = model_names(weights->kind).classifier;
    const size_t length = strlen(classifier);
    return (strncmp(name, classifier, length) == 0 && name[length] == '.') || ends_with(name, "num_batches_tracked");
}

/* ---- finding the prefix ------------------------------------------------------------------------------------------ */

/* Copies that are not the network that was trained: of momentum contrast, of a teacher, of an average; and optimiser
 * states under the names of their tensors. */
static bool is_copy(const char *prefix)
{
    static const char *const words[] = {"_k.", "_m.", "key", "momentum", "teacher", "target", "ema", "optimizer"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(prefix, words[i])) return true;
    return false;
}

/* Is this tensor the first convolution of a network that we know? Then its kind, its prefix and how it has names. A
 * Sequential without a max-pool, or without ReLU and max-pool, begins its layers earlier, and has the others' numbers
 * for later ones. */
static bool begins_network(const struct safetensors *file, const struct safetensors_entry *entry, struct weights *here)
{
    static const struct {
        const char *stem, *other; /* the first tensor, and one that only this kind has besides */
        int layer1;               /* of a Sequential, or 0 */
        enum encoder_kind kind;
        int kernel; /* of the first convolution; 0: any */
    } beginnings[] = {
        {"conv1.weight", "layer1.0.conv1.weight", 0, ENCODER_RESNET, 0},
        {"0.weight", "layer1.0.conv1.weight", 2, ENCODER_RESNET, 0},
        {"0.weight", "layer1.0.conv1.weight", 3, ENCODER_RESNET, 0},
        {"0.weight", "layer1.0.conv1.weight", 4, ENCODER_RESNET, 0},
        {"features.0.weight", "classifier.1.weight", 0, ENCODER_ALEXNET, 11},
    };
    char *prefix = here->prefix;
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        const size_t length = strlen(entry->name), tail = strlen(beginnings[i].stem);
        if (!ends_with(entry->name, beginnings[i].stem) || length - tail >= WEIGHTS_PREFIX_MAX) continue;
        if (entry->rank != 4 && !entry->instead) continue;
        memcpy(prefix, entry->name, length - tail);
        prefix[length - tail] = '\0';
        if (length > tail && prefix[length - tail - 1] != '.') continue;
        if (beginnings[i].kernel > 0 && entry->dims[3] != beginnings[i].kernel) continue;
        here->file = file;
        here->sequential = beginnings[i].layer1 > 0;
        here->layer1 = beginnings[i].layer1;
        here->kind = beginnings[i].kind;
        if (!weights_find(here, beginnings[i].other)) continue;
        here->shortcut = true;
        here->shortcut = weights_find(here, "layer2.0.downsample.0.weight") != NULL;
        return true;
    }
    return false;
}

static int no_network(const char *path, struct error *error)
{
    return error_set(
        error, SIMCLR_CORRUPT,
        "%s: holds no ResNet under torchvision's names (conv1.weight, layer1.0.conv1.weight, ..., behind "
        "any prefix), and no AlexNet: give a run folder, a checkpoint, an exported encoder, or a checkpoint of "
        "PyTorch that holds one",
        path);
}

static void count_tensors(struct weights *weights)
{
    char name[NAME_MAX_BYTES];
    for (int i = 0; i < safetensors_count(weights->file); i++) {
        const struct safetensors_entry *entry = safetensors_at(weights->file, i);
        const bool named = torchvision_name(weights, entry->name, name);
        if (named && ignored(weights, name)) continue;
        if (named && !is_head(weights, name)) {
            weights->encoder++;
            if (entry->stored && entry->dtype == ST_F32 && weights->converted++ == 0) weights->stored = entry->stored;
        } else {
            if (weights->outside == 0) weights->example = entry->name;
            weights->outside++;
        }
    }
}

/* Is this the prefix that is asked for, with or without its last dot? */
static bool is_wanted(const char *prefix, const char *wanted)
{
    const size_t length = strlen(wanted);
    if (strncmp(prefix, wanted, length) != 0) return false;
    return prefix[length] == '\0' || (prefix[length] == '.' && prefix[length + 1] == '\0');
}

int weights_look_for(struct weights *out, const struct safetensors *file, const char *path, const char *wanted,
                     struct error *error)
{
    int found[2] = {0}; /* networks, copies */
    struct weights best = {0}, other = {0};
    bool taken = false;
    *out = (struct weights){.file = file, .path = path};
    for (int i = 0; i < safetensors_count(file) && !taken; i++) {
        struct weights here = {0};
        if (!begins_network(file, safetensors_at(file, i), &here)) continue;
        const bool copy = is_copy(here.prefix);
        taken = wanted && is_wanted(here.prefix, wanted);
        if (taken || (found[copy]++ == 0 && (!copy || found[0] == 0)))
            best = here;
        else if (!copy || found[0] == 0)
            other = here;
    }
    if (!taken && found[0] + found[1] == 0) return no_network(path, error);
    if (!taken && wanted)
        return error_set(error, SIMCLR_INVALID, "%s: holds no network behind \"%.95s\", but one behind \"%s\"", path,
                         wanted, best.prefix);
    if (!taken && (found[0] > 1 || (found[0] == 0 && found[1] > 1)))
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: holds several networks (\"%s\", \"%s\", ...): simclr import --prefix writes the one that "
                         "is wanted to a file of its own",
                         path, best.prefix, other.prefix);
    *out = best;
    out->path = path;
    count_tensors(out);
    return SIMCLR_OK;
}

int weights_look(struct weights *out, const struct safetensors *file, const char *path, struct error *error)
{
    return weights_look_for(out, file, path, NULL, error);
}

/* ---- which network ----------------------------------------------------------------------------------------------- */

static int count_blocks(const struct weights *weights, int layer)
{
    char name[64];
    int blocks = 0;
    do snprintf(name, sizeof name, "layer%d.%d.conv1.weight", layer, blocks);
    while (weights_find(weights, name) && ++blocks < 1000);
    return blocks;
}

/* The depth is that of the blocks; 0: no ResNet has these. */
static void resnet_config(const struct weights *weights, const struct safetensors_entry *stem, struct model_config *out)
{
    static const struct {
        int depth, blocks[4];
        bool bottleneck;
    } known[] = {
        {18, {2, 2, 2, 2}, false},  {34, {3, 4, 6, 3}, false},  {50, {3, 4, 6, 3}, true},
        {101, {3, 4, 23, 3}, true}, {152, {3, 8, 36, 3}, true}, {200, {3, 24, 36, 3}, true},
    };
    const bool bottleneck = weights_find(weights, "layer1.0.conv3.weight") != NULL;
    struct resnet_config *resnet = &out->resnet;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        bool same = known[i].bottleneck == bottleneck;
        for (int layer = 0; layer < 4; layer++)
            same = same && count_blocks(weights, layer + 1) == known[i].blocks[layer];
        if (same) resnet->depth = known[i].depth;
    }
    resnet->width = (double)stem->dims[0] / 64;
    resnet->stem = stem->dims[3] == 3 ? STEM_CIFAR : STEM_IMAGENET;
    out->image_size = resnet->stem == STEM_CIFAR ? 32 : 224;
}

int weights_config(const struct weights *weights, struct model_config *out, struct error *error)
{
    const bool alexnet = weights->kind == ENCODER_ALEXNET;
    const struct safetensors_entry *stem = weights_find(weights, alexnet ? "features.0.weight" : "conv1.weight");
    *out = (struct model_config){.encoder = weights->kind, .image_size = 224, .head_dim = 128};
    if (stem && stem->instead) return tensor_refuse_other(stem, weights->path, error);
    if (!stem || stem->rank != 4) return no_network(weights->path, error);
    if (alexnet)
        out->alexnet.width = (double)stem->dims[0] / 64;
    else
        resnet_config(weights, stem, out);
    if (!alexnet && out->resnet.depth == 0) return no_network(weights->path, error);
    if (model_config_check(out, error) == SIMCLR_OK) return SIMCLR_OK;
    error_prefix(error, "%s: the network that the shapes of its tensors describe", weights->path);
    if (error) error->status = SIMCLR_CORRUPT; /* the file is wrong, not what the user asked for */
    return SIMCLR_CORRUPT;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static int match(const struct weights *weights, const struct parameter *item, const struct safetensors_entry **out,
                 struct error *error)
{
    const struct safetensors_entry *entry = weights_find(weights, item->name);
    return tensor_match_entry(entry, weights->path, item->name, item, out, error);
}

/* Nothing else has the prefix, but what an encoder's file may hold besides. */
static int check_strangers(const struct weights *weights, const struct parameters *parameters, struct error *error)
{
    for (int i = 0; i < safetensors_count(weights->file); i++) {
        char name[NAME_MAX_BYTES];
        const char *in_file = safetensors_at(weights->file, i)->name;
        if (!torchvision_name(weights, in_file, name) || ignored(weights, name) || is_head(weights, name)) continue;
        const int index = parameters_find(parameters, name);
        if (index >= 0 && !(parameters->items[index].flags & PARAMETER_HEAD)) continue;
        return error_set(error, SIMCLR_CORRUPT,
                         "%s: tensor %.80s has no place in the encoder; the file is of another model", weights->path,
                         in_file);
    }
    return SIMCLR_OK;
}

static int load(const struct weights *weights, const struct safetensors_entry *entry, struct error *error)
{
    const int status = safetensors_load(weights->file, entry, error);
    return status ? status : tensor_check_finite(entry, weights->path, error);
}

/* Of PyTorch's batch norms: who exports the encoder again writes them too. */
static int load_counters(const struct weights *weights, struct error *error)
{
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < safetensors_count(weights->file); i++) {
        char name[NAME_MAX_BYTES];
        const struct safetensors_entry *entry = safetensors_at(weights->file, i);
        if (entry->dtype == ST_I64 && entry->bytes == sizeof(int64_t) &&
            ends_with(entry->name, "num_batches_tracked") && torchvision_name(weights, entry->name, name))
            status = safetensors_load(weights->file, entry, error);
    }
    return status;
}

int weights_check(const struct weights *weights, const struct parameters *parameters, struct error *error)
{
    const struct safetensors_entry *entry;
    int status = SIMCLR_OK;
    for (int i = 0; !status && i < parameters->count; i++)
        if (!(parameters->items[i].flags & PARAMETER_HEAD))
            status = match(weights, &parameters->items[i], &entry, error);
    if (!status) status = check_strangers(weights, parameters, error);
    for (int i = 0; !status && i < parameters->count; i++)
        if (!(parameters->items[i].flags & PARAMETER_HEAD))
            status = load(weights, weights_find(weights, parameters->items[i].name), error);
    if (!status) status = load_counters(weights, error);
    return status ? status : safetensors_verify(weights->file, error);
}

void weights_copy(const struct weights *weights, struct model *model)
{
    const struct parameters *parameters = &model->parameters;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        if (item->flags & PARAMETER_HEAD) continue;
        const struct safetensors_entry *entry = weights_find(weights, item->name);
        parameters_put(parameters, parameter_weights(parameters, i), entry->data, item->count);
    }
}

/* ---- as much of it as fits --------------------------------------------------------------------------------------- */

static bool is_ours(const struct safetensors *file)
{
    const char *format = safetensors_metadata(file, "format");
    return format && strcmp(format, CHECKPOINT_FORMAT) == 0;
}

/* The file's tensor for a row of the model, or NULL. */
static const struct safetensors_entry *tensor_for(const struct weights *weights, const struct parameter *item)
{
    if (!(item->flags & PARAMETER_HEAD)) return weights_find(weights, item->name);
    return is_ours(weights->file) ? safetensors_find(weights->file, item->name) : NULL;
}

static int check_same_network(const struct weights *weights, const struct model *model, struct error *error)
{
    struct model_config theirs;
    const struct resnet_config *ours = &model->config.resnet;
    const int status = weights_config(weights, &theirs, error);
    if (status) return status;
    if (theirs.encoder != model->config.encoder)
        return error_set(error, SIMCLR_INVALID, "%s: holds a network of another kind (%s) than this one (%s)",
                         weights->path, model_title(&theirs).text, model_title(&model->config).text);
    const double width = theirs.resnet.width;
    if (theirs.resnet.depth == ours->depth && width >= ours->width && width <= ours->width) return SIMCLR_OK;
    return error_set(error, SIMCLR_INVALID, "%s: holds a %s, and this is a %s: give --depth %d --width %g",
                     weights->path, model_title(&theirs).text, model_title(&model->config).text, theirs.resnet.depth,
                     width);
}

/* Marks what is taken; the file is not touched. */
static int plan_begin(const struct weights *weights, const struct parameters *parameters, struct weights_taken *out,
                      struct error *error)
{
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        const bool head = (item->flags & PARAMETER_HEAD) != 0;
        const struct safetensors_entry *entry = tensor_for(weights, item);
        *(head ? &out->head_of : &out->encoder_of) += 1;
        if (!entry || !tensor_has_shape(entry, item)) {
            if (!head && out->fresh[0] == '\0') tensor_describe_pair(out->fresh, sizeof out->fresh, item, entry);
            continue;
        }
        const struct safetensors_entry *same;
        int status = tensor_match_entry(entry, weights->path, entry->name, item, &same, error);
        if (!status) status = load(weights, entry, error);
        if (status) return status;
        *(head ? &out->head : &out->encoder) += 1;
    }
    return SIMCLR_OK;
}

static void count_left(const struct weights *weights, const struct parameters *parameters, struct weights_taken *out)
{
    char name[NAME_MAX_BYTES];
    for (int i = 0; i < safetensors_count(weights->file); i++) {
        const struct safetensors_entry *entry = safetensors_at(weights->file, i);
        if (ends_with(entry->name, "num_batches_tracked")) continue; /* a counter, no weight */
        int row = torchvision_name(weights, entry->name, name) ? parameters_find(parameters, name) : -1;
        if (row < 0) row = parameters_find(parameters, entry->name);
        if (row >= 0 && tensor_for(weights, &parameters->items[row]) == entry &&
            tensor_has_shape(entry, &parameters->items[row]))
            continue;
        if (out->left++ == 0) snprintf(out->left_name, sizeof out->left_name, "%.99s", entry->name);
    }
}

int weights_begin(const struct weights *weights, struct model *model, struct weights_taken *out, struct error *error)
{
    const struct parameters *parameters = &model->parameters;
    *out = (struct weights_taken){0};
    int status = check_same_network(weights, model, error);
    if (!status) status = safetensors_verify(weights->file, error);
    if (!status) status = plan_begin(weights, parameters, out, error);
    if (status) return status;
    for (int i = 0; i < parameters->count; i++) {
        const struct parameter *item = &parameters->items[i];
        const struct safetensors_entry *entry = tensor_for(weights, item);
        if (entry && tensor_has_shape(entry, item))
            parameters_put(parameters, parameter_weights(parameters, i), entry->data, item->count);
    }
    count_left(weights, parameters, out);
    return SIMCLR_OK;
}
