#!/usr/bin/env python3
"""Writes tests/golden/data/scores_*.safetensors: the numbers of src/eval, computed in float64 by other means.

NumPy, SciPy and scikit-learn compute what they have; the rest is written here from the formula, not from our C.
Run from the project's root: python3 tools/make_golden_scores.py [NAME...]
It needs numpy, scipy, scikit-learn and safetensors. The tests need none of them."""

import pathlib
import sys

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.spatial.distance
import scipy.special
import scipy.stats
import sklearn.cluster
import sklearn.linear_model
import sklearn.metrics
import sklearn.neighbors
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


def words(seed, purpose, item, view=0):
    block = 0
    while True:
        yield from philox(seed, (block, purpose << 24 | view, item, 0))
        block += 1


def below(stream, bound):
    while True:
        product = next(stream) * bound
        if product & 0xFFFFFFFF >= 2**32 % bound:
            return product >> 32


RESAMPLE, PERMUTATION, MAP = 8, 9, 11

# ---- the files ----


def statistics():
    random = np.random.default_rng(1)
    probabilities, degrees = np.meshgrid([0.5, 0.6, 0.9, 0.975, 0.995, 1 - 1e-6, 0.025], [1, 2, 3, 4, 9, 30, 999, 1e6])
    t = scipy.stats.t.ppf(probabilities, degrees)
    runs = random.normal(0.7, 0.02, 5)
    low, high = scipy.stats.t.interval(0.95, 4, runs.mean(), scipy.stats.sem(runs))

    pairs = [(0, 0), (0, 1), (3, 0), (1, 8), (2, 11), (0, 12), (5, 9), (9, 5), (7, 7), (40, 61), (0, 2000), (480, 520), (499, 501),
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


def calibration():
    random = np.random.default_rng(2)
    tensors = {}
    cases = [(random.normal(0, 3, (203, 10)), 0), (random.normal(0, 1, (1000, 3)), 1), (np.round(random.normal(0, 1, (97, 4))) * 400, 0),
             (random.normal(0, 1, (9, 5)), 0)]
    for number, (logits, sure) in enumerate(cases):
        logits = logits.astype(np.float32)
        rows, classes = logits.shape
        labels = np.where(random.random(rows) < 0.6, logits.argmax(1), random.integers(0, classes, rows))
        if sure:
            logits *= np.float32(7)
        for when, temperature in enumerate((1.0, 2.5)):
            p = scipy.special.softmax(logits.astype(np.float64) / temperature, axis=1)
            confidence, right = p.max(1), (p.argmax(1) == labels).astype(np.float64)
            for value in np.unique(confidence):
                right[confidence == value] = right[confidence == value].mean()
            order = np.argsort(confidence)
            edges = [rows * b // 15 for b in range(16)]
            ece, bins = 0, []
            for begin, end in zip(edges[:-1], edges[1:]):
                part = order[begin:end]
                bins.append([len(part), *((confidence[part].mean(), right[part].mean()) if len(part) else (0, 0))])
                if len(part):
                    ece += len(part) / rows * abs(confidence[part].mean() - right[part].mean())
            brier = ((p - np.eye(classes)[labels]) ** 2).sum(1).mean()
            nll = (scipy.special.logsumexp(logits.astype(np.float64) / temperature, axis=1) -
                   logits[np.arange(rows), labels].astype(np.float64) / temperature).mean()
            key = f"case{number}.at{when}"
            tensors[key] = [ece, brier, nll, (p.argmax(1) == labels).mean()]
            tensors[key + ".bins"] = np.array(bins, np.float64)
        tensors |= {f"case{number}.logits": logits, f"case{number}.labels": labels.astype(np.int64)}

        def slope(log_t):
            # the derivative of nll by 1 / T: expected logit minus that of the label
            p = scipy.special.softmax(logits.astype(np.float64) / np.exp(log_t), axis=1)
            return ((p - np.eye(classes)[labels]) * logits).sum(1).mean()

        if slope(np.log(0.01)) * slope(np.log(100)) < 0:
            tensors[f"case{number}.temperature"] = [np.exp(scipy.optimize.brentq(slope, np.log(0.01), np.log(100), xtol=1e-14))]
    save("calibration", tensors)


def retrieval():
    random = np.random.default_rng(3)
    tensors = {}
    for number, (rows, k) in enumerate([(120, 119), (120, 40), (8, 7)]):
        labels = random.integers(0, 4, rows)
        labels[:3] = [7, -1, 6]  # two that are alone, one without a label (by chance there may be more)
        x = random.normal(0, 1, (rows, 6)) + 1.2 * np.eye(6)[labels % 6]
        similarity = (x @ x.T) / np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(x, axis=1))
        np.fill_diagonal(similarity, -np.inf)
        neighbours = np.argsort(-similarity, axis=1)[:, :k]
        relevant = (labels[neighbours] == labels[:, None]) & (labels[:, None] >= 0)
        counts = np.array([(labels == label).sum() - 1 if label >= 0 else 0 for label in labels])
        queries = np.flatnonzero(counts > 0)
        average = np.full(rows, np.nan)
        for q in queries:
            hits = relevant[q, :counts[q]]
            average[q] = sum(hits[:i + 1].mean() for i in range(counts[q]) if hits[i]) / counts[q]

        def figures(which):
            return [*(relevant[which, :cut].any(1).mean() for cut in (1, 5, 10)), average[which].mean()]

        per_class = [figures(queries[labels[queries] == label]) if (counts[labels == label] > 0).any() else [np.nan] * 4
                     for label in range(8)]
        tensors |= {f"case{number}.neighbours": neighbours.astype(np.int32), f"case{number}.labels": labels.astype(np.int32),
                    f"case{number}.figures": [*figures(queries), len(queries), ((counts == 0) & (labels >= 0)).sum()], f"case{number}.per_query": average,
                    f"case{number}.per_class": np.array(per_class)}
    save("retrieval", tensors)


def clustering():
    random = np.random.default_rng(4)
    tensors = {}
    cases = [(500, 10, 10, 0.7), (300, 4, 9, 0.5), (300, 12, 5, 0.9), (80, 3, 3, 0.0), (50, 1, 4, 0.0), (40, 6, 6, 1.0), (20, 1, 1, 0.0)]
    for number, (rows, clusters, classes, agree) in enumerate(cases):
        labels = random.integers(0, classes, rows)
        turned = random.permutation(max(clusters, classes))
        found = np.where(random.random(rows) < agree, turned[labels] % clusters, random.integers(0, clusters, rows))
        table = sklearn.metrics.cluster.contingency_matrix(found, labels)
        chosen = scipy.optimize.linear_sum_assignment(table, maximize=True)
        tensors |= {f"case{number}.cluster": found.astype(np.int32), f"case{number}.label": labels.astype(np.int32),
                    f"case{number}.sizes": np.array([clusters, classes], np.int64),
                    f"case{number}.figures": [sklearn.metrics.normalized_mutual_info_score(labels, found),
                                              sklearn.metrics.adjusted_rand_score(labels, found), table[chosen].sum() / rows]}
    save("clustering", tensors)


def kmeans():
    random = np.random.default_rng(5)
    tensors = {}
    # overlapping clouds from a given start (the path counts), and clouds apart from any (the optimum counts)
    for number, (rows, dim, clusters, spread) in enumerate([(1300, 6, 6, 1.0), (500, 10, 7, 0.15)]):
        middles = random.normal(0, 1, (clusters, dim))
        x = (middles[random.integers(0, clusters, rows)] + spread * random.normal(0, 1, (rows, dim))).astype(np.float32)
        unit = x.astype(np.float64)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        start = unit[:clusters].astype(np.float32)
        settings = dict(init=start.astype(np.float64), n_init=1) if number == 0 else dict(n_init=50, random_state=0)
        fit = sklearn.cluster.KMeans(clusters, algorithm="lloyd", tol=0, max_iter=1000, **settings).fit(unit)
        tensors |= {f"case{number}.rows": x, f"case{number}.start": start, f"case{number}.cluster": fit.labels_.astype(np.int32),
                    f"case{number}.centres": fit.cluster_centers_, f"case{number}.inertia": [fit.inertia_]}
    save("kmeans", tensors)

def quality():
    random = np.random.default_rng(6)
    tensors = {}
    # images, views, dim, rank, scale: more directions than images, more images than directions, features of low rank, and
    # some so small that the constants of LiDAR count
    for number, (images, views, dim, rank, scale) in enumerate([(30, 4, 40, 40, 1), (60, 4, 36, 36, 1), (60, 3, 33, 6, 1),
                                                                (25, 3, 26, 26, 1e-5)]):
        basis = random.normal(0, 1, (rank, dim)) * np.arange(1, rank + 1)[:, None] ** -0.7
        h = ((random.normal(0, 1, (images, 1, rank)) + 0.4 * random.normal(0, 1, (images, views, rank))) @ basis * scale).astype(np.float32)
        x = h.astype(np.float64)
        means = x.mean(1)
        between = (means - means.mean(0)).T @ (means - means.mean(0)) / (images - 1)
        off = (x - means[:, None]).reshape(-1, dim)
        within = off.T @ off / (images * (views - 1)) + 1e-4 * np.eye(dim)
        root = scipy.linalg.inv(scipy.linalg.sqrtm(within).real)
        values = np.maximum(np.linalg.eigvalsh(root @ between @ root), 0) + 1e-8
        p = values / values.sum()
        flat = x.reshape(-1, dim)
        covariance = np.sort(np.linalg.eigvalsh(np.cov(flat.T)))[::-1]
        ranks = np.arange(11, min(100, dim // 2) + 1)
        ranks = ranks[covariance[ranks - 1] > 1e-12 * covariance[0]]
        fit = scipy.stats.linregress(np.log(ranks), np.log(covariance[ranks - 1])) if len(ranks) > 2 else None
        tensors |= {f"case{number}.h": h, f"case{number}.lidar": [np.exp(-(p * np.log(p)).sum())],
                    f"case{number}.alpha": [-fit.slope, fit.rvalue**2, len(ranks)] if fit else [np.nan, np.nan, len(ranks)]}

        unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
        distance, neighbours = sklearn.neighbors.NearestNeighbors(n_neighbors=10).fit(unit).kneighbors()
        mu = np.sort(distance[:, 1] / distance[:, 0])
        n = len(mu)
        kept = n * 9 // 10
        slope = np.linalg.lstsq(np.log(mu[:kept, None]), -np.log(1 - np.arange(1, kept + 1) / n), rcond=None)[0][0]
        occurrence = np.bincount(neighbours[:, :10].ravel(), minlength=n)
        first, second = x[:, 0], x[:, 1]
        similarity = first / np.linalg.norm(first, axis=1, keepdims=True) @ (second / np.linalg.norm(second, axis=1, keepdims=True)).T
        tensors |= {f"case{number}.neighbours": neighbours.astype(np.int32), f"case{number}.dimension": [slope],
                    f"case{number}.hubness": [scipy.stats.skew(occurrence)],
                    f"case{number}.consistency": [(similarity.argmax(1) == np.arange(images)).mean()]}
    save("quality", tensors)


def map_pairs(x, neighbours, similarity, seed):
    """PaCMAP's near, middle and far pairs of each row, from the formulas of src/eval/map_pairs.h."""
    count = len(x)
    unit = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    squared = np.maximum(2 - 2 * similarity.astype(np.float64), 0)
    width = np.sqrt(squared[:, 3:6]).mean(axis=1)
    chosen = [[], [], []]
    for i in range(count):
        scaled = squared[i] / (width[i] * width[neighbours[i]])
        near = [int(j) for j in neighbours[i][np.argsort(scaled, kind="stable")[:10]]]
        middle, stream = [], words(seed, MAP, i, 1)
        for _ in range(5):
            drawn = []
            while len(drawn) < 6:
                row = below(stream, count)
                if row != i and row not in middle + drawn:
                    drawn.append(row)
            middle.append(sorted(drawn, key=lambda row: ((unit[i] - unit[row]) ** 2).sum())[1])
        far, stream = [], words(seed, MAP, i, 2)
        while len(far) < 20:
            row = below(stream, count)
            if row != i and row not in near + far:
                far.append(row)
        for kind, rows in enumerate((near, middle, far)):
            chosen[kind] += [(i, row) for row in rows]
    return chosen


def map_loss(plane, chosen, weights):
    def d(pairs):
        a, b = np.array(pairs).T
        return 1 + ((plane[a] - plane[b]) ** 2).sum(axis=1)

    near, middle, far = (d(pairs) for pairs in chosen)
    return (weights[0] * (near / (10 + near)).sum() + weights[1] * (middle / (1e4 + middle)).sum()
            + weights[2] * (1 / (1 + far)).sum())


def maps():
    random = np.random.default_rng(12)
    x = (random.normal(size=(60, 8)) * [3, 2, 1.2, .8, .5, .4, .3, .2] + [1, 0, 0, 0, 2, 0, 0, 0]).astype(np.float32)
    unit = x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -2)
    neighbours = np.argsort(-similarity, axis=1)[:, :15].astype(np.int32)
    similarity = np.take_along_axis(similarity, neighbours, axis=1).astype(np.float32)
    chosen = map_pairs(x, neighbours, similarity, seed=5)
    plane, weights = random.normal(size=(60, 2)) * 4, [2, 500, 1]
    gradient = np.empty((60, 2))
    for at in np.ndindex(60, 2):  # by a step along the imaginary axis: no difference of near values
        moved = plane.astype(complex)
        moved[at] += 1e-30j
        gradient[at] = map_loss(moved, chosen, weights).imag / 1e-30
    centred = unit - unit.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    axes *= np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])[:, None]
    tensors = dict(x=x, neighbours=neighbours, similarity=similarity, plane=plane, gradient=gradient,
                   principal=centred @ axes.T)
    for kind, name in enumerate(("near", "middle", "far")):
        lists = [[] for _ in x]
        for i, j in chosen[kind]:
            lists[i].append(j)
            lists[j].append(i)
        tensors[name + ".begin"] = np.cumsum([0] + [len(row) for row in lists]).astype(np.int64)
        tensors[name + ".other"] = np.array(sum(lists, []), np.int32)
    save("map", tensors)


def feature_files():
    """Not numbers, but the files that a table of features is read from: what NumPy and safetensors themselves write."""
    folder = pathlib.Path("tests/fuzz/corpus/features")
    folder.mkdir(parents=True, exist_ok=True)
    x = (np.arange(12, dtype=np.float32) / 8).reshape(4, 3)
    names = np.array(["a.jpg", "ü/β.png", "\udcff.jpg", "d, \"e\".jpg"])
    np.save(folder / "plain.npy", x)
    with open(folder / "version2.npy", "wb") as file:
        np.lib.format.write_array(file, x, version=(2, 0))
    np.savez(folder / "plain.npz", features=x, names=names, labels=np.array([2, 0, -1, 2]))
    np.savez_compressed(folder / "packed.npz", features=x, names=names.astype("U60"), labels=np.array([1, 0, 1, 0], np.uint8))
    np.savez(folder / "texts.npz", features=x, names=np.array([b"a", b"b", b"c\xff", b"d"]), labels=np.array(["dog", "cat", "", "dog"]), more=x)
    np.savez(folder / "no_features.npz", x)
    np.savez(folder / "few_names.npz", features=x, names=names[:3])
    np.savez(folder / "float_labels.npz", features=x, labels=np.array([0.0, 1, 2, 3]))
    np.savez(folder / "pickle.npz", features=x, names=names.astype(object))
    np.save(folder / "fortran.npy", np.asfortranarray(x))
    np.save(folder / "float64.npy", x.astype(np.float64))
    np.save(folder / "int32.npy", x.astype(np.int32))
    np.save(folder / "big_endian.npy", x.astype(">f4"))
    np.save(folder / "pickle.npy", np.array([x, None], object))
    np.save(folder / "structured.npy", np.zeros(3, [("a", "<f4"), ("b", "<i4")]))
    np.save(folder / "vector.npy", x[0])
    np.save(folder / "empty.npy", x[:0])
    broken = x.copy()
    broken[2, 1] = np.nan
    np.savez(folder / "not_finite.npz", features=broken, names=names)
    plain = (folder / "plain.npy").read_bytes()
    (folder / "lies.npy").write_bytes(plain.replace(b"(4, 3)", b"(5, 3)"))
    (folder / "overflow.npy").write_bytes(plain.replace(b"(4, 3), }               ", b"(4611686018427387904, 4)}"))
    note = b"  # lists beside it are escaped"
    (folder / "commented.npy").write_bytes(plain.replace(b"}" + b" " * len(note), b"}" + note))
    (folder / "longer.npy").write_bytes(plain + bytes(4))
    (folder / "cut.npy").write_bytes(plain[:-1])
    (folder / "names.txt").write_bytes("\ufeffa.jpg\r\nß\nlast".encode())
    (folder / "escaped.txt").write_bytes(b"#simclr-list 1\na\\nb\\\\\\t\\x7f\\r\n\xff\n")

    def ended(texts):
        return np.frombuffer("".join(text + "\0" for text in texts).encode(), np.uint8)

    save_file(dict(features=x, names=ended(["a", "b", "ü", "d"]), labels=np.array([3, -1, 0, 3])), str(folder / "plain.safetensors"))
    save_file(dict(features=x, labels=ended(["dog", "cat", "", "dog"]), more=x), str(folder / "texts.safetensors"))
    save_file(dict(features=x, names=ended(["a", "b", "c"])), str(folder / "few.safetensors"))
    save_file(dict(features=x.astype(np.float16)), str(folder / "float16.safetensors"))
    np.save(folder / "float16.npy", x.astype(np.float16))
    numbers, classes = np.array([1, 0, -1, 1]), np.array(["ca\nt", "dog", "\udcff"])
    np.savez(folder / "classes.npz", features=x, labels=numbers, classes=classes)
    np.savez(folder / "few_classes.npz", features=x, labels=numbers + 1, classes=classes[:2])
    np.savez(folder / "text_labels.npz", features=x, labels=np.array(["dog", "", "cat", "dog"]), classes=classes)
    save_file(dict(features=x, labels=numbers, classes=ended(["ca\nt", "dog", "", ""])), str(folder / "classes.safetensors"))
    save_file(dict(weight=x), str(folder / "weights.safetensors"))

def neighbours():
    random = np.random.default_rng(7)
    tensors = {}
    for number, (rows, queries, dim, k) in enumerate([(250, 0, 24, 12), (150, 60, 10, 12)]):
        # gaps that float32 can tell: ranks are exact for every kernel. Rows are drawn until there are enough such queries
        x = (random.normal(0, 1, (rows, dim)) * random.uniform(0.1, 10, (rows, 1))).astype(np.float32)
        query = x if queries == 0 else (random.normal(0, 1, (20 * queries, dim))).astype(np.float32)
        similarity = scipy.spatial.distance.cdist(query.astype(np.float64), x.astype(np.float64), "cosine")
        similarity = 1 - similarity
        if queries == 0:
            np.fill_diagonal(similarity, -2)
        order = np.argsort(-similarity, axis=1)
        values = np.take_along_axis(similarity, order, 1)
        clear = np.flatnonzero((values[:, :k] - values[:, 1:k + 1]).min(1) > 3e-6)
        clear = clear if queries == 0 else clear[:queries]
        assert len(clear) > 50
        tensors |= {f"case{number}.rows": x, f"case{number}.neighbours": order[clear, :k].astype(np.int32),
                    f"case{number}.similarity": values[clear, :k]}
        tensors[f"case{number}.query"] = query[clear] if queries else clear.astype(np.int64)
    save("neighbours", tensors)


def average_precision():
    """Mean precisions by scikit-learn and, of VOC 2007's eleven points, by the definition; the linear classifiers of each
    class against the rest by scikit-learn's logistic regression, whose penalty is |w|^2 / (2 C rows)."""
    random = np.random.default_rng(11)
    tensors = {}
    for number, (rows, classes, digits) in enumerate([(400, 5, 7), (300, 4, 1), (30, 3, 0), (6, 2, 7)]):
        member = (random.random((rows, classes)) < random.uniform(0.02, 0.5, classes)).astype(np.uint8)
        member[:2] = [[1] * classes, [0] * classes]
        score = np.round(random.normal(0, 1, (rows, classes)) + 1.3 * member, digits).astype(np.float32)
        member[random.random((rows, classes)) < 0.1] = 2  # unknown
        member[:2] = [[1] * classes, [0] * classes]
        times = random.integers(0, 4, rows).astype(np.uint32)
        times[:2] = 1
        figures = []
        for repeated in (False, True):
            for c in range(classes):
                known = np.repeat(np.arange(rows), times) if repeated else np.arange(rows)
                known = known[member[known, c] != 2]
                is_of_it, s = member[known, c] == 1, score[known, c]
                points = [(((s >= t) & is_of_it).sum() / is_of_it.sum(), is_of_it[s >= t].mean()) for t in np.unique(s)]
                eleven = [max(p for r, p in points if round(r * is_of_it.sum()) * 10 >= t * is_of_it.sum()) for t in range(11)]
                figures.append([sklearn.metrics.average_precision_score(is_of_it, s.astype(np.float64)), np.mean(eleven)])
        tensors |= {f"case{number}.score": score, f"case{number}.member": member, f"case{number}.times": times,
                    f"case{number}.figures": np.array(figures).reshape(2, classes, 2)}
    for number, (rows, dim, classes, l2) in enumerate([(240, 12, 3, 0.01), (40, 100, 3, 0.1)]):
        centre = random.normal(0, 1, (classes, dim))
        member = (random.random((rows, classes)) < 0.3).astype(np.uint8)
        x = (random.normal(0, 2, (rows, dim)) + member @ centre + 3).astype(np.float32)
        x[:, 1] = 0.5  # says nothing
        member[random.random((rows, classes)) < 0.1] = 2
        scale = x.astype(np.float64).std(0)
        standard = (x.astype(np.float64) - x.astype(np.float64).mean(0)) / np.where(scale > 0, scale, np.inf)
        score = np.empty((rows, classes))
        for c in range(classes):
            known = member[:, c] != 2
            fit = sklearn.linear_model.LogisticRegression(C=2 / (l2 * known.sum()), tol=1e-12, max_iter=100000)
            score[:, c] = fit.fit(standard[known], member[known, c]).decision_function(standard)
        tensors |= {f"fit{number}.x": x, f"fit{number}.member": member, f"fit{number}.l2": [l2], f"fit{number}.score": score}
    save("average_precision", tensors)


FILES = dict(average_precision=average_precision, neighbours=neighbours, feature_files=feature_files, quality=quality, statistics=statistics, calibration=calibration, retrieval=retrieval, clustering=clustering, kmeans=kmeans,
             maps=maps)

if __name__ == "__main__":
    for name in sys.argv[1:] or FILES:
        FILES[name]()
