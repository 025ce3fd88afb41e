#!/usr/bin/env python3
"""Measures what `simclr audit` finds of what was planted.

  tools/measure_audit.py copies SIMCLR MODEL FOLDER [--count 1000] [--out DIR]   needs Pillow
      Hides copies of images of FOLDER (a folder of pictures, in folders of any depth) among them, half of kinds that the
      audit's own check makes, half of kinds that it does not know, and counts for each kind how many end in one group
      with their originals.
  tools/measure_audit.py similarity SIMCLR MODEL FOLDER [--count 1000] [--out DIR]   needs Pillow and NumPy
      The same copies: could a limit on the similarity of features alone find them? For limits that find 50 to 99 % of
      the copies that the check makes, the share of images that are in no group and have another image above it.
  tools/measure_audit.py labels SIMCLR MODEL SET [--draws 5] [--out DIR] [-- options of simclr audit]
      SET is `synthetic` or a folder with a folder for each class (train/ and test/ above them are parts). Of 5 % of the
      training labels another class is made, drawn at random; the area under the ROC curve of the label's probability,
      and precision and recall of the flags, for each draw and in the mean. --cleanlab gives the same probabilities to
      cleanlab, which has to be installed beside NumPy, and judges what its two rules flag.

Seeds are fixed: a second run makes the same copies and the same labels. What it made stays in DIR."""
import argparse
import csv
import json
import os
import pathlib
import random
import subprocess
import sys
import tarfile

KNOWN = ("jpeg 50", "half size", "crop 95 %", "15 % brighter", "mirrored")
UNKNOWN = ("rotated by 3 degrees", "crop 85 %", "hue by 20 degrees", "noise of 8", "caption")
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


def pictures_of(folder):
    return sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in ENDINGS)


def audit(arguments, out, *options):
    command = [arguments.simclr, "audit", arguments.model, "--out", str(out), *options, *arguments.options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# ---- copies -----------------------------------------------------------------------------------------------------

def make_copy(kind, image, path, draw):
    from PIL import Image, ImageDraw, ImageEnhance
    width, height = image.size
    if kind == "jpeg 50":
        image.save(path.with_suffix(".jpg"), quality=50)
        return path.with_suffix(".jpg")
    if kind == "half size":
        image = image.resize((max(1, width // 2), max(1, height // 2)), Image.BICUBIC)
    elif kind.startswith("crop"):
        share = int(kind.split()[1]) / 100
        w, h = max(1, round(width * share)), max(1, round(height * share))
        left, top = draw.randrange(width - w + 1), draw.randrange(height - h + 1)
        image = image.crop((left, top, left + w, top + h))
    elif kind == "15 % brighter":
        image = ImageEnhance.Brightness(image).enhance(1.15)
    elif kind == "mirrored":
        image = image.transpose(Image.FLIP_LEFT_RIGHT)
    elif kind.startswith("rotated"):
        image = image.rotate(3, Image.BICUBIC, fillcolor=(128, 128, 128))
    elif kind.startswith("hue"):
        h, s, v = image.convert("HSV").split()
        h = h.point(lambda x: (x + round(20 / 360 * 256)) % 256)
        image = Image.merge("HSV", (h, s, v)).convert("RGB")
    elif kind.startswith("noise"):
        pixels = [max(0, min(255, value + round(draw.gauss(0, 8)))) for value in image.tobytes()]
        image = Image.frombytes("RGB", image.size, bytes(pixels))
    elif kind == "caption":
        image = image.copy()
        pen = ImageDraw.Draw(image)
        pen.rectangle((0, height - max(2, height // 8), width, height), fill=(0, 0, 0))
        for x in range(0, width, max(2, width // 16)):  # strokes in the place of letters
            if draw.random() < 0.7:
                pen.rectangle((x, height - max(2, height // 10), x + width // 32, height - 2), fill=(255, 255, 255))
    image.save(path)
    return path


def hide_copies(arguments, out):
    from PIL import Image
    draw = random.Random(20)
    pictures = pictures_of(arguments.set)
    chosen = draw.sample(pictures, min(2 * arguments.count, len(pictures)))
    kinds = [kind for pair in zip(KNOWN, UNKNOWN) for kind in pair]
    folder = out / "copies"
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for i, path in enumerate(chosen):
        kind = kinds[i % len(kinds)]
        with Image.open(path) as image:
            copy = make_copy(kind, image.convert("RGB"), folder / f"{i:05}.png", draw)
        made[str(copy.resolve())] = (kind, str(path.resolve()))
    listed = out / "list.txt"
    listed.write_text("".join(f"{p.resolve()}\n" for p in pictures) + "".join(f"{p}\n" for p in made))
    return listed, made


def measure_copies(arguments):
    out = pathlib.Path(arguments.out or "audit-copies")
    listed, made = hide_copies(arguments, out)
    print(audit(arguments, out / "found", "--data", str(listed), "--only", "exact,near"))
    group = {row["name"]: row["group"] for row in rows_of(out / "found" / "groups.csv")}
    count = {kind: [0, 0] for kind in KNOWN + UNKNOWN}
    for copy, (kind, original) in made.items():
        count[kind][1] += 1
        count[kind][0] += copy in group and group.get(original) == group[copy]
    for name, kinds in ("kinds that the check makes", KNOWN), ("kinds that it does not know", UNKNOWN):
        found, of = (sum(count[kind][i] for kind in kinds) for i in (0, 1))
        print(f"{name}: {found} of {of} found, {100 * found / max(of, 1):.1f} %")
        for kind in kinds:
            print(f"  {kind:22} {count[kind][0]:4} of {count[kind][1]:4}  {100 * count[kind][0] / max(count[kind][1], 1):5.1f} %")
    in_groups = sum(1 for name in group if name not in made)
    print(f"originals in groups: {in_groups}")


# ---- similarity -------------------------------------------------------------------------------------------------

def unit_features(arguments, out, listed):
    import numpy
    command = [arguments.simclr, "embed", "--checkpoint", arguments.model, "--data", str(listed), "--out", str(out / "features.npz")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    table = numpy.load(out / "features.npz")
    rows = table["features"]
    return [str(name) for name in table["names"]], rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def measure_similarity(arguments):
    import numpy
    out = pathlib.Path(arguments.out or "audit-similarity")
    listed, made = hide_copies(arguments, out)
    audit(arguments, out / "found", "--data", str(listed), "--only", "exact,near")
    grouped = {row["name"] for row in rows_of(out / "found" / "groups.csv")} - set(made)
    copied = {original for _, original in made.values()}
    names, unit = unit_features(arguments, out, listed)
    at = {name: i for i, name in enumerate(names)}
    similar = {kind: [] for kind in KNOWN + UNKNOWN}
    for copy, (kind, original) in made.items():
        if copy in at and original in at:
            similar[kind].append(float(unit[at[copy]] @ unit[at[original]]))
    for kind, values in similar.items():
        print(f"{kind:22} similarity to its original: {' '.join(f'{q:4} % {numpy.quantile(values, q / 100):.4f}' for q in (1, 5, 50))}")
    originals = [i for i, name in enumerate(names) if name not in made]
    alone = [i for i in originals if names[i] not in grouped | copied]
    nearest = numpy.empty(len(alone))
    others = unit[originals]
    place = {row: i for i, row in enumerate(originals)}
    for first in range(0, len(alone), 1000):
        rows = alone[first:first + 1000]
        found = unit[rows] @ others.T
        found[range(len(rows)), [place[row] for row in rows]] = -2
        nearest[first:first + 1000] = found.max(1)
    known = numpy.concatenate([similar[kind] for kind in KNOWN])
    print(f"{len(alone)} images without a copy and in no group; their nearest other image: "
          f"{' '.join(f'{q} % {numpy.quantile(nearest, q / 100):.4f}' for q in (50, 95, 99))}")
    for share in (50, 90, 97, 99):
        limit = numpy.quantile(known, 1 - share / 100)
        print(f"a limit of {limit:.4f} finds {share} % of the copies that the check makes, and "
              f"{100 * numpy.mean(nearest >= limit):.1f} % of these images have another one above it")


# ---- labels -----------------------------------------------------------------------------------------------------

def unpack_synthetic(arguments, out):
    """The built-in set as picture files with their classes."""
    packed, folder = out / "packed", out / "set"
    if not folder.exists():
        subprocess.run([arguments.simclr, "data", "pack", "synthetic", "--out", str(packed), "--codec", "png"], check=True,
                       capture_output=True)
        for part in "train", "test":
            for shard in sorted(packed.glob(f"{part}-*.tar")):
                with tarfile.open(shard) as tar:
                    members = {m.name: m for m in tar.getmembers() if m.isfile()}
                    for name, member in members.items():
                        stem, _, ending = name.rpartition(".")
                        if ending not in ("png", "jpg"):
                            continue
                        label = tar.extractfile(members[stem + ".cls"]).read().decode().strip()
                        path = folder / part / label / f"{stem.replace('/', '_')}.{ending}"
                        path.parent.mkdir(parents=True, exist_ok=True)
                        path.write_bytes(tar.extractfile(member).read())
    return folder


def area_under_roc(scores, wrong):
    """Of the probability of the given label: wrong ones are to have less. Ties count half."""
    order = sorted(range(len(scores)), key=lambda i: scores[i])
    rank, i = [0.0] * len(scores), 0
    while i < len(order):
        j = i
        while j < len(order) and scores[order[j]] == scores[order[i]]:
            j += 1
        for k in range(i, j):
            rank[order[k]] = (i + j - 1) / 2
        i = j
    bad = sum(wrong)
    below = sum(rank[k] for k in range(len(scores)) if not wrong[k]) - (len(scores) - bad) * (len(scores) - bad - 1) / 2
    return below / (bad * (len(scores) - bad))


def votes_of_neighbours(arguments, out, listed, given, classes):
    """[images, classes]: the shares of the votes that audit's rule gives, computed anew from the 50 nearest."""
    import numpy
    if out.exists():
        out.unlink()
    command = [arguments.simclr, "neighbours", arguments.model, "--data", str(listed), "--k", "50", "--out", str(out),
               *arguments.options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    with numpy.load(out) as found:
        names = [name.decode() for name in found["names"]]
        near, weight = found["neighbours"], numpy.exp(found["similarities"].astype("f8") / 0.1)
    label = numpy.array([classes.index(given[name]) for name in names])
    votes = numpy.zeros((len(names), len(classes)))
    for c in range(len(classes)):
        votes[:, c] = (weight * (label[near] == c)).sum(1)
    return names, label, votes / votes.sum(1, keepdims=True)


def judge_cleanlab(arguments, out, listed, given, classes, is_wrong, audited):
    """What cleanlab flags by its two rules, from the probabilities that audit has (which is checked)."""
    import numpy
    from cleanlab.filter import find_label_issues
    names, label, votes = votes_of_neighbours(arguments, out, listed, given, classes)
    own = votes[numpy.arange(len(label)), label]
    apart = max(abs(own[i] - audited[name]) for i, name in enumerate(names))
    if apart > 1e-4:
        sys.exit(f"these are not audit's probabilities: {apart} apart")
    wrong = numpy.array([is_wrong[name] for name in names])
    result = {"cleanlab: largest difference of a probability": apart}
    for rule in "prune_by_noise_rate", "confident_learning":
        flagged = find_label_issues(label, votes, filter_by=rule, n_jobs=1)
        result[f"cleanlab, {rule}: flags"] = int(flagged.sum())
        result[f"cleanlab, {rule}: precision"] = float((flagged & wrong).sum() / max(flagged.sum(), 1))
        result[f"cleanlab, {rule}: recall"] = float((flagged & wrong).sum() / wrong.sum())
    ranked = find_label_issues(label, votes, return_indices_ranked_by="normalized_margin", n_jobs=1)
    for n in (100, 500, 2500):
        if n <= len(ranked):
            result[f"cleanlab, normalized margin: precision of first {n}"] = float(wrong[ranked[:n]].mean())
    return result


def judge_draw(arguments, out, pictures, classes, seed):
    draw = random.Random(1000 + seed)
    wrong = set(draw.sample(range(len(pictures)), round(0.05 * len(pictures))))
    given = [draw.choice([c for c in classes if c != p.parent.name]) if i in wrong else p.parent.name
             for i, p in enumerate(pictures)]
    listed = out / f"labels-{seed}.txt"
    listed.write_text("".join(f"{p.resolve()}\t{label}\n" for p, label in zip(pictures, given)))
    audit(arguments, out / f"found-{seed}", "--data", str(listed), "--only", "labels")
    rows = rows_of(out / f"found-{seed}" / "audit.csv")
    where = {str(p.resolve()): i for i, p in enumerate(pictures)}
    index = [where[row["name"]] for row in rows]
    is_wrong = [i in wrong for i in index]
    probability = [float(row["label_probability"] or 0) for row in rows]
    flagged = [row["suspect_label"] == "1" for row in rows]
    hits = sum(f and w for f, w in zip(flagged, is_wrong))
    right = sum(f and w and row["suggested_class"] == pictures[i].parent.name
                for f, w, row, i in zip(flagged, is_wrong, rows, index))
    worst = sorted(range(len(rows)), key=lambda k: (float(rows[k]["label_score"] or 1),
                                                    -float(rows[k]["suggested_probability"] or 0)))
    first = {n: sum(is_wrong[k] for k in worst[:n]) / n for n in (100, 500, 2500) if n <= len(rows)}
    beside = {}
    if arguments.cleanlab:
        given_of = {str(p.resolve()): label for p, label in zip(pictures, given)}
        beside = judge_cleanlab(arguments, out / f"near-{seed}.npz", listed, given_of, classes,
                                {row["name"]: w for row, w in zip(rows, is_wrong)},
                                {row["name"]: p for row, p in zip(rows, probability)})
    return {"auroc": area_under_roc(probability, is_wrong), "flags": sum(flagged),
            "precision": hits / max(sum(flagged), 1), "recall": hits / len(wrong),
            "suggestion right": right / max(hits, 1), **{f"precision of first {n}": v for n, v in first.items()}, **beside}


def measure_labels(arguments):
    out = pathlib.Path(arguments.out or "audit-labels")
    out.mkdir(parents=True, exist_ok=True)
    folder = unpack_synthetic(arguments, out) if arguments.set == "synthetic" else pathlib.Path(arguments.set)
    train = folder / "train" if (folder / "train").is_dir() else folder
    pictures = pictures_of(train)
    classes = sorted({p.parent.name for p in pictures})
    draws = [judge_draw(arguments, out, pictures, classes, seed) for seed in range(arguments.draws)]
    print(f"{len(pictures)} images in {len(classes)} classes, 5 % of the labels changed at random, {len(draws)} draws")
    for key in dict.fromkeys(key for draw in draws for key in draw):
        values = [d[key] for d in draws if key in d]
        of = "" if len(values) == len(draws) else f" ({len(values)} of the draws have so many)"
        print(f"{key:24} mean {sum(values) / len(values):8.4f}   {' '.join(f'{v:.4f}' for v in values)}{of}")
    (out / "labels.json").write_text(json.dumps(draws, indent=1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("copies", "similarity", "labels"))
    parser.add_argument("simclr", type=os.path.abspath)
    parser.add_argument("model")
    parser.add_argument("set")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--cleanlab", action="store_true")
    parser.add_argument("--out")
    parser.add_argument("options", nargs="*", help="options of simclr audit, behind --")
    arguments = parser.parse_args()
    {"copies": measure_copies, "similarity": measure_similarity, "labels": measure_labels}[arguments.what](arguments)


if __name__ == "__main__":
    main()
