#!/usr/bin/env python3
"""Are two builds of simclr equally fast? For a change that must cost no speed.

    tools/same_speed.py OLD NEW [--rounds 10] [--seconds 5] [--only REGEX] [--folder DIR] [--json FILE]

Rows of training and of `bench` have both programs alive at once: one runs while the other is stopped (SIGSTOP), for a
few steps each by turns. So a machine whose speed drifts drifts for both. The other rows run one after the other, OLD NEW,
NEW OLD, ... Each round starts fresh copies of both: two copies of one file differ by up to 3 %, by where their pages lie in
memory. Copies in a --folder of huge pages (`mount -t tmpfs -o huge=always tmpfs DIR`) differ by less. Nothing else should
run meanwhile.

A row's ratio is NEW's speed over OLD's; above 1, NEW is faster. A speed is the median of the steps' speeds, so the few
steps that a stop cuts don't count. Mean and 95 % interval come from the logarithms of the rounds' ratios (Student's t). A
row is inside where the whole interval lies within 0.99 to 1.02.

Rows:
    train         the steps of a pretraining, views and log included
    step          `simclr bench --what step`; so are `embed` and `update`
    views         `simclr bench --what views`, one after the other: it tells a rate, not the time of a batch
    embed whole   the whole command on a synthetic set, reading and writing included, one after the other

The last line reads `N inside, N outside`. Exit status: 0 all inside, 1 otherwise, 2 wrong usage.
"""

import argparse
import json
import math
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

LOW, HIGH = 0.99, 1.02
R18 = ["--depth", "18", "--image-size", "32"]
R50 = ["--depth", "50", "--image-size", "224"]
SYNTHETIC = ["--data", "synthetic"]
FEW = [*SYNTHETIC, "--synthetic-images", "512"]  # a set is drawn before it is measured
TYPES = ["bf16", "float32"]


def run(program, *arguments):
    done = subprocess.run([program, *arguments, "--quiet"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"same_speed: {program} {' '.join(arguments)}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


# ---- both alive, by turns ----
class Turns:
    """A row whose programs run by turns: its command, how to read its speed, seconds of a turn."""

    def __init__(self, turn, arguments, speed, ends):
        self.turn, self.arguments, self.speed, self.ends = turn, arguments, speed, ends

    def measure(self, copies, options, folders):
        processes = {}
        for which, program in copies.items():
            command = [program, *self.arguments(options, folders[which]), "--quiet"]
            output = open(folders[which] / "output", "w+", encoding="utf-8")
            processes[which] = (subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT), output)
            processes[which][0].send_signal(signal.SIGSTOP)
        try:
            self.alternate({which: process for which, (process, _) in processes.items()}, options)
            speeds = {}
            for which, (process, output) in processes.items():
                output.seek(0)
                text = output.read()
                if self.ends and process.returncode:
                    sys.exit(f"same_speed: {copies[which]}: exit {process.returncode}: {text.strip()[-300:]}")
                speeds[which] = self.speed(text, folders[which])
            return speeds
        finally:
            for process, output in processes.values():
                if process.poll() is None:
                    process.kill()
                    process.wait()
                output.close()

    def alternate(self, running, options):
        """Until all have ended; or, of programs that would go on for long, until they had their seconds."""
        begin = time.monotonic()
        while running and (self.ends or time.monotonic() - begin < 2 * options.seconds + 4 * self.turn):
            for which, process in list(running.items()):
                process.send_signal(signal.SIGCONT)
                try:
                    process.wait(timeout=self.turn)
                    del running[which]
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGSTOP)


def bench(turn, what, field, *arguments):
    def command(options, folder):
        return ["bench", "--what", what, "--seconds", str(2 * options.seconds), "--json", *arguments]

    def speed(text, folder):
        value = json.loads(text)[what][field]
        return 1 / value if field.endswith("seconds") else value

    return Turns(turn, command, speed, ends=True)


def train(turn, batch, *arguments):
    def command(options, folder):
        shutil.rmtree(folder / "run", ignore_errors=True)
        where = ["--out", str(folder / "run"), "--batch", str(batch), "--epochs", "1000", "--log-every", "1"]
        return ["pretrain", *FEW, *where, "--knn-every", "0", "--diagnostics-images", "0", *arguments]

    def speed(text, folder):
        metrics = folder / "run/metrics.jsonl"
        if not metrics.exists():
            sys.exit(f"same_speed: no step in the time given (--seconds): {text.strip()[-300:]}")
        rates = []
        for line in metrics.read_text().splitlines()[:-1]:  # the last may have been cut
            values = json.loads(line)
            rates += [values["train/views_per_second"]] if "train/views_per_second" in values else []
        if len(rates) < 8:
            sys.exit(f"same_speed: {len(rates)} steps are too few: give more --seconds")
        return statistics.median(rates[3:])

    return Turns(turn, command, speed, ends=False)


# ---- one after the other ----
class Sequence:
    """A row whose programs run one after the other: a function that gives a speed (anything per second)."""

    def __init__(self, speed):
        self.speed = speed

    def measure(self, copies, options, folders):
        return {which: self.speed(program, options, folders[which]) for which, program in copies.items()}


def views(*arguments):
    def speed(program, options, folder):
        out = run(program, "bench", "--what", "views", "--seconds", str(options.seconds), "--json", *arguments)
        return json.loads(out)["views"]["views_per_second"]

    return Sequence(speed)


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

    return Sequence(speed)


def all_rows():
    rows = {}
    for precision in TYPES:
        given = ["--precision", precision]
        rows[f"train ResNet-18 at 32, {precision}"] = train(0.7, 12, *R18, *given)
        rows[f"train ResNet-50 at 224, {precision}"] = train(2, 3, *R50, *given)
        rows[f"step ResNet-18 at 32, {precision}"] = bench(0.7, "step", "seconds", *R18, *FEW, "--batch", "12", *given)
        rows[f"step ResNet-50 at 224, {precision}"] = bench(2, "step", "seconds", *R50, *FEW, "--batch", "3", *given)
        rows[f"embed ResNet-18 at 32, {precision}"] = bench(0.7, "embed", "seconds", *R18, *FEW, "--batch", "32", *given)
        rows[f"embed ResNet-50 at 224, {precision}"] = bench(1, "embed", "seconds", *R50, *FEW, "--batch", "4", *given)
        rows[f"embed whole, ResNet-18, 4096 images, {precision}"] = embed_whole(precision)
    rows["update ResNet-18"] = bench(0.5, "update", "lars_seconds", *R18, *FEW)
    rows["views at 32"] = views(*R18, *FEW)
    rows["views at 224"] = views(*R50, *FEW)
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
    parser.add_argument("--rounds", type=int, default=10, help="fresh copies of both (default 10)")
    parser.add_argument("--seconds", type=float, default=5, help="that a program runs in each measurement (default 5)")
    parser.add_argument("--only", metavar="REGEX", default="", help="rows whose name matches (see --list)")
    parser.add_argument("--folder", metavar="DIR", help="where copies and runs lie (default: the folder of temporary files)")
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
    with tempfile.TemporaryDirectory(prefix="same-speed-", dir=options.folder) as work:
        folders = {which: pathlib.Path(work) / which for which in programs}
        for folder in folders.values():
            folder.mkdir()
        for turn in range(options.rounds):
            order = ("old", "new") if turn % 2 == 0 else ("new", "old")
            copies = {which: shutil.copy(programs[which], folders[which] / f"simclr-{turn}") for which in order}
            for name, row in rows.items():
                for which, value in row.measure(copies, options, folders).items():
                    speeds[name][which].append(value)
            for copy in copies.values():
                pathlib.Path(copy).unlink()
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
