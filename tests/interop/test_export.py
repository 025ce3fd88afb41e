"""`simclr export`: do PyTorch, torchvision, timm, ONNX Runtime and OpenCV compute the features that simclr computes?

Encoders are of random weights, made without our code. Every comparison is held to 1e-4 of the features' norm, and
features differ between pictures, so that no network passes that does not look at its input."""
import importlib.util
import json
import subprocess
import sys
import zlib

from interop import Skip, cases, distance, make_encoder, make_pictures, need, read_safetensors, spread, write_safetensors

MEAN, STD = (0.48, 0.45, 0.41), (0.23, 0.22, 0.24)
MOST = 1e-4


def load_module(place, folder):
    """model.py of an export, and its network."""
    need("torch")
    spec = importlib.util.spec_from_file_location("exported_model", place / folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module, module.load(place / folder)


def prepare(place, depth, width, stem, size, sizes, normalize=True):
    """Pictures, our features of them and a plain PyTorch export of the encoder."""
    place.torch = need("torch")
    place.torch.set_num_threads(2)
    mean, std = (MEAN, STD) if normalize else ((0, 0, 0), (1, 1, 1))
    make_encoder(place / "encoder", depth, width, stem, size, mean, std)
    pictures = make_pictures(place / "pictures", sizes)
    ours, names = place.features("encoder/encoder.safetensors", "pictures")
    assert [name.rsplit("/", 1)[-1] for name in names] == [f"{i}.png" for i in range(len(sizes))]
    place.simclr("export", "encoder/encoder.safetensors", "--format", "pytorch", "--out", "plain")
    return pictures, ours


def agree(what, theirs, ours, most=MOST):
    off = distance(theirs, ours)
    print(f"  {what}: {off:.2g} off; pictures differ by {spread(ours):.2g}")
    assert off < most, f"{what}: {off:.3g} off"
    assert spread(ours) > 20 * most, "the features do not depend on the pictures"


SIZES = {"cifar": (32, [(32, 32), (40, 30), (32, 64), (20, 20), (100, 90)]),
         "imagenet": (64, [(80, 64), (64, 64), (200, 150), (50, 90), (333, 222)])}


@cases(*((f"resnet{depth} width {width} {stem}", depth, width, stem)
         for depth in (18, 50) for width in (0.25, 1, 2) for stem in ("imagenet", "cifar")))
def test_plain_pytorch(place, depth, width, stem):
    """model.py, its preprocess included, on pictures of any shape."""
    size, sizes = SIZES[stem]
    _, ours = prepare(place, depth, width, stem, size, sizes)
    module, network = load_module(place, "plain")
    with place.torch.no_grad():
        views = place.torch.stack([module.preprocess(str(place / f"pictures/{i}.png"), network) for i in range(len(sizes))])
        agree("model.py", network(views), ours)
    assert not network.training and network.classes == []


def check_orientation(place, module, stored, turned):
    """EXIF turns a PNG only where it stands before the pixels. Neither XMP nor a text with EXIF in it turns a picture.
    Each is of a quarter to the right, and data info says how wide simclr has the picture."""
    image = need("PIL.Image")
    image.fromarray(stored).save(place / "stored.png")
    image.fromarray(stored).save(place / "stored.jpg", quality=100, subsampling=0)
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    text = b"\nexif\n%8d\n" % len(exif) + exif.hex().encode() + b"\n"
    png, jpeg = (place / "stored.png").read_bytes(), (place / "stored.jpg").read_bytes()
    chunks = {"before.png": ("eXIf", exif, False, turned), "late.png": ("eXIf", exif, True, stored),
              "words.png": ("eXIf", b"Exif\0\0" + exif, False, turned), "none.png": ("eXIf", exif[:12], False, stored),
              "kind.png": ("eXIf", exif.replace(b"\0\x03\0", b"\0\x05\0"), False, stored),
              "xmp.png": ("iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp, False, stored),
              "text.png": ("tEXt", b"Raw profile type exif\0" + text, False, stored)}
    for name, (kind, data, late, expected) in chunks.items():
        at = len(png) - 12 if late else 33  # before IEND, behind IHDR
        chunk = kind.encode() + data
        chunk = len(data).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        (place / "one").mkdir(exist_ok=True)
        (place / "one" / name).write_bytes(png[:at] + chunk + png[at:])
        pixels = module.as_pixels(place / "one" / name)
        assert pixels.shape == expected.shape and (pixels == expected).all(), name
        assert f"{expected.shape[1]} x {expected.shape[0]}" in place.simclr("data", "info", "one"), name
        (place / "one" / name).unlink()
    segments = {"exif.jpg": (b"Exif\0\0" + exif, turned),
                "xmp.jpg": (b"http://ns.adobe.com/xap/1.0/\0" + xmp, stored)}
    for name, (data, expected) in segments.items():
        (place / name).write_bytes(jpeg[:2] + b"\xff\xe1" + (len(data) + 2).to_bytes(2, "big") + data + jpeg[2:])
        assert module.as_pixels(place / name).shape == expected.shape, name
    # a TIFF is turned once, whether Pillow turns it as it loads it or not
    need("PIL.Image").fromarray(stored).save(place / "turned.tif", tiffinfo={274: 6})
    pixels = module.as_pixels(place / "turned.tif")
    assert pixels.shape == turned.shape and (pixels == turned).all()


def test_preprocess_is_ours(place):
    """Pixel by pixel: views that come out of an encoder which passes its input on are not to be had, so the features of
    a wide first layer stand for them, and both resizes are compared."""
    numpy = need("numpy", "torch", "PIL.Image")[0]
    # sides of 87.5 % that end in a half, to be rounded up (52) and down (60); middles that do, behind even and odd numbers
    sizes = [(300, 200), (33, 41), (60, 60), (68, 55), (1, 77), (52, 59), (34, 31), (31, 34)]
    for kind, size in (("bicubic", 48), ("bilinear", 33)):  # 32 is the largest that takes the whole picture
        make_encoder(place / kind, 18, 1, "imagenet", size)
        config = json.loads((place / kind / "config.json").read_text())
        config["pretrained_cfg"]["interpolation"] = kind
        (place / kind / "config.json").write_text(json.dumps(config))
        pictures = make_pictures(place / f"pictures-{kind}", sizes, seed=7)
        ours, _ = place.features(f"{kind}/encoder.safetensors", f"pictures-{kind}")
        place.simclr("export", f"{kind}/encoder.safetensors", "--out", f"plain-{kind}")
        module, network = load_module(place, f"plain-{kind}")
        views = [module.preprocess(picture, network) for picture in pictures]
        assert all(view.shape == (3, size, size) and 0 <= view.min() and view.max() <= 1 for view in views)
        with need("torch").no_grad():
            agree(kind, network(need("torch").stack(views)), ours, 2e-5)
    # turned by EXIF, gray, with transparency: as Pillow reads them
    image = need("PIL.Image")
    picture = image.fromarray(pictures[0])
    tag = picture.getexif()
    tag[274] = 6
    picture.save(place / "turned.png", exif=tag)
    turned = module.as_pixels(str(place / "turned.png"))
    assert turned.shape == (300, 200, 3) and (turned == numpy.rot90(pictures[0], -1)).all()
    check_orientation(place, module, pictures[0], numpy.rot90(pictures[0], -1))
    image.fromarray(numpy.dstack([pictures[0], pictures[0][..., 0]])).save(place / "alpha.png")
    assert (module.as_pixels(place / "alpha.png") == pictures[0]).all()
    # 16 bits of gray: their high 8. Pillow calls them I;16, before 10.3 of a PNG I
    gray = (numpy.arange(2400).reshape(40, 60) * 27).astype("uint16")
    image.fromarray(gray).save(place / "gray.png")
    older = image.fromarray(gray.astype("int32"))
    older.format = "PNG"
    for deep in place / "gray.png", older:
        assert (module.as_pixels(deep) == (gray >> 8)[..., None]).all(), older.mode


@cases(("resnet18", 18), ("resnet50", 50))
def test_torchvision(place, depth):
    vision, _ = need("torchvision", "torch")
    library = need("safetensors.torch")
    _, ours = prepare(place, depth, 1, "imagenet", 64, SIZES["imagenet"][1])
    place.simclr("export", "encoder/encoder.safetensors", "--format", "torchvision", "--out", "vision")
    module, network = load_module(place, "plain")
    model = getattr(vision.models, f"resnet{depth}")(weights=None)
    model.fc = place.torch.nn.Identity()
    print(" ", model.load_state_dict(library.load_file(place / "vision/model.safetensors"), strict=True))
    with place.torch.no_grad():
        views = place.torch.stack([module.preprocess(str(place / f"pictures/{i}.png"), network) for i in range(5)])
        agree("torchvision", model.eval()(views), ours)


@cases(("resnet18", 18), ("resnet50", 50))
def test_timm(place, depth):
    timm, _ = need("timm", "torch")
    _, ours = prepare(place, depth, 1, "imagenet", 64, SIZES["imagenet"][1])
    place.simclr("export", "encoder/encoder.safetensors", "--format", "timm", "--out", "timm")
    model = timm.create_model(f"local-dir:{place / 'timm'}", pretrained=True).eval()
    taken = timm.data.resolve_model_data_config(model)
    assert taken["interpolation"] == "bicubic" and taken["crop_pct"] == 0.875, taken
    assert tuple(taken["mean"]) == MEAN and tuple(taken["std"]) == STD and tuple(taken["input_size"]) == (3, 64, 64), taken
    module, network = load_module(place, "plain")
    with place.torch.no_grad():
        views = place.torch.stack([module.preprocess(str(place / f"pictures/{i}.png"), network) for i in range(5)])
        agree("timm", model.forward_head(model.forward_features(views), pre_logits=True), ours)


def test_import_then_export_is_the_identity(place):
    make_encoder(place / "encoder", 50, 1, "imagenet", 64)
    for form in ("torchvision", "timm", "pytorch"):
        place.simclr("export", "encoder/encoder.safetensors", "--format", form, "--out", form)
        written, _ = read_safetensors(place / form / "model.safetensors")
        read, _ = read_safetensors(place / "encoder/encoder.safetensors")
        assert set(written) == set(read), set(written) ^ set(read)
        for name, value in read.items():
            assert written[name].dtype == value.dtype and written[name].tobytes() == value.tobytes(), (form, name)
    # and what an export holds is taken again
    place.simclr("export", "pytorch", "--format", "timm", "--out", "again")
    assert (place / "again/model.safetensors").read_bytes() == (place / "timm/model.safetensors").read_bytes()


@cases(("resnet18", "resnet18"), ("resnet50", "resnet50"), ("alexnet", "alexnet"))
def test_what_torchvision_saved_comes_back(place, name):
    """torch.save, `simclr import`, `simclr export`, and torchvision's own load_state_dict: every bit but the classifier."""
    torch, vision, library = need("torch", "torchvision", "safetensors.torch")
    torch.manual_seed(2)
    theirs = getattr(vision.models, name)(weights=None)
    torch.save({"state_dict": {"module." + key: value for key, value in theirs.state_dict().items()}, "epoch": 7}, place / "theirs.pth")
    place.simclr("import", "theirs.pth", "--out", "encoder.safetensors")
    place.simclr("export", "encoder.safetensors", "--format", "torchvision", "--out", "ours")
    back = getattr(vision.models, name)(weights=None)
    missing, unexpected = back.load_state_dict(library.load_file(place / "ours/model.safetensors"), strict=False)
    last = ["fc.weight", "fc.bias"] if name != "alexnet" else ["classifier.6.weight", "classifier.6.bias"]
    assert sorted(missing) == sorted(last) and not unexpected, (missing, unexpected)
    before, after = theirs.state_dict(), back.state_dict()
    for key in set(before) - set(last):
        assert before[key].dtype == after[key].dtype and before[key].numpy().tobytes() == after[key].numpy().tobytes(), key


# ---- ONNX ----
def check_onnx(path):
    onnx = need("onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 7 and model.opset_import[0].version == 13
    assert not {t.name for t in model.graph.initializer} & {v.name for v in model.graph.input}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    return model


def run_onnxruntime(path, images, names=("features",)):
    runtime = need("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(list(names), {"images": images})


def run_opencv(path, images, name="features"):
    cv2 = need("cv2")
    network = cv2.dnn.readNetFromONNX(str(path))
    network.setInput(images, "images")
    return network.forward(name).copy()


def exported(place, fold, kind, name="encoder/encoder.safetensors"):
    words = [] if fold else ["--no-fold"]
    place.simclr("export", name, "--format", "onnx", "--input", kind, *words, "--out", f"{kind}{fold}.onnx")
    return place / f"{kind}{fold}.onnx"


def inputs_of(place, module, network, pictures, kind):
    """What the graph takes, before mean and deviation."""
    numpy = need("numpy")
    network.config["pretrained_cfg"].update(mean=[0, 0, 0], std=[1, 1, 1])
    views = numpy.stack([module.preprocess(picture, network).numpy() for picture in pictures])
    return views if kind == "float" else (views * 255).round().astype("uint8").transpose(0, 2, 3, 1).copy()


FORMS = [(fold, kind) for fold in (True, False) for kind in ("float", "bytes")]
NETWORKS = [("resnet18 cifar", 18, 0.25, "cifar"), ("resnet18 imagenet", 18, 1, "imagenet"),
            ("resnet50 cifar", 50, 0.25, "cifar"), ("resnet50 imagenet", 50, 1, "imagenet")]


@cases(*((f"{name} {reader}", reader, *rest) for name, *rest in NETWORKS for reader in ("onnxruntime", "cv2")))
def test_onnx(place, reader, depth, width, stem):
    """Batch 1 and 5, folded and not, floats and bytes. Bytes are held to PyTorch's features of the same bytes; where
    the pictures are of the network's size, these are ours too."""
    numpy, _ = need("numpy", reader)
    size = SIZES[stem][0]
    sizes = [(size, size)] * 5 if stem == "cifar" else SIZES[stem][1]
    pictures, ours = prepare(place, depth, width, stem, size, sizes)
    module, network = load_module(place, "plain")
    run = {"onnxruntime": lambda path, images: run_onnxruntime(path, images)[0], "cv2": run_opencv}[reader]
    mean, std = (numpy.array(row, "float32").reshape(1, 3, 1, 1) for row in (MEAN, STD))
    for fold, kind in FORMS:
        path = exported(place, fold, kind)
        images = inputs_of(place, module, network, pictures, kind)
        as_floats = images if kind == "float" else images.transpose(0, 3, 1, 2).astype("float32") / 255
        with place.torch.no_grad():
            torch = network(place.torch.from_numpy(((as_floats - mean) / std).astype("float32"))).numpy()
        all_at_once = run(path, images)
        one_by_one = numpy.concatenate([run(path, images[i:i + 1]) for i in range(5)])
        what = f"{'folded' if fold else 'not folded'}, {kind}"
        agree(f"{what}, batch 5 against PyTorch", all_at_once, torch)
        agree(f"{what}, batch 1 against PyTorch", one_by_one, torch)
        if kind == "float" or stem == "cifar":
            agree(f"{what}, against simclr embed", all_at_once, ours)


@cases(*((name, *rest) for name, *rest in NETWORKS))
def test_onnx_checker(place, depth, width, stem):
    need("onnx", "numpy")
    make_encoder(place / "encoder", depth, width, stem, SIZES[stem][0], MEAN, STD)
    for fold, kind in FORMS:
        model = check_onnx(exported(place, fold, kind))
        told = json.loads({entry.key: entry.value for entry in model.metadata_props}["simclr"])
        assert told["pretrained_cfg"]["mean"] == list(MEAN) and told["simclr"]["folded"] == fold
        kinds = {node.op_type for node in model.graph.node}
        assert ("BatchNormalization" in kinds) == (not fold), kinds
        assert len(model.doc_string) > 500 and model.producer_name == "simclr"


# ---- classifiers ----
def labelled_pictures(place, size=32, classes=("a, \"b\"", "ünïcode", "c")):
    """train/ and test/ with a folder for each class, whose pictures differ in frequency."""
    for part, count in (("train", 12), ("test", 5)):
        for number, name in enumerate(classes):
            make_pictures(place / f"set/{part}/{name}", [(size, size)] * count, seed=100 * number + (part == "test"))
    return sorted(classes)


def read_test_pictures(place):
    numpy = need("numpy")
    from_files = sorted((place / "set/test").glob("*/*.png"))
    image = need("PIL.Image")
    return numpy.stack([numpy.asarray(image.open(path)) for path in from_files])


def test_classifier_of_evaluate(place):
    """Probabilities as evaluate found them, temperature and all."""
    numpy, _ = need("numpy", "onnxruntime", "torch", "PIL.Image")[:2]
    classes = labelled_pictures(place)
    make_encoder(place / "run", 18, 0.25, "cifar", 32, MEAN, STD)
    place.simclr("evaluate", "run", "--data", "set", "--protocols", "knn,linear", "--out", "run/evaluation", "--precision", "float32")
    found = numpy.load(place / "run/evaluation/predictions.npz")
    pictures = read_test_pictures(place)
    path = exported(place, True, "bytes", "run")
    features, logits, probabilities = run_onnxruntime(path, pictures, ("features", "logits", "probabilities"))
    assert numpy.abs(probabilities - found["probabilities"]).max() < MOST, numpy.abs(probabilities - found["probabilities"]).max()
    assert (probabilities.argmax(1) == found["top5"][:, 0]).all() and numpy.abs(probabilities.sum(1) - 1).max() < 1e-5
    metadata = {entry.key: entry.value for entry in check_onnx(path).metadata_props} if importlib.util.find_spec("onnx") else None
    if metadata:
        assert json.loads(metadata["simclr"])["label_names"] == classes
    place.simclr("export", "run", "--format", "pytorch", "--out", "plain")
    module, network = load_module(place, "plain")
    assert network.classes == classes
    torch = need("torch")
    with torch.no_grad():
        views = torch.stack([module.preprocess(picture, network) for picture in pictures])
        agree("features", network(views), features)
        assert numpy.abs(network.probabilities(views).numpy() - probabilities).max() < MOST
        agree("logits", network.logits(views), logits, 1e-3)
    card = (place / "plain/README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: image-classification" in card and "linear classifier | top-1" in card, card


@cases(("on h", []), ("on a layer of the head", ["--cut-layer", 1]))
def test_classifier_of_finetune(place, options):
    """The network's own classifier, on h or on a layer of the head."""
    numpy, torch = need("numpy", "torch", "onnxruntime", "PIL.Image")[:2]
    classes = labelled_pictures(place)
    tiny = ["--image-size", 32, "--batch", 12, "--threads", 2, "--precision", "float32"]
    place.simclr("pretrain", "--data", "set", "--depth", 18, "--width", "1/8", *tiny, "--epochs", 1, "--knn-every", 0, "--out", "run")
    place.simclr("finetune", "--checkpoint", "run", "--data", "set", "--labels", "100%", *tiny, "--epochs", 10, "--learning-rate", 0.5, "--no-controls",
                 *options, "--out", "tuned", "--predictions", "tuned.npz")
    found, pictures = numpy.load(place / "tuned.npz"), read_test_pictures(place)
    for fold in (True, False):
        path = exported(place, fold, "bytes", "tuned")
        features, probabilities = run_onnxruntime(path, pictures, ("features", "probabilities"))
        assert numpy.abs(probabilities - found["probabilities"]).max() < MOST, fold
    place.simclr("export", "tuned", "--format", "pytorch", "--out", "plain")
    module, network = load_module(place, "plain")
    with torch.no_grad():
        views = torch.stack([module.preprocess(picture, network) for picture in pictures])
        agree("features", network(views), features)
        assert numpy.abs(network.probabilities(views).numpy() - probabilities).max() < MOST
    assert network.classes == classes
    # a checkpoint by itself has no names
    (place / "alone").mkdir()
    (place / "tuned/checkpoints/finetune.safetensors").rename(place / "alone/finetune.safetensors")
    place.simclr("export", "alone/finetune.safetensors", "--out", "numbered")
    _, numbered = load_module(place, "numbered")
    assert numbered.classes == ["0", "1", "2"]
    with torch.no_grad():
        assert numpy.abs(numbered.probabilities(views).numpy() - probabilities).max() < MOST
    spread_of = found["probabilities"].max(0) - found["probabilities"].min(0)
    assert spread_of.max() > 0.01, "the probabilities do not depend on the pictures"


@cases(("torchvision", "torchvision"), ("timm", "timm"))
def test_classifier_in_other_libraries(place, form):
    torch, library = need("torch", form)
    numpy = need("numpy", "PIL.Image")[0]
    classes = labelled_pictures(place, 64)
    make_encoder(place / "run", 18, 1, "imagenet", 64, MEAN, STD)
    place.simclr("evaluate", "run", "--data", "set", "--protocols", "linear", "--l2", 1, "--out", "run/evaluation", "--precision", "float32")
    place.simclr("export", "run", "--format", form, "--out", "theirs")
    place.simclr("export", "run", "--format", "pytorch", "--out", "plain")
    module, network = load_module(place, "plain")
    if form == "timm":
        model = library.create_model(f"local-dir:{place / 'theirs'}", pretrained=True).eval()
        assert model.num_classes == 3 and list(model.pretrained_cfg.get("label_names") or classes) == classes
    else:
        model = library.models.resnet18(num_classes=3)
        model.load_state_dict(need("safetensors.torch").load_file(place / "theirs/model.safetensors"))
        model.eval()
    with torch.no_grad():
        views = torch.stack([module.preprocess(picture, network) for picture in read_test_pictures(place)])
        agree("logits", model(views), network.logits(views))


def test_alexnet(place):
    """torchvision's own shapes, under its own names. Its average pool makes 6 x 6 bins of a map of 1 x 1 here."""
    numpy, torch, vision = need("numpy", "torch", "torchvision")
    random = numpy.random.default_rng(3)
    model = vision.models.alexnet(weights=None).eval()
    model.classifier[6] = torch.nn.Identity()
    tensors = {}
    for name, value in model.state_dict().items():
        fan = value.numel() / value.shape[0] if value.ndim > 1 else 100
        tensors[name] = (random.standard_normal(tuple(value.shape), "float32") * numpy.float32((2 / fan) ** 0.5))
    write_safetensors(place / "alexnet.safetensors", tensors)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    make_pictures(place / "pictures", [(70, 70), (100, 80), (64, 64), (90, 70), (130, 128)])
    ours, _ = place.features("alexnet.safetensors", "pictures", "--image-size", 72)
    for form in ("torchvision", "pytorch"):
        place.simclr("export", "alexnet.safetensors", "--format", form, "--image-size", 72, "--out", form)
    module, network = load_module(place, "pytorch")
    written, _ = read_safetensors(place / "torchvision/model.safetensors")
    assert set(written) == set(tensors) and all((written[name] == value).all() for name, value in tensors.items())
    views = torch.stack([module.preprocess(str(place / f"pictures/{i}.png"), network) for i in range(5)])
    with torch.no_grad():
        agree("model.py", network(views), ours)
        agree("torchvision", model(views), ours)
    if importlib.util.find_spec("onnxruntime"):
        place.simclr("export", "alexnet.safetensors", "--format", "onnx", "--image-size", 72, "--out", "alexnet.onnx")
        agree("ONNX Runtime", run_onnxruntime(place / "alexnet.onnx", views.numpy())[0], ours)


def test_syntax_of_old_python(place):
    """model.py uses nothing newer than Python 3.9."""
    import ast

    make_encoder(place / "encoder", 18, 0.25, "cifar", 32) if importlib.util.find_spec("numpy") else None
    text = (place.root / "src/export/model.py").read_text()
    ast.parse(text, feature_version=(3, 9))
    if not (place / "encoder").exists():
        raise Skip("no module numpy")
    place.simclr("export", "encoder/encoder.safetensors", "--out", "plain")
    assert (place / "plain/model.py").read_text() == text
    subprocess.run([sys.executable, "-m", "py_compile", str(place / "plain/model.py")], check=True)
    # python has left its cache there: the folder is still an export, and replaced as one
    place.simclr("export", "encoder/encoder.safetensors", "--out", "plain")
    assert sorted(path.name for path in (place / "plain").iterdir()) == ["README.md", "config.json", "model.py", "model.safetensors"]
