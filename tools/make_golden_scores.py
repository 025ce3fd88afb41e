#!/usr/bin/env python3
"""Writes tests/golden/data/scores_*.safetensors: the numbers of src/eval, computed in float64 by other means.

NumPy, SciPy and scikit-learn compute what they have; the rest is written here from the formula, not from our C.
Run from the project's root: python3 tools/make_golden_scores.py [NAME...]
It needs numpy, scipy, scikit-learn and safetensors. The tests need none of them."""

import pathlib
import sys

import numpy as np
import scipy.special
import scipy.stats
from safetensors.numpy import save_file

FOLDER = pathlib.Path("tests/golden/data")


def save(name, tensors):
    # asarray first: ascontiguousarray would make a vector of a scalar
    save_file({key: np.array(value, order="C") for key, value in tensors.items()},
              str(FOLDER / f"scores_{name}.safetensors"))


# ---- the program's random numbers, written again: Philox4x32-10, and Lemire's integers ----


def philox(key, counter):
    c0, c1, c2, c3 = counter
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        low, high = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = high >> 32 ^ c1 ^ k0, high & 0xFFFFFFFF, low >> 32 ^ c3 ^ k1, low & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def words(seed, purpose, item):
    block = 0
    while True:
        yield from philox(seed, (block, purpose << 24, item, 0))
        block += 1


def below(stream, bound):
    while True:
        product = next(stream) * bound
        if product & 0xFFFFFFFF >= 2**32 % bound:
            return product >> 32


RESAMPLE, PERMUTATION = 8, 9

# ---- the files ----


def statistics():
    random = np.random.default_rng(1)
    probabilities, degrees = np.meshgrid([0.5, 0.6, 0.9, 0.975, 0.995, 1 - 1e-6, 0.025], [1, 2, 3, 4, 9, 30, 999, 1e6])
    t = scipy.stats.t.ppf(probabilities, degrees)
    runs = random.normal(0.7, 0.02, 5)
    low, high = scipy.stats.t.interval(0.95, 4, runs.mean(), scipy.stats.sem(runs))

    pairs = [(0, 0), (0, 1), (3, 0), (0, 12), (5, 9), (9, 5), (7, 7), (40, 61), (0, 2000), (480, 520), (499, 501),
             (4950, 5210), (100000, 101000), (9990000, 10010000), (499990000, 500050000)]
    mcnemar = []
    for b, c in pairs:
        n, k = b + c, min(b, c)
        # small counts with whole numbers, large ones by the incomplete beta function
        if n <= 10000:
            total = sum_of_binomials(n, k)
            mcnemar.append(min(1.0, 2 * total / 2**n))
        else:
            mcnemar.append(min(1.0, 2 * scipy.special.betainc(n - k, k + 1, 0.5)))

    values = random.beta(2, 1, 60)
    other = np.clip(values + random.normal(0.09, 0.2, 60), 0, 1)
    seed = 0x123456789ABCDEF
    means, differences = [], []
    for resample in range(2000):
        stream = words(seed, RESAMPLE, resample)
        drawn = [below(stream, 60) for _ in range(60)]
        means.append(values[drawn].mean())
        differences.append((values - other)[drawn].mean())
    seen = abs((values - other).mean())
    as_far = 1
    for draw in range(4000):
        stream = words(seed, PERMUTATION, draw)
        bits = [word >> bit & 1 for word in (next(stream), next(stream)) for bit in range(32)]
        exchanged = np.array(bits[:60], bool)
        first, second = np.where(exchanged, other, values), np.where(exchanged, values, other)
        as_far += abs(first.mean() - second.mean()) >= seen
    save("statistics", dict(
        t_p=probabilities.ravel(), t_degrees=degrees.ravel(), t=t.ravel(), runs=runs, over_seeds=[runs.mean(), low, high],
        pairs=np.array(pairs, np.int64), mcnemar=mcnemar, values=values, other=other, seed=np.array([seed], np.int64),
        bootstrap=np.quantile(means, [0.025, 0.975]), paired=np.quantile(differences, [0.025, 0.975]),
        permutation=[as_far / 4001]))


def sum_of_binomials(n, k):
    term, total = 1, 0
    for i in range(k + 1):
        total += term
        term = term * (n - i) // (i + 1)
    return total


FILES = dict(statistics=statistics)

if __name__ == "__main__":
    for name in sys.argv[1:] or FILES:
        FILES[name]()
