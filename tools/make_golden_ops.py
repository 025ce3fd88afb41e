#!/usr/bin/env python3
"""Writes tests/golden/data/ops_*.safetensors: small cases of every operation, computed by PyTorch in float64.

Inputs are float32 numbers, so that a program under test starts from exactly these values; results are float64
rounded to float32. Run from the project's root: python3 tools/make_golden_ops.py (needs torch and safetensors)."""

import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

FOLDER = pathlib.Path("tests/golden/data")
generator = torch.Generator().manual_seed(20200213)


def draw(*shape, scale=1.0, shift=0.0):
    return (torch.randn(*shape, generator=generator) * scale + shift).float()


def leaf(tensor):
    return tensor.double().requires_grad_(True)


def save(name, tensors):
    out = {}
    for key, value in tensors.items():
        value = value.detach()
        out[key] = (value.float() if value.is_floating_point() else value).contiguous()
    save_file(out, str(FOLDER / f"ops_{name}.safetensors"))


def integers(*values):
    return torch.tensor(values, dtype=torch.int64)


def convolutions():
    tensors = {}
    # batch, in channels, out channels, height, width, kernel, stride, padding, bias
    cases = [(2, 3, 8, 7, 5, 3, 1, 1, 0), (3, 5, 4, 6, 9, 3, 2, 1, 0), (2, 3, 4, 13, 11, 7, 2, 3, 0),
             (2, 6, 9, 5, 4, 1, 2, 0, 0), (5, 7, 10, 1, 1, 1, 1, 0, 1), (1, 4, 4, 4, 4, 3, 1, 0, 1)]
    for number, case in enumerate(cases):
        n, c, k, h, w, kernel, stride, padding, bias = case
        x, weight, b = draw(n, c, h, w), draw(k, c, kernel, kernel, scale=0.3), draw(k)
        lx, lw, lb = leaf(x), leaf(weight), leaf(b)
        y = F.conv2d(lx, lw, lb if bias else None, stride=stride, padding=padding)
        d_y = draw(*y.shape)
        y.backward(d_y.double())
        entry = dict(geometry=integers(*case), x=x, weight=weight, y=y, d_y=d_y, d_x=lx.grad, d_weight=lw.grad)
        if bias:
            entry.update(bias=b, d_bias=lb.grad)
        tensors.update({f"case{number}.{key}": value for key, value in entry.items()})
    save("conv", tensors)


def batch_norms():
    tensors = {}
    # batch, channels, height, width, relu, residual
    cases = [(4, 3, 5, 7, 0, 0), (3, 5, 4, 4, 1, 0), (2, 4, 3, 6, 1, 1), (17, 6, 1, 1, 0, 1)]
    for number, case in enumerate(cases):
        n, c, h, w, relu, residual = case
        x, r = draw(n, c, h, w, scale=2.0, shift=0.7), draw(n, c, h, w)
        gamma, beta = draw(c, scale=0.5, shift=1.0), draw(c)
        mean, var = draw(c), draw(c).abs() + 0.5
        lx, lr, lg, lb = leaf(x), leaf(r), leaf(gamma), leaf(beta)
        new_mean, new_var = mean.double(), var.double()
        y = F.batch_norm(lx, new_mean, new_var, lg, lb, training=True, momentum=0.1, eps=1e-5)
        inference = F.batch_norm(x.double(), mean.double(), var.double(), gamma.double(), beta.double(), eps=1e-5)
        if residual:
            y, inference = y + lr, inference + r.double()
        if relu:
            y, inference = F.relu(y), F.relu(inference)
        d_y = draw(*y.shape)
        y.backward(d_y.double())
        entry = dict(geometry=integers(*case), x=x, residual=r, gamma=gamma, beta=beta, mean=mean, var=var, y=y,
                     inference=inference, new_mean=new_mean, new_var=new_var, d_y=d_y, d_x=lx.grad, d_gamma=lg.grad,
                     d_beta=lb.grad)
        if residual:
            entry["d_residual"] = lr.grad
        tensors.update({f"case{number}.{key}": value for key, value in entry.items()})
    save("batch_norm", tensors)


def pools():
    tensors = {}
    # batch, channels, height, width, kernel, stride, padding; the last case is full of ties
    cases = [(2, 3, 7, 9, 3, 2, 1), (1, 5, 6, 6, 2, 2, 0), (3, 2, 8, 5, 3, 2, 1)]
    for number, case in enumerate(cases):
        n, c, h, w, kernel, stride, padding = case
        x = draw(n, c, h, w)
        if number == 2:
            x = x.clamp(min=0).mul(2).round()
        lx = leaf(x)
        y = F.max_pool2d(lx, kernel, stride, padding)
        d_y = draw(*y.shape)
        y.backward(d_y.double())
        lg = leaf(x)
        mean = lg.mean(dim=(2, 3))
        d_mean = draw(*mean.shape)
        mean.backward(d_mean.double())
        entry = dict(geometry=integers(*case), x=x, y=y, d_y=d_y, d_x=lx.grad, mean=mean, d_mean=d_mean,
                     d_x_mean=lg.grad)
        tensors.update({f"case{number}.{key}": value for key, value in entry.items()})
    save("pool", tensors)


def nt_xent():
    tensors = {}
    cases = [(1, 3, 0.5), (2, 5, 0.1), (7, 16, 0.5), (33, 24, 0.07)]
    for number, (images, dim, temperature) in enumerate(cases):
        z = draw(2 * images, dim)
        z[images:] = z[:images] * 0.7 + z[images:] * 0.7
        lz = leaf(z)
        cosine = F.normalize(lz, dim=1) @ F.normalize(lz, dim=1).T
        rows = torch.arange(2 * images)
        positive = (rows + images) % (2 * images)
        temperature = torch.tensor(temperature).double()
        logits = (cosine / temperature).masked_fill(torch.eye(2 * images, dtype=torch.bool), float("-inf"))
        loss = F.cross_entropy(logits, positive)
        loss.backward()
        p = logits.softmax(1)
        entropy = -(p * p.clamp(min=1e-300).log()).sum(1).mean()
        top1 = (logits.argmax(1) == positive).double().mean()
        others = torch.ones_like(cosine, dtype=torch.bool)
        others[rows, rows] = others[rows, positive] = False
        negative = cosine[others].mean() if images > 1 else torch.zeros(())
        entry = dict(z=z, temperature=temperature[None], loss=loss[None], d_z=lz.grad, top1=top1[None],
                     entropy=entropy[None], positive=cosine[rows, positive].mean()[None], negative=negative[None])
        tensors.update({f"case{number}.{key}": value for key, value in entry.items()})
    save("nt_xent", tensors)


def optimizers():
    """Four steps of each; the rule of LARS is written out, SGD and AdamW are PyTorch's own."""
    tensors = {"rates": torch.tensor([0.5, 0.25, 0.125, 0.0625]), "decay": torch.tensor([0.01])}
    rates, decay, eta = [0.5, 0.25, 0.125, 0.0625], torch.tensor(0.01).double().item(), torch.tensor(0.001).double().item()
    gradients = [draw(37, scale=0.2) for _ in rates]
    start = draw(37)
    tensors.update({f"g{i}": g for i, g in enumerate(gradients)} | {"w": start})
    momentum, beta2, epsilon = (torch.tensor(v).double().item() for v in (0.9, 0.999, 1e-8))
    for plain in (False, True):
        wd = 0.0 if plain else decay
        suffix = "plain" if plain else "decay"
        w, v = start.double(), torch.zeros(37).double()
        sgd_w, adam_w = leaf(start), leaf(start)
        sgd = torch.optim.SGD([sgd_w], lr=1.0, momentum=momentum, nesterov=True, weight_decay=wd)
        adam = torch.optim.AdamW([adam_w], lr=1.0, betas=(momentum, beta2), eps=epsilon, weight_decay=wd)
        for i, (rate, g) in enumerate(zip(rates, gradients)):
            step = g.double() + wd * w
            trust = 1.0 if plain else eta * w.norm() / step.norm()
            v = momentum * v + rate * trust * step
            w = w - v
            for optimizer, weight in ((sgd, sgd_w), (adam, adam_w)):
                weight.grad = g.double()
                optimizer.param_groups[0]["lr"] = rate * (1.0 if optimizer is sgd else 0.01)
                optimizer.step()
            tensors.update({f"lars.{suffix}.w{i}": w, f"lars.{suffix}.v{i}": v, f"sgd.{suffix}.w{i}": sgd_w.clone(),
                            f"adamw.{suffix}.w{i}": adam_w.clone()})
    save("optimizer", tensors)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    convolutions()
    batch_norms()
    pools()
    nt_xent()
    optimizers()
