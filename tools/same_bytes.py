#!/usr/bin/env python3
"""Do two builds of simclr write the same bytes? For a change that must not change any result.

    tools/same_bytes.py OLD NEW                  two programs; OLD may be a file that --record has written
    tools/same_bytes.py --record FILE PROGRAM    writes the digests of one program for later

Each program trains 20 steps of 8 images at width 1/8: ResNet-18 at 32 and ResNet-50 at 64 pixels, float32 and bf16,
every --cpu variant, recompute on and off, one and two threads, and `ref` once per network and type. It then evaluates
what it has trained, fine-tunes, draws views and packs a data set. A variant that the processor lacks is skipped by
name.

Compared are, each with its parts:
    checkpoint, fine-tuned  every tensor, the order and place of the tensors, all metadata, the recipe line by line
    encoder                 the exported safetensors likewise, and its config.json
    metrics                 every number of metrics.jsonl
    knn, linear, finetune   every number of the JSON
    features                the whole .npy and the names beside it
    views                   the whole PNG
    pack                    every shard and raw file, and the index beside them

Two things are left out:
    file_crc32c in a safetensors header   the parts that it sums are compared one by one
    times in metrics.jsonl                wall_time, epoch/seconds, train/views_per_second, train/wait_share
What only NEW has (an option's line in the recipe, a key of the JSON) is listed and is no difference. What only OLD has
is a difference. finetune's older keys top1_low and top1_high count as low95 and high95 of top1.

--plain-views trains on the pictures as they are, flipped or not, and fine-tunes nothing. ResNet-50 then sees 32 pixels
behind its ImageNet stem. Where the views' own arithmetic has changed for a reason, training is still held to the old
bytes.

The last line reads `N equal, N different, N skipped`. Exit status: 0 all equal, 1 a difference, 2 wrong usage.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

VARIANTS = ["portable", "avx2", "avx512", "avx512-bf16", "amx-emulated", "amx"]
NETWORKS = {"resnet18": ["--depth", "18", "--image-size", "32"], "resnet50": ["--depth", "50", "--image-size", "64"]}
TYPES = ["float32", "bf16"]
PLAIN = [word for name in ("crop", "jitter", "gray", "blur") for word in (f"--{name}-probability", "0")]
PLAIN_NETWORKS = {**NETWORKS, "resnet50": ["--depth", "50", "--image-size", "32", "--stem", "imagenet"]}
IMAGES = ["--data", "synthetic", "--synthetic-images", "160"]
TIMES = {"wall_time", "epoch/seconds", "train/views_per_second", "train/wait_share"}
REFUSED = re.compile(r"this (?:CPU|machine) cannot run|unknown variant|is not one of")


FAILED = "failed: "


def digest(data):
    return hashlib.sha256(data if isinstance(data, bytes) else json.dumps(data, sort_keys=True).encode()).hexdigest()


# ---- what a program wrote, as parts: {name: digest} ----
def safetensors_parts(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    body = data[8 + length :]
    metadata = header.pop("__metadata__", {})
    parts = {"bytes after the header": str(len(body)), "order of tensors": digest(list(header))}
    for name, tensor in header.items():
        begin, end = tensor["data_offsets"]
        parts[name] = digest(body[begin:end])
        parts[f"{name}: place"] = digest([tensor["dtype"], tensor["shape"], begin, end])
    for key, value in metadata.items():
        if key == "config":
            parts.update(
                {
                    f"recipe {name}": text
                    for name, _, text in (
                        line.partition(": ") for line in value.splitlines() if line and line[0] != "#"
                    )
                }
            )
        elif key != "file_crc32c":
            parts[f"metadata {key}"] = value
    return parts


def json_parts(value, name=""):
    """Every leaf of a JSON value by its path; finetune's older top1, top1_low, top1_high are read as today's."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {name: json.dumps(value)}
    parts = {}
    for key, item in value.items():
        for measure in ("top1", "top5"):
            if f"{measure}_low" in value:
                key = {
                    measure: f"{measure}.value",
                    f"{measure}_low": f"{measure}.low95",
                    f"{measure}_high": f"{measure}.high95",
                }.get(key, key)
        parts.update(json_parts(item, f"{name}.{key}" if name else str(key)))
    return parts


def metrics_parts(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return json_parts([{key: value for key, value in line.items() if key not in TIMES} for line in lines], "line")


def file_parts(*paths):
    return {path.name: digest(path.read_bytes()) for path in paths}


# ---- a case: a few commands in a folder of its own, and the items that they leave ----
class Refused(Exception):
    pass


class Failed(Exception):
    pass


def run(program, folder, *arguments, variant=None):
    """Runs one command in `folder` and returns its output. Refused: the processor has no such instructions."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SIMCLR_")}
    if variant:
        environment["SIMCLR_CPU"] = variant
    done = subprocess.run([program, *arguments, "--quiet"], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0 and REFUSED.search(done.stderr):
        raise Refused(done.stderr.strip().splitlines()[-1])
    if done.returncode != 0:
        raise Failed(f"{FAILED}simclr {' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


def train(program, folder, plain, network, precision, device, recompute, threads, evaluate):
    same = ["--precision", precision, *device, "--threads", threads, "--workers", "0", "--pin", "off"]
    run(
        program,
        folder,
        "pretrain",
        *IMAGES,
        "--out",
        "run",
        "--width",
        "1/8",
        *(PLAIN_NETWORKS if plain else NETWORKS)[network],
        *(PLAIN if plain else []),
        "--batch",
        "8",
        "--epochs",
        "1",
        "--log-every",
        "1",
        "--knn-every",
        "1",
        "--recompute",
        recompute,
        *same,
    )
    items = {
        "checkpoint": safetensors_parts(folder / "run/checkpoints/step-00000020.safetensors"),
        "encoder": {
            **safetensors_parts(folder / "run/exported/encoder.safetensors"),
            **file_parts(folder / "run/exported/config.json"),
        },
        "metrics": metrics_parts(folder / "run/metrics.jsonl"),
    }
    if not evaluate:
        return items
    given = ["--checkpoint", "run", *IMAGES, *same]
    items["knn"] = json_parts(json.loads(run(program, folder, "knn", *given, "--json", "--no-controls")))
    items["linear"] = json_parts(
        json.loads(
            run(program, folder, "linear", *given, "--json", "--no-controls", "--l2", "0.01", "--iterations", "60")
        )
    )
    run(program, folder, "embed", *given, "--out", "features.npy")
    items["features"] = file_parts(folder / "features.npy", folder / "features.txt")
    if plain:  # fine-tuning always crops
        return items
    items["finetune"] = json_parts(
        json.loads(
            run(
                program,
                folder,
                "finetune",
                *given,
                "--out",
                "tuned",
                "--labels",
                "50%",
                "--epochs",
                "2",
                "--batch",
                "16",
                "--recompute",
                recompute,
                "--no-controls",
                "--json",
            )
        )
    )
    items["fine-tuned"] = safetensors_parts(folder / "tuned/checkpoints/finetune.safetensors")
    return items


def sweep(program, folder):
    """The evaluations with all they can do: controls, the sweep of penalties, features written beside."""
    run(
        program,
        folder,
        "pretrain",
        *IMAGES,
        "--out",
        "run",
        "--width",
        "1/8",
        *NETWORKS["resnet18"],
        "--batch",
        "8",
        "--epochs",
        "1",
        "--precision",
        "float32",
    )
    given = ["--checkpoint", "run", *IMAGES, "--precision", "float32", "--threads", "2", "--json"]
    items = {
        name: json_parts(json.loads(run(program, folder, name, *given, "--features-out", name)))
        for name in ("knn", "linear")
    }
    items["features"] = file_parts(*sorted(folder.glob("knn-*")), *sorted(folder.glob("linear-*")))
    return items


VIEWS = {
    "imagenet": ["--image-size", "96", "--view-preset", "imagenet"],
    "cifar": ["--image-size", "32", "--view-preset", "cifar"],
    "bilinear": ["--image-size", "49", "--crop-filter", "bilinear", "--crop-area-min", "0.5"],
    "study": ["--image-size", "64"]
    + [
        word for name in ("rotate", "sobel", "noise", "cutout", "solarize") for word in (f"--{name}-probability", "0.5")
    ],
}


def views(program, folder, preset, variant):
    run(
        program,
        folder,
        "data",
        "pack",
        "--data",
        "synthetic",
        "--synthetic-images",
        "40",
        "--out",
        "jpeg",
        "--codec",
        "jpeg",
    )
    items = {}
    for data in ("synthetic", "jpeg"):
        size = ["--synthetic-images", "40"] if data == "synthetic" else []
        run(
            program,
            folder,
            "views",
            "--data",
            data,
            *size,
            "--out",
            f"{data}.png",
            "--images",
            "4",
            "--views",
            "8",
            *VIEWS[preset],
            variant=variant,
        )
        items[f"views of {data}"] = file_parts(folder / f"{data}.png")
    return items


def pack(program, folder):
    items = {}
    for name, arguments in {"raw": ["--format", "raw"], "tar": [], "jpeg": ["--codec", "jpeg"]}.items():
        run(
            program,
            folder,
            "data",
            "pack",
            "--data",
            "synthetic",
            "--synthetic-images",
            "60",
            "--out",
            name,
            "--shard-images",
            "25",
            *arguments,
        )
        items[f"pack {name}"] = file_parts(
            *(
                path
                for path in sorted((folder / name).rglob("*"))
                if path.is_file() and path.suffix != ".lock" and path.name != ".lock"
            )
        )
    return items


def all_cases(plain):
    """{name: (function, arguments)}, the longest first, so that two at a time end together."""
    cases = {}
    for network in reversed(NETWORKS):
        for precision in TYPES:
            cases[f"{network} {precision} ref"] = (
                train,
                (plain, network, precision, ["--device", "ref"], "off", "1", network == "resnet18"),
            )
    for network in reversed(NETWORKS):
        for precision in TYPES:
            for variant in VARIANTS:
                for recompute in ("off", "on"):
                    for threads in ("1", "2"):
                        plural = "" if threads == "1" else "s"
                        name = f"{network} {precision} {variant} recompute {recompute}, {threads} thread{plural}"
                        # Recomputing plays no part in evaluation; emulated tiles are slow.
                        evaluate = recompute == "off" and (threads == "1" or variant != "amx-emulated")
                        cases[name] = (
                            train,
                            (
                                plain,
                                network,
                                precision,
                                ["--device", "cpu", "--cpu", variant],
                                recompute,
                                threads,
                                evaluate,
                            ),
                        )
    cases["controls and sweep"] = (sweep, ())
    cases["pack"] = (pack, ())
    for preset in () if plain else VIEWS:
        for variant in ("", "portable", "avx2", "avx512"):
            cases[f"views {preset} {variant or 'as they come'}"] = (views, (preset, variant))
    return cases


def run_case(program, work, name, function, arguments):
    """{item: parts}, or a string: why the case was refused, or how it failed."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=work))
    try:
        return function(program, folder, *arguments)
    except (Refused, Failed) as reason:
        return str(reason)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- comparing ----
def compare(old, new):
    """Sentences on what differs between the parts of one item, and the parts that only `new` has."""
    differs = [f"{name} is missing" for name in old if name not in new] + [
        name for name in old if name in new and old[name] != new[name]
    ]
    return differs, [name for name in new if name not in old]


def named(names, most=4):
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def judge(name, old, new, count, added):
    if isinstance(old, str) or isinstance(new, str):
        both = isinstance(old, str) and isinstance(new, str)
        if both and not old.startswith(FAILED) and not new.startswith(FAILED):
            count["skipped"] += 1
            print(f"skipped: {name}: {new}")
        else:
            count["different"] += 1
            said = [f"{who}: {what}" for who, what in (("OLD", old), ("NEW", new)) if isinstance(what, str)]
            print(f"DIFFERENT: {name}: {'; '.join(said)}")
        return
    for item in old:
        differs, more = compare(old[item], new.get(item, {}))
        added.update(more)
        count["different" if differs else "equal"] += 1
        if differs:
            print(f"DIFFERENT: {name}: {item}: {len(differs)} of {len(old[item])} parts: {named(differs)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="+", metavar="PROGRAM", help="OLD NEW, or with --record one program")
    parser.add_argument("--record", metavar="FILE", help="write the digests of one program")
    parser.add_argument("--only", metavar="REGEX", default="", help="cases whose name matches (see --list)")
    parser.add_argument("--plain-views", action="store_true", help="train without the arithmetic of views")
    parser.add_argument("--list", action="store_true", help="show the names of the cases and stop")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="cases at a time")
    options = parser.parse_args()
    cases = {name: case for name, case in all_cases(options.plain_views).items() if re.search(options.only, name)}
    if options.list:
        print("\n".join(cases))
        return 0
    if len(options.programs) != (1 if options.record else 2) or not cases:
        parser.error("give two programs, or --record FILE and one; --only must match a case")
    programs, recorded = [], None
    for which, path in enumerate(options.programs):
        if not os.path.isfile(path):
            parser.error(f"{path}: no such file")
        if which == 0 and not options.record and not os.access(path, os.X_OK):
            recorded = json.loads(pathlib.Path(path).read_text())
        else:
            programs.append(os.path.abspath(path))
    count, added = {"equal": 0, "different": 0, "skipped": 0}, set()
    with tempfile.TemporaryDirectory(prefix="same-bytes-") as work, concurrent.futures.ThreadPoolExecutor(
        options.jobs
    ) as workers:
        waiting = {
            name: [workers.submit(run_case, program, work, name, *case) for program in programs]
            for name, case in cases.items()
        }
        results = (
            {name: [future.result() for future in futures] for name, futures in waiting.items()}
            if options.record
            else {}
        )
        if options.record:
            pathlib.Path(options.record).write_text(json.dumps({name: result[0] for name, result in results.items()}))
            print(f"{options.record}: {len(results)} cases")
            return 0
        for name, futures in waiting.items():
            made = [future.result() for future in futures]
            if recorded is not None:
                made.insert(0, recorded.get(name, "not recorded"))
            judge(name, *made, count, added)
    if added:
        print(f"only in NEW, no difference: {named(sorted(added), 12)}")
    print(f"{count['equal']} equal, {count['different']} different, {count['skipped']} skipped")
    return 1 if count["different"] or not count["equal"] else 0


sys.exit(main())
