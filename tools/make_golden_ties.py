#!/usr/bin/env python3
"""Writes tests/golden/data/pool_ties.safetensors: max-pool windows whose two largest values are 2e-7 apart.

Usage: tools/make_golden_ties.py [FILE]      (needs nothing but Python, whose numbers are float64)

x [3][3][8][8] -> 1x1 convolution to 5 channels -> max-pool 3x3, stride 2, padding 1 -> mean over the image -> h [3][5];
the loss is sum(h r). In channel 0 of the convolution w = (1, 2^-22, 0). A planted window holds 4 first, and later
4 + 0.84 * 2^-22 = 4 + 2.0e-7. In exact arithmetic the later one is the maximum. In float32 both are 4, so the first
one wins in every float32 program, PyTorch's too, and its gradient goes there.

    x, weight, r       what a program starts from, float32
    h                  the same on both branches to 1e-8
    exact, other       gradient of the weights: of the exact maxima; with the first value where two are less than 1e-6 apart
    ties               how many windows have such a pair
Everywhere else the two largest values of a window are at least 1e-3 apart.
"""

import json
import random
import struct
import sys

IMAGES, INPUTS, OUTPUTS, SIZE, POOLED = 3, 3, 5, 8, 4
# image, place of 4, place of 4 + 2e-7: the later in the order of rows, in one window with it
TIES = ((0, (2, 2), (3, 2)), (1, (4, 4), (4, 5)), (2, (6, 2), (7, 3)))


def window(oy, ox):
    places = [(2 * oy - 1 + r, 2 * ox - 1 + s) for r in range(3) for s in range(3)]
    return [(y, x) for y, x in places if 0 <= y < SIZE and 0 <= x < SIZE]


def choose(values, near):
    """The maximum; with `near`, the first of those less than that below it."""
    best = max(values)
    return next(i for i, value in enumerate(values) if best - value <= near)


def gradient(x, weight, r, near):
    """h, dL/dweight, how many windows have two largest values less than 1e-6 apart, and the least other distance."""
    h = [[0.0] * OUTPUTS for _ in range(IMAGES)]
    d_weight = [[0.0] * INPUTS for _ in range(OUTPUTS)]
    ties, least = 0, float("inf")
    for n in range(IMAGES):
        for k in range(OUTPUTS):
            for oy in range(POOLED):
                for ox in range(POOLED):
                    places = window(oy, ox)
                    values = [sum(weight[k][c] * x[n][c][py][px] for c in range(INPUTS)) for py, px in places]
                    first, second = sorted(values)[-1:-3:-1]
                    if first - second < 1e-6:
                        ties += 1
                    else:
                        least = min(least, first - second)
                    py, px = places[choose(values, near)]
                    h[n][k] += max(values) / POOLED**2
                    for c in range(INPUTS):
                        d_weight[k][c] += r[n][k] / POOLED**2 * x[n][c][py][px]
    return h, d_weight, ties, least


def draw(seed):
    rng = random.Random(seed)
    value = lambda: rng.randrange(-256, 257) / 256
    x = [[[[value() for _ in range(SIZE)] for _ in range(SIZE)] for _ in range(INPUTS)] for _ in range(IMAGES)]
    weight = [[value() for _ in range(INPUTS)] for _ in range(OUTPUTS)]
    weight[0] = [1.0, 2.0**-22, 0.0]
    for n, (ay, ax), (by, bx) in TIES:
        x[n][0][ay][ax] = x[n][0][by][bx] = 4.0
        x[n][1][ay][ax], x[n][1][by][bx] = 0.0, struct.unpack("<f", struct.pack("<f", 0.84))[0]
    return x, weight, [[value() for _ in range(OUTPUTS)] for _ in range(IMAGES)]


def flat(values):
    return [one for value in values for one in flat(value)] if isinstance(values, list) else [values]


def write(path, tensors):
    header, body = {}, b""
    for name, (shape, values) in tensors.items():
        data = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + body)


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/data/pool_ties.safetensors"
    for seed in range(1, 100000):  # values of 8 bits meet often: the first draw without a meeting
        x, weight, r = draw(seed)
        h, exact, ties, least = gradient(x, weight, r, 0)
        if ties == len(TIES) and least >= 1e-3:
            break
    other = gradient(x, weight, r, 1e-6)[1]
    write(
        path,
        {
            "x": ([IMAGES, INPUTS, SIZE, SIZE], flat(x)),
            "weight": ([OUTPUTS, INPUTS, 1, 1], flat(weight)),
            "r": ([IMAGES, OUTPUTS], flat(r)),
            "h": ([IMAGES, OUTPUTS], flat(h)),
            "exact": ([OUTPUTS, INPUTS], flat(exact)),
            "other": ([OUTPUTS, INPUTS], flat(other)),
            "ties": ([], [float(ties)]),
        },
    )
    print(f"{path}: seed {seed}, {ties} ties, other windows {least:.4f} apart")


main()
