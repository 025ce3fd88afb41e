#!/usr/bin/env python3
"""Makes tests/golden/data/views.safetensors: small golden tensors for the resize and the view operations.

Needs PyTorch, torchvision, numpy and safetensors; nothing of it is needed to build or test. Everything is computed
in float64 by torch.nn.functional.interpolate(antialias=True) and torchvision.transforms.v2.functional, from inputs
that this script draws itself with a fixed seed, and stored as float32 (images [H][W][3]):

    photoI                          uint8 source
    photoI.cropJ.box_xywh, .size, .bicubic, .out
    photoI.base                     float image, the input of all that follows
    photoI.{brightness,contrast,saturation,hue}J.factor, .out
    photoI.jitterJ.order, .factors, .out     0 brightness, 1 contrast, 2 saturation, 3 hue
    photoI.gray
    photoI.blurJ.kernel_sigma, .out
    photoI.rotateJ.quarters, .out
    photoI.sobelJ.strength, .out
    photoI.noiseJ.key (two 32-bit words, the lower first), .sigma, .out
    photoI.cutoutJ.hole_xywh, .fill, .out

Usage: tools/make_golden_views.py [OUTPUT]
"""
import itertools
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torchvision.transforms import functional as F

GENERATOR = np.random.default_rng(20020705)
CHANGES = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
NAMES = ("brightness", "contrast", "saturation", "hue")


def photo(height, width):
    """Smooth colours with edges and some noise; saturated places, gray places, black and white."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = [np.sin(2 * np.pi * (GENERATOR.uniform(-3, 3) * x + GENERATOR.uniform(-3, 3) * y + GENERATOR.uniform()))
             for _ in range(3)]
    image = 0.5 + 0.5 * np.stack(waves, -1) + GENERATOR.normal(0, 0.05, (height, width, 3))
    image[: height // 4, : width // 4] = image[: height // 4, : width // 4].mean(-1, keepdims=True)
    image[height // 2: height // 2 + 4, : width // 3] = (1, 0, 0)
    image[-5:, -5:] = 0
    image[-5:, :5] = 1
    return np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)


def planar(image):
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).double()


def store(tensors, name, value):
    tensors[name] = np.ascontiguousarray(value.numpy().transpose(1, 2, 0).astype(np.float32))


def crop(tensors, name, source, box, size, bicubic):
    x, y, width, height = box
    cut = planar(source[y:y + height, x:x + width])[None] / 255
    out = torch.nn.functional.interpolate(cut, (size, size), mode="bicubic" if bicubic else "bilinear",
                                          align_corners=False, antialias=True)
    tensors[name + ".box_xywh"] = np.array(box, np.int64)
    tensors[name + ".size"] = np.array([size], np.int64)
    tensors[name + ".bicubic"] = np.array([int(bicubic)], np.int64)
    store(tensors, name + ".out", out[0].clamp(0, 1))


def operations(tensors, prefix, base):
    tensors[prefix + ".base"] = base
    image = planar(base)
    for operation, factors in enumerate(((0.3, 1.7), (0.3, 1.7), (0.2, 1.8), (-0.2, 0.13))):
        for j, factor in enumerate(factors):
            name = f"{prefix}.{NAMES[operation]}{j}"
            tensors[name + ".factor"] = np.array([factor])
            store(tensors, name + ".out", CHANGES[operation](image, factor))
    for j, order in enumerate(list(itertools.permutations(range(4)))[5::9]):
        factors = np.append(GENERATOR.uniform(0.2, 1.8, 3), GENERATOR.uniform(-0.2, 0.2))
        out = image
        for operation in order:
            out = CHANGES[operation](out, factors[operation])
        tensors[f"{prefix}.jitter{j}.order"] = np.array(order, np.int64)
        tensors[f"{prefix}.jitter{j}.factors"] = factors
        store(tensors, f"{prefix}.jitter{j}.out", out)
    store(tensors, prefix + ".gray", F.rgb_to_grayscale(image, 3))
    for j, (kernel, sigma) in enumerate(((3, 0.1), (3, 2.0), (7, 0.8), (15, 2.0))):
        tensors[f"{prefix}.blur{j}.kernel_sigma"] = np.array([kernel, sigma])
        store(tensors, f"{prefix}.blur{j}.out", F.gaussian_blur(image, kernel, sigma))


def philox(key, blocks):
    """Philox4x32-10 (Salmon et al. 2011) of counters (0..blocks-1, 0, 0, 0): uint64 [blocks][4] of 32-bit words."""
    counter = np.zeros((blocks, 4), np.uint64)
    counter[:, 0] = np.arange(blocks)
    k0, k1, low, half = int(key[0]), int(key[1]), np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        a, b = counter[:, 0] * np.uint64(0xD2511F53), counter[:, 2] * np.uint64(0xCD9E8D57)
        counter = np.stack(((b >> half) ^ counter[:, 1] ^ np.uint64(k0), b & low,
                            (a >> half) ^ counter[:, 3] ^ np.uint64(k1), a & low), -1)
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return counter


def normals(key, count):
    """N(0, 1) by Box and Muller, two from each pair of words."""
    unit = (philox(key, (count + 3) // 4) >> np.uint64(8)).astype(np.float64) * 2.0**-24
    radius = np.sqrt(-2 * np.log(1 - unit[:, 0::2]))
    turn = 2 * np.pi * unit[:, 1::2]
    return np.stack((radius * np.cos(turn), radius * np.sin(turn)), -1).reshape(-1)[:count]


def sobel(image, strength):
    """image [H][W][3] in float64; the gray weights are torchvision's."""
    gray = np.pad(image @ np.array((0.2989, 0.587, 0.114)), 1, mode="reflect")
    smooth, step = np.array((1, 2, 1)), np.array((-1, 0, 1))
    height, width = image.shape[:2]
    across, down = (sum(kernel[i, j] * gray[i:i + height, j:j + width] for i in range(3) for j in range(3))
                    for kernel in (np.outer(smooth, step), np.outer(step, smooth)))
    edges = np.minimum(strength / 4 * np.hypot(across, down), 1)
    return np.repeat(edges[:, :, None], 3, -1)


def study(tensors, prefix, base):
    """The operations of the paper's Figure 4 that torchvision has no function for, in numpy and float64."""
    image = base.astype(np.float64)
    size = len(base)

    def keep(name, out):
        tensors[f"{prefix}.{name}.out"] = np.ascontiguousarray(out.astype(np.float32))

    for quarters in range(4):
        tensors[f"{prefix}.rotate{quarters}.quarters"] = np.array([quarters], np.int64)
        keep(f"rotate{quarters}", np.rot90(image, quarters))
    for j, strength in enumerate((1.0, 0.3, 4.0)):
        tensors[f"{prefix}.sobel{j}.strength"] = np.array([strength])
        keep(f"sobel{j}", sobel(image, strength))
    for j, (key, sigma) in enumerate((((1, 2), 0.1), ((0xDEADBEEF, 0xFFFFFFFF), 0.5))):
        noise = normals(key, image.size).reshape(3, size, size).transpose(1, 2, 0)
        tensors[f"{prefix}.noise{j}.key"] = np.array(key, np.int64)
        tensors[f"{prefix}.noise{j}.sigma"] = np.array([sigma])
        keep(f"noise{j}", np.clip(image + sigma * noise, 0, 1))
    for j, (x, y, width, height, fill) in enumerate(((0, 0, 5, 4, (0, 0, 0)), (9, 3, 8, 14, (0.485, 0.456, 0.406)))):
        out = image.copy()
        out[y:y + height, x:x + width] = fill
        tensors[f"{prefix}.cutout{j}.hole_xywh"] = np.array((x, y, width, height), np.int64)
        tensors[f"{prefix}.cutout{j}.fill"] = np.array(fill, np.float64)
        keep(f"cutout{j}", out)


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/data/views.safetensors"
    tensors = {}
    for i, (height, width) in enumerate(((61, 83), (90, 47))):
        source = photo(height, width)
        tensors[f"photo{i}"] = source
        boxes = [(0, 0, width, height), (width - 31, height - 17, 31, 17), (0, height - 40, 9, 40), (5, 3, 40, 33)]
        for j, (box, size) in enumerate(zip(boxes, (24, 33, 17, 9))):
            crop(tensors, f"photo{i}.crop{j}", source, box, size, bicubic=j % 2 == 0)
        operations(tensors, f"photo{i}", (source[10:27, 8:25] / np.float32(255)).astype(np.float32))
        study(tensors, f"photo{i}", tensors[f"photo{i}.base"])
    save_file(tensors, path)


if __name__ == "__main__":
    main()
