#!/usr/bin/env python3
"""Our training step beside PyTorch's in one run, as the table of docs/performance.md.

    tools/compare.py --simclr build/simclr --python /path/to/python-with-torch [--rounds 2] [--cases r18-bf16 ...]

Ours and PyTorch's runs alternate, so that a machine whose speed drifts drifts for both; each figure is the best median of its
rounds (best of eager and compile, both memory layouts, for PyTorch). Nothing else should run meanwhile.
"""
import argparse
import json
import pathlib
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent
# name: (what it says in the table, arguments of simclr bench, arguments of peer_step.py). --batch N of ours is 2N views.
cases = {
    "r18-bf16": ("ResNet-18-CIFAR, bf16, 128 views", "--depth 18 --image-size 32 --batch 64 --precision bf16", "--network resnet18-cifar --batch 128 --precision bf16"),
    "r18-f32": ("ResNet-18-CIFAR, float32, 128 views", "--depth 18 --image-size 32 --batch 64 --precision float32", "--network resnet18-cifar --batch 128 --precision float32"),
    "r18-bf16-512": ("ResNet-18-CIFAR, bf16, 512 views", "--depth 18 --image-size 32 --batch 256 --precision bf16", "--network resnet18-cifar --batch 512 --precision bf16"),
    "r50-bf16": ("ResNet-50 at 224, bf16, 8 views", "--depth 50 --image-size 224 --batch 4 --precision bf16", "--network resnet50 --batch 8 --precision bf16"),
    "r50-f32": ("ResNet-50 at 224, float32, 8 views", "--depth 50 --image-size 224 --batch 4 --precision float32", "--network resnet50 --batch 8 --precision float32"),
    "small-bf16": ("ResNet-18-CIFAR width 1/4, bf16, 512 views", "--depth 18 --width 0.25 --image-size 32 --batch 256 --precision bf16", "--network resnet18-cifar --width 0.25 --batch 512 --precision bf16"),
    "small-f32": ("ResNet-18-CIFAR width 1/4, float32, 512 views", "--depth 18 --width 0.25 --image-size 32 --batch 256 --precision float32", "--network resnet18-cifar --width 0.25 --batch 512 --precision float32"),
    "nt-xent": ("NT-Xent forward + backward, N = 4096, D = 128", "--what loss --batch 4096 --head-dim 128", "--network nt-xent --batch 4096"),
}


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simclr", default="build/simclr")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", default="", help="force our kernels: avx2, avx512, ... (PyTorch: set ONEDNN_MAX_CPU_ISA and ATEN_CPU_CAPABILITY yourself)")
    parser.add_argument("--convolution", default="", help="force our algorithm: direct or winograd")
    parser.add_argument("--cases", nargs="*", default=list(cases), choices=list(cases))
    args = parser.parse_args()
    print("| case | simclr | PyTorch | ratio |\n|---|---|---|---|", flush=True)
    for name in args.cases:
        title, ours_args, peer_args = cases[name]
        loss = name == "nt-xent"
        ours, peer, best = [], [], []
        for _ in range(args.rounds):
            command = [args.simclr, "bench", "--json", "--seconds", str(args.seconds), "--threads", str(args.threads), *ours_args.split()]
            command += [] if loss else ["--what", "step"]
            command += ["--cpu", args.cpu] if args.cpu else []
            command += ["--convolution", args.convolution] if args.convolution and not loss else []
            report = run(command)
            ours.append(1e3 * report["nt_xent"]["seconds"] if loss else report["step"]["views_per_second"])
            report = run([args.python, str(here / "peer_step.py"), *peer_args.split(), "--threads", str(args.threads), "--seconds", str(args.seconds)])
            peer.append(report["milliseconds"] if loss else report["views_per_second"])
            best.append(report["best"])
        if loss:
            print(f"| {title} | {min(ours):.1f} ms | {min(peer):.1f} ms ({best[0]}) | {min(peer) / min(ours):.2f} |", flush=True)
        else:
            print(f"| {title} | {max(ours):.1f} views/s | {max(peer):.1f} views/s ({best[0]}) | {max(ours) / max(peer):.2f} |", flush=True)


if __name__ == "__main__":
    main()
