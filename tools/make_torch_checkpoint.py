#!/usr/bin/env python3
"""An exported encoder as a checkpoint of another program.

    make_torch_checkpoint.py ENCODER.safetensors STYLE OUT.pth     one of `styles` or `hostile` below
    make_torch_checkpoint.py ENCODER.safetensors all FOLDER        each of them as FOLDER/STYLE.pth
    make_torch_checkpoint.py --corpus FOLDER                       tests/fuzz/corpus/pickle, of a few tiny tensors

The files are those of torch.save (a zip archive of a pickle and of storages), written by hand: PyTorch is not needed.
Names, types and extras are those that the programs write. Values are the encoder's, bit for bit where their type is
kept. Hostile files must be refused, or, where they would run something in Python, leave no trace.
"""
import io
import json
import struct
import sys
import zipfile
import zlib


# ---- an exported encoder ------------------------------------------------------------------------------------------

def read_safetensors(path):
    """[(name, type, shape, bytes)] in the order of torchvision's state dict."""
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8:8 + length])
    head.pop("__metadata__", None)
    tensors = []
    for name, entry in head.items():
        first, last = entry["data_offsets"]
        tensors.append((name, {"F32": "Float", "I64": "Long"}[entry["dtype"]], entry["shape"],
                        data[8 + length + first:8 + length + last]))
    order = {"conv1": 0, "bn1": 1}
    return sorted(tensors, key=lambda t: (order.get(t[0].split(".")[0], 2), t[0]))


# ---- a pickle, written opcode by opcode ---------------------------------------------------------------------------

class Global:
    def __init__(self, module, name):
        self.module, self.name = module, name


class Call:
    """callable(*arguments), then state to set, as REDUCE and BUILD; new: by NEWOBJ."""

    def __init__(self, callable, arguments=(), state=None, new=False, pairs=None):
        self.callable, self.arguments, self.state, self.new, self.pairs = callable, arguments, state, new, pairs


class Ordered(dict):
    """collections.OrderedDict"""


class Raw:
    """Opcodes as they are; they push one value."""

    def __init__(self, code):
        self.code = code


class Persistent:
    def __init__(self, identity):
        self.identity = identity


class Tensor:
    def __init__(self, kind, shape, data, strides=None, offset=0, key=None, numel=None, parameter=False):
        self.kind, self.shape, self.data, self.offset, self.key = kind, list(shape), data, offset, key
        self.strides, self.numel, self.parameter = strides, numel, parameter


SIZES = {"Float": 4, "Double": 8, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Byte": 1, "ComplexFloat": 8}


class Writer:
    def __init__(self, protocol=2):
        self.protocol, self.out, self.storages, self.memos = protocol, bytearray(b"\x80" + bytes([protocol])), {}, 0

    def text(self, value):
        data = value.encode("utf-8", "surrogateescape")
        if self.protocol >= 4 and len(data) < 256:
            self.out += b"\x8c" + bytes([len(data)]) + data
        else:
            self.out += b"X" + struct.pack("<I", len(data)) + data

    def memo(self):
        if self.protocol >= 4:
            self.out += b"\x94"
        elif self.memos < 256:
            self.out += b"q" + bytes([self.memos])
        else:
            self.out += b"r" + struct.pack("<I", self.memos)
        self.memos += 1

    def integer(self, value):
        if 0 <= value < 256:
            self.out += b"K" + bytes([value])
        elif 0 <= value < 65536:
            self.out += b"M" + struct.pack("<H", value)
        elif -2**31 <= value < 2**31:
            self.out += b"J" + struct.pack("<i", value)
        else:
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            self.out += b"\x8a" + bytes([len(data)]) + data

    def sequence(self, values, empty, append):
        self.out += empty
        self.memo()
        if values:
            self.out += b"("
            for value in values:
                self.value(value)
            self.out += append

    def pairs(self, pairs):
        pairs = list(pairs)
        for first in range(0, len(pairs), 1000):  # as pickle does
            self.out += b"("
            for key, value in pairs[first:first + 1000]:
                self.value(key)
                self.value(value)
            self.out += b"u"

    def tuple(self, values):
        if len(values) > 3:
            self.out += b"("
        for value in values:
            self.value(value)
        self.out += [b")", b"\x85", b"\x86", b"\x87"][len(values)] if len(values) <= 3 else b"t"

    def name(self, value):
        if self.protocol >= 4:
            self.text(value.module)
            self.text(value.name)
            self.out += b"\x93"
        else:
            self.out += f"c{value.module}\n{value.name}\n".encode()

    def call(self, value):
        self.value(value.callable)
        self.tuple(value.arguments)
        self.out += b"\x81" if value.new else b"R"
        self.memo()
        if value.pairs:
            self.pairs(value.pairs.items())
        if value.state is not None:
            self.value(value.state)
            self.out += b"b"

    def tensor(self, value):
        key = value.key if value.key is not None else str(len(self.storages))
        if value.data is not None:
            self.storages.setdefault(key, value.data)
        strides = value.strides
        if strides is None:
            strides, step = [], 1
            for extent in reversed(value.shape):
                strides.insert(0, step)
                step *= extent
        numel = value.numel if value.numel is not None else len(value.data) // SIZES[value.kind]
        storage = Persistent(("storage", Global("torch", value.kind + "Storage"), key, "cpu", numel))
        arguments = (storage, value.offset, tuple(value.shape), tuple(strides), False, Call(ORDERED))
        made = Call(Global("torch._utils", "_rebuild_tensor_v2"), arguments)
        if value.parameter:
            made = Call(Global("torch._utils", "_rebuild_parameter"), (made, True, Call(ORDERED)))
        self.value(made)

    def value(self, value):
        if value is None:
            self.out += b"N"
        elif isinstance(value, bool):
            self.out += b"\x88" if value else b"\x89"
        elif isinstance(value, int):
            self.integer(value)
        elif isinstance(value, float):
            self.out += b"G" + struct.pack(">d", value)
        elif isinstance(value, str):
            self.text(value)
            self.memo()
        elif isinstance(value, Ordered):
            self.call(Call(ORDERED, (), None, False, value))
        elif isinstance(value, dict):
            self.out += b"}"
            self.memo()
            self.pairs(value.items())
        elif isinstance(value, list):
            self.sequence(value, b"]", b"e")
        elif isinstance(value, tuple):
            self.tuple(value)
        elif isinstance(value, set):
            self.value(Call(Global("__builtin__", "set"), (sorted(value),)))
        elif isinstance(value, Global):
            self.name(value)
        elif isinstance(value, Call):
            self.call(value)
        elif isinstance(value, Persistent):
            self.tuple(value.identity)
            self.out += b"Q"
        elif isinstance(value, Tensor):
            self.tensor(value)
        elif isinstance(value, Raw):
            self.out += value.code
        else:
            raise TypeError(type(value))


ORDERED = Global("collections", "OrderedDict")


def members_of(value, protocol=2, byteorder=b"little", spoil=None):
    """[(name, bytes)] of the archive; spoil(members): what is written instead."""
    writer = Writer(protocol)
    writer.value(value)
    writer.out += b"."
    members = [("data.pkl", bytes(writer.out)), ("byteorder", byteorder)]
    members += [("data/" + key, bytes(data)) for key, data in writer.storages.items()]
    members += [("version", b"3\n"), (".data/serialization_id", b"0" * 40)]
    return spoil(members) if spoil else members


def clear_checksums(data):
    """All CRCs become 0, as PyTorch writes them where it is told to compute none."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            struct.pack_into("<I", data, info.header_offset + 14, 0)
        at = archive.start_dir
    while data[at:at + 4] == b"PK\1\2":
        struct.pack_into("<I", data, at + 16, 0)
        at += 46 + sum(struct.unpack_from("<HHH", data, at + 28))
    return data


def write(path, value, folder="archive", deflated=False, checksums=True, **options):
    method, out = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED, io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members_of(value, **options):
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}" if folder else name), data, method)
    data = bytearray(out.getvalue())
    with open(path, "wb") as file:
        file.write(data if checksums else clear_checksums(data))


# ---- the styles ---------------------------------------------------------------------------------------------------

def state(tensors, prefix="", rename=lambda name: name, make=lambda t: Tensor(t[1], t[2], t[3])):
    return Ordered((prefix + rename(t[0]), make(t)) for t in tensors)


def floats(*shape):
    count = 1
    for extent in shape:
        count *= extent
    return Tensor("Float", shape, struct.pack("<f", 0.5) * count)


def sequential(first):
    numbers = {"conv1": "0", "bn1": "1"} | {f"layer{i}": str(first + i - 1) for i in range(1, 5)}

    def rename(name):
        head, rest = name.split(".", 1)
        return numbers[head] + "." + rest
    return rename


def extras():
    """What training programs keep beside their tensors: objects of any class, values of NumPy, functions."""
    scalar = Call(Global("numpy.core.multiarray", "scalar"),
                  (Call(Global("numpy", "dtype"), ("f8", False, True), (3, "<", None, None, None, -1, -1, 0)),
                   Call(Global("_codecs", "encode"), ("\x00\x00\u0080?", "latin1"))))
    return {
        "args": Call(Global("argparse", "Namespace"), (), {"lr": 0.03, "arch": "resnet18", "dist": None}, new=True),
        "schedule": Call(Global("functools", "partial"), (Global("__main__", "cosine"),),
                         (Global("__main__", "cosine"), (), {"steps": 100}, None)),
        "best": scalar,
        "callback": Call(Global("my_project.callbacks", "Custom\u00e9"), (), {"weight": 3}, new=True),
        "seen": {1, 2, 3},
        "big": 2**80,
    }


def half(data):
    values = struct.unpack(f"<{len(data) // 4}f", data)
    return struct.pack(f"<{len(values)}e", *values)


def bfloat(data):
    return b"".join(data[i + 2:i + 4] for i in range(0, len(data), 4))


def double(data):
    values = struct.unpack(f"<{len(data) // 4}f", data)
    return struct.pack(f"<{len(values)}d", *values)


def typed(kind, convert):
    return lambda t: Tensor(kind, t[2], convert(t[3])) if t[1] == "Float" else Tensor(*t[1:])


def channels_last(t):
    """A convolution's weights as memory_format=torch.channels_last keeps them."""
    if len(t[2]) != 4:
        return Tensor(*t[1:])
    o, c, h, w = t[2]
    data = bytearray(len(t[3]))
    for i in range(o):
        for j in range(c):
            for y in range(h):
                for x in range(w):
                    here, there = ((i * c + j) * h + y) * w + x, ((i * h + y) * w + x) * c + j
                    data[4 * there:4 * there + 4] = t[3][4 * here:4 * here + 4]
    return Tensor(t[1], t[2], bytes(data), [c * h * w, 1, w * c, c])


def shared(tensors):
    """All float tensors in one storage, as some trainers flatten them."""
    whole, places = bytearray(), {}
    for t in tensors:
        if t[1] == "Float":
            places[t[0]] = len(whole) // 4
            whole += t[3]
    flat = bytes(whole)
    return Ordered((t[0], Tensor("Float", t[2], flat, offset=places[t[0]], key="flat") if t[1] == "Float"
                    else Tensor(*t[1:])) for t in tensors)


def module(tensors):
    """torch.save(model): the module itself, whose class nobody has."""
    def node():
        return {"training": True, "_parameters": Ordered(), "_buffers": Ordered(), "_modules": Ordered()}

    root = node()
    for t in tensors:
        here = root
        *way, last = t[0].split(".")
        for word in way:
            here = here["_modules"].setdefault(word, node())
        kind = "_buffers" if last.startswith(("running", "num")) else "_parameters"
        made = Tensor(*t[1:])
        made.parameter = kind == "_parameters"
        here[kind][last] = made

    def build(here, name):
        here["_modules"] = Ordered((k, build(v, k)) for k, v in here["_modules"].items())
        return Call(Global("my_models", "Part"), (), here, new=True)
    return build(root, "model")


def styles(tensors):
    optimizer = {"state": {0: {"momentum_buffer": floats(64, 3, 7, 7), "step": 10}},
                 "param_groups": [{"lr": 0.1, "params": [0, 1]}]}
    return {
        "torchvision": dict(value=Ordered(**state(tensors), **{"fc.weight": floats(10, 8), "fc.bias": floats(10)})),
        "lightly": dict(value=state(tensors, "backbone.", sequential(4)) | Ordered(
            {"projection_head.layers.0.weight": floats(8, 8), "projection_head.layers.1.running_mean": floats(8)})),
        "lightly-cifar": dict(value={"state_dict": state(tensors, "backbone.", sequential(2))}),
        "no-max-pool": dict(value={"model": state(tensors, "module.f.", sequential(3))}),
        "solo-learn": dict(value={
            "epoch": 399, "global_step": 1000, "pytorch-lightning_version": "1.6.4",
            "state_dict": state(tensors, "backbone.") | state(tensors, "momentum_backbone.") |
            Ordered({"projector.0.weight": floats(8, 8), "classifier.weight": floats(10, 8), "queue": floats(2, 8)}),
            "hyper_parameters": Call(Global("omegaconf.dictconfig", "DictConfig"), (), {"_content": {}}, new=True),
            **extras()}),
        "moco": dict(value={"epoch": 200, "arch": "resnet18", "optimizer": optimizer,
                            "state_dict": state(tensors, "module.encoder_q.") | state(tensors, "module.encoder_k.") |
                            Ordered({"module.queue": floats(8, 4), "module.encoder_q.fc.0.weight": floats(8, 8),
                                     "module.queue_ptr": Tensor("Long", [1], struct.pack("<q", 5))})}),
        "lightning": dict(value={"epoch": 9, "state_dict": state(tensors, "model.encoder."),
                                 "optimizer_states": [optimizer], "lr_schedulers": [],
                                 "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_k_models": {}}},
                                 "hyper_parameters": extras(), **extras()}),
        "kuangliu": dict(value={"net": state(tensors, "module.", lambda n: n.replace("downsample", "shortcut")) |
                                Ordered({"module.linear.weight": floats(10, 8)}), "acc": 95.0}),
        "dino": dict(value={"student": state(tensors, "module.backbone."), "teacher": state(tensors, "backbone."),
                            "args": extras()["args"]}),
        "module": dict(value=module(tensors)),
        "channels-last": dict(value=state(tensors, make=channels_last)),
        "float16": dict(value=state(tensors, make=typed("Half", half))),
        "bfloat16": dict(value=state(tensors, make=typed("BFloat16", bfloat))),
        "float64": dict(value=state(tensors, make=typed("Double", double))),
        "shared": dict(value=shared(tensors)),
        "deflated": dict(value=state(tensors), deflated=True, folder="re/packed"),
        "no-checksums": dict(value=state(tensors), checksums=False),
        "proto4": dict(value=state(tensors, "encoder."), protocol=4, folder=""),
    }


# ---- files that must be refused, or that must do nothing -----------------------------------------------------------

def without(name):
    return lambda members: [m for m in members if m[0] != name]


def replaced(name, data):
    return lambda members: [(n, data if n == name else d) for n, d in members]


def hostile(tensors):
    good = state(tensors)
    first = tensors[0]  # conv1.weight

    def with_first(**change):
        changed = Ordered(good)
        made = dict(kind=first[1], shape=first[2], data=first[3], strides=None, offset=0, key=None, numel=None)
        changed[first[0]] = Tensor(**(made | change))
        return changed

    def pickled(code):
        return dict(value=good, spoil=replaced("data.pkl", code))

    count = len(first[3]) // 4
    run = Call(Global("posix", "system"), ("touch pwned",))
    bomb = dict(value=with_first(data=bytes(64 << 20), numel=16 << 20), deflated=True)
    return {
        "system": dict(value={"state_dict": good, "x": run}),  # taken, and told; nothing runs
        "system-instead": dict(value=Ordered(good, **{"layer1.0.conv1.weight": run})),
        "placeholder": dict(value=Ordered(good, **{"layer1.0.conv1.weight": extras()["best"]})),
        "text-instead": dict(value=Ordered(good, **{first[0]: "a text"})),
        "missing-storage": dict(value=good, spoil=without("data/0")),
        "short-storage": dict(value=good, spoil=replaced("data/0", b"12345678")),
        "missing-tensor": dict(value=Ordered((k, v) for k, v in good.items() if k != "layer4.1.conv2.weight")),
        "beyond": dict(value=with_first(offset=1)),
        "stride-beyond": dict(value=with_first(strides=[count, 1, 1, 1])),
        "stride-overflow": dict(value=with_first(strides=[2**62, 2**62, 1, 1])),
        "shape-overflow": dict(value=with_first(shape=[2**40, 2**40, 1, 1])),
        "negative-offset": dict(value=with_first(offset=-1)),
        "negative-stride": dict(value=with_first(strides=[-1, 1, 1, 1])),
        "negative-size": dict(value=with_first(shape=[-1, 3, 3, 3])),
        "many-dimensions": dict(value=with_first(shape=[1] * 40)),
        "integers": dict(value=with_first(kind="Int")),
        "complex": dict(value=with_first(kind="ComplexFloat", numel=count)),
        "not-finite": dict(value=with_first(data=struct.pack("<f", float("nan")) + first[3][4:])),
        "big-endian": dict(value=good, byteorder=b"big"),
        "bomb": bomb,
        "two-pickles": dict(value=good, spoil=lambda m: m + [("more/data.pkl", b"\x80\x02N.")]),
        "recursion": pickled(b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b"."),
        "loop": pickled(b"\x80\x02]q\x00h\x00a."),
        "billion-laughs": pickled(b"\x80\x02]q\x00" + b"".join(
            b"](" + b"h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(90)) + b"."),
        "memos": pickled(b"\x80\x04N" + b"\x94" * 1000001 + b"."),
        "memo-far": pickled(b"\x80\x02Nr\xff\xff\xff\xff."),
        "memo-empty": pickled(b"\x80\x02h\x07."),
        "stack": pickled(b"\x80\x02" + b"N" * 100001 + b"."),
        "long-text": pickled(b"\x80\x02X" + struct.pack("<I", (1 << 20) + 1) + b"x" * ((1 << 20) + 1) + b"."),
        "cut": pickled(b"\x80\x02}(X\x05\x00\x00\x00con"),
        "empty": pickled(b""),
        "no-stop": pickled(b"\x80\x02}"),
        "opcode": pickled(b"\x80\x02i__main__\nX\n."),
        "extension": pickled(b"\x80\x02\x82\x01."),
        "protocol": pickled(b"\x80\x09}."),
        "underflow": pickled(b"\x80\x02R."),
        "mark-underflow": pickled(b"\x80\x02(\x85."),
        "no-mark": pickled(b"\x80\x02Nt."),
        "odd-dict": pickled(b"\x80\x02}(Nu."),
        "append-to-number": pickled(b"\x80\x02K\x01Na."),
        "call-number": pickled(b"\x80\x02K\x01)R."),
        "call-with-list": pickled(b"\x80\x02cos\nsystem\n]R."),
        "build-number": pickled(b"\x80\x02K\x01}b."),
        "number": pickled(b"\x80\x02K\x01."),
        "not-described": dict(value=Ordered(good, **{first[0]: Call(Global("torch._utils", "_rebuild_tensor_v2"),
                                                                    (1, 2, 3))})),
        "nul": dict(value=Ordered(good, **{"a\0b": floats(2)})),
        "long-name": dict(value=Ordered(good, **{"n" * 1001: floats(2)})),
        "several": dict(value={"left": state(tensors), "right": state(tensors)}),
        "no-network": dict(value={"a": floats(3), "b": "text"}),
        "tensor-alone": dict(value=floats(3)),
    }


def overlap(path, value):
    """Two storages whose bytes in the archive are the same: the directory points twice to one place."""
    write(path, value)
    data = bytearray(open(path, "rb").read())
    with zipfile.ZipFile(path) as archive:
        places = {i.filename: i.header_offset for i in archive.infolist()}
    at = 0
    while True:
        at = data.index(b"PK\1\2", at)
        length = struct.unpack_from("<H", data, at + 28)[0]
        if data[at + 46:at + 46 + length] == b"archive/data/2":
            struct.pack_into("<I", data, at + 42, places["archive/data/1"])
            break
        at += 46
    open(path, "wb").write(data)


def legacy(path, tensors):
    """The first bytes of a file of before 1.6: pickles one behind another, no archive."""
    writer = Writer()
    writer.value(2**68 + 0x1950a86a20f9469cfc6c - 2**68)
    open(path, "wb").write(bytes(writer.out) + b"." + b"\x80\x02M\xe9\x03." + b"\x80\x02}q\x00." * 30)


def corpus(folder):
    """Small pickles and archives for the fuzz target: those of every style, and the hostile ones."""
    tensors = [("conv1.weight", "Float", [2, 3, 1, 1], struct.pack("<6f", *range(6))),
               ("bn1.running_mean", "Float", [2], struct.pack("<2f", 1, 2)),
               ("bn1.num_batches_tracked", "Long", [], struct.pack("<q", 7)),
               ("layer1.0.conv1.weight", "Float", [2, 2, 1, 1], struct.pack("<4f", *range(4))),
               ("layer1.0.downsample.0.weight", "Float", [2, 2, 1, 1], struct.pack("<4f", *range(4)))]
    for style, arguments in (styles(tensors) | hostile(tensors)).items():
        if style == "bomb":
            continue
        chosen = {k: v for k, v in arguments.items() if k in ("value", "protocol", "byteorder", "spoil")}
        pickle = dict(members_of(**chosen))["data.pkl"]
        if len(pickle) < 4096:
            with open(f"{folder}/{style}", "wb") as file:
                file.write(pickle)
    for style in ("torchvision", "shared", "float16"):
        write(f"{folder}/archive-{style}", **styles(tensors)[style], checksums=False)
    write(f"{folder}/archive-deflated", **styles(tensors)["deflated"])


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--corpus":
        corpus(sys.argv[2])
        return
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    tensors = read_safetensors(sys.argv[1])
    every = styles(tensors) | hostile(tensors)
    wanted = every if sys.argv[2] == "all" else {sys.argv[2]: every.get(sys.argv[2])}
    for style, arguments in wanted.items():
        path = f"{sys.argv[3]}/{style}.pth" if sys.argv[2] == "all" else sys.argv[3]
        if style == "overlap":
            overlap(path, state(tensors))
        elif style == "legacy":
            legacy(path, tensors)
        else:
            write(path, **arguments)
    if sys.argv[2] == "all":
        overlap(f"{sys.argv[3]}/overlap.pth", state(tensors))
        legacy(f"{sys.argv[3]}/legacy.pth", tensors)


if __name__ == "__main__":
    main()
