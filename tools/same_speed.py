#!/usr/bin/env python3
"""Are two builds of simclr equally fast? For a change that must cost no speed.

    tools/same_speed.py OLD NEW [--rounds 10] [--only REGEX] [--json FILE]

Both programs run by turns (OLD NEW, NEW OLD, ...), so that a machine whose speed drifts drifts for both. One round runs
every row once with each program. Each round runs fresh copies of both: two copies of one file differ by up to 3 %, by
where their pages lie in memory. Nothing else should run meanwhile.

A row's ratio is NEW's speed over OLD's; above 1, NEW is faster. Mean and 95 % interval come from the logarithms of the
rounds' ratios (Student's t). A row is inside where the whole interval lies within 0.99 to 1.02.

Rows:
    train         the median step of a short pretraining
    step          `simclr bench --what step`; so are `views`, `embed` and `update`
    embed whole   the whole command on a synthetic set, reading and writing included

The last line reads `N inside, N outside`. Exit status: 0 all inside, 1 otherwise, 2 wrong usage.
"""

import argparse
import json
import math
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

LOW, HIGH = 0.99, 1.02
R18 = ["--depth", "18", "--image-size", "32"]
R50 = ["--depth", "50", "--image-size", "224"]
SYNTHETIC = ["--data", "synthetic"]
FEW = ["--synthetic-images", "512"]  # bench draws its set before it measures
TYPES = ["bf16", "float32"]


def run(program, *arguments):
    done = subprocess.run([program, *arguments, "--quiet"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"same_speed: {program} {' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


# ---- rows: each returns a speed (anything per second) ----
def bench(what, field, *arguments):
    def speed(program, options, folder):
        out = json.loads(run(program, "bench", "--what", what, "--seconds", str(options.seconds), "--json", *arguments))
        value = out[what][field]
        return 1 / value if field.endswith("seconds") else value

    return speed


def train(steps, batch, *arguments):
    def speed(program, options, folder):
        run(
            program,
            "pretrain",
            *SYNTHETIC,
            "--synthetic-images",
            str(steps * batch),
            "--batch",
            str(batch),
            "--epochs",
            "1",
            "--out",
            str(folder / "run"),
            "--overwrite",
            "--log-every",
            "1",
            "--knn-every",
            "0",
            "--diagnostics-images",
            "0",
            *arguments,
        )
        lines = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
        rates = [line["train/views_per_second"] for line in lines if "train/views_per_second" in line]
        return statistics.median(rates[2:])

    return speed


def embed_whole(precision):
    def speed(program, options, folder):
        trained = folder / f"encoder-{precision}"
        if not trained.exists():
            run(
                program,
                "pretrain",
                *SYNTHETIC,
                "--synthetic-images",
                "16",
                "--batch",
                "8",
                "--epochs",
                "1",
                "--out",
                str(trained),
                *R18,
            )
        began = time.monotonic()
        run(
            program,
            "embed",
            *SYNTHETIC,
            "--synthetic-images",
            "4096",
            "--checkpoint",
            str(trained),
            "--out",
            str(folder / "features.npy"),
            "--precision",
            precision,
        )
        return 1 / (time.monotonic() - began)

    return speed


def all_rows():
    rows = {}
    for precision in TYPES:
        given = ["--precision", precision]
        rows[f"train ResNet-18 at 32, {precision}"] = train(16, 64, *R18, *given)
        rows[f"train ResNet-50 at 224, {precision}"] = train(6, 4, *R50, *given)
        rows[f"step ResNet-18 at 32, {precision}"] = bench("step", "seconds", *R18, *FEW, "--batch", "64", *given)
        rows[f"step ResNet-50 at 224, {precision}"] = bench("step", "seconds", *R50, *FEW, "--batch", "4", *given)
        rows[f"embed ResNet-18 at 32, {precision}"] = bench("embed", "seconds", *R18, *FEW, "--batch", "64", *given)
        rows[f"embed ResNet-50 at 224, {precision}"] = bench("embed", "seconds", *R50, *FEW, "--batch", "8", *given)
        rows[f"embed whole, ResNet-18, 4096 images, {precision}"] = embed_whole(precision)
    rows["views at 32"] = bench("views", "views_per_second", *R18, *FEW)
    rows["views at 224"] = bench("views", "views_per_second", *R50, *FEW)
    rows["update ResNet-18"] = bench("update", "lars_seconds", *R18)
    return rows


# ---- the interval ----
def student(freedom):
    """The 97.5 % point of Student's t (Cornish and Fisher's expansion; 5e-4 from 5 degrees of freedom on)."""
    z, d = 1.959964, freedom
    return (
        z
        + (z**3 + z) / (4 * d)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * d**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * d**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * d**4)
    )


def interval(ratios):
    logs = [math.log(ratio) for ratio in ratios]
    mean, half = statistics.fmean(logs), student(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def verdict(low, high):
    if LOW <= low and high <= HIGH:
        return "inside"
    return "outside: slower" if high < LOW else "outside: faster" if low > HIGH else "outside: interval reaches beyond"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", metavar="OLD")
    parser.add_argument("new", metavar="NEW")
    parser.add_argument("--rounds", type=int, default=10, help="alternations (default 10)")
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement of bench (default 2)")
    parser.add_argument("--only", metavar="REGEX", default="", help="rows whose name matches (see --list)")
    parser.add_argument("--list", action="store_true", help="show the names of the rows and stop")
    parser.add_argument("--json", metavar="FILE", help="write every measurement too")
    options = parser.parse_args()
    rows = {name: row for name, row in all_rows().items() if re.search(options.only, name)}
    if options.list:
        print("\n".join(rows))
        return 0
    if options.rounds < 6 or not rows:
        parser.error("--rounds: at least 6, for an interval; --only must match a row")
    programs = {"old": os.path.abspath(options.old), "new": os.path.abspath(options.new)}
    speeds = {name: {"old": [], "new": []} for name in rows}
    with tempfile.TemporaryDirectory(prefix="same-speed-") as work:
        folders = {which: pathlib.Path(work) / which for which in programs}
        for folder in folders.values():
            folder.mkdir()
        for turn in range(options.rounds):
            order = ("old", "new") if turn % 2 == 0 else ("new", "old")
            copies = {which: shutil.copy(programs[which], folders[which] / f"simclr-{turn}") for which in order}
            for name, row in rows.items():
                for which in order:
                    speeds[name][which].append(row(copies[which], options, folders[which]))
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr, flush=True)
            if options.json: # after each round: what was measured outlives a stop
                pathlib.Path(options.json).write_text(json.dumps(speeds))
    inside = 0
    print(f"{'row':<46} {'NEW/OLD':>8} {'95 % interval':>17}")
    for name in rows:
        mean, low, high = interval([new / old for old, new in zip(speeds[name]["old"], speeds[name]["new"])])
        said = verdict(low, high)
        inside += said == "inside"
        print(f"{name:<46} {mean:8.4f}   {low:.4f} - {high:.4f}  {said}")
    print(f"{inside} inside, {len(rows) - inside} outside")
    return 0 if inside == len(rows) else 1


sys.exit(main())
