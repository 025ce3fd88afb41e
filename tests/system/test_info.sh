#!/usr/bin/env bash
# test_info.sh SIMCLR BUILD -- info's counts are torchvision's, and its memory estimate is within 10 % of what pretraining takes.
set -uo pipefail
simclr=$(realpath "$1")
sanitized=$(grep -c '^SIMCLR_SANITIZE:.*=.' "$2/CMakeCache.txt")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$simclr" "$work" "$sanitized" <<'PY'
import json, os, subprocess, sys
simclr, work, sanitized = sys.argv[1], sys.argv[2], sys.argv[3] != "0"
checks = failures = skips = 0

def info(*options):
    return json.loads(subprocess.run([simclr, "info", "--json", "--quiet", *options], check=True, capture_output=True, text=True).stdout)

def expect(what, value, wanted, tolerance=0):
    global checks, failures
    checks += 1
    if not abs(value - wanted) <= tolerance * wanted:
        failures += 1
        print(f"FAILED: {what}: {value}, expected {wanted}")

# torchvision's resnets without fc: parameters; and the published multiply-adds of one 224 x 224 image, fc taken off
for depth, parameters, gmac in ((18, 11176512, 1.814), (34, 21284672, 3.664), (50, 23508032, 4.087), (101, 42500160, 7.799)):
    network = info("--depth", str(depth), "--image-size", "224", "--head-layers", "none", "--batch", "2", "--cpu", "portable")
    expect(f"parameters of ResNet-{depth}", network["parameters"], parameters)
    expect(f"parameters of ResNet-{depth}'s layers", sum(layer["parameters"] for layer in network["layers"]), parameters)
    convolutions = sum(layer["flops"] for layer in network["layers"] if layer["operation"] == "conv")
    expect(f"multiply-adds of ResNet-{depth}", convolutions / 2e9, gmac, 0.005)
    last = [layer for layer in network["layers"] if layer["operation"] == "global_pool"][0]
    expect("dimension of h", last["output"][0], 512 if depth < 50 else 2048)
head = info("--head-layers", "2", "--image-size", "32", "--batch", "2")["parameters"] - info("--head-layers", "none", "--image-size", "32", "--batch", "2")["parameters"]
expect("parameters of the head", head, 512 * 512 + 2 * 512 + 512 * 128 + 128)

if sanitized:
    print("skipped: the estimate of memory: memory under a sanitizer is the sanitizer's")
    checks, skips = checks + 1, 1
else:
    for number, options in enumerate((["--batch", "256", "--width", "0.25", "--image-size", "32", "--synthetic-images", "512"],
                                      ["--batch", "32", "--image-size", "64", "--synthetic-images", "64", "--precision", "float32"],
                                      ["--batch", "16", "--image-size", "112", "--synthetic-images", "32", "--threads", "1"],
                                      ["--batch", "64", "--width", "0.5", "--image-size", "32", "--synthetic-images", "128", "--optimizer", "adamw"],
                                      ["--batch", "64", "--width", "0.5", "--image-size-schedule", "16:0.5,32:0.5", "--synthetic-images", "128", "--ema", "0.99"],
                                      ["--batch", "256", "--width", "0.25", "--image-size", "32", "--synthetic-images", "256", "--batch-norm-images", "64"])):
        options = ["--data", "synthetic", *options]
        estimate = info(*options)["memory"]["peak"]
        child = subprocess.Popen([simclr, "pretrain", *options, "--epochs", "1", "--out", f"{work}/run{number}"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        expect(f"pretrain {' '.join(options)}: exit status", status, 0)
        peak = usage.ru_maxrss * 1024
        print(f"{' '.join(options)}: estimated {estimate / 2**20:.0f} MiB, took {peak / 2**20:.0f} MiB, {100 * (estimate / peak - 1):+.1f} %")
        expect("estimate", estimate, peak, 0.10)
print(f"{checks} checks, {failures} failed, {skips} skipped" + skips * ": memory under a sanitizer is the sanitizer's")
sys.exit(failures != 0)
PY
