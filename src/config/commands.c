/* config/commands.c -- a row for every command: its names and words. What it does is a row of command/table.c. */
#include <string.h>

#include "config/config.h"

const struct command_row config_commands[COMMAND_COUNT] = {
    [COMMAND_PRETRAIN] =
        {
            .name = "pretrain",
            .elsewhere = "train|training|run|fit|main|pre-train",
            .summary = "train an encoder on images without labels",
            .help = "Trains an encoder to recognise two random views of one image among all others (SimCLR). Labels "
                    "are not needed; where the folders give some, they are used only to measure how good the "
                    "representation is, and to choose the best checkpoint. A run lives in the folder of --out: "
                    "config.yaml, environment.json, train.log, "
                    "metrics.jsonl, TensorBoard events, checkpoints/ and exported/encoder.safetensors, which has "
                    "torchvision's parameter names. The same command goes on with a run that was stopped.",
            .examples = "simclr pretrain --data photos/ --out run/\n"
                        "simclr pretrain --recipe recipes/cifar10-small.yaml --data cifar10/ --out run/ --seed 2",
        },
    [COMMAND_PLAN] =
        {
            .name = "plan",
            .elsewhere = "estimate|predict-time|dry-run|dryrun|budget|preflight|profile-run",
            .summary = "say what a pretraining will take, before it starts: memory, time, disk",
            .help = "Takes the options of pretrain and trains nothing. It says how large the network is, what memory a "
                    "step takes and the largest batch that fits, times the views and a few steps on this machine, and "
                    "says how long the whole will take and what it will leave on the disk. What cannot work is refused "
                    "with the reason. With --time it says how many epochs that allows.",
            .examples = "simclr plan --data photos/ --out run/\n"
                        "simclr plan --recipe recipes/cifar10.yaml --data cifar10/ --json\n"
                        "simclr plan --data photos/ --time 2h",
            .borrows = COMMAND_SET(COMMAND_PRETRAIN),
        },
    [COMMAND_WATCH] =
        {
            .name = "watch",
            .elsewhere = "follow|tail|monitor|status|progress|top",
            .summary = "follow a run in the terminal: loss, kNN, learning rate, time left",
            .word = "runs",
            .help = "Draws the loss, the kNN and the learning rate of a run in 80 columns, with its speed and the time "
                    "that is left, from the files of its folder alone. The run is not disturbed, and may be of another "
                    "machine's. It is drawn anew while the run goes on; at its end the command ends too, and says "
                    "whether the run is finished, was stopped or was killed.",
            .examples = "simclr watch run/\n"
                        "simclr watch run/ --once",
        },
    [COMMAND_VERIFY] =
        {
            .name = "verify",
            .elsewhere = "compare-run|check-run|assert|reproduce|regression",
            .summary = "compare a run's figures with those that its recipe expects",
            .word = "runs",
            .help = "A recipe may say what its runs should reach: a metric, after so many epochs, between two figures. "
                    "They go along into config.yaml. This command compares them with metrics.jsonl, prints each, and "
                    "ends with status 5 and a sentence about the first one that is off or missing. --recipe takes them "
                    "from another file, and says in which options the run differs from it.",
            .examples = "simclr verify run/\n"
                        "simclr verify run/ --recipe recipes/cifar10-small.yaml --json",
        },
    [COMMAND_KNN] =
        {
            .name = "knn",
            .elsewhere = "eval-knn|knn-eval|knn-classify",
            .summary = "classify by the nearest neighbours of a trained encoder's features",
            .help = "Classifies the test images by a vote of the most similar training images, by the encoder's "
                    "features as they are. Beside the result stand two controls: the pixels themselves, and the same "
                    "network untrained.",
            .examples = "simclr knn --checkpoint run/ --data cifar10/",
        },
    [COMMAND_LINEAR] =
        {
            .name = "linear",
            .elsewhere = "probe|lincls|linear-eval|linear-probe|eval-linear|classify",
            .summary = "classify by logistic regression on a trained encoder's features",
            .help =
                "Classifies by multinomial logistic regression on the frozen encoder's features; the penalty is "
                "chosen on a held-out part of the training images. With --solver sgd it is trained as in the paper, "
                "on fresh views. Beside the result stand two controls: the pixels themselves, and the same network "
                "untrained.",
            .examples = "simclr linear --checkpoint run/ --data cifar10/ --json\n"
                        "simclr linear --checkpoint run/ --data cifar10/ --solver sgd",
        },
    [COMMAND_EVALUATE] =
        {
            .name = "evaluate",
            .elsewhere = "eval|evaluation|test|judge|validate|score|benchmark-features",
            .summary = "judge a trained encoder by every protocol, with controls and intervals",
            .word = "checkpoint",
            .help =
                "Judges the frozen features: nearest neighbours, a linear classifier and its calibration, few labels, "
                "retrieval, clusters, and what can be said without labels. Beside every figure stand the pixels and "
                "the same network untrained, with intervals; --compare tests another encoder on the same images. "
                "Each source's features are made once. Writes evaluation.json, evaluation.md, predictions.npz and "
                "classifier.safetensors to the folder of --out.",
            .examples = "simclr evaluate run/ --data cifar10/\n"
                        "simclr evaluate run/ --data cifar10/ --protocols knn,linear --seeds 5\n"
                        "simclr evaluate run/ --data cifar10/ --compare earlier/ --out comparison/",
        },
    [COMMAND_FINETUNE] =
        {
            .name = "finetune",
            .elsewhere = "fine-tune|fine-tuning|tune|transfer",
            .summary = "train the whole network on a share of the labels",
            .help =
                "The method's second phase: a linear classifier on the representation and the whole network "
                "trained on some of the labels, beside the same training from random weights. The same command goes on "
                "with a run that was stopped.",
            .examples = "simclr finetune --checkpoint run/ --data cifar10/ --labels 1% --out finetuned/",
        },
    [COMMAND_SUPERVISED] =
        {
            .name = "supervised",
            .elsewhere = "scratch|from-scratch|baseline|train-supervised",
            .summary = "train the same network on labels alone: what pretraining is measured against",
            .help =
                "The control that no pretraining goes into: the network starts from random weights and is trained "
                "on labels, all of them or some. A run lives in the folder of --out like one of pretrain, and the "
                "same command goes on with it. Its encoder is judged by knn, linear and embed like any other. "
                "A recipe of pretrain gives the same network, but brings its optimizer, rate, batch and epochs along.",
            .examples = "simclr supervised --data cifar10/ --out supervised/\n"
                        "simclr supervised --data cifar10/ --labels 10% --width 1/4 --out tenth/",
        },
    [COMMAND_PREDICT] =
        {
            .name = "predict",
            .elsewhere = "prediction|inference|infer|label|recognize|recognise|classify-images",
            .summary = "tell the class of each image, with probabilities",
            .word = "checkpoint",
            .words = "pictures",
            .help =
                "Classifies images by an encoder and the linear classifier that evaluate, finetune or supervised left "
                "for it. Probabilities are calibrated where some training images were held out. Of each image it is "
                "told whether it is unlike all that the classifier was taught. What is said of an image depends on "
                "no other image, and not on the number of threads.",
            .examples = "simclr predict finetuned/ photos/\n"
                        "simclr predict evaluation/ new/ --format csv\n"
                        "simclr predict run/ --classifier evaluation/ cat.jpg dog.jpg --top 1\n"
                        "find . -name '*.jpg' | simclr predict finetuned/ - --format jsonl",
        },
    [COMMAND_EMBED] =
        {
            .name = "embed",
            .elsewhere = "embeddings|features|extract|encode",
            .summary = "write the features of images to a file",
            .help =
                "Writes the representation of every image as a row: as a NumPy array with the images' names, in the "
                "same order, as a text file beside it, or as .npz, .safetensors, .parquet, .csv, .jsonl or .tsv, "
                "which the name of --out chooses. One batch at a time is in memory. The --features of other "
                "commands reads .npy, .npz and .safetensors.",
            .examples = "simclr embed --checkpoint run/ --data photos/ --out features.npy\n"
                        "simclr embed --checkpoint run/ --data photos/ --out features.parquet",
        },
    [COMMAND_EXPORT] =
        {
            .name = "export",
            .elsewhere = "convert-model|to-onnx|onnx|export-model|save-model",
            .summary = "write a trained encoder in a form that other programs load",
            .word = "checkpoint",
            .help = "Writes the encoder, with its classifier where the run has one, as an ONNX file, as a folder with "
                    "a model.py of plain PyTorch, or with the names that torchvision or timm expects. Each form says "
                    "what pictures it takes, and has a model card. What was written is read back and compared before "
                    "it gets its name.",
            .examples = "simclr export run/ --format onnx --out encoder.onnx\n"
                        "simclr export run/ --format pytorch --out encoder/\n"
                        "simclr export finetuned/ --format onnx --input bytes --out classifier.onnx",
        },
    [COMMAND_REPORT] =
        {
            .name = "report",
            .elsewhere = "page|html|dashboard|plot|plots|tensorboard|wandb",
            .summary = "write one page about a run: what it is worth, and whether to believe it",
            .word = "runs",
            .help =
                "Writes one HTML file that needs nothing else: the result in a sentence, warnings in words with what "
                "to do, every figure of simclr evaluate beside its controls with intervals, accuracy against the "
                "number of labels, training curves, mistakes, the data, and how it was made. With --data it has views, "
                "neighbours, the map and the surest mistakes of the first run's encoder too. Several runs stand "
                "beside each other, what differs first. A run that is under way, was killed or has no labels has a "
                "page too, which says so.",
            .examples = "simclr report run/\n"
                        "simclr report run/ --data photos/\n"
                        "simclr report run/ earlier/ --out both.html\n"
                        "simclr report run/ --evaluation evaluation/",
        },
    [COMMAND_AUDIT] =
        {
            .name = "audit",
            .elsewhere = "clean|check-data|duplicates|dedup|deduplicate|find-duplicates|leaks|outliers|label-issues",
            .summary = "find duplicates, leaks, outliers, suspect labels and odd pictures in a set",
            .word = "checkpoint",
            .help =
                "Looks for what is wrong with a set, with or without labels: exact duplicates, near-duplicates (found "
                "by "
                "features, decided by pixels), leaks between the parts, outliers, labels that the neighbours do not "
                "share, and dark, bright, blurred, empty, odd or gray pictures. It writes a table with a row for each "
                "image, the groups of duplicates, a page to look at, and the lists keep.txt and remove.txt, which "
                "--subset takes. Nothing is deleted.",
            .examples = "simclr audit run/ --data photos/ --out audit/\n"
                        "simclr audit run/ --data photos/ --only exact,near --out audit/\n"
                        "simclr pretrain --data photos/ --subset audit/keep.txt --out clean/",
        },
    [COMMAND_NEIGHBOURS] =
        {
            .name = "neighbours",
            .elsewhere = "neighbors|nearest|similar|search|retrieve|find|query|graph",
            .summary = "find the images of a set that are most similar to a picture, or to each other",
            .word = "checkpoint",
            .help =
                "Finds the images whose features are most similar to those of --query; without it, to each image of "
                "the set. The search is exact up to 200,000 images, and above in the nearest cells of k-means, whose "
                "recall is printed. What was computed once of a set is kept, so that a second command starts at "
                "once.",
            .examples = "simclr neighbours run/ --data photos/ --query cat.jpg\n"
                        "simclr neighbours run/ --data photos/ --query new/ -k 5 --out similar.html\n"
                        "simclr neighbours run/ --data photos/ -k 50 --out graph.npz",
        },
    [COMMAND_MAP] =
        {
            .name = "map",
            .elsewhere = "umap|tsne|t-sne|pacmap|project|projection|scatter|atlas|visualize-embeddings",
            .summary = "draw a set as points of the plane, or as an atlas of pictures",
            .word = "checkpoint",
            .help =
                "Puts every image at a point of the plane, near those that the encoder finds alike (PaCMAP), and says "
                "how many of the nearest neighbours are nearest there too: what a map shows is never all. Labels are "
                "not needed; where there are some, they colour the points. The same map comes out with any number of "
                "threads.",
            .examples = "simclr map run/ --data photos/ --out map.svg\n"
                        "simclr map run/ --data photos/ --out atlas.png\n"
                        "simclr map --features features.npy --out map.csv",
        },
    [COMMAND_SELECT] =
        {
            .name = "select",
            .elsewhere = "choose|sample|active|active-learning|label-next|coreset|core-set|pick",
            .summary = "choose the images to label next",
            .word = "checkpoint",
            .help =
                "Chooses the images whose labels help most, in order: at first those that are typical of the clusters "
                "of the features, later those of which a classifier of the labelled ones is least certain. Writes "
                "their names as a list, to which labels are added, and a sheet of them.",
            .examples = "simclr select run/ --data photos/ --count 50 --out first.txt\n"
                        "simclr select run/ --data photos/ --count 50 --labelled first.txt --out next.txt",
        },
    [COMMAND_VIEWS] =
        {
            .name = "views",
            .elsewhere = "augment|augmentations|show|visualize|visualise|preview|view",
            .summary = "draw images and their views: what the network sees",
            .word = "data",
            .help = "Draws a sheet of images and of views of them, exactly those that pretrain would make in its first "
                    "epochs with these options and this seed, each with the parameters that were drawn. Frames on the "
                    "image show where its views were cut out.",
            .examples = "simclr views photos/ --out sheet.png\n"
                        "simclr views photos/ --recipe recipes/cifar10-small.yaml --images 8 --seed 2",
        },
    [COMMAND_INFO] =
        {
            .name = "info",
            .elsewhere = "summary|inspect|describe|model-info",
            .summary = "show a network, its memory, or what a checkpoint holds",
            .help = "Prints the network as a table: layers, shapes, parameters, operations and memory; with --memory "
                    "what a training step will take; with --ranks what it takes on several machines; with "
                    "--checkpoint what a file holds.",
            .examples = "simclr info --depth 50 --image-size 224 --batch 256 --memory\n"
                        "simclr info --depth 50 --image-size 224 --batch 4096 --ranks 8 --network 10gbit,60us\n"
                        "simclr info --checkpoint run/",
        },
    [COMMAND_IMPORT] =
        {
            .name = "import",
            .elsewhere = "convert-checkpoint|convert-weights|from-pytorch|from-torch|load-weights",
            .summary = "take an encoder out of a checkpoint of another program",
            .word = "checkpoint",
            .help =
                "Finds a ResNet or AlexNet in a file of weights, whoever trained it, and writes it as an exported "
                "encoder with torchvision's names: checkpoints of PyTorch (.pth, .pt, .ckpt, as torch.save writes them "
                "since 1.6) and safetensors. Nothing of a checkpoint is run: classes and functions in it stay names. "
                "Prefixes, numbers of a Sequential and copies of the network are seen through; depth, width and stem "
                "are read off the shapes. All commands that take an encoder read such files as they are, too.",
            .examples = "mkdir imagenet dino\n"
                        "simclr import resnet50.pth --out imagenet/encoder.safetensors --mean 0.485,0.456,0.406 --std "
                        "0.229,0.224,0.225\n"
                        "simclr import dino.pth --prefix teacher.backbone --out dino/encoder.safetensors\n"
                        "simclr pretrain --data photos/ --init imagenet/encoder.safetensors --out run/",
        },
    [COMMAND_DATA_INFO] =
        {
            .name = "data info",
            .elsewhere = "data-info|stats|statistics|dataset|data-stats",
            .summary = "show what a data set holds: classes, sizes, formats, bad files, decode rate",
            .word = "data",
            .help = "Looks at every image's header and shows what a data set holds: images, classes and how many each "
                    "has, sizes, formats, files that cannot be read and why, and how many images a second this machine "
                    "decodes. With --check every image is decoded.",
            .examples = "simclr data info photos/\n"
                        "simclr data info photos/ --check --max-bad 0 --json",
        },
    [COMMAND_DATA_PACK] =
        {
            .name = "data pack",
            .elsewhere = "data-pack|pack|convert|shard|prepare",
            .summary = "write a data set as tar shards or as one raw file",
            .word = "data",
            .help = "Writes every part of a data set into a folder: as tar shards (train-000000.tar ..., WebDataset's "
                    "layout), which are read in order and copied as a few large files, or as one raw file of pixels "
                    "(train.pack), which needs no decoding. A pack that was stopped goes on where it stood when the "
                    "same command is run again.",
            .examples = "simclr data pack photos/ --out packed/ --shorter-side 256\n"
                        "simclr data pack photos/ --out raw/ --format raw --shorter-side 256\n"
                        "simclr pretrain --data raw/ --out run/",
        },
    [COMMAND_DATA_FETCH] =
        {
            .name = "data fetch",
            .elsewhere = "data-fetch|fetch|download|get",
            .summary = "download a public data set and check it",
            .word = "set",
            .help =
                "Downloads the archive of a public data set from its publisher, going on with what an earlier command "
                "got, checks its size and digest, and gives it its name only then. --data takes the archive as it is. "
                "The set's terms are printed; they are yours to keep. Nothing else of this program uses the network.",
            .examples = "simclr data fetch cifar10 --out data/\n"
                        "simclr data fetch stl10 --out data/ --from ~/downloads/stl10_binary.tar.gz",
        },
    [COMMAND_BENCH] =
        {
            .name = "bench",
            .elsewhere = "benchmark|profile|speed|time",
            .summary = "time a training step and its parts",
            .help = "Times a training step, each layer, the loss, the views and the decoding on this machine.",
            .examples = "simclr bench --depth 18 --image-size 32 --batch 128\n"
                        "simclr bench --what loss --batch 4096 --json",
        },
    [COMMAND_DEMO] =
        {
            .name = "demo",
            .elsewhere = "example|examples|tutorial|quickstart|try",
            .summary = "watch a network learn from images that it draws itself, in three minutes",
            .help = "Pretrains a small network on images that it draws itself, shows how well the features classify "
                    "beside pixels and the untrained network, and writes a picture to look at.",
            .examples = "simclr demo",
        },
};

_Static_assert(COMMAND_COUNT <= 64, "a command_set has 64 bits");

const char *command_name(enum command command)
{
    return config_commands[command].name;
}

int command_find(const char *name, enum command *out)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(config_commands[i].name, name) != 0) continue;
        *out = (enum command)i;
        return SIMCLR_OK;
    }
    return SIMCLR_INVALID;
}
