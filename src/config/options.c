/* config/options.c -- the one option table, and looking things up in it. */
#include <stddef.h>
#include <string.h>

#include "config/config.h"

#define P COMMAND_PRETRAIN
#define F COMMAND_FINETUNE
#define K COMMAND_KNN
#define L COMMAND_LINEAR
#define E COMMAND_EMBED
#define I COMMAND_INFO
#define B COMMAND_BENCH
#define D COMMAND_DEMO
#define V COMMAND_VIEWS
#define DI COMMAND_DATA_INFO
#define DP COMMAND_DATA_PACK
#define DF COMMAND_DATA_FETCH
#define EVALUATIONS (F | K | L | E)
#define ALL (P | F | K | L | E | I | B | D)
#define VIEWS (P | B | D | V)

/* The offset of a field, refused by the compiler when the field is not of the option's C type. */
#define AT(field, ctype) /* NOLINTNEXTLINE(bugprone-macro-parentheses): a type is no expression */                     \
    (offsetof(struct config, field) + 0 * sizeof(char[_Generic(((struct config *)0)->field, ctype : 1)]))

#define TEXT(name, argument, field, commands, start, section, help, matters, required)                                 \
    {                                                                                                                  \
        name, argument, OPTION_STRING, AT(field, char *), commands, start, 0, 0, NULL, NULL, section, help, matters,   \
            required                                                                                                   \
    }
#define RGB(name, field, commands, low, high, section, help)                                                           \
    {                                                                                                                  \
        name, "R,G,B", OPTION_RGB, AT(field, char *), commands, "", low, high, NULL, NULL, section, help, true, false  \
    }
#define CHOICE(name, argument, field, commands, start, choices, section, help, matters)                                \
    {                                                                                                                  \
        name, argument, OPTION_CHOICE, AT(field, char *), commands, start, 0, 0, choices, NULL, section, help,         \
            matters, false                                                                                             \
    }
#define BYTES(name, field, commands, low, section, help)                                                               \
    {                                                                                                                  \
        name, "SIZE", OPTION_BYTES, AT(field, int64_t), commands, "auto", low, 1125899906842624.0, NULL, NULL,         \
            section, help, false, false                                                                                \
    }
#define FLAG(name, field, commands, start, section, help)                                                              \
    {                                                                                                                  \
        name, NULL, OPTION_BOOLEAN, AT(field, bool), commands, start, 0, 1, NULL, NULL, section, help, false, false    \
    }
#define INTEGER(name, argument, field, commands, start, low, high, choices, aliases, section, help, matters)           \
    {                                                                                                                  \
        name, argument, OPTION_INTEGER, AT(field, int64_t), commands, start, low, high, choices, aliases, section,     \
            help, matters, false                                                                                       \
    }
#define NUMBER(name, argument, field, commands, start, low, high, aliases, section, help, matters)                     \
    {                                                                                                                  \
        name, argument, OPTION_NUMBER, AT(field, double), commands, start, low, high, NULL, aliases, section, help,    \
            matters, false                                                                                             \
    }

#define STL10_PARTS "train|unlabeled|train+unlabeled|fold0|fold1|fold2|fold3|fold4|fold5|fold6|fold7|fold8|fold9"
/* Probabilities and factors of view operations all look the same. */
#define CHANCE(name, field, start, help) NUMBER(name, "P", field, VIEWS, start, 0, 1, NULL, "Views", help, true)
#define FACTOR(name, field, start, high, help)                                                                         \
    NUMBER(name, "X", field, VIEWS, start, 0, high, NULL, "Views", help, true)

/* The order is that of --help; the first row of a field gives its default to the commands that do not take it.
 * Numbers of the method are those of arXiv:2002.05709 (section 2, appendix A and B) where it gives them. */
const struct option_row config_options[] = {
    /* ---- Data. What the data set holds is compared by its own fingerprint when a run is resumed, not by its path. */
    TEXT("data", "PATH", data, P | EVALUATIONS, "", "Data",
         "Images: a folder (sub-folders are classes), a text list of path<tab>label, a tar or zip archive, tar shards "
         "(a folder of them, or shard-{000..099}.tar), CIFAR or STL-10 binaries or their .tar.gz, or the word "
         "synthetic.",
         false, true),
    TEXT("data", "PATH", data, V, "", "Data",
         "Images to look at: all that pretrain takes. The option's name may be left out: simclr views PATH.", false,
         true),
    TEXT("data", "PATH", data, DI, "", "Data",
         "Images to look at: all that pretrain takes. The option's name may be left out: simclr data info PATH.", false,
         true),
    TEXT("data", "PATH", data, DP, "", "Data",
         "Images to pack: all that pretrain takes. The option's name may be left out: simclr data pack PATH.", false,
         true),
    TEXT("data", "PATH", data, B, "synthetic", "Data", "Images to decode and augment; see pretrain.", false, false),
    TEXT("data", "PATH", data, I, "", "Data", "Images to take the size from, and to count in --memory.", false, false),
    TEXT("test-data", "PATH", test_data, P | F | K | L, "", "Data",
         "Images to test on; not given: the test or val part of --data.", false, false),
    TEXT("out", "DIR", out, P | F, "", "Data", "Folder of the run; made if missing.", false, true),
    TEXT("out", "FILE", out, E, "", "Data",
         "File of the features (not given: features.npy or features.tsv); the names go beside it, ending in .txt.",
         false, false),
    CHOICE("set", "NAME", set, DF, "", "cifar10|cifar100|stl10|imagenette|imagenette-320|imagenette-160|tiny-imagenet",
           "Data", "The set. The option's name may be left out: simclr data fetch cifar10.", false),
    TEXT("out", "DIR", out, DF, ".", "Data", "Folder of the archive; made if missing.", false, false),
    TEXT("from", "FILE", from, DF, "", "Data",
         "Take this file, which was downloaded by other means, instead of the network.", false, false),
    TEXT("url", "URL", url, DF, "", "Data", "Another address of the same file: a mirror (http, https or file).", false,
         false),
    TEXT("sha256", "HEX", sha256, DF, "", "Data", "The digest of the file at --url where it is another edition.", false,
         false),
    INTEGER("retries", "N", retries, DF, "5", 0, 100, NULL, NULL, "Data", "Tries in a row that may bring nothing.",
            false),
    TEXT("out", "DIR", out, DP, "", "Data", "Folder of the pack; made if missing, gone on with if it was stopped.",
         false, true),
    TEXT("out", "FILE", out, V, "views.png", "Data", "PNG file of the sheet.", false, false),
    TEXT("out", "DIR", out, D, "simclr-demo", "Data", "Folder of the run; made if missing.", false, false),
    TEXT("checkpoint", "PATH", checkpoint, EVALUATIONS, "", "Data",
         "The trained encoder: a run folder (its newest valid checkpoint), a checkpoint, or an exported encoder.",
         false, true),
    TEXT("checkpoint", "PATH", checkpoint, I, "", "Data",
         "Show what this run folder, checkpoint or safetensors file holds instead of a network's table.", false, false),
    TEXT("recipe", "FILE", recipe, ALL | V | DI | DP | DF, "", "Data",
         "Read options from a YAML file; those on the command line win over it, whatever the order.", false, false),
    TEXT("labels", "SHARE", labels, F, "10%", "Data",
         "Share of the training labels to use, class-balanced (1%, 10%, 100%), or a file that lists the images.", true,
         false),
    CHOICE("format", "FORMAT", format, E, "npy", "npy|tsv", "Data",
           "Format of the features: NumPy's, or tab-separated text for the TensorBoard projector.", false),
    BYTES("cache-memory", cache_memory, P | EVALUATIONS | I | B | D, 1, "Data",
          "Memory for images: decoded where all fit, else their files once they were read (auto: a quarter of the "
          "machine's)."),
    {"scaled-decoding", NULL, OPTION_BOOLEAN, AT(scaled_decoding, bool), P | F | B, "false", 0, 1, NULL, NULL, "Data",
     "Decode a JPEG that is not in memory at a half, quarter or eighth of its size where its crops are at least that "
     "many "
     "times as large as the views: faster, and slightly other pixels.",
     true, false},
    NUMBER("max-bad", "SHARE", max_bad, P | EVALUATIONS | I | B | D | V | DP, "0.01", 0, 1, NULL, "Data",
           "Share of unreadable images above which the run ends with an error.", false),
    NUMBER("max-bad", "SHARE", max_bad, DI, "1", 0, 1, NULL, "Data",
           "Share of unreadable images above which the command ends with status 3.", false),
    CHOICE("stl10-part", "PART", stl10_part, P | V | DI | DP, "train+unlabeled", STL10_PARTS, "Data",
           "Which images of STL-10 are the training images; fold0 to fold9 are its folds of 1000.", false),
    CHOICE("stl10-part", "PART", stl10_part, EVALUATIONS, "train", STL10_PARTS, "Data",
           "Which images of STL-10 are the training images; fold0 to fold9 are its folds of 1000.", false),
    INTEGER("synthetic-images", "N", synthetic_images, P | EVALUATIONS | I | B | D | V | DI | DP, "auto", 1, 100000000,
            NULL, NULL, "Data", "Images in the synthetic set (auto: 8192 to train on, 2048 to test on).", true),

    /* ---- Model */
    INTEGER("depth", "N", depth, P | I | B | D, "18", 18, 200, "18|34|50|101|152|200", NULL, "Model",
            "ResNet depth (the paper: 50).", true),
    NUMBER("width", "X", width, P | I | B, "1", 0.125, 4, "1/8=0.125|1/4=0.25|1/2=0.5", "Model",
           "Width multiplier: 1/8, 1/4, 1/2, 1, 2, 3 or 4.", true),
    NUMBER("width", "X", width, D, "0.25", 0.125, 4, "1/8=0.125|1/4=0.25|1/2=0.5", "Model",
           "Width multiplier: 1/8, 1/4, 1/2, 1, 2, 3 or 4.", true),
    CHOICE("stem", "STEM", stem, P | I | B | D, "auto", "auto|imagenet|cifar", "Model",
           "First layers: 7x7 stride 2 and max-pool, or 3x3 (auto: 3x3 for images of 32 pixels or less).", true),
    INTEGER("image-size", "S", image_size, ALL | V, "auto", 8, 1024, NULL, NULL, "Model",
            "Side of the square views in pixels (auto: that of the checkpoint; without one from the images, at most "
            "224).",
            true),
    INTEGER("head-layers", "N", head_layers, P | I | B | D, "2", 0, 3, NULL, "none=0|linear=1", "Model",
            "Dense layers of the projection head.", true),
    INTEGER("head-dim", "N", head_dim, P | I | B | D, "128", 2, 8192, NULL, NULL, "Model",
            "Dimension of the projection head's output z.", true),

    /* ---- Views (paper: section 3 and appendix A) */
    CHOICE("view-preset", "PRESET", view_preset, VIEWS, "auto", "auto|imagenet|cifar", "Views",
           "What auto means below: imagenet is jitter strength 1 and blur, cifar is 0.5 and none (auto: by image "
           "size).",
           true),
    CHOICE("crop-filter", "FILTER", crop_filter, VIEWS, "bicubic", "bicubic|bilinear", "Views",
           "Antialiased filter that resizes the crop.", true),
    CHANCE("crop-probability", crop_probability, "1", "Probability of the random resized crop; else the whole image."),
    CHANCE("crop-area-min", crop_area_min, "0.08", "Smallest share of the image's area in a crop."),
    CHANCE("crop-area-max", crop_area_max, "1", "Largest share of the image's area in a crop."),
    NUMBER("crop-ratio-min", "X", crop_ratio_min, VIEWS, "0.75", 0.1, 10, "3/4=0.75", "Views",
           "Smallest ratio of a crop's width to its height.", true),
    NUMBER("crop-ratio-max", "X", crop_ratio_max, VIEWS, "4/3", 0.1, 10, "4/3=1.3333333333333333", "Views",
           "Largest ratio of a crop's width to its height.", true),
    CHANCE("flip-probability", flip_probability, "0.5", "Probability of the horizontal flip."),
    CHANCE("jitter-probability", jitter_probability, "0.8", "Probability of the colour jitter."),
    FACTOR("jitter-strength", jitter_strength, "auto", 1.25,
           "Strength s of the colour jitter; multiplies the next four."),
    FACTOR("brightness", brightness, "0.8", 10, "Brightness factors are drawn from 1 - X s to 1 + X s."),
    FACTOR("contrast", contrast, "0.8", 10, "Contrast factors are drawn from 1 - X s to 1 + X s."),
    FACTOR("saturation", saturation, "0.8", 10, "Saturation factors are drawn from 1 - X s to 1 + X s."),
    FACTOR("hue", hue, "0.2", 0.5, "Hue shifts are drawn from -X s to X s of the circle."),
    CHANCE("gray-probability", gray_probability, "0.2", "Probability of dropping the colour."),
    CHANCE("blur-probability", blur_probability, "auto", "Probability of the Gaussian blur."),
    FACTOR("blur-sigma-min", blur_sigma_min, "0.1", 100, "Smallest standard deviation of the blur in pixels."),
    FACTOR("blur-sigma-max", blur_sigma_max, "2", 100, "Largest standard deviation of the blur in pixels."),
    CHANCE("solarize-probability", solarize_probability, "0",
           "Probability of inverting the values above one half (not part of SimCLR)."),
    CHANCE("rotate-probability", rotate_probability, "0",
           "Probability of a rotation by 90, 180 or 270 degrees (this and the next seven: not part of SimCLR, for the "
           "paper's study of compositions)."),
    CHANCE("sobel-probability", sobel_probability, "0", "Probability of Sobel filtering: only the edges are left."),
    FACTOR("sobel-strength", sobel_strength, "1", 100, "Factor of the edges."),
    CHANCE("noise-probability", noise_probability, "0", "Probability of Gaussian noise."),
    FACTOR("noise-sigma", noise_sigma, "0.1", 10, "Standard deviation of the noise, for values in 0 to 1."),
    CHANCE("cutout-probability", cutout_probability, "0", "Probability of a square that is cut out."),
    CHANCE("cutout-size", cutout_size, "0.5", "Side of that square as a share of the view's."),
    TEXT("view-order", "LIST", view_order, VIEWS, "", "Views",
         "Operations that come first, in this order and with commas between, of rotate, jitter, gray, blur, solarize, "
         "sobel, noise and cutout; the others follow in that order (not given: that order).",
         true, false),
    {"one-branch", NULL, OPTION_BOOLEAN, AT(one_branch, bool), VIEWS, "false", 0, 1, NULL, NULL, "Views",
     "Only crop and flip the second view, as the study does.", true, false},
    INTEGER("blur-radius", "N", blur_radius, VIEWS, "auto", 0, 256, NULL, NULL, "Views",
            "The blur has 2 N + 1 taps (auto: a tenth of the side, halved and rounded down).", true),
    RGB("mean", mean, P | EVALUATIONS | B | D | V, 0, 1, "Views",
        "Mean to subtract from the channels of every view, values in 0 to 1 (not given: nothing, or the "
        "checkpoint's)."),
    RGB("std", std, P | EVALUATIONS | B | D | V, 0.001, 10, "Views",
        "Standard deviation to divide the channels by; goes with --mean."),

    /* ---- Training (paper: appendix B) */
    INTEGER("batch", "N", batch, P, "256", 2, 65536, NULL, NULL, "Training", "Images in a step; each gives two views.",
            true),
    INTEGER("batch", "N", batch, D, "128", 2, 65536, NULL, NULL, "Training", "Images in a step; each gives two views.",
            true),
    INTEGER("batch", "N", batch, F, "256", 1, 65536, NULL, NULL, "Training", "Images in a step.", true),
    INTEGER("batch", "N", batch, K | L | E, "128", 1, 65536, NULL, NULL, "Training",
            "Images that the encoder takes at once.", false),
    INTEGER("batch", "N", batch, I | B, "128", 1, 65536, NULL, NULL, "Training",
            "Images in a step; each gives two views.", false),
    INTEGER("epochs", "N", epochs, P, "100", 1, 100000, NULL, NULL, "Training", "Passes over the images.", true),
    INTEGER("epochs", "N", epochs, F, "auto", 1, 100000, NULL, NULL, "Training",
            "Passes over the labelled images (auto: 60 with at most 5 % of the labels, else 30).", true),
    INTEGER("epochs", "N", epochs, D, "auto", 1, 100000, NULL, NULL, "Training",
            "Passes over the images (auto: as many as --seconds allows).", true),
    NUMBER("warmup-epochs", "N", warmup_epochs, P | D, "auto", 0, 100000, NULL, "Training",
           "Epochs over which the rate grows from 0 (auto: a tenth of the epochs, at most 10).", true),
    NUMBER("warmup-epochs", "N", warmup_epochs, F, "0", 0, 100000, NULL, "Training",
           "Epochs over which the rate grows from 0.", true),
    CHOICE("optimizer", "NAME", optimizer, P | I | D, "lars", "lars|sgd|adamw", "Training",
           "LARS, SGD with Nesterov momentum, or AdamW.", true),
    CHOICE("optimizer", "NAME", optimizer, F, "sgd", "lars|sgd|adamw", "Training",
           "LARS, SGD with Nesterov momentum, or AdamW.", true),
    NUMBER("learning-rate", "RATE", learning_rate, P, "auto", 1e-9, 1000, NULL, "Training",
           "Base rate, which --scaling multiplies (auto: LARS 0.3, or 1 for images of 64 pixels or less, or 0.075 with "
           "sqrt; SGD 0.05; AdamW 0.001).",
           true),
    NUMBER("learning-rate", "RATE", learning_rate, D, "2", 1e-9, 1000, NULL, "Training",
           "Base rate, which --scaling multiplies.", true),
    NUMBER("learning-rate", "RATE", learning_rate, F, "0.05", 1e-9, 1000, NULL, "Training",
           "Base rate, which --scaling multiplies.", true),
    CHOICE("scaling", "RULE", scaling, P | F | D, "linear", "linear|sqrt", "Training",
           "Rate of a step: the base rate times batch / 256, or times the square root of the batch.", true),
    NUMBER("momentum", "X", momentum, P | F | D, "0.9", 0, 0.9999, NULL, "Training", "Momentum; for AdamW beta1.",
           true),
    NUMBER("weight-decay", "X", weight_decay, P | D, "1e-4", 0, 10, NULL, "Training",
           "Weight decay; batch-norm parameters and biases are left out.", true),
    NUMBER("weight-decay", "X", weight_decay, F, "0", 0, 10, NULL, "Training",
           "Weight decay; batch-norm parameters and biases are left out.", true),
    NUMBER("trust", "X", trust, P | F | D, "0.001", 1e-9, 10, NULL, "Training", "Trust coefficient (eta) of LARS.",
           true),
    NUMBER("temperature", "TAU", temperature, P | B | D, "auto", 0.001, 100, NULL, "Training",
           "Temperature of NT-Xent (auto: 0.5 for images of 64 pixels or less, else 0.1).", true),
    INTEGER("seed", "N", seed, (ALL & ~(E | I)) | V, "1", 0, 9007199254740992.0, NULL, NULL, "Training",
            "Decides the views, the order of the images and the first weights.", true),
    CHOICE("precision", "TYPE", precision, ALL, "auto", "auto|float32|bf16", "Training",
           "Type of activations and weight copies (auto: bf16 where the processor is fast with it).", true),
    CHOICE("device", "NAME", device, ALL, "auto", "auto|cpu|ref", "Training",
           "What computes: cpu is fast, ref is the slow reference in plain C.", false),
    CHOICE("cpu", "VARIANT", cpu, ALL, "auto", "auto|amx|amx-emulated|avx512-bf16|avx512|avx2|portable", "Training",
           "Instruction set of the kernels (auto: $SIMCLR_CPU, else the best that the processor has).", false),
    CHOICE(
        "convolution", "ALGORITHM", convolution, ALL, "auto", "auto|direct|winograd", "Training",
        "How 3x3 convolutions are computed (auto: by the measured cost of each layer's passes; with AMX in bf16 always "
        "directly).",
        false),
    CHOICE(
        "recompute", "WHEN", recompute, P | F | I | B | D, "auto", "auto|on|off", "Training",
        "Drop what batch norm makes and make it again on the way back: half the memory, 1 to 5 % more time, the same "
        "results (auto: where a step would take over 1 GiB).",
        false),
    INTEGER("threads", "N", threads, ALL | V | DI | DP, "auto", 1, 4096, NULL, NULL, "Training",
            "Threads (auto: one for each processor this program may use); sums are rounded in another order.", false),
    INTEGER("workers", "N", workers, P | EVALUATIONS | I | B | D, "auto", 0, 1024, NULL, NULL, "Training",
            "Threads that only make views; 0: the computing threads do it between steps (auto: by the processors).",
            false),
    CHOICE(
        "pin", "WHEN", pin, P | EVALUATIONS | I | B | D, "auto", "auto|on|off", "Training",
        "Keep computing threads and workers on processors of their own (auto: where both together take all there are).",
        false),

    /* ---- Run */
    FLAG("resume", resume, P, "false", "Run", "Go on from the newest valid checkpoint of --out, which must be there."),
    FLAG("overwrite", overwrite, P | F | D, "false", "Run", "Start afresh in a folder that holds another run."),
    FLAG("overwrite", overwrite, DP, "false", "Output", "Replace a pack of other images or options."),
    INTEGER("save-every", "EPOCHS", save_every, P, "1", 1, 100000, NULL, NULL, "Run",
            "Epochs between checkpoints; the end and an interruption write one too.", false),
    INTEGER("keep", "N", keep, P, "3", 1, 100000, NULL, NULL, "Run", "Newest checkpoints to keep, beside the best.",
            false),
    INTEGER("log-every", "STEPS", log_every, P | F | D, "10", 1, 1000000, NULL, NULL, "Run",
            "Steps between lines of metrics.jsonl.", false),
    INTEGER("knn-every", "EPOCHS", knn_every, P | D, "5", 0, 100000, NULL, NULL, "Run",
            "Epochs between kNN evaluations where there are labels; 0: none.", false),
    INTEGER("knn-images", "N", knn_images, P | D, "10000", 0, 100000000, NULL, NULL, "Run",
            "Training images for those evaluations; 0: all.", false),
    INTEGER("diagnostics-images", "N", diagnostics_images, P | D, "1024", 0, 65536, NULL, NULL, "Run",
            "Images for the alignment, uniformity and rank of every epoch; 0: none.", false),
    FLAG("tensorboard", tensorboard, P | F | D, "true", "Run", "Write TensorBoard's event file."),

    /* ---- Evaluation */
    INTEGER("knn-k", "K", knn_k, P | K | D, "200", 1, 100000, NULL, NULL, "Evaluation", "Neighbours that vote.", false),
    NUMBER("knn-temperature", "TAU", knn_temperature, P | K | D, "0.1", 0.001, 100, NULL, "Evaluation",
           "A neighbour of similarity s has exp(s / TAU) votes.", false),
    FLAG("json", json, F | K | L | I | B | DI, "false", "Evaluation", "Print the results as JSON."),
    FLAG("controls", controls, F | K | L, "true", "Evaluation",
         "Evaluate the controls too: pixels and the same network untrained."),
    NUMBER("l2", "X", l2, L | D, "auto", 0, 1e6, NULL, "Evaluation",
           "Penalty on the weights (auto: the best of a sweep on a held-out tenth of the training images).", false),
    INTEGER("iterations", "N", iterations, L | D, "300", 1, 1000000, NULL, NULL, "Evaluation",
            "Most iterations of L-BFGS for one fit.", false),
    TEXT("features-out", "PREFIX", features_out, K | L, "", "Evaluation",
         "Write the features too: PREFIX-train.npy and PREFIX-test.npy with their labels.", false, false),

    /* ---- Info, bench, demo, views */
    FLAG("memory", memory, I, "false", "Output", "Estimate the peak memory of a training step of --batch images."),
    CHOICE("what", "PART", what, B, "all", "all|step|layers|data|embed|update|loss|views|decode", "Output",
           "What to time; data: what views really made add to a step.", false),
    NUMBER("seconds", "T", seconds, B, "3", 0.1, 86400, NULL, "Output",
           "Time for each measurement; the median is reported.", false),
    INTEGER("images", "N", images, V, "4", 1, 100, NULL, NULL, "Output", "Images, spread evenly over the set.", false),
    INTEGER("views", "N", views, V, "6", 1, 100, NULL, NULL, "Output",
            "Views of each: both of the first epoch, both of the second, and so on.", false),
    FLAG("check", check, DI, "false", "Output",
         "Decode every image, not only its header and a sample: finds all bad ones."),
    CHOICE("format", "FORMAT", format, DP, "tar", "tar|raw", "Output",
           "Shards of encoded images as WebDataset reads them, or one file of pixels that needs no decoding.", false),
    CHOICE("codec", "CODEC", codec, DP, "auto", "auto|jpeg|png", "Output",
           "Of the images in shards (auto: a file that need not change is copied, JPEG stays JPEG, all else is PNG).",
           false),
    INTEGER("quality", "N", quality, DP, "90", 1, 100, NULL, NULL, "Output", "Quality of JPEGs that are encoded anew.",
            false),
    INTEGER("shorter-side", "N", shorter_side, DP, "auto", 8, 65535, NULL, NULL, "Output",
            "Reduce larger images to this shorter side (auto: all stay as they are).", false),
    INTEGER("shard-images", "N", shard_images, DP, "5000", 1, 100000000, NULL, NULL, "Output",
            "Images in a shard; of a raw file, images that are written before the disk is waited for.", false),
    NUMBER("seconds", "T", seconds, DI, "2", 0, 86400, NULL, "Output",
           "Time for measuring the decode rate on a sample; 0: not measured.", false),
    NUMBER("seconds", "T", seconds, D, "168", 1, 86400, NULL, "Output", "Time to aim at on this machine, in all.",
           false),
};
const int config_option_count = sizeof config_options / sizeof config_options[0];

/* ---- commands ----------------------------------------------------------------------------------------------- */

/* word: the option whose name may be left out on the command line. */
static const struct {
    enum command command;
    const char *name, *summary, *word;
} commands[] = {
    {COMMAND_PRETRAIN, "pretrain", "train an encoder on images without labels", NULL},
    {COMMAND_KNN, "knn", "classify by the nearest neighbours of a trained encoder's features", NULL},
    {COMMAND_LINEAR, "linear", "classify by logistic regression on a trained encoder's features", NULL},
    {COMMAND_FINETUNE, "finetune", "train the whole network on a share of the labels", NULL},
    {COMMAND_EMBED, "embed", "write the features of images to a file", NULL},
    {COMMAND_VIEWS, "views", "draw images and their views: what the network sees", "data"},
    {COMMAND_INFO, "info", "show a network, its memory, or what a checkpoint holds", NULL},
    {COMMAND_DATA_INFO, "data info", "show what a data set holds: classes, sizes, formats, bad files, decode rate",
     "data"},
    {COMMAND_DATA_PACK, "data pack", "write a data set as tar shards or as one raw file", "data"},
    {COMMAND_DATA_FETCH, "data fetch", "download a public data set and check it", "set"},
    {COMMAND_BENCH, "bench", "time a training step and its parts, as JSON", NULL},
    {COMMAND_DEMO, "demo", "watch a network learn from images that it draws itself, in three minutes", NULL},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

const char *command_name(enum command command)
{
    for (int i = 0; i < COMMANDS; i++) {
        if (commands[i].command == command) return commands[i].name;
    }
    return "?";
}

const char *command_summary(enum command command)
{
    for (int i = 0; i < COMMANDS; i++) {
        if (commands[i].command == command) return commands[i].summary;
    }
    return "";
}

const char *command_word(enum command command)
{
    for (int i = 0; i < COMMANDS; i++) {
        if (commands[i].command == command) return commands[i].word;
    }
    return NULL;
}

int command_find(const char *name, enum command *out)
{
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) != 0) continue;
        *out = commands[i].command;
        return SIMCLR_OK;
    }
    return SIMCLR_INVALID;
}

int command_at(int index, enum command *out)
{
    if (index < 0 || index >= COMMANDS) return SIMCLR_INVALID;
    *out = commands[index].command;
    return SIMCLR_OK;
}

/* ---- options by name -------------------------------------------------------------------------------------------- */

static char plain(char c)
{
    return c == '_' ? '-' : c;
}

static bool same_name(const char *a, const char *b)
{
    while (*a && plain(*a) == plain(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

const struct option_row *option_find(const char *name, enum command command)
{
    for (int i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        if ((row->commands & (unsigned)command) && same_name(row->name, name)) return row;
    }
    return NULL;
}

/* Edits (insert, delete, replace, swap neighbours) that turn a into b; `b` is an option name, so short. */
static int edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    int rows[3][LONGEST + 1];
    const int m = (int)strnlen(a, LONGEST), n = (int)strnlen(b, LONGEST);
    int *before = rows[0], *last = rows[1], *now = rows[2];

    for (int j = 0; j <= n; j++) last[j] = j;
    for (int i = 1; i <= m; i++) {
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            int best = last[j - 1] + (plain(a[i - 1]) != plain(b[j - 1]));
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) && plain(a[i - 2]) == plain(b[j - 1]) &&
                before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = best;
        }
        int *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[n];
}

const char *option_nearest(const char *name, enum command command)
{
    const char *nearest = "recipe";
    int least = edit_distance(name, nearest);

    for (int i = 0; i < config_option_count; i++) {
        if (!(config_options[i].commands & (unsigned)command)) continue;
        const int distance = edit_distance(name, config_options[i].name);
        if (distance >= least) continue;
        least = distance;
        nearest = config_options[i].name;
    }
    return nearest;
}

const char *option_type_name(enum option_type type)
{
    switch (type) {
    case OPTION_STRING:
        return "text";
    case OPTION_INTEGER:
        return "integer";
    case OPTION_NUMBER:
        return "number";
    case OPTION_BOOLEAN:
        return "boolean";
    case OPTION_CHOICE:
        return "choice";
    case OPTION_BYTES:
        return "size";
    case OPTION_RGB:
        return "r,g,b";
    }
    return "text";
}

const char *command_nearest(const char *name)
{
    int nearest = 0;

    for (int i = 1; i < COMMANDS; i++) {
        if (edit_distance(name, commands[i].name) < edit_distance(name, commands[nearest].name)) nearest = i;
    }
    return commands[nearest].name;
}
