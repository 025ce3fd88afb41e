#!/usr/bin/env bash
# test_bench_parts.sh SIMCLR [BUILD] -- simclr bench: every part reports positive figures that belong together, as JSON and as lines.
set -uo pipefail
simclr=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
small=(--depth 18 --width 0.125 --image-size 16 --batch 8 --synthetic-images 32 --seconds 0.1 --threads 2)

"$simclr" bench "${small[@]}" --json >report.json || { echo "FAILED: bench --json ends with $?"; exit 1; }
"$simclr" bench "${small[@]}" >report.txt || { echo "FAILED: bench ends with $?"; exit 1; }
python3 - <<'CHECK' || exit 1
import json
import re

report = json.load(open("report.json"))
text = open("report.txt").read()
checks = 0
failures = []


def check(truth, what):
    global checks
    checks += 1
    if not truth:
        failures.append(what)


for part, keys in {"step": ["views", "seconds", "views_per_second", "forward_seconds", "loss_seconds", "backward_seconds", "update_seconds", "peak_resident_bytes"],
                   "step_with_views": ["views_per_second"], "embed": ["images", "seconds", "images_per_second"],
                   "update": ["weights", "lars_seconds", "packing_seconds"], "nt_xent": ["seconds"], "views": ["views_per_second"],
                   "decode": ["images_per_second_per_core"]}.items():
    for key in keys:
        check(report.get(part, {}).get(key, 0) > 0, f"{part}.{key} is missing or not positive")
    check(re.search(rf"^{part}\b", text, re.M), f"the lines lack {part}")
step, embed = report["step"], report["embed"]
check(step["views"] == 16 and embed["images"] == 8, "a step has two views of each image, inference one")
check(abs(step["views_per_second"] * step["seconds"] - step["views"]) < 1e-6 * step["views"], "rate times time is not the number of views")
check(abs(embed["images_per_second"] * embed["seconds"] - 8) < 1e-5, "rate times time is not the number of images")
check(step["peak_resident_bytes"] > 2**20, "a process of less than a MiB")
check(report["layers"] and report["shares"], "no layers")
check(abs(sum(share["share"] for share in report["shares"]) - 1) < 1e-3, "the shares do not sum to one")
print("\n".join("FAILED: " + failure for failure in failures))
print(f"{checks} checks, {len(failures)} failed, 0 skipped")
raise SystemExit(bool(failures))
CHECK
