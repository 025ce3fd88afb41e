#!/usr/bin/env python3
"""kills.py SIMCLR FAULT.SO [--pretrain N] [--others N] [--seed S] [--jobs N] -- kill -9 at random moments; then the same command goes on.

Half of the moments are chosen by the clock, half as the moment before a call that opens, writes, syncs or renames
(faults/fault.c). The results must be, byte by byte, those of a run that was never killed, and nothing half-written may
stay. pretrain has N moments of --pretrain; data pack (both formats), data fetch and the writing of an archive's index
have N of --others each. A build without libcurl downloads nothing: data fetch is skipped. The last line counts."""
import argparse, collections, concurrent.futures, hashlib, os, random, shutil, subprocess, sys, tarfile, tempfile, time

from sweep import Command, SCRATCH, Sweep, TRAIN, clean_environment, differences, make_inputs

KINDS = ["open", "write", "sync", "rename"]


def more_inputs(folder):
    noise = random.Random(1).randbytes(17 << 20)
    with open(f"{folder}/other.bin", "wb") as out:
        out.write(noise)
    with tarfile.open(f"{folder}/large.tar", "w") as tar: # large enough for its index to be kept
        tar.add(f"{folder}/data", "data")
        tar.add(f"{folder}/other.bin", "other.bin")
    return hashlib.sha256(noise).hexdigest()


def commands(inputs, digest):
    fetch = ["data", "fetch", "cifar10", "--url", f"file://{inputs}/other.bin", "--sha256", digest, "--out", "fetched"]
    yield "pretrain", Command("pretrain", ["pretrain", "--data", "data", "--out", "fresh", "--epochs", "4"] + TRAIN,
                              ["fresh/exported/*", "fresh/checkpoints/*", "steps:fresh/metrics.jsonl"])
    yield "others", Command("pack", ["data", "pack", "data", "--out", "packed", "--shard-images", "3"], ["packed/*"])
    yield "others", Command("pack-raw", ["data", "pack", "data", "--format", "raw", "--out", "packed", "--shard-images", "3"], ["packed/*"])
    yield "others", Command("fetch", fetch, ["fetched/*"])
    yield "others", Command("index", ["data", "info", "large.tar", "--seconds", "0"], ["cache/*"], environment={"SIMCLR_CACHE": "cache"})


def runs_here(simclr, command):
    """False: this build cannot download."""
    if command.name != "fetch":
        return True
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        tried = subprocess.run([simclr, *command.words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True)
    return b"built without libcurl" not in tried.stderr


def kill_by_clock(sweep, command, folder, seconds):
    """True if it was still running."""
    process = subprocess.Popen([sweep.simclr, *command.words], cwd=folder, env=clean_environment(**command.environment), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.kill()
    return process.wait() == -9


def one(sweep, command, expected, moment):
    """moment: seconds, or (kind, number of the call). Whether a kill met it, and what is wrong."""
    folder = sweep.folder(command)
    try:
        if isinstance(moment, float):
            hit = kill_by_clock(sweep, command, folder, moment)
        else:
            hit = sweep.run(command, folder, moment[0], "kill", moment[1])[0] == -9
        code, out, err = sweep.run(command, folder)
        if code != 0:
            return hit, [f"the same command fails: exit {code}: {err.decode(errors='replace')[-300:]}"]
        results, wrong = sweep.results(command, folder, out), sweep.look(folder, expected, command)
        if results != expected:
            wrong.append("other results: " + ", ".join(differences(expected, results)))
        return hit, wrong
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("simclr")
    parser.add_argument("library")
    parser.add_argument("--pretrain", type=int, default=100)
    parser.add_argument("--others", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    inputs = tempfile.mkdtemp(prefix="simclr-kills-inputs-", dir=SCRATCH)
    dice, failures, runs, met, skipped = random.Random(arguments.seed), [], 0, 0, 0
    try:
        make_inputs(inputs, os.path.realpath(arguments.simclr))
        digest = more_inputs(inputs)
        sweep = Sweep(os.path.realpath(arguments.simclr), os.path.realpath(arguments.library), inputs, 300)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for group, command in commands(inputs, digest):
                count = vars(arguments)[group]
                if not runs_here(sweep.simclr, command):
                    skipped += count
                    print(f"{command.name:9} {count:4} kills skipped: this program was built without libcurl", flush=True)
                    continue
                begin = time.monotonic()
                expected, _ = sweep.baseline(command, [])
                length = time.monotonic() - begin
                counted = sweep.calls(command)
                calls = {kind: counted[kind][0] for kind in KINDS}
                moments = [dice.uniform(0, length) if i % 2 else (kind, dice.randint(1, max(1, calls[kind])))
                           for i in range(count) for kind in [dice.choice([kind for kind in KINDS if calls[kind]])]]
                hits = 0
                jobs = {pool.submit(one, sweep, command, expected, moment): moment for moment in moments}
                for job in concurrent.futures.as_completed(jobs):
                    hit, wrong = job.result()
                    hits += hit
                    failures += [f"{command.name}, killed at {jobs[job]}: {what}" for what in wrong]
                if count > 3 and hits < count // 3: # half of them are sure to meet it
                    failures.append(f"{command.name}: only {hits} of {count} kills met a process that ran")
                runs, met = runs + count, met + hits
                print(f"{command.name:9} {count:4} kills, {hits} met a running process; calls: {calls}", flush=True)
    finally:
        shutil.rmtree(inputs, ignore_errors=True)
    for failure in sorted(failures):
        print("FAILED:", failure)
    print(f"{runs + skipped} checks, {len(failures)} failed, {skipped} skipped")
    return 1 if failures or not met else 0


if __name__ == "__main__":
    sys.exit(main())
