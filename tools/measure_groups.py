#!/usr/bin/env python3
"""What statistics groups cost in accuracy (--batch-norm-images): runs that differ in nothing else, judged by kNN.

  tools/measure_groups.py SIMCLR DATA OUT [--recipe FILE] [--batch 512] [--epochs 10] [--precision bf16] [--seeds 1,2]
                          [--groups all,64,8,64s,8s] [--threads N]

A group is a number of images, or `all`; an `s` behind it adds --batch-norm-shuffle. Each run is a folder of OUT. What
is there already is not done again, and a run that was stopped goes on: the same command ends what was begun. The table
is Markdown: kNN of the last checkpoint on DATA's test images with its 95 % interval, the difference from the first
group of the same seed, and the exact McNemar test of the two, which counts the images that only one of them has
right."""
import argparse
import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import zipfile

SIMCLR_ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(words, log):
    """What the command writes to its standard output."""
    with open(log, "ab") as errors:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: exit {done.returncode}, see {log}")
    return done.stdout


def same_settings(arguments):
    """Runs that are there were made with these settings, or the table would mix two experiments."""
    path = arguments.out / "settings.json"
    settings = {"data": os.path.realpath(arguments.data) if os.path.exists(arguments.data) else arguments.data,
                "recipe": pathlib.Path(arguments.recipe).read_text(), "batch": arguments.batch,
                "epochs": arguments.epochs, "precision": arguments.precision}
    if not path.exists():
        path.write_text(json.dumps(settings))
    differ = [key for key, value in json.loads(path.read_text()).items() if settings[key] != value]
    if differ:
        sys.exit(f"{arguments.out} has runs with another {' and another '.join(differ)}: give another folder")


def judged(arguments, group, seed):
    """The figures of one run, and for each test image whether it is right."""
    name = f"{group}-{seed}"
    folder, figures, predictions = (arguments.out / (name + end) for end in ("", ".json", ".npz"))
    log = arguments.out / f"{name}.log"
    if not figures.exists():
        images = str(arguments.batch) if group.startswith("all") else group.rstrip("s")
        shuffle = ["--batch-norm-shuffle"] if group.endswith("s") else []
        threads = ["--threads", str(arguments.threads)] if arguments.threads else []
        data = ["--data", arguments.data, "--quiet", *threads]
        run([arguments.simclr, "pretrain", "--recipe", arguments.recipe, "--batch", str(arguments.batch), "--epochs",
             str(arguments.epochs), "--precision", arguments.precision, "--seed", str(seed), "--batch-norm-images",
             images, *shuffle, "--knn-every", "0", "--out", folder, *data], log)
        words = [arguments.simclr, "knn", "--checkpoint", folder, "--json", "--no-controls", "--predictions",
                 predictions, *data]
        partial = figures.with_suffix(".tmp")
        partial.write_bytes(run(words, log))
        os.replace(partial, figures)
    rows = [json.loads(line) for line in open(folder / "metrics.jsonl")]
    losses = [row["epoch/loss"] for row in rows if "epoch/loss" in row]
    return json.loads(figures.read_text())["trained"]["top1"], right(predictions), losses[-1]


def array(archive, name):
    """An array of int32 of an .npz: its shape, its values."""
    data = archive.read(name)
    length = struct.unpack_from("<H", data, 8)[0]
    header = data[10:10 + length].decode()
    if "'<i4'" not in header or "'fortran_order': False" not in header:
        sys.exit(f"{name} holds {header}, not int32 row by row")
    shape = [int(word) for word in header.split("(")[1].split(")")[0].split(",") if word.strip()]
    return shape, struct.unpack_from(f"<{math.prod(shape)}i", data, 10 + length)


def right(path):
    with zipfile.ZipFile(path) as archive:
        (count,), labels = array(archive, "labels.npy")
        (rows, best), ranked = array(archive, "top5.npy")
    if rows != count:
        sys.exit(f"{path}: {count} labels and {rows} predictions")
    return [label == ranked[i * best] for i, label in enumerate(labels)]


def mcnemar(one, other):
    """Images that only `one` has right, that only `other` has, and the exact two-sided p of the two counts."""
    ours, theirs = (sum(a and not b for a, b in zip(*pair)) for pair in ((one, other), (other, one)))
    count = ours + theirs
    logs = [math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) - count * math.log(2)
            for k in range(min(ours, theirs) + 1)]
    return ours, theirs, min(1.0, 2 * sum(map(math.exp, logs)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("simclr")
    parser.add_argument("data")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--recipe", default=SIMCLR_ROOT / "recipes/cifar10-small.yaml")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--groups", default="all,64,8,64s,8s")
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    same_settings(arguments)
    arguments.simclr = os.path.realpath(arguments.simclr)
    groups = arguments.groups.split(",")
    print(f"| images that share statistics | seed | kNN % | 95 % interval | from {groups[0]} | only {groups[0]} right, "
          "only this | p | last epoch's loss |\n|---|---|---|---|---|---|---|---|")
    for seed in arguments.seeds.split(","):
        first = None
        for group in groups:
            top1, correct, loss = judged(arguments, group, seed)
            share = 100 * top1["value"]
            beside = "- | - | -"
            if first:
                a, b, p = mcnemar(first[1], correct)
                beside = f"{share - first[0]:+.2f} | {a}, {b} | {p:.2g}"
            else:
                first = share, correct
            what = group.rstrip("s") + (", shuffled" if group.endswith("s") else "")
            interval = f"{100 * top1['low95']:.1f} to {100 * top1['high95']:.1f}"
            print(f"| {what} | {seed} | {share:.2f} | {interval} | {beside} | {loss:.3f} |", flush=True)


if __name__ == "__main__":
    main()
