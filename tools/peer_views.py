#!/usr/bin/env python3
"""Views per second of one core beside torchvision's, in one run.

    tools/peer_views.py --bench build/bench_views --photos FOLDER --cifar FOLDER --python PYTHON-WITH-TORCHVISION

Runs bench_views and torchvision with PIL (one thread, the same core) by turns, `--rounds` times, and prints the table
of docs/performance.md: the best of each and the ratio. --photos: a folder of JPEG files; --cifar: a folder of 32 x 32
pictures with sub-folders. The chains are the same: random resized crop (bicubic), flip, jitter, gray, blur (224 only),
to a float tensor.
"""
import argparse
import json
import os
import subprocess
import sys
import time

ROWS = (
    ("imagenet", "full chain at 224, decoded photos", "views/s"),
    ("cifar", "CIFAR chain, 32 pixels, draws included", "views/s"),
    ("jpeg to two views", "JPEG bytes to two views at 224", "images/s"),
)


def peer(arguments):
    """Measures torchvision; prints JSON."""
    import io
    import glob

    import torch
    import torchvision
    from PIL import Image

    torch.set_num_threads(1)
    torch.manual_seed(0)
    t = torchvision.transforms
    bicubic = t.InterpolationMode.BICUBIC

    def chain(size, strength, blur):
        steps = [
            t.RandomResizedCrop(size, scale=(0.08, 1.0), interpolation=bicubic),
            t.RandomHorizontalFlip(),
            t.RandomApply([t.ColorJitter(0.8 * strength, 0.8 * strength, 0.8 * strength, 0.2 * strength)], p=0.8),
            t.RandomGrayscale(0.2),
        ]
        if blur:
            steps.append(t.RandomApply([t.GaussianBlur(23, (0.1, 2.0))], p=0.5))
        return t.Compose(steps + [t.ToTensor()])

    def rate(work, items):
        done, start = 0, time.perf_counter()
        while time.perf_counter() - start < arguments.seconds:
            work(items[done % len(items)])
            done += 1
        return done / (time.perf_counter() - start)

    def decode(data):
        return Image.open(io.BytesIO(data)).convert("RGB")

    def read(pattern, every):
        names = sorted(n for n in glob.glob(pattern, recursive=True) if n.lower().endswith((".jpg", ".jpeg", ".png")))
        if not names:
            sys.exit(f"peer_views: no pictures match {pattern}")
        return [open(n, "rb").read() for n in names[::every]]

    raw = read(os.path.join(arguments.photos, "*"), 1)[:250]
    photos = [decode(data) for data in raw]
    full, small = chain(224, 1.0, True), chain(32, 0.5, False)
    icons = [decode(data) for data in read(os.path.join(arguments.cifar, "**", "*"), 25)[:2000]]

    def two(data):
        image = decode(data)
        return full(image), full(image)

    print(json.dumps({
        "versions": f"torchvision {torchvision.__version__}, Pillow {Image.__version__}",
        "imagenet": rate(full, photos),
        "cifar": rate(small, icons),
        "jpeg to two views": rate(two, raw),
    }))


def ours(arguments):
    command = [arguments.bench, arguments.photos, str(arguments.seconds)]
    if arguments.variant:
        command.append(arguments.variant)
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return json.loads(out)["rates"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="build/bench_views")
    parser.add_argument("--photos", required=True)
    parser.add_argument("--cifar", required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement")
    parser.add_argument("--variant", help="only this variant of bench_views")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        peer(arguments)
        return
    os.sched_setaffinity(0, {arguments.core})
    os.environ["OMP_NUM_THREADS"] = "1"
    best, theirs, versions = {}, {}, ""
    for _ in range(arguments.rounds):
        for row in ours(arguments):
            key = row["chain"], row["variant"]
            best[key] = max(best.get(key, 0.0), row["per_second"])
        command = [arguments.python, __file__, "--peer", "--photos", arguments.photos, "--cifar", arguments.cifar,
                   "--seconds", str(arguments.seconds)]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        versions = found.pop("versions")
        for chain, value in found.items():
            theirs[chain] = max(theirs.get(chain, 0.0), value)
    variants = list(dict.fromkeys(variant for chain, variant in best if chain == "imagenet"))
    print(f"{versions}, PIL, one thread\n")
    print("| chain | " + " | ".join(variants) + " | torchvision |")
    print("|---|" + "---|" * (len(variants) + 1))
    for chain, title, unit in ROWS:
        cells = [f"{best[chain, v]:,.0f} ({best[chain, v] / theirs[chain]:.1f}x)" for v in variants]
        print(f"| {title} | " + " | ".join(cells) + f" | {theirs[chain]:,.1f} {unit} |")
    print()
    for (chain, variant), value in best.items():
        if chain not in theirs:
            print(f"{chain}, {variant}: {value:,.0f} per second")


if __name__ == "__main__":
    main()
