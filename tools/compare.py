#!/usr/bin/env python3
"""Our training step, its parts, inference and memory beside PyTorch's in one run, as the table of docs/performance.md.

    tools/compare.py --simclr build/simclr --python /path/to/python-with-torch [--rounds 2] [--cases r18-bf16 ...]

Ours and PyTorch's runs alternate, so that a machine whose speed drifts drifts for both; each figure is the best of its rounds'
medians, each of at least --steps steps (best of eager and compile, both memory layouts, for PyTorch). Nothing else should run
meanwhile.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent
R18, R50, SMALL = "--depth 18 --image-size 32", "--depth 50 --image-size 224", "--depth 18 --width 0.25 --image-size 32"
P18, P50, PSMALL = "--network resnet18-cifar", "--network resnet50", "--network resnet18-cifar --width 0.25"
# name: (what is compared, what it says in the table, arguments of simclr bench, arguments of peer_step.py). --batch N of ours is 2N views.
cases = {
    "r18-bf16": ("step", "ResNet-18-CIFAR, bf16, 128 views", f"{R18} --batch 64 --precision bf16", f"{P18} --batch 128 --precision bf16"),
    "r18-f32": ("step", "ResNet-18-CIFAR, float32, 128 views", f"{R18} --batch 64 --precision float32", f"{P18} --batch 128 --precision float32"),
    "r18-bf16-512": ("step", "ResNet-18-CIFAR, bf16, 512 views", f"{R18} --batch 256 --precision bf16", f"{P18} --batch 512 --precision bf16"),
    "r50-bf16": ("step", "ResNet-50 at 224, bf16, 8 views", f"{R50} --batch 4 --precision bf16", f"{P50} --batch 8 --precision bf16"),
    "r50-bf16-32": ("step", "ResNet-50 at 224, bf16, 32 views", f"{R50} --batch 16 --precision bf16", f"{P50} --batch 32 --precision bf16"),
    "r50-bf16-128": ("step", "ResNet-50 at 224, bf16, 128 views", f"{R50} --batch 64 --precision bf16", f"{P50} --batch 128 --precision bf16"),
    "r50-f32": ("step", "ResNet-50 at 224, float32, 8 views", f"{R50} --batch 4 --precision float32", f"{P50} --batch 8 --precision float32"),
    "small-bf16": ("step", "ResNet-18-CIFAR width 1/4, bf16, 512 views", f"{SMALL} --batch 256 --precision bf16", f"{PSMALL} --batch 512 --precision bf16"),
    "small-f32": ("step", "ResNet-18-CIFAR width 1/4, float32, 512 views", f"{SMALL} --batch 256 --precision float32", f"{PSMALL} --batch 512 --precision float32"),
    "nt-xent": ("loss", "NT-Xent forward + backward, N = 4096, D = 128", "--batch 4096 --head-dim 128", "--network nt-xent --batch 4096"),
    "lars": ("update", "LARS, ResNet-50 with its head", f"{R50} --batch 2 --precision float32", f"--what lars {P50}"),
    "r18-embed-bf16": ("embed", "inference, ResNet-18-CIFAR, bf16, 128 images", f"{R18} --batch 128 --precision bf16", f"--what embed {P18} --batch 128 --precision bf16"),
    "r18-embed-f32": ("embed", "inference, ResNet-18-CIFAR, float32, 128 images", f"{R18} --batch 128 --precision float32", f"--what embed {P18} --batch 128 --precision float32"),
    "r50-embed-bf16": ("embed", "inference, ResNet-50 at 224, bf16, 32 images", f"{R50} --batch 32 --precision bf16", f"--what embed {P50} --batch 32 --precision bf16"),
    "r50-embed-f32": ("embed", "inference, ResNet-50 at 224, float32, 32 images", f"{R50} --batch 32 --precision float32", f"--what embed {P50} --batch 32 --precision float32"),
    "r18-memory": ("memory", "peak memory, ResNet-18-CIFAR, bf16, 512 views", f"{R18} --batch 256 --precision bf16", f"{P18} --batch 512 --precision bf16"),
    "r50-memory": ("memory", "peak memory, ResNet-50 at 224, bf16, 128 views", f"{R50} --batch 64 --precision bf16", f"{P50} --batch 128 --precision bf16"),
}
UNITS = {"step": "views/s", "embed": "images/s", "loss": "ms", "update": "ms", "memory": "MiB"}  # the first two: more is better


def run(command, environment=None):
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure_ours(args, kind, arguments):
    what, seconds = ("step", 0.1) if kind == "memory" else (kind, args.seconds)
    command = [args.simclr, "bench", "--json", "--what", what, "--threads", str(args.threads), *arguments.split()]
    command += ["--cpu", args.cpu] if args.cpu else []
    command += ["--convolution", args.convolution] if args.convolution and kind != "loss" else []
    data = args.photos if "--image-size 224" in arguments else args.cifar
    command += ["--data", data] if data and kind == "step" else []
    report = run([*command, "--seconds", str(seconds)])
    part = report[{"step": "step_with_views" if data else "step", "loss": "nt_xent"}.get(what, what)]
    if kind != "memory" and part["runs"] < args.steps:
        once = part["lars_seconds"] + part["packing_seconds"] if kind == "update" else part["seconds"]
        report = run([*command, "--seconds", str(1.05 * once * args.steps)])
    return {"step": lambda: report["step_with_views" if data else "step"]["views_per_second"], "embed": lambda: report["embed"]["images_per_second"],
            "loss": lambda: 1e3 * report["nt_xent"]["seconds"], "update": lambda: 1e3 * report["update"]["lars_seconds"],
            "memory": lambda: report["step"]["peak_resident_bytes"] / 2**20}[kind]()


def measure_peer(args, kind, arguments):
    """(figure, which way of doing it was best)"""
    environment = dict(os.environ)
    if args.cpu == "avx2":
        environment |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    command = [args.python, str(here / "peer_step.py"), *arguments.split(), "--threads", str(args.threads)]
    if kind == "memory":  # a process each; compiling takes memory of its own, so eager is the kinder yardstick
        ways = {way: run([*command, "--seconds", "0", "--tries", "1", "--steps", "1", "--only", way], environment)["peak_resident_bytes"] / 2**20
                for way in ("eager/channels_last", "eager/contiguous")}
        best = min(ways, key=ways.get)
        return ways[best], best
    report = run([*command, "--seconds", str(args.seconds), "--steps", str(args.steps)], environment)
    figure = {"step": "views_per_second", "embed": "images_per_second", "loss": "milliseconds", "update": "milliseconds"}[kind]
    return report[figure], report["best"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simclr", default="build/simclr")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", default="", help="force our kernels: avx2, avx512, ...; avx2 forces PyTorch's as well (otherwise set its variables yourself)")
    parser.add_argument("--steps", type=int, default=20, help="at least so many timed steps of ours, and of PyTorch's best ways")
    parser.add_argument("--convolution", default="", help="force our algorithm: direct or winograd")
    parser.add_argument("--cifar", default="", help="images for the steps at 32 pixels: then views are made while ours is timed (PyTorch's step has none to make)")
    parser.add_argument("--photos", default="", help="the same for those at 224")
    parser.add_argument("--cases", nargs="*", default=list(cases), choices=list(cases))
    args = parser.parse_args()
    print("| case | simclr | PyTorch | ratio |\n|---|---|---|---|", flush=True)
    for name in args.cases:
        kind, title, ours_arguments, peer_arguments = cases[name]
        ours, peer = [], []
        for _ in range(args.rounds):
            ours.append(measure_ours(args, kind, ours_arguments))
            peer.append(measure_peer(args, kind, peer_arguments))
        more = kind in ("step", "embed")
        mine, (theirs, way) = (max(ours), max(peer)) if more else (min(ours), min(peer))
        ratio, unit = mine / theirs if more else theirs / mine, UNITS[kind]
        print(f"| {title} | {mine:.1f} {unit} | {theirs:.1f} {unit} ({way}) | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
