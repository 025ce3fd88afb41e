"""A run's folder: what TensorBoard and safetensors read of it."""
import json

from interop import need, read_safetensors


def pretrain(place):
    place.simclr("pretrain", "--data", "synthetic", "--synthetic-images", 64, "--depth", 18, "--width", "1/8", "--image-size", 16,
                 "--batch", 16, "--epochs", 2, "--log-every", 1, "--threads", 1, "--out", "run")


def test_tensorboard_lists_every_scalar(place):
    events = need("tensorboard.backend.event_processing.event_accumulator")
    pretrain(place)
    written = {}
    for line in (place / "run/metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        for name, value in row.items():
            if "/" in name and isinstance(value, (int, float)):
                written.setdefault(name, []).append((row["step"], value))
    reader = events.EventAccumulator(str(place / "run"), size_guidance={"scalars": 0})
    reader.Reload()
    assert set(reader.Tags()["scalars"]) == set(written), set(reader.Tags()["scalars"]) ^ set(written)
    for name, rows in written.items():
        theirs = [(event.step, event.value) for event in reader.Scalars(name)]
        assert [step for step, _ in theirs] == [step for step, _ in rows], name
        for (_, a), (_, b) in zip(theirs, rows):
            assert abs(a - b) <= 1e-6 * abs(b) + 1e-30, (name, a, b)


def test_safetensors_reads_checkpoint_and_export(place):
    library, _ = need("safetensors.numpy", "numpy")
    pretrain(place)
    files = [place / "run/exported/encoder.safetensors", *(place / "run/checkpoints").glob("step-*.safetensors")]
    assert len(files) > 1
    for path in files:
        theirs, (ours, _) = library.load_file(path), read_safetensors(path)
        assert set(theirs) == set(ours) and len(ours) > 100
        for name, value in ours.items():
            assert theirs[name].dtype == value.dtype and (theirs[name] == value).all(), name
