"""test_simclr.py SIMCLR [SANITIZER...] -- the Python package against the program and the library of a build.

SIMCLR is the program; SIMCLR_LIBRARY names the library, PYTHONPATH the package. SANITIZER is what the library was built
with: an interpreter that was not cannot load it. The cases need numpy, and PIL, torch and
scikit-learn for some cases: those are skipped by name where they are not installed. The last line counts the cases."""
import ast
import json
import os
import pathlib
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT / "tests" / "fuzz" / "corpus" / "image"
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else None
TINY = dict(data="synthetic", synthetic_images=64, width="1/8", image_size=16, batch=16, threads=2, knn_every=0,
            diagnostics_images=0)


def skip_all(reason):
    print(f"skipped: every case: {reason}\n1 cases, 1 skipped: {reason}")
    sys.exit(77)


if len(sys.argv) > 2:
    skip_all("Python cannot load a library with a sanitizer")
try:
    import numpy as np
except ImportError:
    skip_all("there is no numpy")
import pictures  # noqa: E402
import simclr  # noqa: E402


def optional(name):
    try:
        return __import__(name, fromlist=["x"])
    except ImportError:
        return None


PIL, TORCH, SKLEARN = optional("PIL.Image"), optional("torch"), optional("sklearn.base")
WORK = None  # a folder, and in it what all cases share
MODEL = None
PATHS, ARRAYS = [], []


def setUpModule():
    global WORK, MODEL
    WORK = pathlib.Path(tempfile.mkdtemp(prefix="simclr_python_"))
    simclr.run("pretrain", out=WORK / "run", epochs=1, **TINY)
    (WORK / "photos").mkdir()
    random = np.random.default_rng(1)
    for n in range(131):  # a whole batch of 128, and a part of one
        array = random.integers(0, 256, (20 + n % 7, 24 - n % 5, 3), dtype=np.uint8)
        ARRAYS.append(array)
        PATHS.append(WORK / "photos" / f"{n:03}.png")
        pictures.write_png(PATHS[n], array)
    MODEL = simclr.load(WORK / "run", threads=2)


def tearDownModule():
    MODEL.close()
    shutil.rmtree(WORK)


def by_program(folder, name):
    """What `simclr embed` writes of a folder."""
    out = WORK / name
    subprocess.run([PROGRAM, "embed", "--checkpoint", str(WORK / "run"), "--data", str(folder), "--out", str(out),
                    "--threads", "2"], check=True, capture_output=True)
    return np.load(out)


def distance(a, b):
    """The largest relative distance of two rows."""
    return float((np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)).max())


class Embedding(unittest.TestCase):
    def test_rows_are_those_of_the_program(self):
        rows = MODEL.embed(PATHS)
        self.assertEqual((rows.shape, rows.dtype), ((131, MODEL.dim), np.float32))
        np.testing.assert_array_equal(rows, by_program(WORK / "photos", "all.npy"))
        (WORK / "three").mkdir()
        names = ["exif.jpg", "progressive.jpg", "rgb.jpg"]
        for name in names:
            shutil.copy(CORPUS / name, WORK / "three" / name)
        rows = MODEL.embed([str(WORK / "three" / name) for name in names])
        np.testing.assert_array_equal(rows, by_program(WORK / "three", "three.npy"))

    def test_every_form_of_an_image_gives_the_same_bits(self):
        expected = MODEL.embed(PATHS)
        np.testing.assert_array_equal(MODEL.embed(ARRAYS), expected)
        np.testing.assert_array_equal(MODEL.embed(array for array in ARRAYS), expected)
        mixed = [(os.fspath(path), path, path.read_bytes(), bytearray(path.read_bytes()), array, array.copy())[n % 6]
                 for n, (path, array) in enumerate(zip(PATHS, ARRAYS))]
        np.testing.assert_array_equal(MODEL.embed(mixed), expected)
        equal = np.stack([array[:20, :20] for array in ARRAYS[:9]])
        np.testing.assert_array_equal(MODEL.embed(equal), MODEL.embed(list(equal)))
        np.testing.assert_array_equal(MODEL.embed(np.array([str(path) for path in PATHS])), expected)
        one = MODEL.embed(PATHS[:1])
        for image in (PATHS[0], str(PATHS[0]), PATHS[0].read_bytes(), ARRAYS[0], memoryview(PATHS[0].read_bytes())):
            np.testing.assert_array_equal(MODEL.embed(image), one)

    def test_rows_of_arrays_may_lie_anyhow(self):
        wide = np.random.default_rng(2).integers(0, 256, (60, 50, 3), dtype=np.uint8)
        views = [wide[::-1], wide[:, ::-1], wide[:, :, ::-1], wide[::2, ::3], wide[5:40, 10:30],
                 np.asfortranarray(wide), wide.transpose(1, 0, 2), np.broadcast_to(wide[:1], (30, 50, 3)), wide[:1]]
        np.testing.assert_array_equal(MODEL.embed(views), MODEL.embed([view.copy() for view in views]))

    def test_batch_size(self):
        rows = MODEL.embed(ARRAYS[:20])
        for size in (1, 7, 64):
            np.testing.assert_array_equal(MODEL.embed(ARRAYS[:20], batch_size=size), rows)

    def test_pictures_of_pil(self):
        if not PIL:
            self.skipTest("there is no PIL")
        names = ["rgb.png", "gray.png", "palette.png", "rgba.png", "bit.png", "exif.png", "gray16.png"]
        opened = [PIL.open(CORPUS / name) for name in names]
        np.testing.assert_array_equal(MODEL.embed(opened), MODEL.embed([CORPUS / name for name in names]))
        np.testing.assert_array_equal(MODEL.embed(opened[0]), MODEL.embed(CORPUS / "rgb.png"))
        names = ["rgb.jpg", "gray.jpg", "exif.jpg", "progressive.jpg"]
        rows = MODEL.embed([PIL.open(CORPUS / name) for name in names])
        self.assertLess(distance(rows, MODEL.embed([CORPUS / name for name in names])), 8e-3)
        with self.assertRaisesRegex(TypeError, "image 0 is a PIL image of mode F"):
            MODEL.embed(PIL.new("F", (20, 20)))

    def test_pictures_of_pil_are_turned_as_the_library_turns_them(self):
        if not PIL:
            self.skipTest("there is no PIL")
        colours, gray = ARRAYS[0], np.random.default_rng(4).integers(0, 65536, (21, 30), dtype=np.uint16)
        upright, path = MODEL.embed(colours), WORK / "turned.png"
        for n in range(1, 9):
            eight = pictures.chunk(b"eXIf", pictures.exif(n, "big" if n % 2 else "little"))
            cases = [("before", colours, eight, b""), ("deep", gray, eight, b""), ("behind", colours, b"", eight),
                     ("text", colours, pictures.raw_profile(pictures.exif(n)), b""),
                     ("xmp", colours, pictures.xmp(n), b"")]
            for name, array, before, behind in cases:
                with self.subTest(name, n=n):
                    pictures.write_png(path, array, before, behind)
                    expected, opened = MODEL.embed(path), PIL.open(path)
                    if name != "deep":
                        self.assertEqual((expected == upright).all(), n == 1 or name != "before")
                    for _ in range(2):  # the second time it is loaded
                        np.testing.assert_array_equal(MODEL.embed(opened), expected)
            with self.subTest("tiff", n=n):  # as the library turns a PNG, since not every build reads TIFF
                pictures.write_png(path, colours, eight)
                PIL.fromarray(colours).save(WORK / "turned.tif", tiffinfo={274: n})
                opened = PIL.open(WORK / "turned.tif")
                for _ in range(2):
                    np.testing.assert_array_equal(MODEL.embed(opened), MODEL.embed(path))
        for exif in (b"II*", b"Exif\0\0", pictures.exif(6)[:18], pictures.exif(9), b"MM" + pictures.exif(6)[2:], b"x"):
            with self.subTest(exif):
                pictures.write_png(path, colours, pictures.chunk(b"eXIf", exif))
                np.testing.assert_array_equal(MODEL.embed(path), upright)
                np.testing.assert_array_equal(MODEL.embed(PIL.open(path)), upright)

    def test_tensors_of_torch(self):
        if not TORCH:
            self.skipTest("there is no torch")
        tensors = [TORCH.from_numpy(array) for array in ARRAYS[:10]]
        np.testing.assert_array_equal(MODEL.embed(tensors), MODEL.embed(ARRAYS[:10]))
        stack = TORCH.stack([tensor[:20, :20] for tensor in tensors])
        np.testing.assert_array_equal(MODEL.embed(stack), MODEL.embed(stack.numpy()))
        first = stack.permute(0, 3, 1, 2).contiguous()
        np.testing.assert_array_equal(MODEL.embed(first.permute(0, 2, 3, 1)), MODEL.embed(stack))
        with self.assertRaisesRegex(ValueError, r"permute\(1, 2, 0\)"):
            MODEL.embed(first)
        with self.assertRaisesRegex(TypeError, "float32, and not uint8"):
            MODEL.embed(stack.float() / 255)
        with self.assertRaisesRegex(TypeError, "tensor on meta"):
            MODEL.embed(stack.to("meta"))

    def test_names_that_are_no_utf_8(self):
        folder = os.fsencode(WORK / "photos")
        name = os.fsdecode(folder + b"/\xff\xfe.png")
        shutil.copy(PATHS[3], name)
        try:
            np.testing.assert_array_equal(MODEL.embed([name]), MODEL.embed(PATHS[3:4]))
        finally:
            os.unlink(name)
        with self.assertRaisesRegex(simclr.Error, r"\\xff\\xfe.png"):
            MODEL.embed([name])

    def test_what_is_no_image(self):
        good, path = ARRAYS[0], PATHS[0]
        cases = [
            ([], ValueError, "no images were given"),
            (iter([]), ValueError, "no images were given"),
            (np.zeros((0, 20, 20, 3), np.uint8), ValueError, "no images were given"),
            ([good, good.astype(np.float32)], TypeError, "image 1 has type float32, and not uint8: "),
            ([good.astype(np.int64)], TypeError, "image 0 has type int64, and not uint8"),
            ([good.transpose(2, 0, 1)], ValueError, r"x.transpose\(1, 2, 0\)"),
            ([good[:, :, 0]], ValueError, "gray picture"),
            (good[:, :, 0], ValueError, "2 dimensions"),
            ([good[:0]], ValueError, "there are no pixels"),
            ([np.zeros((4, 4, 4), np.uint8)], ValueError, r"shape \[4, 4, 4\]"),
            ([good[None, None]], ValueError, "and not "),
            ([None], TypeError, "image 0 has type object"),
            ([[1, [2]]], TypeError, "image 0 is a list, which is no image"),
            (7, TypeError, "not int"),
            (None, TypeError, "not NoneType"),
            ([path, b""], ValueError, "image 1 is empty"),
            ([path, b"GIF89a"], simclr.Error, "image 1: "),
            ([path, "a\0b"], ValueError, "NUL"),
            ([path, "/nowhere/x.png"], simclr.Error, "/nowhere/x.png"),
            ([path, WORK], simclr.Error, "simclr_python_"),
            ([path, CORPUS / "cut.jpg"], simclr.Error, "cut.jpg"),
            ([""], simclr.Error, ""),
        ]
        for images, kind, words in cases:
            with self.subTest(words), self.assertRaisesRegex(kind, words):
                MODEL.embed(images)
        for size in (-1, 10**6):
            with self.assertRaisesRegex(simclr.Error, "a batch of"):
                MODEL.embed(PATHS[:2], batch_size=size)
        with self.assertRaises(simclr.Error) as caught:
            MODEL.embed(["/nowhere/x.png"])
        self.assertEqual(caught.exception.status, "IO")
        self.assertEqual(pickle.loads(pickle.dumps(caught.exception)).status, "IO")


class Predicting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        simclr.run("finetune", checkpoint=WORK / "run", data="synthetic", synthetic_images=80, batch=16, threads=2,
                   epochs=1, labels="100%", out=WORK / "tuned")
        cls.model = simclr.load(WORK / "tuned", threads=2)

    @classmethod
    def tearDownClass(cls):
        cls.model.close()

    def test_classes_are_those_of_the_program(self):
        done = subprocess.run([PROGRAM, "predict", str(WORK / "tuned"), str(WORK / "photos"), "--format", "jsonl",
                               "--top", "3", "--threads", "2"], check=True, capture_output=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(lines), len(PATHS))
        self.assertEqual(len(self.model.classes), 10)
        self.assertIn("10 classes", repr(self.model))
        predicted, rows = self.model.predict(PATHS, top=3), self.model.predict_proba(ARRAYS)
        self.assertEqual((rows.shape, rows.dtype), ((131, 10), np.float32))
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
        for line, one, row in zip(lines, predicted, rows):
            self.assertEqual(line["label"], one.label)
            self.assertEqual(np.float32(line["probability"]), one.probability)
            self.assertEqual([(top["label"], np.float32(top["probability"])) for top in line["top"]],
                             [(label, np.float32(probability)) for label, probability in one.top])
            self.assertEqual(line["unlike"], one.unlike)
            self.assertEqual(row[self.model.classes.index(one.label)], np.float32(one.probability))
        self.assertEqual(len(self.model.predict(PATHS[0], top=99)[0].top), 10)
        with self.model.share() as other:
            np.testing.assert_array_equal(other.predict_proba(ARRAYS), rows)
            self.assertEqual(other.classes, self.model.classes)

    def test_what_cannot_be_predicted(self):
        self.assertEqual(MODEL.classes, ())
        with self.assertRaisesRegex(simclr.Error, "classifier.safetensors"):
            MODEL.predict(PATHS[:1])
        with self.assertRaisesRegex(ValueError, "top is 0"):
            self.model.predict(PATHS[:1], top=0)
        with self.assertRaisesRegex(ValueError, "no images were given"):
            self.model.predict([])
        with self.assertRaisesRegex(simclr.Error, "cut.jpg"):
            self.model.predict_proba([CORPUS / "cut.jpg"])


class Handles(unittest.TestCase):
    def test_four_threads_with_shared_weights(self):
        expected, results = MODEL.embed(PATHS), [None] * 4
        first = simclr.load(WORK / "run", threads=2)
        models = [first.share() for _ in results]
        first.close()

        def work(n):
            results[n] = [models[n].embed(ARRAYS if n % 2 else PATHS) for _ in range(2)]
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for rows in results:
            for one in rows:
                np.testing.assert_array_equal(one, expected)
        for model in models:
            model.close()

    def test_threads_may_use_one_model(self):
        expected, results = MODEL.embed(PATHS), []
        threads = [threading.Thread(target=lambda: results.append(MODEL.embed(PATHS))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(results), 4)
        for rows in results:
            np.testing.assert_array_equal(rows, expected)

    def test_a_closed_model(self):
        with simclr.load(WORK / "run", threads=1) as model:
            self.assertEqual((model.dim, model.image_size), (64, 16))
            self.assertIn("images of 16 pixels to 64 values", repr(model))
        model.close()
        self.assertIn("closed", repr(model))
        for call in (lambda: model.embed(PATHS), model.share, model.__enter__):
            with self.assertRaisesRegex(ValueError, "the model is closed"):
                call()

    def test_what_is_no_model(self):
        cases = [("/nowhere", simclr.Error, "/nowhere"), (PATHS[0], simclr.Error, "000.png"), ("", simclr.Error, ""),
                 ("a\0b", ValueError, "NUL"), (None, TypeError, ""), (7, TypeError, "")]
        for path, kind, words in cases:
            with self.subTest(path), self.assertRaisesRegex(kind, words):
                simclr.load(path)
        with self.assertRaisesRegex(TypeError, "threads is a number"):
            simclr.load(WORK / "run", threads="2")
        with self.assertRaisesRegex(TypeError, "threads is a number"):
            simclr.load(WORK / "run", threads=np.True_)
        with simclr.load(WORK / "run", threads=np.int64(1)) as model:
            self.assertEqual(model.threads, 1)
        with self.assertRaisesRegex(simclr.Error, "threads of 0 or more"):
            simclr.load(WORK / "run", threads=-1)

    def test_other_processes(self):
        copy = pickle.loads(pickle.dumps(MODEL))
        np.testing.assert_array_equal(copy.embed(PATHS[:5]), MODEL.embed(PATHS[:5]))
        copy.close()
        child = os.fork()
        if child == 0:  # the threads of the pool are not here
            code = 1
            try:
                MODEL.embed(PATHS[:1])
            except RuntimeError as error:
                code = 0 if "forked" in str(error) else 2
            os._exit(code)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)


class Neighbours(unittest.TestCase):
    def test_the_nearest_rows(self):
        rows = np.random.default_rng(3).normal(size=(50, 24)).astype(np.float32)
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        cosines = unit @ unit.T
        index, similarity = simclr.neighbours(rows[:30], rows[30:], k=4, threads=1)
        expected = np.argsort(-cosines[30:, :30], axis=1)[:, :4]
        np.testing.assert_array_equal(index, expected)
        np.testing.assert_allclose(similarity, np.take_along_axis(cosines[30:, :30], expected, 1), atol=1e-6)
        np.fill_diagonal(cosines, -2)
        index, _ = simclr.neighbours(rows, k=np.int32(5), threads=np.int64(1))
        np.testing.assert_array_equal(index, np.argsort(-cosines, axis=1)[:, :5])
        index, similarity = simclr.neighbours(rows[:3].astype(np.float64), k=4)
        self.assertTrue((index[:, 2:] == -1).all() and (similarity[:, 2:] == 0).all())
        self.assertEqual([found.tolist() for found in simclr.neighbours(rows[:1], k=2)], [[[-1, -1]], [[0, 0]]])
        np.testing.assert_array_equal(simclr.neighbours(rows[::-2])[0], simclr.neighbours(rows[::-2].copy())[0])

    def test_what_is_no_table(self):
        rows = np.ones((3, 4), np.float32)
        cases = [((rows[0],), {}, ValueError, "features have shape"),
                 ((rows[:0],), {}, ValueError, "features have shape"),
                 ((rows, rows[:, :3]), {}, ValueError, "queries have 3 values each, and features 4"),
                 ((rows,), {"k": 0}, ValueError, "k is 0"), ((rows,), {"threads": -1}, simclr.Error, "-1 threads"),
                 ((["a"],), {}, ValueError, ""), ((rows,), {"k": "3"}, TypeError, "")]
        for arguments, options, kind, words in cases:
            with self.subTest(words), self.assertRaisesRegex(kind, words):
                simclr.neighbours(*arguments, **options)


class Running(unittest.TestCase):
    def test_what_a_command_says(self):
        steps, lines, texts, own = [], [], [], set()

        def see(step):
            own.add(threading.get_ident())
            steps.append(step)
        printed = simclr.run("pretrain", out=WORK / "seen", epochs=2, progress=see, log=lines.append,
                             output=texts.append, **TINY)
        training = [step for step in steps if step.phase == "pretrain"]
        self.assertEqual((training[-1].step, training[-1].steps, training[-1].epochs), (8, 8, 2.0))
        self.assertTrue(training[-1].loss > 0 and training[-1].views_per_second > 0)
        self.assertRegex(str(training[-1]), r"^pretrain 8/8, epoch 2.00 of 2, loss \d")
        self.assertEqual(own, {threading.get_ident()})
        self.assertTrue(any("threads" in line for line in lines))
        self.assertEqual(printed, "".join(texts))
        self.assertIn("checkpoints", printed)
        with self.assertLogs("simclr", "INFO") as logged:
            simclr.run("info", width="1/8", image_size=32, batch=2, json=True)
        self.assertTrue(logged.output)

    def test_options(self):
        recipe = WORK / "recipe.yaml"
        recipe.write_text("epochs: 3\nbatch: 32\n")
        simclr.run("pretrain", recipe=recipe, out=WORK / "recipe", **{**TINY, "epochs": 1, "batch": None})
        written = (WORK / "recipe" / "config.yaml").read_text()
        self.assertIn("\nepochs: 1\n", written)
        self.assertIn("\nbatch: 32\n", written)
        simclr.run("embed", checkpoint=WORK / "run", data=WORK / "photos", out=WORK / "mean.npy", mean=(0.5, 0.5, 0.25),
                   std=[0.2, 0.2, 0.2])
        self.assertEqual(np.load(WORK / "mean.npy").shape, (131, 64))

    def test_options_of_numpy(self):
        values = dict(width=np.float64(0.125), image_size=np.int64(16), json=np.True_, batch=np.array(2))
        self.assertEqual(json.loads(simclr.run("info", **values))["batch"], 2)
        printed = simclr.run("info", width=np.float32(0.125), image_size=16, json=np.False_)
        self.assertRegex(printed, "^ResNet-18, width 0.125,")
        simclr.run("embed", checkpoint=WORK / "run", data=WORK / "photos", out=WORK / "mean.npy", std=[0.2, 0.2, 0.2],
                   mean=list(np.array([0.5, 0.5, 0.25])), normalize=np.bool_(True))
        np.testing.assert_allclose(np.linalg.norm(np.load(WORK / "mean.npy"), axis=1), 1, atol=1e-5)
        texts = [simclr._run._text(value) for value in (np.float64(1e-7), np.float32(0.1), np.array(True))]
        self.assertEqual(texts, ["1e-07", "0.1", "true"])

    def test_a_recipe_that_expects_otherwise(self):
        recipe = WORK / "expect.yaml"
        row = "expect:\n  - {epoch: 1, metric: epoch/loss, low: %s, source: a test}\n"
        recipe.write_text(row % "0, high: 100")
        self.assertIn("epoch/loss", simclr.run("verify", runs=[WORK / "run"], recipe=recipe))
        recipe.write_text(row % "0, high: 0.001")
        with self.assertRaisesRegex(simclr.Error, "above what .*expect.yaml expects") as caught:
            simclr.run("verify", runs=[WORK / "run"], recipe=recipe)
        self.assertEqual(caught.exception.status, "UNEXPECTED")

    def test_what_cannot_run(self):
        cases = [(("pretrian",), {}, simclr.Error, "nearest is \"pretrain\""),
                 (("pretrain",), {"epoch": 3}, simclr.Error, "nearest is --epochs"),
                 (("pretrain",), {"epochs": "many"}, simclr.Error, "integer from 1"),
                 (("pretrain",), {}, simclr.Error, "--data"),
                 (("pretrain",), {"data": "/nowhere", "out": WORK / "none"}, simclr.Error, "/nowhere"),
                 (("pretrain",), {"recipe": "/nowhere/r.yaml"}, simclr.Error, "/nowhere/r.yaml"),
                 (("pretrain",), {"data": "a\0b"}, ValueError, "NUL"), ((7,), {}, TypeError, "")]
        for arguments, options, kind, words in cases:
            with self.subTest(words), self.assertRaisesRegex(kind, words):
                simclr.run(*arguments, **options)

    def test_a_callback_that_fails_stops_the_run(self):
        def fail(step):
            raise LookupError(step.phase)
        with self.assertRaisesRegex(LookupError, "pretrain"):
            simclr.run("pretrain", out=WORK / "failed", epochs=2, progress=fail, **TINY)
        last = []
        simclr.run("pretrain", out=WORK / "failed", epochs=2, progress=last.append, **TINY)  # goes on
        self.assertEqual(last[-1].step, last[-1].steps)

    def test_an_interrupt_stops_the_run(self):
        calm = []
        simclr.run("pretrain", out=WORK / "calm", epochs=3, progress=calm.append, **TINY)

        def interrupt(step):
            if step.phase == "pretrain" and step.step == 2:
                os.kill(os.getpid(), signal.SIGINT)
        with self.assertRaisesRegex(KeyboardInterrupt, "stopped by request at step"):
            simclr.run("pretrain", out=WORK / "long", epochs=50000, progress=interrupt, **TINY)
        with self.assertRaises(KeyboardInterrupt):
            simclr.run("pretrain", out=WORK / "stopped", epochs=3, progress=interrupt, **TINY)
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)
        simclr.run("pretrain", out=WORK / "stopped", epochs=3, **TINY)
        same = [(WORK / name / "exported" / "encoder.safetensors").read_bytes() for name in ("calm", "stopped")]
        self.assertEqual(*same)

    def test_an_interrupt_stops_embedding(self):
        big = [np.zeros((2500, 2500, 3), np.uint8)] * 128
        model = simclr.load(WORK / "run", threads=1)
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            while True:
                model.embed(big)
        timer.join()
        np.testing.assert_array_equal(model.embed(ARRAYS[:3]), model.embed(ARRAYS[:3]))
        model.close()

    def test_a_handler_of_ones_own(self):
        class Stop(Exception):
            pass

        def handler(*_):
            raise Stop
        model = simclr.load(WORK / "run", threads=1)
        previous = signal.signal(signal.SIGINT, handler)
        try:
            timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            with self.assertRaises(Stop):
                while True:
                    model.embed([np.zeros((2500, 2500, 3), np.uint8) for _ in range(64)])
        finally:
            signal.signal(signal.SIGINT, previous)
        for thread in threading.enumerate():  # the library goes on, with all that it was given
            if thread.name == "simclr":
                thread.join()
        try:
            self.assertEqual(model.embed(PATHS[:2]).shape, (2, 64))  # it came between two calls
        except ValueError as error:
            self.assertIn("the model is closed", str(error))


    def test_what_a_call_uses_outlives_its_wait(self):
        class Stop(Exception):
            pass

        def handler(*_):
            raise Stop
        model, seen = simclr.load(WORK / "run", threads=1), []
        context, work = model._context, simclr._work.Work
        run, previous = work._run, signal.signal(signal.SIGALRM, handler)

        def watched(self):
            call = self.call
            self.call = lambda: (call(), seen.append(bool(context.pointer)))[0]
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            run(self)
            seen.extend([self.status, bool(context.pointer)])
        work._run = watched
        try:
            with self.assertRaises(Stop), model:
                model.embed([np.zeros((2500, 2500, 3), np.uint8)] * 128)
        finally:
            work._run = run
            signal.signal(signal.SIGALRM, previous)
        for thread in threading.enumerate():
            if thread.name == "simclr":
                thread.join()
        self.assertEqual(seen, [True, -8, False])  # there until the library has stopped, then freed
        with self.assertRaisesRegex(ValueError, "the model is closed"):
            model.embed(PATHS[:1])


class Transformer(unittest.TestCase):
    def setUp(self):
        if not SKLEARN:
            self.skipTest("there is no scikit-learn")

    def test_a_pipeline(self):
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_val_score
        from sklearn.pipeline import make_pipeline
        dark = [array // 4 for array in ARRAYS[:40]]
        images, labels = dark + ARRAYS[40:80], [0] * 40 + [1] * 40
        pipeline = make_pipeline(simclr.Encoder(WORK / "run", threads=2), LogisticRegression(max_iter=1000))
        self.assertEqual(pipeline.fit(images, labels).score(images, labels), 1)
        self.assertGreater(cross_val_score(pipeline, images, labels, cv=4).mean(), 0.9)
        again = pickle.loads(pickle.dumps(pipeline))
        np.testing.assert_array_equal(again.predict_proba(images), pipeline.predict_proba(images))

    def test_an_encoder(self):
        encoder = simclr.Encoder(str(WORK / "run"), batch_size=32)
        copy = SKLEARN.clone(encoder)
        self.assertEqual(copy.get_params(), {"path": str(WORK / "run"), "threads": 0, "batch_size": 32})
        self.assertEqual(list(encoder.get_feature_names_out())[::63], ["encoder0", "encoder63"])
        np.testing.assert_array_equal(encoder.fit_transform(PATHS[:40]), copy.transform(PATHS[:40]))
        with self.assertRaises(simclr.Error):
            encoder.set_params(path="/nowhere").transform(PATHS[:2])


class Package(unittest.TestCase):
    def import_with(self, **environment):
        return subprocess.run([sys.executable, "-c", "import simclr"], env={**os.environ, **environment},
                              capture_output=True, text=True)

    def test_a_library_that_is_not_there(self):
        for named, words in (("/nowhere/libsimclr.so.0", "/nowhere/libsimclr.so.0"), (__file__, "invalid ELF header")):
            done = self.import_with(SIMCLR_LIBRARY=named)
            self.assertEqual(done.returncode, 1)
            self.assertIn("ImportError: simclr: the library libsimclr.so.0 cannot be loaded", done.stderr)
            self.assertIn(words, done.stderr)
            self.assertIn("./dev install", done.stderr)
        import ctypes.util
        other = ctypes.util.find_library("z")
        if other:
            done = self.import_with(SIMCLR_LIBRARY=other)
            self.assertIn("lacks a function that this package needs", done.stderr)

    def test_versions(self):
        project = (ROOT / "python" / "pyproject.toml").read_text()
        self.assertIn(f'\nversion = "{simclr.version()}"\n', project)
        self.assertEqual(simclr.__version__, simclr.version())
        self.assertTrue(simclr.library_path())
        codes = re.findall(r"SIMCLR_(\w+) = (-\d+)", (ROOT / "include" / "simclr" / "status.h").read_text())
        self.assertEqual(simclr._library.STATUS, {int(code): name for name, code in codes})
        with self.assertRaisesRegex(AttributeError, "no attribute 'Decoder'"):
            simclr.Decoder

    def test_the_syntax_is_that_of_3_9(self):
        files = sorted((ROOT / "python" / "simclr").glob("*.py"))
        self.assertGreater(len(files), 5)
        for file in files:
            ast.parse(file.read_text(), str(file), feature_version=(3, 9))


class Result(unittest.TextTestResult):
    """A line for what is skipped, as tools/count_tests.py reads it."""

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skipped: {test.id().replace('__main__.', '')}: {reason}")


def main():
    suite = unittest.TestLoader().loadTestsFromModule(sys.modules["__main__"])
    started = time.monotonic()
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    failed = {case.id().split(" ")[0] for case, _ in result.failures + result.errors}
    for name in sorted(failed):
        print(f"FAILED: {name.replace('__main__.', '')}")
    reasons = "; ".join(dict.fromkeys(reason for _, reason in result.skipped))
    print(f"{time.monotonic() - started:.1f} s, {simclr.library_path()}")
    count = f"{result.testsRun} cases, " + (f"{len(failed)} failed, " if failed else "")
    print(f"{count}{len(result.skipped)} skipped{': ' + reasons if reasons else ''}")
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
