"""What the tests of this folder share: the program, readers that may be missing, pictures and encoders to make.

A test is a function test_NAME(place) in a file test_*.py of this folder. `place` is a Place: a fresh folder, and the
program. A reader is got by need("pyarrow"): where it is not installed, the case is skipped by that name. Only the
standard library may be imported at the top of a file, so that every case is known, and named, on any machine.

    @cases(("resnet18", 18), ("resnet50", 50))      the function runs once for each row, with the rest as arguments
    def test_depths(place, depth): ...
"""
import importlib
import json
import pathlib
import struct
import subprocess
import zlib


class Skip(Exception):
    """A case that cannot run here, and why."""


def need(*names):
    """The modules of these names (one: itself). Skips the case where one is not installed."""
    found = []
    for name in names:
        try:
            found.append(importlib.import_module(name))
        except ImportError as problem:
            raise Skip(f"no module {name.split('.')[0]}") from problem
    return found[0] if len(found) == 1 else found


def cases(*rows):
    """Each row is a name and arguments: the function is a case for each of them."""

    def mark(function):
        function.rows = rows
        return function

    return mark


class Place:
    """A fresh folder for one case, the program, and the repository."""

    def __init__(self, folder, program, build):
        self.folder, self.program, self.build = pathlib.Path(folder), program, build
        self.root = pathlib.Path(__file__).resolve().parent.parent.parent

    def __truediv__(self, name):
        return self.folder / name

    def simclr(self, *words, code=0):
        """Runs the program in the folder. Returns what it printed; another exit code than `code` fails the case."""
        words = [str(word) for word in words]
        done = subprocess.run([self.program, *words], cwd=self.folder, capture_output=True, stdin=subprocess.DEVNULL)
        assert done.returncode == code, f"simclr {' '.join(words)}: exit {done.returncode}: {done.stderr.decode()[-600:]}"
        self.error = done.stderr.decode()
        return done.stdout.decode()

    def tool(self, name, *words):
        """Runs a program that the build made beside simclr."""
        subprocess.run([pathlib.Path(self.build) / name, *map(str, words)], cwd=self.folder, check=True)

    def features(self, encoder, images, *options):
        """[N][dim] float32 and the names, as `simclr embed` makes them in float32 with plain resizes."""
        numpy = need("numpy")
        self.simclr("embed", "--checkpoint", encoder, "--data", images, "--out", "features.npy", "--precision", "float32",
                    "--cpu", "portable", *options)
        return numpy.load(self / "features.npy"), (self / "features.txt").read_text().splitlines()


# ---- pictures ----
def write_png(path, rgb):
    """rgb: rows of bytes, each R G B R G B ..."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", len(rgb[0]) // 3, len(rgb), 8, 2, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rgb))
    pathlib.Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def make_pictures(folder, sizes, seed=1):
    """PNG files 0.png, 1.png, ... of (width, height) with waves and noise. Returns them as uint8 [H][W][3]."""
    numpy = need("numpy")
    random, made = numpy.random.default_rng(seed), []
    folder.mkdir(parents=True, exist_ok=True)
    for number, (width, height) in enumerate(sizes):
        y, x = numpy.mgrid[0:height, 0:width]
        planes = [numpy.sin(x * random.uniform(0.05, 0.6) + y * random.uniform(0.05, 0.6) + 6 * random.random()) for _ in range(3)]
        picture = 127.5 + 90 * numpy.stack(planes, -1) + random.normal(0, 20, (height, width, 3))
        made.append(picture.clip(0, 255).round().astype(numpy.uint8))
        write_png(folder / f"{number}.png", [row.tobytes() for row in made[-1]])
    return made


# ---- safetensors, from the description of the format alone ----
def write_safetensors(path, tensors, metadata=None):
    """tensors: name -> numpy array, float32, uint8 or int64."""
    kinds = {"float32": "F32", "uint8": "U8", "int64": "I64"}
    head, at = {"__metadata__": metadata} if metadata else {}, 0
    for name, value in tensors.items():
        head[name] = {"dtype": kinds[str(value.dtype)], "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(value.tobytes())


def read_safetensors(path):
    """name -> numpy array, and the metadata."""
    numpy = need("numpy")
    data = pathlib.Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    head, tensors = json.loads(data[8:8 + length]), {}
    metadata = head.pop("__metadata__", {})
    kinds = {"F32": "<f4", "U8": "u1", "I64": "<i8", "F64": "<f8"}
    for name, info in head.items():
        begin, end = (8 + length + offset for offset in info["data_offsets"])
        tensors[name] = numpy.frombuffer(data[begin:end], kinds[info["dtype"]]).reshape(info["shape"])
    return tensors, metadata


# ---- encoders of random weights, without our own code ----
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def encoder_tensors(depth, width=1.0, stem="imagenet", seed=1):
    """A ResNet under torchvision's names. Every number matters: no gamma is 0 and no statistic trivial."""
    numpy = need("numpy")
    random, tensors = numpy.random.default_rng(seed), {}

    def conv(name, out, inside, kernel):
        scale = (2.0 / (inside * kernel * kernel)) ** 0.5
        tensors[name + ".weight"] = random.standard_normal((out, inside, kernel, kernel), "float32") * numpy.float32(scale)

    def norm(name, count, gain=1.0):
        tensors[name + ".weight"] = (gain * random.uniform(0.5, 1.5, count)).astype("float32")
        tensors[name + ".bias"] = random.normal(0, 0.2, count).astype("float32")
        tensors[name + ".running_mean"] = random.normal(0, 0.2, count).astype("float32")
        tensors[name + ".running_var"] = random.uniform(0.5, 2, count).astype("float32")
        tensors[name + ".num_batches_tracked"] = numpy.array(seed, "int64")

    base, bottleneck = int(64 * width), depth >= 50
    conv("conv1", base, 3, 3 if stem == "cifar" else 7)
    norm("bn1", base)
    inside = base
    for stage, blocks in enumerate(BLOCKS[depth]):
        channels = base << stage
        out = channels * (4 if bottleneck else 1)
        for block in range(blocks):
            name = f"layer{stage + 1}.{block}"
            steps = [(channels, 1), (channels, 3), (out, 1)] if bottleneck else [(channels, 3), (out, 3)]
            before = inside
            for number, (after, kernel) in enumerate(steps, 1):
                conv(f"{name}.conv{number}", after, before, kernel)
                norm(f"{name}.bn{number}", after, 0.3 if number == len(steps) else 1.0)
                before = after
            if block == 0 and (inside != out or stage > 0):
                conv(f"{name}.downsample.0", out, inside, 1)
                norm(f"{name}.downsample.1", out)
            inside = out
    return tensors


def make_encoder(folder, depth, width=1.0, stem="imagenet", size=64, mean=(0, 0, 0), std=(1, 1, 1), seed=1):
    """encoder.safetensors and the config.json beside it that says what images it takes. Returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    write_safetensors(folder / "encoder.safetensors", encoder_tensors(depth, width, stem, seed), {"format": "pt"})
    input_of = {"input_size": [3, size, size], "mean": list(mean), "std": list(std), "interpolation": "bicubic"}
    (folder / "config.json").write_text(json.dumps({"pretrained_cfg": input_of}))
    return folder / "encoder.safetensors"


# ---- comparing ----
def distance(a, b):
    """The norm of the difference, relative to that of b. Not finite, or of another shape: fails."""
    numpy = need("numpy")
    a, b = numpy.asarray(a, "float64"), numpy.asarray(b, "float64")
    assert a.shape == b.shape, f"shapes {a.shape} and {b.shape}"
    assert numpy.isfinite(a).all() and numpy.isfinite(b).all(), "not finite"
    return float(numpy.linalg.norm(a - b) / numpy.linalg.norm(b))


def spread(rows):
    """How far the rows differ from their mean, relative to them: 0 where a network does not look at its input."""
    numpy = need("numpy")
    rows = numpy.asarray(rows, "float64")
    return float(numpy.linalg.norm(rows - rows.mean(0)) / numpy.linalg.norm(rows))
