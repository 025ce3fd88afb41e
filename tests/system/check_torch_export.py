#!/usr/bin/env python3
"""Does PyTorch load what we export, and compute the same features from it?

Usage: check_torch_export.py PATH_TO_write_export
Exit code 77 (skipped) where torch and torchvision are not installed.

The reader below is written from the description of the format alone, so that it shares no mistake with our writer.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    import torchvision
except ImportError as missing:
    print(f"skipped: resnet18: {missing}\nskipped: resnet50: {missing}")
    print(f"2 checks, 0 failed, 2 skipped: {missing}")
    sys.exit(77)

TYPES = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64, "BF16": torch.bfloat16, "U8": torch.uint8}


def read_safetensors(path):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, info in header.items():
        begin, end = info["data_offsets"]
        raw = bytearray(data[8 + length + begin : 8 + length + end])
        tensors[name] = torch.frombuffer(raw, dtype=TYPES[info["dtype"]]).reshape(info["shape"])
    return tensors


def check(program, depth, size):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, str(depth), str(size), folder], check=True)
        exported = read_safetensors(pathlib.Path(folder) / "encoder.safetensors")
        ours = read_safetensors(pathlib.Path(folder) / "features.safetensors")
    model = getattr(torchvision.models, f"resnet{depth}")(weights=None)
    model.fc = torch.nn.Identity()  # its parameters leave the model: strict loading then means the encoder, all of it
    print(model.load_state_dict(exported, strict=True))
    for name, value in model.state_dict().items():
        assert value.dtype == exported[name].dtype, f"{name}: {exported[name].dtype} in the file"
    model = model.double().eval()
    with torch.no_grad():
        theirs = model(ours["images"].double())
    off = ((ours["h"].double() - theirs).norm() / theirs.norm()).item()
    spread = (theirs - theirs.mean(0)).norm() / theirs.norm()
    print(f"resnet{depth} at {size}: features {off:.2g} off (they differ between images by {spread:.2g})")
    assert off < 1e-5, "the features differ"
    assert spread > 1e-3, "the features do not depend on the images"


def main():
    torch.set_num_threads(1)
    for depth, size in ((18, 96), (50, 64)):
        check(sys.argv[1], depth, size)
    print("2 checks, 0 failed, 0 skipped")


main()
