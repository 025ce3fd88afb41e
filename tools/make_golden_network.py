#!/usr/bin/env python3
"""Makes tests/golden/data/network_*.safetensors: whole networks, SimCLR steps and schedules, by PyTorch in float64.

Usage: make_golden_network.py [FOLDER]      (needs torch, torchvision, numpy, safetensors)

The files stay small because only results are stored. Weights and inputs come from a hash of their name that the test
(tests/golden/test_golden_small.c) computes too; the inputs are those of the first number at which no value lies near a
ReLU's kink, where rounding would decide the gradient. Of each gradient the norm and eight projections onto hashed
vectors are kept. The metadata holds how far PyTorch's own bf16 autocast is from float64 on the same tensors: the
yardstick of our bf16.
"""
import copy
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

PROBES = 8


def hashed(name, count):
    """`count` float64 numbers in [-1, 1), multiples of 2^-23: a function of the name alone."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    with np.errstate(over="ignore"):
        x = np.uint32(seed) + np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9)
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x85EBCA6B)
        x ^= x >> np.uint32(13)
        x *= np.uint32(0xC2B2AE35)
        x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float64) / 2**23 - 1


def start(name, shape):
    """The starting value of a parameter or buffer, rounded to float32."""
    u = hashed(name, math.prod(shape))
    if len(shape) > 1:
        value = u * math.sqrt(3 / math.prod(shape[1:]))
    elif name.endswith(".bn3.weight"):  # small residual branches, or 50 layers amplify rounding too much
        value = 0.25 + 0.0625 * u
    elif name.endswith((".weight", ".running_var")):
        value = 1 + 0.25 * u
    else:
        value = 0.1 * u
    return torch.from_numpy(value.astype(np.float32).astype(np.float64)).reshape(shape)


def images(name, shape):
    return torch.from_numpy(0.5 + 0.5 * hashed(name, math.prod(shape))).reshape(shape)


def margin(net, x):
    """The smallest distance of a value from the kink of the ReLU that it enters."""
    least = [math.inf]
    hook = lambda module, inputs: least.append(inputs[0].abs().min().item())
    hooks = [m.register_forward_pre_hook(hook) for m in net.modules() if isinstance(m, nn.ReLU)]
    with torch.no_grad():
        net(x)
    for handle in hooks:
        handle.remove()
    return min(least)


def choose(net, shape, start, wanted):
    """The first number >= start whose images keep that distance from all kinks, and the images."""
    for number in range(start, start + 1000):
        x = images(f"x{number}", shape)
        if margin(copy.deepcopy(net), x) > wanted:
            return number, x
    raise SystemExit("no input keeps away from the kinks")


def summary(name, tensor):
    """[norm, projections]"""
    flat = tensor.detach().double().flatten().numpy()
    probes = [np.dot(flat, hashed(f"probe{k}.{name}", flat.size)) * math.sqrt(3) for k in range(PROBES)]
    return np.array([np.linalg.norm(flat), *probes])


def make_resnet(block, blocks, width, cifar_stem):
    """torchvision's ResNet with all channels times `width`."""
    net = ResNet.__new__(ResNet)
    nn.Module.__init__(net)
    base = int(64 * width)
    net._norm_layer, net.inplanes, net.dilation, net.groups, net.base_width = nn.BatchNorm2d, base, 1, 1, 64
    net.conv1 = nn.Conv2d(3, base, 3, 1, 1, bias=False) if cifar_stem else nn.Conv2d(3, base, 7, 2, 3, bias=False)
    net.bn1, net.relu = nn.BatchNorm2d(base), nn.ReLU()
    net.maxpool = nn.Identity() if cifar_stem else nn.MaxPool2d(3, 2, 1)
    for stage in range(4):
        layer = net._make_layer(block, base << stage, blocks[stage], stride=1 if stage == 0 else 2)
        setattr(net, f"layer{stage + 1}", layer)
    net.avgpool, net.fc = nn.AdaptiveAvgPool2d(1), nn.Identity()
    return net


def fill(module, prefix=""):
    for name, value in list(module.named_parameters()) + list(module.named_buffers()):
        if not name.endswith("num_batches_tracked"):
            value.data = start(prefix + name, tuple(value.shape)).to(value.dtype)


def run_resnet(make, x, r, bf16):
    """Everything a test compares, as float64 tensors."""
    net = make().to(torch.float32 if bf16 else torch.float64)
    fill(net)
    x = x.to(torch.float32 if bf16 else torch.float64)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        net.train()
        h = net(x)
    (h.double() * r).sum().backward()
    gradients = {name: value.grad.double() for name, value in net.named_parameters()}
    running = {name: value.double().clone() for name, value in net.named_buffers() if "running" in name}
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16), torch.no_grad():
        net.eval()
        eval_h = net(x)
    return h.detach().double(), eval_h.double(), running, gradients


def list_of(value):
    return list(value.values()) if isinstance(value, dict) else [value]


def distance(ours, theirs):
    cat = lambda tensors: torch.cat([t.flatten() for t in tensors])
    return ((cat(ours) - cat(theirs)).norm() / cat(theirs).norm()).item()


def resnet_case(block, blocks, cifar_stem, shape):
    width = 0.125
    make = lambda: make_resnet(block, blocks, width, cifar_stem)
    net = make().double().train()
    fill(net)
    number, x = choose(net, shape, 0, 1e-5)
    features = int(512 * width) * (4 if block is Bottleneck else 1)
    r = torch.from_numpy(hashed("r", shape[0] * features)).reshape(shape[0], features)
    yardstick = [0.0] * 4  # bf16's errors scatter: the largest of five inputs
    for k in range(5):
        exact = run_resnet(make, images(f"x{number + k}", shape), r, False)
        rounded = run_resnet(make, images(f"x{number + k}", shape), r, True)
        errors = [distance(list_of(a), list_of(b)) for a, b in zip(rounded, exact)]
        yardstick = [max(pair) for pair in zip(yardstick, errors)]
    h, eval_h, running, gradients = run_resnet(make, x, r, False)
    metadata = {
        "width": str(width),
        "cifar_stem": str(int(cifar_stem)),
        "batch": str(shape[0]),
        "image_size": str(shape[2]),
        "x": str(number),
        "bf16_train": f"{yardstick[0]:.4g}",
        "bf16_eval": f"{yardstick[1]:.4g}",
        "bf16_running": f"{yardstick[2]:.4g}",
        "bf16_gradients": f"{yardstick[3]:.4g}",
    }
    tensors = {"train.h": h.numpy().astype(np.float32), "eval.h": eval_h.numpy().astype(np.float32)}
    tensors |= {f"train.{name}": value.numpy().astype(np.float32) for name, value in running.items()}
    tensors |= {f"train.grad.{name}": summary(name, value) for name, value in gradients.items()}
    return tensors, metadata


class SimCLR(nn.Module):
    """encoder and a two-layer head, as method.md section 3 has it."""

    def __init__(self, width, dim):
        super().__init__()
        features = int(512 * width)
        self.encoder = make_resnet(BasicBlock, [2, 2, 2, 2], width, True)
        self.head = nn.Module()
        self.head.fcs = nn.ModuleList([nn.Linear(features, features, bias=False), nn.Linear(features, dim, bias=False)])
        self.head.relu = nn.ReLU()
        self.head.bns = nn.ModuleList([nn.BatchNorm1d(features), nn.BatchNorm1d(dim)])

    def forward(self, x):
        y = self.head.relu(self.head.bns[0](self.head.fcs[0](self.encoder(x))))
        return self.head.bns[1](self.head.fcs[1](y))


def nt_xent(z, temperature):
    u = F.normalize(z)
    similarity = (u @ u.T / temperature).masked_fill(torch.eye(len(z), dtype=torch.bool), -math.inf)
    return F.cross_entropy(similarity, torch.arange(len(z)).roll(len(z) // 2))


def steps_case():
    width, dim, shape, steps = 0.125, 16, (16, 3, 16, 16), 2
    lr, momentum, decay, eta, temperature = 0.1, 0.9, 1e-4, 1e-3, 0.2
    net = SimCLR(width, dim).double().train()
    for name, value in list(net.named_parameters()) + list(net.named_buffers()):
        if not name.endswith("num_batches_tracked"):
            value.data = start(name.removeprefix("encoder."), tuple(value.shape))
    shift = net.head.bns[1].bias
    shift.requires_grad = False
    shift.zero_()
    trained = [(name.removeprefix("encoder."), p) for name, p in net.named_parameters() if p.requires_grad]
    first = {name: p.detach().clone() for name, p in trained}
    velocity = {name: torch.zeros_like(p) for name, p in trained}
    tensors, losses, inputs = {}, [], []
    for step in range(steps):
        net.zero_grad()
        number, x = choose(net, shape, inputs[-1] + 1 if inputs else 0, 2e-5)
        inputs.append(number)
        z = net(x)
        loss = nt_xent(z, temperature)
        loss.backward()
        losses.append(loss.item())
        tensors[f"z{step}"] = z.detach().numpy().astype(np.float32)
        with torch.no_grad():
            for name, p in trained:
                gradient, trust = p.grad, 1.0
                if p.ndim > 1:
                    gradient = gradient + decay * p
                    if p.norm() > 0 and gradient.norm() > 0:
                        trust = (eta * p.norm() / gradient.norm()).item()
                velocity[name] = momentum * velocity[name] + lr * trust * gradient
                p -= velocity[name]
                tensors[f"change{step + 1}.{name}"] = summary(name, p - first[name])
    tensors["losses"], tensors["inputs"] = np.array(losses), np.array(inputs)
    metadata = dict(width=width, dim=dim, rows=shape[0], image_size=shape[2], steps=steps, lr=lr, momentum=momentum,
                    weight_decay=decay, eta=eta, temperature=temperature)
    return tensors, {key: str(value) for key, value in metadata.items()}


def schedules():
    """Linear warm-up from 0, cosine to 0 (method.md section 5), written out step by step."""
    tensors = {}
    cases = [(530, 64, 7, 2, 0.3, 0), (530, 64, 7, 2, 0.075, 1), (100, 9, 4, 0, 0.3, 0), (64, 16, 3, 3, 0.3, 0)]
    for i, (count, batch, epochs, warmup, base, root) in enumerate(cases):
        per_epoch = count // batch
        peak = base * math.sqrt(batch) if root else base * batch / 256
        rates = []
        for step in range(per_epoch * epochs):
            if step < warmup * per_epoch:
                rates.append(peak * step / (warmup * per_epoch))
            else:
                share = (step - warmup * per_epoch) / ((epochs - warmup) * per_epoch)
                rates.append(peak * (1 + math.cos(math.pi * share)) / 2)
        tensors[f"case{i}.images_batch_epochs_warmup"] = np.array([count, batch, epochs, warmup])
        tensors[f"case{i}.base"] = np.array([base])
        tensors[f"case{i}.sqrt"] = np.array([root])
        tensors[f"case{i}.lr"] = np.array(rates)
    return tensors


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/data"
    torch.set_num_threads(1)
    cases = {
        "network_resnet18": resnet_case(BasicBlock, [2, 2, 2, 2], True, (17, 3, 16, 16)),
        "network_resnet50": resnet_case(Bottleneck, [3, 4, 6, 3], False, (6, 3, 51, 51)),
        "network_steps": steps_case(),
        "network_schedule": (schedules(), {}),
    }
    for name, (tensors, metadata) in cases.items():
        save_file(tensors, f"{folder}/{name}.safetensors", metadata)
        print(name, metadata)


main()
