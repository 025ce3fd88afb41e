"""An encoder that was trained by simclr (SimCLR in C), in plain PyTorch.

This file, model.safetensors and config.json beside it are all that there is. It needs torch and numpy, and Pillow where
preprocess is given a picture or a path.

    import model                                   # this file; it may lie anywhere
    network = model.load("folder/of/this/file")
    x = model.preprocess("cat.jpg", network)       # [3, S, S]: the input that the encoder was trained for
    h = network(x[None])                           # features [1, D]
    p = network.probabilities(x[None])             # [1, C], where there is a classifier; names: network.classes

The network is a torch.nn.Module in evaluation mode. Its parameters have torchvision's names.
"""
import json
import pathlib

import numpy
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent


class Block(nn.Module):
    """A residual block of torchvision's: two 3x3 convolutions, or 1x1, 3x3 and 1x1; the stride is in a 3x3."""

    def __init__(self, shapes, name, stride):
        super().__init__()
        kernels, last = [3, 3], 2
        if f"{name}.conv3.weight" in shapes:
            kernels, last = [1, 3, 1], 3
        strided = 2 if last == 3 else 1
        for i, kernel in enumerate(kernels, 1):
            out, inside = shapes[f"{name}.conv{i}.weight"][:2]
            step = stride if i == strided else 1
            self.add_module(f"conv{i}", nn.Conv2d(inside, out, kernel, step, kernel // 2, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(out))
        self.downsample = None
        if f"{name}.downsample.0.weight" in shapes:
            out, inside = shapes[f"{name}.downsample.0.weight"][:2]
            self.downsample = nn.Sequential(nn.Conv2d(inside, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.last = last

    def forward(self, x):
        y = x
        for i in range(1, self.last + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            if i < self.last:
                y = torch.relu(y)
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Depth, width and stem are those of the shapes. A stem of 3x3 has stride 1 and no pool."""

    def __init__(self, shapes):
        super().__init__()
        base, _, kernel, _ = shapes["conv1.weight"]
        self.conv1 = nn.Conv2d(3, base, kernel, 1 if kernel == 3 else 2, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        self.maxpool = nn.Identity() if kernel == 3 else nn.MaxPool2d(3, 2, 1)
        for stage in range(1, 5):
            blocks = 0
            while f"layer{stage}.{blocks}.conv1.weight" in shapes:
                blocks += 1
            strides = [1 if stage == 1 else 2] + [1] * (blocks - 1)
            made = [Block(shapes, f"layer{stage}.{i}", stride) for i, stride in enumerate(strides)]
            self.add_module(f"layer{stage}", nn.Sequential(*made))

    def encode(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


class AlexNet(nn.Module):
    """torchvision's, without its last layer."""

    def __init__(self, shapes):
        super().__init__()
        convs, settings = [], {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}
        for number, (stride, padding) in settings.items():
            out, inside, kernel, _ = shapes[f"features.{number}.weight"]
            convs += [nn.Conv2d(inside, out, kernel, stride, padding), nn.ReLU()]
            convs += [nn.MaxPool2d(3, 2)] if number in (0, 3, 10) else []
        self.features = nn.Sequential(*convs)
        units, wide = shapes["classifier.1.weight"]
        layers = [nn.Dropout(), nn.Linear(wide, units), nn.ReLU(), nn.Dropout(), nn.Linear(units, units), nn.ReLU()]
        self.classifier = nn.Sequential(*layers)

    def encode(self, x):
        return self.classifier(nn.functional.adaptive_avg_pool2d(self.features(x), 6).flatten(1))


class Head(nn.Module):
    """Layers of the projection head on which a classifier stands: the last of all layers has neither shift nor ReLU."""

    def __init__(self, shapes):
        super().__init__()
        self.fcs, self.bns = nn.ModuleList(), nn.ModuleList()
        while f"head.fcs.{len(self.fcs)}.weight" in shapes:
            out, inside = shapes[f"head.fcs.{len(self.fcs)}.weight"]
            self.fcs.append(nn.Linear(inside, out, bias=False))
            self.bns.append(nn.BatchNorm1d(out))
        self.shifted = [f"head.bns.{i}.bias" in shapes for i in range(len(self.bns))]

    def forward(self, h):
        for fc, bn, shifted in zip(self.fcs, self.bns, self.shifted):
            h = bn(fc(h))
            h = torch.relu(h) if shifted else h
        return h


class Network(nn.Module):
    """forward gives features; logits and probabilities need a classifier, whose classes have the names `classes`."""

    def __init__(self, shapes, config):
        super().__init__()
        self.encoder = AlexNet(shapes) if "features.0.weight" in shapes else ResNet(shapes)
        self.head = Head(shapes)
        self.fc = nn.Linear(*reversed(shapes["fc.weight"])) if "fc.weight" in shapes else None
        self.classes = config.get("label_names", [])
        self.temperature = config["simclr"].get("temperature", 1.0)
        self.config = config

    def forward(self, x):
        return self.encoder.encode(x)

    def logits(self, x):
        if self.fc is None:
            raise ValueError("this encoder was exported without a classifier")
        return self.fc(self.head(self(x)))

    def probabilities(self, x):
        return torch.softmax(self.logits(x) / self.temperature, 1)


def read_safetensors(path):
    """name -> tensor; the format is 8 bytes of length, that much JSON, and the numbers."""
    kinds = {"F32": torch.float32, "I64": torch.int64}
    data = pathlib.Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, info in json.loads(data[8:start]).items():
        if name != "__metadata__":
            begin, end = info["data_offsets"]
            values = torch.frombuffer(bytearray(data[start + begin:start + end]), dtype=kinds[info["dtype"]])
            tensors[name] = values.reshape(info["shape"])
    return tensors


def load(folder=HERE):
    """The network of a folder, in evaluation mode on the CPU."""
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tensors = read_safetensors(folder / "model.safetensors")
    network = Network({name: tuple(value.shape) for name, value in tensors.items()}, config)
    ours = {}
    for name, value in tensors.items():
        if not name.startswith(("head.", "fc.")):
            name = "encoder." + name
        ours[name] = value
    for i, bn in enumerate(network.head.bns):  # the last one is written without its shift
        ours.setdefault(f"head.bns.{i}.bias", torch.zeros_like(bn.bias))
        ours.setdefault(f"head.bns.{i}.num_batches_tracked", torch.tensor(0))
    network.load_state_dict(ours)
    return network.eval()


# ---- the input: the same pixels as simclr makes of a picture ----
def weights(inputs, outputs, bilinear):
    """[outputs, inputs] of an antialiased resize: Keys' cubic with a = -1/2 or a triangle, as wide as the reduction."""
    scale = inputs / outputs
    stretch = max(scale, 1.0)
    support = (1.0 if bilinear else 2.0) * stretch
    matrix = numpy.zeros((outputs, inputs))
    for i in range(outputs):
        centre = (i + 0.5) * scale
        first, end = max(0, int(centre - support + 0.5)), min(inputs, int(centre + support + 0.5))
        d = numpy.abs((numpy.arange(first, end) - centre + 0.5) / stretch)
        if bilinear:
            w = numpy.maximum(1 - d, 0)
        else:
            far = numpy.where(d < 2, ((-0.5 * d + 2.5) * d - 4) * d + 2, 0)
            w = numpy.where(d < 1, (1.5 * d - 2.5) * d * d + 1, far)
        matrix[i, first:end] = w / w.sum()
    return matrix


def plain_exif(exif):
    return exif[6:] if exif.startswith(b"Exif\0\0") else exif


def orientation(exif):
    """1 to 8, of the bytes of EXIF: the entry 274 of the first directory. 1 where it is not there or damaged."""
    exif = plain_exif(exif)
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return 1

    def number(at, count):
        return int.from_bytes(exif[at:at + count], order)

    directory = number(4, 4)
    if not 8 <= directory <= len(exif) - 2:
        return 1
    entries = min(number(directory, 2), (len(exif) - directory - 2) // 12)
    for at in range(directory + 2, directory + 2 + 12 * entries, 12):
        if number(at, 2) == 274:
            kind, value = number(at + 2, 2), number(at + 8, 2 if number(at + 2, 2) == 3 else 4)
            return value if kind in (3, 4) and number(at + 4, 4) == 1 and 1 <= value <= 8 else 1
    return 1


def upright(image):
    """The Pillow picture, turned by what simclr goes by: EXIF, of a PNG before its pixels. XMP turns nothing.

    ImageOps.exif_transpose goes by a PNG's XMP, texts and late EXIF too, once the pixels are loaded."""
    from PIL import Image

    if image.format == "TIFF":
        image.load()  # Pillow turns a TIFF itself as it loads it, and Pillow 9 knows its sides only then
        return image
    turns = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 5: Image.TRANSPOSE,
             6: Image.ROTATE_270, 7: Image.TRANSVERSE, 8: Image.ROTATE_90}
    exif = image.info.get("exif") or b""  # what is known before the pixels are loaded
    turn = turns.get(orientation(plain_exif(exif) if image.format == "PNG" else exif))  # Pillow adds a PNG's words
    return image if turn is None else image.transpose(turn)


def as_pixels(image):
    """uint8 [H, W, 3] of a path, a Pillow picture or such an array. Pictures are turned upright; alpha is dropped."""
    if isinstance(image, (str, pathlib.Path)):
        from PIL import Image

        image = Image.open(image)
    if hasattr(image, "convert"):
        deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")  # I: before Pillow 10.3
        image = upright(image)
        if deep:
            gray = (numpy.asarray(image) >> 8).astype(numpy.uint8)
            return numpy.stack([gray] * 3, -1)
        image = numpy.asarray(image.convert("RGB"))
    image = numpy.asarray(image)
    if image.dtype != numpy.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a picture is uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
    return image


def preprocess(image, network=None):
    """float32 [3, S, S] of a picture: the middle square of 87.5 % of the shorter side (up to 32 pixels: the whole
    picture), resized without rounding to 8 bits, then mean and deviation."""
    config = json.loads((HERE / "config.json").read_text(encoding="utf-8")) if network is None else network.config
    taken = config["pretrained_cfg"]
    size, pixels = taken["input_size"][1], as_pixels(image)
    height, width = pixels.shape[:2]
    if size > 32:
        side = min(max(round(0.875 * min(width, height)), 1), min(width, height))
        top, left = (height - side) // 2, (width - side) // 2
        pixels = pixels[top:top + side, left:left + side]
        height = width = side
    bilinear = taken["interpolation"] == "bilinear"
    rows = numpy.tensordot(weights(height, size, bilinear), pixels.astype(numpy.float64) / 255, (1, 0))
    view = numpy.tensordot(weights(width, size, bilinear), rows, (1, 1)).transpose(2, 1, 0)
    view = numpy.clip(view, 0, 1)
    mean, std = (numpy.array(taken[key]).reshape(3, 1, 1) for key in ("mean", "std"))
    return torch.from_numpy(((view - mean) / std).astype(numpy.float32))
