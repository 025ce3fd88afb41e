"""`simclr import`: what PyTorch itself writes gives its tensors, bit for bit; and PyTorch reads what our tool writes in its
name, so that tests/system/test_foreign.sh tries real files."""
import argparse
import functools
import pickle
import subprocess
import sys

from interop import cases, encoder_tensors, make_encoder, need, read_safetensors


class Custom:
    """A class that nobody else has."""

    def __init__(self):
        self.weight, self.items = 3, [1, 2]


def build(torch, tensors):
    """A module of plain torch.nn with these tensors under torchvision's names."""
    nn = torch.nn
    root = nn.Module()
    for name, value in tensors.items():
        *way, last = name.split(".")
        here = root
        for word in way:
            if not hasattr(here, word):
                here.add_module(word, nn.Module())
            here = getattr(here, word)
        made = torch.from_numpy(value.copy())
        if last in ("weight", "bias"):
            here.register_parameter(last, nn.Parameter(made))
        else:
            here.register_buffer(last, made)
    return root


def imported(place, path, error="", code=0):
    place.simclr("import", path, "--out", "encoder.safetensors", code=code)
    assert error in place.error, place.error
    return read_safetensors(place / "encoder.safetensors")[0] if code == 0 else None


def same(theirs, ours):
    assert set(theirs) == set(ours), set(theirs) ^ set(ours)
    for name, value in theirs.items():
        assert value.dtype == ours[name].dtype and value.tobytes() == ours[name].tobytes(), name


def training(torch, net):
    """What a training program keeps: optimiser, arguments, functions, NumPy's values, its own classes."""
    numpy = need("numpy")
    optimizer = torch.optim.Adam(net.parameters())
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    state = {"module.encoder_q." + name: value.clone() for name, value in net.state_dict().items()}
    optimizer.step()
    return {"epoch": 3, "state_dict": state, "optimizer": optimizer.state_dict(), "best": numpy.float64(0.5),
            "args": argparse.Namespace(lr=0.03, sizes=numpy.arange(3)), "schedule": functools.partial(print, 1), "own": Custom(),
            "random": torch.get_rng_state(), "numpy": numpy.random.get_state(), "where": torch.device("cpu"),
            "size": torch.Size([1, 2]), "type": torch.float32, "big": 2**80}


@cases(("protocol2", 2), ("protocol3", 3), ("protocol4", 4), ("protocol5", 5))
def test_torch_save(place, protocol):
    torch = need("torch")
    for depth, width in ((18, 0.25), (50, 0.125)):
        tensors = encoder_tensors(depth, width)
        torch.save(build(torch, tensors).state_dict(), place / "state.pth", pickle_protocol=protocol)
        same(tensors, imported(place, "state.pth"))


@cases(*((kind, kind) for kind in ("module", "parameters", "attributes", "training", "channels-last", "float64", "packed", "no-checksums")))
def test_forms(place, kind):
    torch = need("torch")
    tensors = encoder_tensors(18, 0.125, "cifar")
    net, said = build(torch, tensors), ""
    what = net.state_dict()
    if kind == "module":
        what, said = net, "torch.nn.modules.module.Module"
    elif kind == "parameters":
        what = dict(net.named_parameters()) | dict(net.named_buffers())
    elif kind == "attributes":  # _rebuild_from_type_v2
        net.conv1.weight.no_decay = True
        what = dict(net.named_parameters()) | dict(net.named_buffers())
    elif kind == "training":
        what, said = training(torch, net), 'prefix "state_dict.module.encoder_q."'
    elif kind == "channels-last":
        what = {k: v.to(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in what.items()}
        assert not what["conv1.weight"].is_contiguous()
    elif kind == "float64":
        what, said = net.double().state_dict(), "they are float64"
    elif kind == "packed":  # one flat storage
        flat = torch.cat([v.flatten() for v in what.values() if v.is_floating_point()])
        at = 0
        for name, value in what.items():
            if value.is_floating_point():
                what[name] = flat[at:at + value.numel()].view(value.shape)
                at += value.numel()
    if kind == "no-checksums":
        torch.serialization.set_crc32_options(False)
    try:
        torch.save(what, place / "file.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    same(tensors, imported(place, "file.pth", said))


@cases(("float16", "half"), ("bfloat16", "bfloat16"))
def test_half_the_bits(place, method):
    torch = need("torch")
    net = getattr(build(torch, encoder_tensors(18, 0.125)), method)()
    torch.save(net.state_dict(), place / "half.pth")
    theirs = {k: (v.float() if v.is_floating_point() else v).numpy() for k, v in net.state_dict().items()}
    same(theirs, imported(place, "half.pth", "become float32"))


def test_torchscript(place):
    torch = need("torch")

    class Net(torch.nn.Module):
        def forward(self, x):
            return x

    net, tensors = Net(), encoder_tensors(18, 0.125)
    for name, child in build(torch, tensors).named_children():
        net.add_module(name, child)
    torch.jit.trace(net, torch.zeros(1), check_trace=False).save(place / "script.pt")
    same(tensors, imported(place, "script.pt"))


def test_legacy_is_refused_with_a_line_that_works(place):
    torch = need("torch")
    tensors = encoder_tensors(18, 0.125)
    torch.save(build(torch, tensors).state_dict(), place / "IN", _use_new_zipfile_serialization=False)
    imported(place, "IN", "torch.save(torch.load('IN', map_location='cpu'), 'OUT.pth')", code=1)
    line = place.error[place.error.index("import torch"):].strip()
    subprocess.run([sys.executable, "-c", line], cwd=place.folder, check=True)
    same(tensors, imported(place, "OUT.pth"))


@cases(("resnet18", "resnet18"), ("resnet50", "resnet50"), ("alexnet", "alexnet"))
def test_torchvision(place, name):
    torch, torchvision = need("torch", "torchvision")
    torch.manual_seed(1)
    net = getattr(torchvision.models, name)(weights=None)
    torch.save(net.state_dict(), place / "net.pth")
    theirs = {k: v.numpy() for k, v in net.state_dict().items() if not k.startswith(("fc.", "classifier.6."))}
    same(theirs, imported(place, "net.pth"))


def test_pytorch_reads_what_our_tool_writes(place):
    torch = need("torch")
    encoder = make_encoder(place / "encoder", 18, 0.125)
    theirs = read_safetensors(encoder)[0]
    (place / "made").mkdir()
    tool = place.root / "tools/make_torch_checkpoint.py"
    subprocess.run([sys.executable, "-B", tool, encoder, "all", place / "made"], check=True)

    def load(style):
        return torch.load(place / f"made/{style}.pth", weights_only=True)

    def check(state, prefix="", rename=lambda name: name):
        for name, value in theirs.items():
            got = state[prefix + rename(name)]
            assert got.dtype == torch.from_numpy(value).dtype and (got.numpy() == value).all(), name

    for style in ("torchvision", "channels-last", "shared", "float64", "no-checksums"):
        state = load(style)
        check({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    assert not load("channels-last")["conv1.weight"].is_contiguous()
    assert load("float16")["conv1.weight"].dtype == torch.float16 and load("bfloat16")["conv1.weight"].dtype == torch.bfloat16
    check(load("moco")["state_dict"], "module.encoder_q.")
    check(load("kuangliu")["net"], "module.", lambda name: name.replace("downsample", "shortcut"))
    assert torch.equal(load("lightly")["backbone.0.weight"], torch.from_numpy(theirs["conv1.weight"]))
    for style in ("lightning", "solo-learn", "module", "system"):  # what it will not run, and we need not
        try:
            load(style)
        except pickle.UnpicklingError as problem:
            assert "weights_only" in str(problem).lower() or "unsupported" in str(problem).lower(), problem
        else:
            raise AssertionError(f"{style} was loaded")
