"""made_run.py FOLDER [--classes N] [--hostile] [--seed N] [--epochs N] [--no-evaluation] [--no-labels] [--held-out N]: the files
of a run and of its evaluation, with numbers that a test knows, as the program writes them. config.yaml comes from --print-config,
on the standard input."""
import argparse
import json
import math
import pathlib
import sys

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--classes", type=int, default=3)
parser.add_argument("--hostile", action="store_true")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--no-evaluation", action="store_true")
parser.add_argument("--no-labels", action="store_true")
parser.add_argument("--held-out", type=int, help="so many images, of which kNN has a whole number right")
args = parser.parse_args()
folder = args.folder
(folder / "evaluation").mkdir(parents=True, exist_ok=True)
(folder / "config.yaml").write_text(sys.stdin.read())
EVIL = "<script>alert(1)</script>,\"'\t\n\\xff\\\\&amp;\u202e"

with open(folder / "metrics.jsonl", "w") as file:
    for step in range(1, 10 * args.epochs + 1):
        row = {"step": step, "epoch": step / 10, "wall_time": 1.79e9 + 7.5 * step,
               "train/loss": 5.2 + args.seed / 100 - step * 0.001 if step != 33 else None, "train/chance_loss": 6.2364,
               "train/top1": 0.2 + step * 0.001, "train/learning_rate": 0.5 * (1 + math.cos(step / 64)),
               "train/skipped_steps": 0, "train/views_per_second": 2500 + step, "train/wait_share": 0.01}
        file.write(json.dumps(row) + "\n")
        if step % 10 == 0:
            row = {"step": step, "epoch": step // 10, "wall_time": 1.79e9 + 7.5 * step, "epoch/loss": 5.2 - step * 0.001,
                   "epoch/top1": 0.4, "epoch/alignment": 0.5, "epoch/uniformity": -3.2, "epoch/rankme": 77.25,
                   "epoch/feature_std": 0.06}
            if not args.no_labels:
                row["epoch/knn_held_out_top1"] = 0.4123 + step * 0.0005
                if args.held_out:
                    row["epoch/knn_held_out_top1"] = round(row["epoch/knn_held_out_top1"] * args.held_out) / args.held_out
            file.write(json.dumps(row) + "\n")
(folder / "environment.json").write_text(json.dumps({
    "version": "0.1.0", "started": "2026-11-29T02:00:00Z", "host": EVIL if args.hostile else "machine",
    "processor": "a processor", "backend": "cpu", "precision": "bf16", "threads": 2,
    "data": {"description": EVIL if args.hostile else "folder of images", "images": 12345, "classes": args.classes,
             "bad_images": 6, "fingerprint": "0123456789abcdef"}}))
escaped = EVIL.replace("\t", "\\t").replace("\n", "\\n").replace("\u202e", "\\xe2\\x80\\xae")
(folder / "train.log").write_text("2026-11-29 02:00:00 info: begins\n" + (
    f"2026-11-29 02:00:00 info: kNN: the best checkpoint is chosen by {args.held_out} held-out training images, which 99 "
    "others classify\n" if args.held_out else "") + "".join(
    f"2026-11-29 02:00:0{i} warning: {i} photos of {escaped if args.hostile else 'a folder'} are blank\n" for i in range(3)))
if args.no_evaluation:
    sys.exit()


def figure(protocol, source, value, setting=None, metric="top1", labelled=1000, runs=None, images=2000):
    half = 1.96 * math.sqrt(value * (1 - value) / images)
    out = {"protocol": protocol, "metric": metric, "source": source, "value": value, "images": images,
           "over_images": {"low95": value - half, "high95": value + half, "method": "Wilson"}, "labelled_images": labelled,
           "without_leaks": value - 0.001, "seconds": 1.5}
    if setting:
        out["setting"] = setting
    if runs:
        out["runs"] = {"varied": "which images are labelled", "count": len(runs), "mean": sum(runs) / len(runs),
                       "low95": min(runs), "high95": max(runs), "method": "Student's t", "values": runs}
    return out


figures = []
for source, base in (("pixels", 0.3511), ("untrained", 0.2822), ("trained", 0.6133 + args.seed / 1000)):
    figures.append(figure("knn", source, base, "chosen"))
    figures.append(figure("linear", source, base + 0.1301))
    if source != "trained":
        figures[-1]["cut_fits"] = 1
    for count in (1, 5, 20):
        figures.append(figure("fewshot", source, base - 0.2 / count, f"{count} labels a class, logistic",
                              labelled=count * args.classes, runs=[base - 0.2 / count - d / 100 for d in range(4)]))
    if source != "pixels":
        for share in (1, 10, 100):
            figures.append(figure(f"finetune-{share}%", source, base + share / 1000, labelled=share * 10))
for share in (1, 10, 100):
    figures.append(figure("supervised", "untrained", 0.25 + share / 250, f"{share}% of the labels", labelled=share * 10))
figures.append({"protocol": "quality", "metric": "rankme", "source": "trained", "value": 91.125, "seconds": 1})
figures.append({"protocol": "later", "metric": "something new", "source": "trained", "value": 1, "seconds": 1})
names = [EVIL + str(i) if args.hostile else f"class {i}" for i in range(args.classes)]
evaluation = {
    "format": "simclr-evaluation", "version": 1, "protocol": "evaluate", "checkpoint": str(folder), "data": "set/",
    "train_images": 1000, "test_images": 2000, "classes": args.classes, "encoder_hash": "feedfacefeedface",
    "encoder_frozen": True, "seconds": 98.5, "protocols": ["knn", "linear"], "layers": [0],
    "leaks": {"equal": "pixels", "test_images": 7, "names": [EVIL if args.hostile else "test/a.png"]}, "figures": figures,
    "label_factor": {"value": 7.25, "accuracy": 0.6244, "is": "at least",
                     "runs": [{"value": 7.25, "accuracy": 0.6244, "is": "at least"}, {"value": 7.5, "accuracy": 0.62}, {"accuracy": 0.6}]},
    "comparisons": [{"protocol": "knn", "setting": "chosen", "metric": "top1", "trained": 0.6, "other": 0.59, "difference": 0.0123,
                     "low95": 0.0012, "high95": 0.0234, "test": "McNemar, exact", "p": 0.0321, "trained_is": "better",
                     "only_trained_right": 30, "only_other_right": 10}],
    "other_checkpoint": EVIL if args.hostile else "earlier/", "other_encoder_hash": "0",
    "linear_classifier": {
        "l2": 0.001, "temperature": 1.375,
        "bins_as_fitted": [{"images": 100, "confidence": 0.1 * i, "accuracy": 0.09 * i} for i in range(1, 11)],
        "bins_with_temperature": [{"images": 100, "confidence": 0.1 * i, "accuracy": 0.1 * i} for i in range(1, 11)],
        "classes": [{"name": name, "images": 100, "top1": 0.5 + i / (3 * args.classes), "low95": 0.4, "high95": 0.9}
                    for i, name in enumerate(names)],
        "confusion": [[i, i, 50] for i in range(args.classes)] + [[i, (i + 1) % args.classes, 10 + i] for i in range(args.classes)]},
    "quality_note": ""}
(folder / "evaluation" / "evaluation.json").write_text(json.dumps(evaluation))
