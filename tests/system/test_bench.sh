#!/usr/bin/env bash
# test_bench.sh SIMCLR [BUILD] -- bench --what layers: a line for each pass of each operation, whose work is what its algorithm has to compute,
# shares that add up; and info names the same algorithms. No time is compared with a figure.
set -uo pipefail
simclr=$(realpath "$1")
python3 - "$simclr" <<'PY'
import json, subprocess, sys
simclr = sys.argv[1]
checks = failures = 0

def check(what, good):
    global checks, failures
    checks += 1
    if not good:
        failures += 1
        print(f"FAILED: {what}")

def run(command, *options):
    done = subprocess.run([simclr, command, "--json", "--quiet", *options], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)

NETWORK = ["--depth", "18", "--width", "0.5", "--image-size", "32", "--batch", "8", "--threads", "2"]
BENCH = ["--what", "layers", "--seconds", "0.1", "--synthetic-images", "64"]
VIEWS = 16

def close(a, b):
    return abs(a - b) <= 1e-6 * max(abs(a), abs(b))

for precision, convolution in (("float32", "winograd"), ("float32", "direct"), ("bf16", "winograd")):
    network = [*NETWORK, "--precision", precision, "--convolution", convolution]
    report, table = run("bench", *network, *BENCH), run("info", *network)
    label = f"{precision} {convolution}"
    algorithms = {layer["name"]: layer["algorithm"] for layer in table["layers"]}
    lines = report["layers"]
    check(f"{label}: a peak", report["peak_gflops"]["float32"] > 0)
    check(f"{label}: at least three steps", report["runs"] >= 3)
    check(f"{label}: shares of lines", close(sum(line["share"] for line in lines), 1))
    check(f"{label}: shares of work", close(sum(work["share"] for work in report["shares"]), 1))
    check(f"{label}: kinds of work", {"stem", "3x3", "3x3, strided", "1x1, strided", "batch norm, ReLU, residual", "pooling", "head", "loss",
                                      "optimiser", "packing of weights", "views"} == {work["work"] for work in report["shares"]})
    check(f"{label}: losses fall", all(a["seconds"] >= b["seconds"] for a, b in zip(report["losses"], report["losses"][1:])))
    check(f"{label}: all times", all(line["seconds"] > 0 for line in lines))
    for name, algorithm in algorithms.items():
        passes = {line["pass"]: line for line in lines if line["name"] == name}
        if not algorithm:
            check(f"{label}: {name} forward and backward", set(passes) == {"forward", "backward"} and "algorithm" not in passes["forward"])
            continue
        check(f"{label}: passes of {name}", set(passes) == ({"forward", "weights"} if name == "conv1" else {"forward", "data", "weights"}))
        for line in passes.values():
            channels, kernel, size = line["shape"].split(" ")
            inputs, outputs = map(int, channels.split("->"))
            kernel, stride = int(kernel.split("x")[0]), int(kernel.split("/")[1])
            height = int(size.split("x")[0])
            pairs = 2 * VIEWS * inputs * outputs
            nominal = pairs * kernel**2 * height**2
            executed = line["executed_gflops"] * line["seconds"] * 1e9
            check(f"{label}: nominal work of {name}", close(line["nominal_gflops"] * line["seconds"] * 1e9, nominal))
            if line["algorithm"] == "winograd":
                check(f"{label}: {name} may go by Winograd", kernel == 3 and "winograd" in algorithm)
                wanted = pairs * (36 if stride == 1 else 81) * ((height + 3) // 4) ** 2
            elif name == "conv1":
                wanted = nominal
            else:
                taps = sum(0 <= o * stride + t - kernel // 2 < height * stride for o in range(height) for t in range(kernel))
                wanted = pairs * taps**2
            check(f"{label}: executed work of {name}, {line['pass']}: {executed / wanted}", close(executed, wanted))
            if line["kernels"] != "double" and line["operands"] == "float32":
                check(f"{label}: share of the peak", close(line["peak_share"], line["executed_gflops"] / report["peak_gflops"]["float32"]))
    chosen = {line["algorithm"] for line in lines if line.get("shape", "").endswith("3x3/1 32x32") and line["name"] != "conv1"}
    if not (precision == "bf16" and "amx" in algorithms["layer1.0.conv1"]):
        check(f"{label}: what was asked for: {chosen}", chosen == {convolution})
text = subprocess.run([simclr, "bench", *NETWORK, *BENCH, "--quiet"], check=True, capture_output=True, text=True).stdout
for word in ("layer1.0.conv1", "beyond peak", "largest losses", "executed", "packing of weights"):
    check(f"the table has {word}", word in text)
text = subprocess.run([simclr, "info", *NETWORK, "--quiet"], check=True, capture_output=True, text=True).stdout
check("info names algorithms", sum("direct" in line or "winograd" in line for line in text.splitlines()) == 22)
print(f"{checks} checks, {failures} failed, 0 skipped")
sys.exit(failures != 0)
PY
