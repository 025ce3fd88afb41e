#!/usr/bin/env python3
"""interrupts.py SIMCLR [--within S] [--jobs N] [--times N] [--large] -- every long command is asked to end (SIGHUP) in the
middle of what takes far longer.

Each must end with status 75 within S seconds of the signal, and say that it has stopped. --jobs N of them go on at a time.
By hand, on a quiet machine, `--within 2 --times 5 --large` measures how long each takes: the promise is two seconds, and
the writing of a checkpoint. --large adds a ResNet-50 at 224 pixels, whose steps take minutes on two cores. The last line
counts."""
import argparse, array, concurrent.futures, gzip, os, random, re, shutil, signal, struct, subprocess, sys, tarfile, tempfile, time, zlib

TINY = ["--data", "synthetic", "--depth", "18", "--width", "1/8", "--image-size", "16", "--batch", "16", "--threads", "1",
        "--knn-every", "0", "--diagnostics-images", "0"]
JUDGED = ["--checkpoint", "run", "--data", "synthetic", "--threads", "1"]
LARGE_STEP = ["--data", "synthetic", "--synthetic-images", "512", "--depth", "50", "--image-size", "224", "--knn-every", "0",
              "--diagnostics-images", "0"]


class Case:
    """Asked `seconds` after the output has `pattern` ('': after it handles the signal). `says`: in the error output; `leaves_no`: a file."""
    def __init__(self, name, words, seconds, pattern="", says="stopped", leaves_no=None):
        self.name, self.words, self.seconds, self.pattern, self.says, self.leaves_no = name, words, seconds, pattern, says, leaves_no


CASES = [
    Case("pretrain", ["pretrain", *TINY, "--synthetic-images", "4096", "--epochs", "100000", "--save-every", "1000", "--out", "run.long"], 0, "^pretrain: "),
    Case("pretrain, opening its images", ["pretrain", "--data", "large", "--out", "run.large", "--threads", "1"], 0.4),
    Case("knn, features", ["knn", *JUDGED, "--synthetic-images", "60000"], 0.4),
    Case("linear, features", ["linear", *JUDGED, "--synthetic-images", "60000"], 0.4),
    Case("linear, the fit", ["linear", *JUDGED, "--synthetic-images", "4000", "--iterations", "100000", "--l2", "1e-9"], 2.5),
    Case("finetune", ["finetune", *JUDGED, "--synthetic-images", "256", "--epochs", "100000", "--out", "run.finetune"], 0, "^finetune: ", "the same command goes on"),
    Case("neighbours, the graph", ["neighbours", "--features", "rows.npy", "--threads", "1", "--out", "graph.npz"], 0.2, "^neighbours: of each",
         leaves_no="graph.npz"),
    Case("audit, its pictures", ["audit", *JUDGED, "--synthetic-images", "20000", "--out", "audited"], 0.2, "^test images: ", leaves_no="audited/audit.csv"),
    Case("embed", ["embed", *JUDGED, "--synthetic-images", "60000", "--out", "features.npy"], 0.4, leaves_no="features.npy"),
    Case("data pack, shards", ["data", "pack", "large", "--out", "shards", "--shorter-side", "100", "--threads", "1"], 0.5),
    Case("data pack, raw", ["data", "pack", "large", "--out", "raw", "--format", "raw", "--threads", "1"], 0.5),
    Case("data info", ["data", "info", "large", "--seconds", "100", "--threads", "1"], 0.3),
    Case("views", ["views", "large", "--images", "36", "--image-size", "700", "--threads", "1"], 0.2),
    Case("bench", ["bench", "--seconds", "30", "--threads", "1"], 0.5),
    Case("demo", ["demo", "--threads", "1"], 0.5),
    Case("an archive's index", ["data", "info", "long.tar", "--seconds", "0", "--threads", "1"], 0.1),
    Case("unpacking", ["embed", "--checkpoint", "run", "--data", "long.tar.gz", "--out", "f.npy", "--threads", "1"], 0.1, leaves_no="f.npy"),
    Case("a list", ["data", "info", "long.txt", "--threads", "1"], 0.1),
    Case("data fetch, the digest", ["data", "fetch", "cifar10", "--from", "huge", "--out", "fetched", "--sha256", "0" * 64], 0.5),
]
LARGE = [Case(f"pretrain, ResNet-50 at 224, batch {batch}", ["pretrain", *LARGE_STEP, "--batch", str(batch), "--out", f"run.50.{batch}"], 30)
         for batch in (16, 64)]


def png(i, side=1500):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = zlib.compress((b"\0" + bytes([i % 251, i % 13, 7]) * side) * side, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def make_inputs(folder, simclr):
    for i in range(400): # of four pictures
        path = f"{folder}/large/{'ab'[i % 2]}/{i:04d}.png"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if i < 4:
            open(path, "wb").write(png(i))
        else:
            os.link(f"{folder}/large/{'ab'[i % 2]}/{i % 4:04d}.png", path)
    members = tarfile.TarInfo("a/0.txt").tobuf(tarfile.USTAR_FORMAT) * 4096 # walked header by header
    with open(f"{folder}/long.tar", "wb") as out:
        for _ in range(150):
            out.write(members)
    packed = gzip.compress(members, 1)
    with open(f"{folder}/long.tar.gz", "wb") as out:
        for _ in range(300):
            out.write(packed)
    lines = "".join(f"large/a/0000.png\t{i % 7}\n" for i in range(7000))
    with open(f"{folder}/long.txt", "w") as out:
        for _ in range(400):
            out.write(lines)
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (40000, 256), }"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    some = array.array("f", (random.gauss(0, 1) for _ in range(1000 * 256))).tobytes()
    with open(f"{folder}/rows.npy", "wb") as out:
        out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + 40 * some)
    with open(f"{folder}/huge", "wb") as out:
        out.truncate(20 << 30)
    subprocess.run([simclr, "pretrain", *TINY, "--synthetic-images", "64", "--epochs", "1", "--out", "run"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def catches(pid):
    """Whether the program has begun to handle SIGHUP: a slow build may take longer to start than a case waits."""
    try:
        caught = re.search(r"^SigCgt:\s*(\w+)$", open(f"/proc/{pid}/status").read(), re.M)
    except OSError:
        return False
    return caught is not None and int(caught.group(1), 16) >> (signal.SIGHUP - 1) & 1 == 1


def interrupt(simclr, folder, case, within):
    """Milliseconds from the signal to the end, and what is wrong."""
    for word in case.words[1:]: # of a time before
        if case.words[case.words.index(word) - 1] == "--out":
            shutil.rmtree(f"{folder}/{word}", ignore_errors=True)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        program = subprocess.Popen([simclr, *case.words], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                   env={**os.environ, "SIMCLR_CACHE": "none"})
        read = lambda file: os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace")
        deadline = time.monotonic() + 120
        while case.pattern and not re.search(case.pattern, read(out) + read(err), re.M) and program.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        while not catches(program.pid) and program.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(case.seconds)
        began = time.monotonic()
        program.send_signal(signal.SIGHUP)
        try:
            code = program.wait(within + 60)
        except subprocess.TimeoutExpired:
            program.kill()
            return 1000 * (within + 60), [f"it does not end: {read(err)[-300:]}"]
        took, wrong = time.monotonic() - began, []
        if code != 75:
            wrong.append(f"exit {code}, not 75: {read(err)[-300:]}")
        if took > within:
            wrong.append(f"it took {1000 * took:.0f} ms")
        if case.says not in read(err):
            wrong.append(f"nothing of '{case.says}': {read(err)[-300:]}")
        if case.leaves_no and os.path.exists(f"{folder}/{case.leaves_no}"):
            wrong.append(f"{case.leaves_no} has stayed")
        return 1000 * took, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("simclr")
    parser.add_argument("--within", type=float, default=10)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--large", action="store_true")
    arguments = parser.parse_args()
    simclr, folder, failures = os.path.realpath(arguments.simclr), tempfile.mkdtemp(prefix="simclr-interrupts-"), 0
    cases = CASES + (LARGE if arguments.large else [])
    try:
        make_inputs(folder, simclr)
        one = lambda case: [interrupt(simclr, folder, case, arguments.within) for _ in range(arguments.times)]
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for case, results in zip(cases, pool.map(one, cases)):
                print(f"{case.name:40} {' '.join(f'{took:6.0f}' for took, _ in results)} ms", flush=True)
                for what in (what for _, wrong in results for what in wrong):
                    print(f"FAILED: {case.name}: {what}", flush=True)
                    failures += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(cases) * arguments.times} checks, {failures} failed, 0 skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
