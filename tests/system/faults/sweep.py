#!/usr/bin/env python3
"""sweep.py SIMCLR FAULT.SO [--points N | --places] [--jobs N] [--only WORD]... -- every call that can fail fails once.

Short runs of the commands are repeated with the k-th allocation, opening, reading, writing, fsync, rename, map or thread
failing (faults/fault.c), for every k, for the first at each place of the program
(--places), or for N of them evenly spread (--points; twice as many allocations). --only takes names of commands or kinds.
What must hold of each run:
* it ends, by itself, with a status that is right for the fault: 0, 1, or 3 where images could not be read;
* with a status other than 0 there is a sentence on standard error; no memory is called so, and no image damaged;
* with status 0 its results are those of a run without a fault, or a warning says what is not;
* no temporary file stays, and what has its final name is whole;
* the same command, without the fault, then ends in the results of a run that never met one. What it finds decides how it
  ends, so folders with the same files, but for their times, are tried once.
The last line counts."""
import argparse, collections, concurrent.futures, glob, hashlib, json, os, re, shutil, struct, subprocess, sys, tarfile, tempfile, time, zlib

TINY = ["--depth", "18", "--width", "1/8", "--image-size", "8", "--threads", "1"]
TRAIN = TINY + ["--batch", "8", "--workers", "0", "--knn-every", "1", "--knn-images", "8", "--diagnostics-images", "4",
                "--log-every", "1", "--seed", "3", "--crop-filter", "bilinear"] # a filter that is not the default: encoders keep it
JUDGE = ["--threads", "1", "--workers", "0"]
# kind of call: how it fails
FAULTS = {
    "memory": ["ENOMEM"],
    "open": ["EIO", "EMFILE"],
    "read": ["EIO", "EINTR", "short", "end"],
    "write": ["ENOSPC", "EIO", "EINTR", "short"],
    "sync": ["EIO"],
    "rename": ["ENOSPC"],
    "map": ["ENOMEM"],
    "thread": ["EAGAIN"],
}
WAYS = {"EINTR": 1, "short": 1, "end": 2} # of what fault.c counts; 0: an error that is final
TOLERATED = {"EINTR", "short"} # of a regular file: done again, or gone on with
# Scratch folders lie in memory where there is room: thousands of them, and every checkpoint is flushed to the disk.
SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 1 << 30 else None
# what a kind needs to be met at all
MORE = {"thread": ["--threads", "3", "--workers", "2"]}


USUAL = tuple(kind for kind in FAULTS if kind != "map")


class Command:
    def __init__(self, name, words, results, copies=(), again=(), kinds=USUAL, environment=None):
        self.name, self.words, self.results, self.copies, self.again = name, words, results, copies, list(again)
        self.kinds = kinds
        self.environment = environment or {}


COMMANDS = [
    Command("pretrain", ["pretrain", "--data", "data", "--out", "run", "--epochs", "2"] + TRAIN,
            ["run/exported/encoder.safetensors", "run/exported/config.json", "run/checkpoints/*", "run/config.yaml", "steps:run/metrics.jsonl"],
            copies=["run"]),
    # large pictures: only the scratch of their views is mapped
    Command("wide", ["pretrain", "--data", "wide", "--out", "fresh", "--epochs", "1", "--depth", "18", "--width", "1/8", "--image-size", "224", "--batch", "2",
                     "--knn-every", "0", "--diagnostics-images", "0"], ["fresh/exported/*", "fresh/checkpoints/*"], kinds=("map",)),
    Command("finetune", ["finetune", "--checkpoint", "done", "--data", "data", "--out", "tuned", "--epochs", "1", "--batch", "8",
                         "--threads", "1", "--workers", "0"],
            ["tuned/checkpoints/*"], again=["--overwrite"]),
    Command("supervised", ["supervised", "--data", "data", "--out", "labels", "--epochs", "2", "--batch", "8", "--workers", "0", "--log-every", "1",
                           "--seed", "3"] + TINY,
            ["labels/exported/*", "labels/checkpoints/*", "labels/config.yaml", "steps:labels/metrics.jsonl"]),
    Command("knn", ["knn", "--checkpoint", "done", "--data", "data", "--json", "--controls", "--features-out", "kept"] + JUDGE, ["stdout", "kept*"]),
    Command("linear", ["linear", "--checkpoint", "done", "--data", "data", "--json", "--iterations", "5"] + JUDGE, ["stdout"]),
    Command("linear-sgd", ["linear", "--checkpoint", "done", "--data", "data", "--json", "--solver", "sgd", "--sgd-epochs", "2", "--augmented-copies", "2",
                           "--predictions", "p.npz"] + JUDGE, ["stdout", "p.npz"]),
    Command("predict", ["predict", "done/exported/encoder.safetensors", "data/test", "data.tar.gz", "--classifier", "taught", "--format", "jsonl", "--threads", "1"], ["stdout"]),
    # views that grow, and averages
    Command("grown", ["pretrain", "--data", "data", "--out", "grown", "--epochs", "1", "--depth", "18", "--width", "1/8", "--threads", "1", "--batch", "8", "--workers", "0",
                      "--knn-every", "1", "--knn-images", "8", "--diagnostics-images", "0", "--log-every", "1", "--ema", "0.5", "--image-size-schedule", "8:0.5,12:0.5"],
            ["grown/exported/encoder.safetensors", "grown/exported/encoder-ema.safetensors", "grown/checkpoints/*", "grown/config.yaml", "steps:grown/metrics.jsonl"]),
    Command("evaluate", ["evaluate", "done", "--data", "data", "--out", "judged", "--iterations", "5", "--compare", "done",
                          "--no-controls"] + JUDGE, ["judged/*.npz", "judged/*.md", "judged/*.safetensors"], environment={"SIMCLR_CACHE": "cache"}),
    Command("report", ["report", "done", "--data", "data", "--out", "p.html"] + JUDGE, ["p.html"], environment={"SIMCLR_CACHE": "none"}),
    Command("embed", ["embed", "--checkpoint", "done/exported/encoder.safetensors", "--data", "data.tar.gz", "--out", "f.npy"] + JUDGE, ["stdout", "f.*"]),
    Command("embed-npz", ["embed", "--checkpoint", "done/exported/encoder.safetensors", "--data", "data", "--part", "all", "--out", "f.npz"] + JUDGE, ["stdout", "f.*"]),
    Command("embed-parquet", ["embed", "--checkpoint", "done/exported/encoder.safetensors", "--data", "data", "--out", "f.parquet"] + JUDGE, ["stdout", "f.*"]),
    Command("embed-safetensors", ["embed", "--checkpoint", "done/exported/encoder.safetensors", "--data", "data", "--out", "f.safetensors", "--half", "--normalize"] + JUDGE,
            ["stdout", "f.*"]),
    Command("embed-text", ["embed", "--checkpoint", "done/exported/encoder.safetensors", "--data", "data", "--out", "f.jsonl", "--views", "2"] + JUDGE, ["stdout", "f.*"]),
    Command("map-parquet", ["map", "done", "--data", "data", "--out", "m.parquet"] + JUDGE, ["stdout", "m.parquet"]),
    Command("map-csv", ["map", "done", "--data", "data", "--out", "m.csv"] + JUDGE, ["stdout", "m.csv"], environment={"SIMCLR_CACHE": "cache"}),
    Command("atlas", ["map", "done", "--data", "data.tar.gz", "--out", "m.png"] + JUDGE, ["m.png"]),
    Command("neighbours", ["neighbours", "done", "--data", "data", "--out", "n.npz", "-k", "5"] + JUDGE, ["stdout", "n.npz"], environment={"SIMCLR_CACHE": "cache"}),
    Command("neighbours-parquet", ["neighbours", "done", "--data", "data", "--out", "n.parquet", "-k", "5"] + JUDGE, ["stdout", "n.parquet"]),
    Command("query", ["neighbours", "done", "--data", "data", "--query", "data/test/a", "--out", "n.html", "-k", "3"] + JUDGE, ["n.html"]),
    Command("select", ["select", "done", "--data", "data", "--count", "4", "--labelled", "labelled.txt", "--strategy", "uncertain", "--out", "s.txt"] + JUDGE,
            ["stdout", "s.txt", "s.png"]),
    Command("audit", ["audit", "done", "--data", "data", "--out", "a"] + JUDGE,
            ["a/audit.csv", "a/groups.csv", "a/keep.txt", "a/remove.txt", "a/audit.html"], environment={"SIMCLR_CACHE": "cache"}),
    Command("subset", ["embed", "--checkpoint", "done/exported/encoder.safetensors", "--data", "data", "--subset", "labelled.txt", "--out", "f.npy"] + JUDGE,
            ["stdout", "f.*"]),
    Command("export", ["export", "done", "--out", "handed"], ["stdout", "handed/*"], kinds=USUAL[:-1]),
    Command("export-onnx", ["export", "done", "--format", "onnx", "--out", "m.onnx"], ["stdout", "m.onnx"], kinds=USUAL[:-1]),
    Command("import", ["import", "handed-on/model.safetensors", "--out", "imported.safetensors"], ["stdout", "imported.safetensors"], kinds=USUAL[:-1]),
    Command("pack", ["data", "pack", "data", "--out", "packed", "--shard-images", "5", "--threads", "1"], ["packed/*"]),
    Command("pack-raw", ["data", "pack", "data", "--format", "raw", "--out", "packed", "--threads", "1"], ["packed/*.pack"]),
    Command("info", ["data", "info", "data", "--seconds", "0", "--threads", "1"], ["stdout"]),
    Command("views", ["views", "data", "--out", "v.png", "--images", "2", "--views", "2", "--threads", "1"], ["v.png"], kinds=USUAL[:-1]),
]


# ---- inputs ----

def png(number, side, times=1):
    """A square picture; each of its pixels so many times on each axis."""
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    digest = hashlib.sha256(str(number).encode()).digest()
    pixel = lambda x, y: bytes(digest[(x * y + c) % 32] for c in range(3)) * times
    rows = b"".join((b"\0" + b"".join(pixel(x, y) for x in range(side))) * times for y in range(side))
    side *= times
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def make_inputs(folder, simclr):
    for part, count in (("train", 8), ("test", 2)):
        for label in ("a", "b"):
            os.makedirs(f"{folder}/data/{part}/{label}")
            for i in range(count):
                with open(f"{folder}/data/{part}/{label}/{i}.png", "wb") as out:
                    out.write(png(f"{part}{label}{i}", 20 + i))
    os.makedirs(f"{folder}/wide")
    for i in range(4):
        with open(f"{folder}/wide/{i}.png", "wb") as out:
            out.write(png(f"wide{i}", 40, 30))
    with open(f"{folder}/labelled.txt", "w") as out:
        out.write("train/a/0.png\ntrain/b/0.png\n")
    with tarfile.open(f"{folder}/data.tar.gz", "w:gz") as tar:
        tar.add(f"{folder}/data", "data")

    def run(*words):
        subprocess.run([simclr, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_environment())
    run("pretrain", "--data", "data", "--out", "run", "--epochs", "2", *TRAIN)
    shutil.copytree(f"{folder}/run", f"{folder}/done")
    run("evaluate", "done", "--data", "data", "--out", "taught", "--protocols", "linear", "--iterations", "5", "--no-controls", *JUDGE)
    run("export", "done", "--out", "handed-on")
    # as if it had been killed in its second epoch
    shutil.rmtree(f"{folder}/run/exported")
    for name in os.listdir(f"{folder}/run/checkpoints"):
        if name != "step-00000002.safetensors":
            os.remove(f"{folder}/run/checkpoints/{name}")


def clean_environment(**more):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("FAULT_", "LD_PRELOAD"))}
    environment["SIMCLR_CACHE"] = "none"
    environment.update(more)
    return environment


# ---- one run ----

class Sweep:
    def __init__(self, simclr, library, inputs, seconds):
        self.simclr, self.library, self.inputs, self.seconds = simclr, library, inputs, seconds
        self.tried = {} # (command, options, what lies in the folder) -> how the second run ends there
        self.second = 0

    def folder(self, command):
        """A scratch folder with the inputs: links to what is read, copies of what is written."""
        folder = tempfile.mkdtemp(prefix="simclr-faults-", dir=SCRATCH)
        for name in os.listdir(self.inputs):
            if name in command.copies:
                shutil.copytree(f"{self.inputs}/{name}", f"{folder}/{name}")
            elif name not in ("run",):
                os.symlink(f"{self.inputs}/{name}", f"{folder}/{name}")
        return folder

    def run(self, command, folder, kind=None, how=None, at=None, extra=(), again=False, environment={}):
        environment = clean_environment(**command.environment, **environment)
        if kind:
            environment.update(LD_PRELOAD=self.library, FAULT_KIND=kind, FAULT_HOW=how, FAULT_AT=str(at), FAULT_LOG=f"{folder}/.calls")
        words = [self.simclr, *command.words, *extra, *(command.again if again else ())]
        try:
            done = subprocess.run(words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=self.seconds)
        except subprocess.TimeoutExpired:
            return None, b"", b""
        return done.returncode, done.stdout, done.stderr

    def results(self, command, folder, stdout):
        """What counts of a run: name -> digest."""
        found = {}
        for pattern in command.results:
            if pattern == "stdout":
                found["stdout"] = without_times(stdout)
            elif pattern.startswith("steps:"):
                path = f"{folder}/{pattern[6:]}"
                found[pattern] = [(line["step"], sorted(line.keys())) for line in map(json.loads, open(path))] if os.path.exists(path) else None
            else:
                for path in sorted(glob.glob(f"{folder}/{pattern}")):
                    found[os.path.relpath(path, folder)] = digest(path)
        return found

    def counted(self, command, kind, how, extra, environment):
        folder = self.folder(command)
        code, _, err = self.run(command, folder, kind, how, 0, extra, environment=environment)
        text = open(f"{folder}/.calls").read()
        shutil.rmtree(folder)
        assert code == 0, f"{command.name}: {err.decode(errors='replace')}"
        return text

    def calls(self, command, extra=()):
        """kind -> how many of its calls can fail, for each of WAYS."""
        lines = [line.split() for line in self.counted(command, "none", "ENOMEM", extra, {}).splitlines()]
        return {kind: [int(count) for count in counts] for kind, *counts in lines}

    def places(self, command, kind, how, extra):
        """The first call of each place of the program."""
        return sorted(map(int, self.counted(command, kind, how, extra, {"FAULT_SITES": "1"}).split()))

    def baseline(self, command, extra):
        folder = self.folder(command)
        code, out, err = self.run(command, folder, extra=extra)
        assert code == 0, f"{command.name}: {err.decode(errors='replace')}"
        results = self.results(command, folder, out)
        shutil.rmtree(folder)
        return results, err

    def judge(self, command, kind, how, at, extra, expected, quiet):
        """A list of what is wrong about one run."""
        folder = self.folder(command)
        try:
            code, out, err = self.run(command, folder, kind, how, at, extra)
            text, wrong = err.decode(errors="replace"), []
            sentences = [line for line in text.splitlines() if line.startswith("simclr: ")]
            warned = said(text) > said(quiet.decode(errors="replace"))
            if code is None:
                return code, [f"hangs (more than {self.seconds} s)"]
            if code < 0 or code >= 128:
                return code, [f"killed by signal {-code if code < 0 else code - 128}: {text[-300:]}"]
            images = kind in ("open", "read") # an image that could not be read is a bad one
            if code not in ((0, 1, 3) if images else (0, 1)):
                wrong.append(f"exit {code}")
            if code and not sentences:
                wrong.append(f"exit {code} without a sentence: {text[-300:]}")
            if how in TOLERATED and code:
                wrong.append(f"{how} of a {kind} is no failure, but exit {code}: {sentences}")
            if kind == "memory":
                if code and not any("memory" in line.lower() for line in sentences):
                    wrong.append(f"no memory is called something else: {sentences}")
                others = "\n".join(line for line in text.splitlines() if "no memory for" not in line)
                if re.search(r"damaged|left out|cannot be used|is skipped", others) and not re.search(r"damaged|left out|is skipped", quiet.decode()):
                    wrong.append(f"no memory is taken for damage: {text[-400:]}")
            wrong += self.look(folder, expected, command)
            results = self.results(command, folder, out) if code == 0 else None
            if code == 0 and results != expected and not warned:
                wrong.append("exit 0, no warning, other results: " + ", ".join(differences(expected, results)))
            if code:
                wrong += [f"after {sentences}: {what}" for what in self.once_more(command, folder, extra, expected)]
            return code, wrong
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def once_more(self, command, folder, extra, expected):
        """What is wrong about the same command without a fault, in the folder that a failure left."""
        key = command.name, tuple(extra), state_of(folder)
        if key not in self.tried:
            self.second += 1
            code, out, err = self.run(command, folder, extra=extra, again=True)
            if code != 0:
                self.tried[key] = [f"the same command fails: exit {code}: {err.decode(errors='replace')[-300:]}"]
            else:
                other = differences(expected, self.results(command, folder, out))
                self.tried[key] = ["the same command ends in other results: " + ", ".join(other)] if other else []
        return self.tried[key]

    def look(self, folder, expected, command):
        """Files that are half-written, or have stayed."""
        wrong = []
        for top, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not os.path.islink(f"{top}/{name}")]
            wrong += [f"{name} has stayed" for name in folders if re.search(r"\.tmp-\d+-\d+$", name)]
            for name in names:
                path = f"{top}/{name}"
                if os.path.islink(path):
                    continue
                if re.search(r"\.tmp-\d+-\d+$", name):
                    wrong.append(f"{name} has stayed")
                elif not is_whole(path):
                    wrong.append(f"{os.path.relpath(path, folder)} is half-written")
        return wrong


def state_of(folder):
    """A digest of what a command finds there: names and contents, without times and what is only written (logs)."""
    found = hashlib.sha256()
    for top, folders, names in os.walk(folder):
        folders.sort()
        found.update(f"{os.path.relpath(top, folder)}/{sorted(folders)}\n".encode())
        for name in sorted(names):
            path = f"{top}/{name}"
            if os.path.islink(path) or name == ".calls":
                continue
            data = open(path, "rb").read() if name != "train.log" else b""
            if name.startswith("events.out.tfevents"):
                name, data = "events", b""
            if name in ("metrics.jsonl", "environment.json"):
                data = re.sub(rb'("[^"]*(?:second|time|started|load|memory)[^"]*": *)[^,}]*', rb"\1", data)
            found.update(f"{name} {len(data)}\n".encode() + data)
    return found.hexdigest()


def said(text):
    return sum(bool(re.search(r"warning: |left out|not kept", line)) for line in text.splitlines())


def differences(expected, results):
    return [name for name in sorted(set(expected) | set(results or {})) if expected.get(name) != (results or {}).get(name)]


def without_times(stdout):
    text = stdout.decode(errors="replace")
    text = re.sub(r'"[a-z_]*seconds": [0-9.e+-]+', "", text)
    return re.sub(r"[0-9.]+ (ms|s|images/s|views/s|GiB|MiB/s)\b.*", "", text)


def digest(path):
    data = open(path, "rb").read()
    return hashlib.sha256(data).hexdigest()


def is_whole(path):
    name = os.path.basename(path)
    data = open(path, "rb").read()
    try:
        if name.endswith(".safetensors"):
            length = struct.unpack("<Q", data[:8])[0]
            header = json.loads(data[8:8 + length])
            return 8 + length + max(entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__") == len(data)
        if name.endswith(".json"):
            json.loads(data)
        if name.endswith(".png") and len(data) > 0:
            return data.endswith(b"IEND\xaeB`\x82")
        if name.endswith(".npy"):
            length = struct.unpack("<H", data[8:10])[0]
            header = eval(data[10:10 + length]) # our own
            items = 1
            for extent in header["shape"]: items *= extent
            return len(data) == 10 + length + items * int(header["descr"][-1])
        if name.endswith(".tar"):
            with tarfile.open(path) as tar:
                tar.getmembers()
            return len(data) % 512 == 0 and data.endswith(bytes(1024))
    except Exception:
        return False
    return True


# ---- all of them ----

def points(calls, wanted):
    """`wanted` of the calls, evenly spread; 0: all."""
    if not wanted or len(calls) <= wanted:
        return calls
    return [calls[(2 * i + 1) * len(calls) // (2 * wanted)] for i in range(wanted)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("simclr")
    parser.add_argument("library")
    parser.add_argument("--points", type=int, default=0)
    parser.add_argument("--places", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=120)
    arguments = parser.parse_args()
    simclr, library = os.path.realpath(arguments.simclr), os.path.realpath(arguments.library)
    inputs = tempfile.mkdtemp(prefix="simclr-faults-inputs-", dir=SCRATCH)
    counts, failures = collections.Counter(), []
    named = lambda word, words: not [w for w in arguments.only if w in words] or word in arguments.only
    try:
        make_inputs(inputs, simclr)
        sweep = Sweep(simclr, library, inputs, arguments.seconds)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for command in COMMANDS:
                if not named(command.name, [c.name for c in COMMANDS]):
                    continue
                known = {} # options -> baseline and counts
                for kind, hows in FAULTS.items():
                    if not named(kind, FAULTS) or kind not in command.kinds:
                        continue
                    extra = MORE.get(kind, [])
                    if command.name.startswith(("pack", "info", "views", "predict")):
                        extra = [word for word in extra if word not in ("--workers", "2")]
                    if tuple(extra) not in known:
                        known[tuple(extra)] = (*sweep.baseline(command, extra), sweep.calls(command, extra))
                    expected, quiet, counted = known[tuple(extra)]
                    for how in hows:
                        began, calls = time.monotonic(), counted[kind][WAYS.get(how, 0)]
                        places = sweep.places(command, kind, how, extra) if arguments.places else range(1, calls + 1)
                        chosen = points(places, arguments.points * (2 if kind == "memory" else 1))
                        jobs = {pool.submit(sweep.judge, command, kind, how, at, extra, expected, quiet): at for at in chosen}
                        codes = collections.Counter()
                        for job in concurrent.futures.as_completed(jobs):
                            code, wrong = job.result()
                            codes[code] += 1
                            found = [f"{command.name}, {kind} {jobs[job]} of {calls} ({how}): {what}" for what in wrong]
                            for what in found:
                                print("FAILED:", what, flush=True)
                            failures += found
                        counts["runs"] += len(chosen)
                        print(f"{command.name:9} {kind:7} {how:7} {len(chosen):5} of {calls:5} calls in {time.monotonic() - began:4.0f} s; exit " +
                              ", ".join(f"{code}: {count}" for code, count in sorted(codes.items(), key=str)), flush=True)
    finally:
        shutil.rmtree(inputs, ignore_errors=True)
    print(f"{counts['runs']} checks, {len(failures)} failed, 0 skipped")
    return 1 if failures or not counts["runs"] else 0


if __name__ == "__main__":
    sys.exit(main())
