#!/usr/bin/env python3
"""Times one SimCLR training step in PyTorch: the yardstick of `simclr bench` and docs/performance.md.

    tools/peer_step.py --network resnet18-cifar --batch 128 --precision bf16 --threads 2
    tools/peer_step.py --network nt-xent --batch 4096
    tools/peer_step.py --what embed --network resnet50 --batch 32       the encoder in inference mode
    tools/peer_step.py --what lars --network resnet50                   LARS alone, written three ways
    tools/peer_step.py --only eager/channels_last --steps 2 --seconds 0 peak memory of one way of doing the step

The step: forward of 2N augmented views (dense random data, never zeros), NT-Xent, backward, SGD with momentum (torch's own
fused or foreach kernel, kinder to PyTorch than a LARS written in Python). Every combination of memory format and
eager/compile is tried for a few steps (--tries); those within a tenth of the best then run for --seconds and --steps, and the best
of their medians is reported, in views per second as everywhere in this project. If tcmalloc is installed it
is preloaded, which PyTorch's own tuning guide recommends. Needs torch and torchvision (pip); prints one JSON object.
"""
import argparse
import ctypes.util
import json
import os
import resource
import statistics
import sys
import time


def preload_tcmalloc():
    """Restarts this script with tcmalloc in front of malloc, once."""
    library = ctypes.util.find_library("tcmalloc_minimal") or ctypes.util.find_library("tcmalloc")
    if library and "tcmalloc" not in os.environ.get("LD_PRELOAD", ""):
        os.environ["LD_PRELOAD"] = library
        os.execv(sys.executable, [sys.executable] + sys.argv)
    return bool(library)


def build(network, width, dim):
    import torch
    import torchvision
    from torch import nn

    make = torchvision.models.resnet50 if network.startswith("resnet50") else torchvision.models.resnet18
    block = torchvision.models.resnet.Bottleneck if network.startswith("resnet50") else torchvision.models.resnet.BasicBlock
    if width == 1:
        encoder = make()
    else:
        encoder = narrow_resnet(block, [3, 4, 6, 3] if network.startswith("resnet50") else [2, 2, 2, 2], width)
    if network.endswith("cifar"):
        encoder.conv1 = nn.Conv2d(3, encoder.conv1.out_channels, 3, 1, 1, bias=False)
        encoder.maxpool = nn.Identity()
    h = encoder.fc.in_features
    encoder.fc = nn.Identity()
    head = nn.Sequential(nn.Linear(h, h, bias=False), nn.BatchNorm1d(h), nn.ReLU(), nn.Linear(h, dim, bias=False), nn.BatchNorm1d(dim))
    return nn.Sequential(encoder, head)


def narrow_resnet(block, layers, width):
    """torchvision's ResNet with every channel count times `width`."""
    import torch
    import torchvision
    from torch import nn

    model = torchvision.models.ResNet(block, layers)
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d):
                inputs = child.in_channels if child.in_channels == 3 else int(child.in_channels * width)
                setattr(module, name, nn.Conv2d(inputs, int(child.out_channels * width), child.kernel_size, child.stride, child.padding, bias=False))
            elif isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.BatchNorm2d(int(child.num_features * width)))
    model.fc = nn.Linear(int(model.fc.in_features * width), 1000)
    return model


def nt_xent(z, temperature):
    import torch
    import torch.nn.functional as functional

    n = z.shape[0] // 2
    u = functional.normalize(z.float(), dim=1)
    s = u @ u.t() / temperature
    s.fill_diagonal_(float("-inf"))
    positive = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
    return functional.cross_entropy(s, positive)


def lars_by_tensor(weights, gradients, momenta, rate, momentum=0.9, decay=1e-4, trust=0.001):
    """Equation by equation, a tensor at a time; matrices adapt and decay, vectors do neither."""
    for w, g, v in zip(weights, gradients, momenta):
        if w.ndim > 1:
            g = g.add(w, alpha=decay)
            g = g * (trust * w.norm() / g.norm())
        v.mul_(momentum).add_(g)
        w.add_(v, alpha=-rate)


def lars_foreach(weights, gradients, momenta, rate, momentum=0.9, decay=1e-4, trust=0.001):
    """The same with torch's kernels over lists of tensors."""
    import torch

    matrices = [i for i, w in enumerate(weights) if w.ndim > 1]
    adapted = list(gradients)
    w, g = [weights[i] for i in matrices], [gradients[i] for i in matrices]
    g = torch._foreach_add(g, w, alpha=decay)
    ratios = torch._foreach_div(torch._foreach_norm(w), torch._foreach_norm(g))
    torch._foreach_mul_(ratios, trust)
    torch._foreach_mul_(g, ratios)
    for i, values in zip(matrices, g):
        adapted[i] = values
    torch._foreach_mul_(momenta, momentum)
    torch._foreach_add_(momenta, adapted)
    torch._foreach_add_(weights, momenta, alpha=-rate)


def measure_lars(args):
    import torch

    model = build(args.network, args.width, 128)
    weights = [p.detach().clone() for p in model.parameters()]
    gradients = [1e-3 * torch.randn_like(w) for w in weights]
    momenta = [torch.zeros_like(w) for w in weights]
    ways = {"tensor by tensor": lars_by_tensor, "foreach": lars_foreach}
    if not args.no_compile:
        ways["compile"] = torch.compile(lars_by_tensor)
    def run(way):
        with torch.no_grad():
            way(weights, gradients, momenta, 1e-3)

    results, best = best_of({name: lambda way=way: run(way) for name, way in ways.items()}, args)
    return {"weights": sum(w.numel() for w in weights), "best": best, "milliseconds": 1e3 * results[best]["seconds"], "all": results}


def measure_embed(args, size):
    """The encoder without the head; bf16 by autocast and with weights cast once; compiled with constants folded."""
    import torch
    import torch._inductor.config

    torch._inductor.config.freezing = True
    ways = {}
    for layout, memory_format in (("channels_last", torch.channels_last), ("contiguous", torch.contiguous_format)):
        for cast in ("autocast", "cast") if args.precision == "bf16" else ("float32",):
            dtype = torch.bfloat16 if cast == "cast" else torch.float32
            x = torch.rand(args.batch, 3, size, size).to(dtype).to(memory_format=memory_format)
            for mode in ("eager",) if args.no_compile else ("eager", "compile"):
                name = f"{mode}/{layout}/{cast}"
                model = build(args.network, args.width, 128)[0].eval().to(dtype).to(memory_format=memory_format)
                run = torch.compile(model) if mode == "compile" else model

                def step(run=run, x=x, cast=cast):
                    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=cast == "autocast"):
                        run(x).float()

                ways[name] = step
    results, best = best_of(ways, args)
    return {"images": args.batch, "image_size": size, "precision": args.precision, "best": best,
            "images_per_second": args.batch / results[best]["seconds"], "all": results}


def timed(step, seconds, at_least):
    for _ in range(2):
        step()
    times, begin = [], time.perf_counter()
    while len(times) < at_least or time.perf_counter() - begin < seconds:
        t = time.perf_counter()
        step()
        times.append(time.perf_counter() - t)
    return statistics.median(times), len(times)


def best_of(ways, args):
    """ways: {name: a function that does it once}. ({name: seconds and count}, the best name)"""
    results = {}
    for name, way in ways.items():
        try:
            median, count = timed(way, 0, args.tries)
        except Exception as error:  # a compiler that gives up: the other ways count
            print(f"{name}: {type(error).__name__}", file=sys.stderr)
            continue
        results[name] = {"seconds": median, "steps": count}
        print(f"{name}: {1e3 * median:.1f} ms", file=sys.stderr)
    fastest = min(result["seconds"] for result in results.values())
    near = [name for name, result in results.items() if result["seconds"] <= 1.1 * fastest]
    for name in near:
        median, count = timed(ways[name], args.seconds, args.steps)
        results[name] = {"seconds": median, "steps": count}
    return results, min(near, key=lambda name: results[name]["seconds"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="resnet18-cifar", choices=["resnet18-cifar", "resnet50-cifar", "resnet18", "resnet50", "nt-xent"])
    parser.add_argument("--width", type=float, default=1)
    parser.add_argument("--batch", type=int, default=128, help="views per step (2N); for nt-xent: images N")
    parser.add_argument("--image-size", type=int, default=0)
    parser.add_argument("--precision", default="bf16", choices=["bf16", "float32"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=15, help="for each of the best combinations")
    parser.add_argument("--steps", type=int, default=20, help="at least so many timed steps of each of the best combinations")
    parser.add_argument("--tries", type=int, default=3, help="timed steps of every combination, to find the best")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--what", default="step", choices=["step", "embed", "lars"])
    parser.add_argument("--only", default="", help="one way of doing the step, as eager/channels_last: also reports its peak memory")
    args = parser.parse_args()
    tcmalloc = preload_tcmalloc()

    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    common = {"network": args.network, "width": args.width, "threads": args.threads, "torch": torch.__version__, "tcmalloc": tcmalloc}
    size = args.image_size or (32 if args.network.endswith("cifar") else 224)
    if args.what != "step":
        print(json.dumps(common | (measure_lars(args) if args.what == "lars" else measure_embed(args, size))))
        return
    if args.network == "nt-xent":
        z = torch.randn(2 * args.batch, 128, requires_grad=True)
        candidates = {"eager": nt_xent} if args.no_compile else {"eager": nt_xent, "compile": torch.compile(nt_xent)}

        def once(loss):
            z.grad = None
            loss(z, 0.1).backward()

        results, best = best_of({name: lambda loss=loss: once(loss) for name, loss in candidates.items()}, args)
        print(json.dumps({"network": args.network, "images": args.batch, "threads": args.threads, "torch": torch.__version__,
                          "tcmalloc": tcmalloc, "best": best, "milliseconds": 1e3 * results[best]["seconds"], "all": results}))
        return

    ways = {}
    for layout, memory_format in (("channels_last", torch.channels_last), ("contiguous", torch.contiguous_format)):
        x = torch.rand(args.batch, 3, size, size).to(memory_format=memory_format)
        for mode in ("eager",) if args.no_compile else ("eager", "compile"):
            if args.only and args.only != f"{mode}/{layout}":
                continue
            torch.manual_seed(1)
            model = build(args.network, args.width, 128).to(memory_format=memory_format).train()
            optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-6, foreach=True)
            run = torch.compile(model) if mode == "compile" else model

            def step(run=run, x=x, optimizer=optimizer):
                optimizer.zero_grad(set_to_none=True)
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16"):
                    z = run(x)
                nt_xent(z, 0.5).backward()
                optimizer.step()

            ways[f"{mode}/{layout}"] = step
    results, best = best_of(ways, args)
    print(json.dumps(common | {"views": args.batch, "image_size": size, "precision": args.precision, "best": best,
                               "views_per_second": args.batch / results[best]["seconds"], "all": results,
                               "peak_resident_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


if __name__ == "__main__":
    main()
