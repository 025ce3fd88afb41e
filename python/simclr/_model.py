"""A trained encoder, and the search among what it makes."""
import ctypes
import operator
import os
import threading
from collections import namedtuple
from ctypes import POINTER, byref, c_byte, c_float, c_int32, c_void_p

import numpy

from ._images import chunks
from ._library import LIBRARY, Context, Error, SearchStruct, c_text
from ._work import Work, log_line


def load(path, threads=0):
    """The model of a run folder, a checkpoint, or an exported encoder. threads: 0 is one for each processor."""
    return Model(path, threads)


Prediction = namedtuple("Prediction", "label probability unlike top")
Prediction.__doc__ = """What a classifier says of an image.

label, probability: the likeliest class and its calibrated probability. unlike: is the image unlike anything that the
classifier was taught? None: it cannot tell. top: [(label, probability), ...], likeliest first."""


class Model:
    """A trained encoder. Threads may share one: their calls take turns. Those of share() run side by side."""

    def __init__(self, path, threads=0, _of=None):
        self._pointer, self._context, self._last = c_void_p(), Context(log=log_line), None
        self._lock, self._process = threading.RLock(), os.getpid()
        self.path, self.threads = path, _whole(threads, "threads")
        if _of is None:
            name, arguments = c_text(path, "the model's path"), (byref(self._pointer),)
            status = LIBRARY.simclr_model_load(self._context.pointer, name, self.threads, *arguments)
        else:
            status = LIBRARY.simclr_model_share(self._context.pointer, _of, byref(self._pointer))
        self._context.check(status)
        self._dim = LIBRARY.simclr_model_dim(self._pointer)
        self._image_size = LIBRARY.simclr_model_image_size(self._pointer)
        self._classes = tuple(os.fsdecode(LIBRARY.simclr_model_class_name(self._pointer, i))
                              for i in range(LIBRARY.simclr_model_class_count(self._pointer)))

    # ---- what it is ----

    @property
    def dim(self):
        """Values of a representation."""
        return self._dim

    @property
    def image_size(self):
        """Pixels on a side of what the network sees."""
        return self._image_size

    @property
    def classes(self):
        """Names of the classes that predict tells apart, a tuple; empty where the model has no classifier."""
        return self._classes

    def __repr__(self):
        of = f", {len(self.classes)} classes" if self.classes else ""
        return (f"<simclr.Model {os.fspath(self.path)!r}: images of {self.image_size} pixels to {self.dim} values{of}"
                f"{'' if self._pointer else ', closed'}>")

    # ---- what it does ----

    def embed(self, images, batch_size=None):
        """Features, float32 [n, dim], of paths, bytes of files, PIL images, uint8 arrays [height, width, 3] or tensors
        of torch like these; a list of them, an array [n, height, width, 3], or one alone.

        The rows are those that `simclr embed` writes. batch_size: how many the network takes at once; the library
        chooses. Pictures that cannot be read are a simclr.Error that names the first of them."""
        def embed(pointer, structs, count):
            rows = numpy.empty((count, self.dim), numpy.float32)
            out = rows.ctypes.data_as(POINTER(c_float))
            self._wait(lambda: LIBRARY.simclr_model_embed_batch(pointer, structs, count, out))
            return rows
        return self._each_batch(images, batch_size, embed)[0]

    def predict(self, images, top=5, batch_size=None):
        """A list of Prediction, one for each image: what `simclr predict` says. Images are as embed takes them."""
        if not 1 <= top:
            raise ValueError(f"top is {top}, and must be 1 or more")
        probabilities, unlike = self._predict(images, batch_size)
        found = []
        # the lower of equally likely ones first, as the program has it
        for row, best, odd in zip(probabilities, numpy.argsort(-probabilities, axis=1, kind="stable")[:, :top], unlike):
            likeliest = [(self.classes[i], float(row[i])) for i in best]
            found.append(Prediction(*likeliest[0], None if odd < 0 else bool(odd), likeliest))
        return found

    def predict_proba(self, images, batch_size=None):
        """Probabilities, float32 [n, len(classes)], in the order of `classes`."""
        return self._predict(images, batch_size)[0]

    def _predict(self, images, batch_size):
        def predict(pointer, structs, count):
            probabilities = numpy.empty((count, max(1, len(self.classes))), numpy.float32)
            unlike = numpy.empty(count, numpy.int8)
            out = probabilities.ctypes.data_as(POINTER(c_float)), unlike.ctypes.data_as(POINTER(c_byte))
            self._wait(lambda: LIBRARY.simclr_model_predict(pointer, structs, count, *out))
            return probabilities, unlike
        return self._each_batch(images, batch_size, predict)

    def _each_batch(self, images, batch_size, work):
        """What work(pointer, structs, count) makes of one batch after the other, each of its arrays in one piece. The
        number of images in the first batch decides for all how the network is planned."""
        pieces = []
        self._alive()  # before the lock: a process that was forked may have it locked for ever
        with self._lock:
            pointer = self._alive()
            self._context.check(LIBRARY.simclr_model_set_batch(pointer, batch_size or 0))
            for structs, count in chunks(images, LIBRARY.simclr_model_batch(pointer)):
                if not pieces and not batch_size:
                    self._context.check(LIBRARY.simclr_model_set_batch(pointer, count))
                made = work(pointer, structs, count)
                pieces.append(made if isinstance(made, tuple) else (made,))
        if not pieces:
            raise ValueError("no images were given")
        return tuple(numpy.concatenate(parts) if len(parts) > 1 else parts[0] for parts in zip(*pieces))

    def _wait(self, call):
        """Runs the call to its end. A Ctrl-C that came as the call before was returning is none of this one."""
        try:
            self._work(call)
        except Error as error:
            if error.status != "INTERRUPTED":
                raise
            self._work(call)

    def _work(self, call):
        work = self._last = Work(self._context, call)
        try:
            work.wait()
        finally:
            if work.withdraw():
                self._last = None  # and with it what the call was given
            else:  # a signal handler that raises has cut the wait
                self.close()

    def share(self):
        """Another model over the same weights, for another thread."""
        self._alive()
        with self._lock:
            return Model(self.path, self.threads, self._alive())

    # ---- its end ----

    def _alive(self):
        if not self._pointer:
            raise ValueError("the model is closed")
        if self._process != os.getpid():
            raise RuntimeError("the model was loaded before this process was forked, and its threads are not here: "
                               "load it in the process that uses it, or start processes by \"spawn\"")
        return self._pointer

    def close(self):
        """Frees it; more than once is fine."""
        if self._process != os.getpid():  # a forked process has no threads to end
            self._pointer = c_void_p()
            return
        with self._lock:
            pointer, context = self._pointer, self._context
            self._pointer = c_void_p()

            def free():
                LIBRARY.simclr_model_close(byref(pointer))
                context.close()
            if self._last:  # the library may still work on it
                self._last.leave(free)
            else:
                free()

    def __enter__(self):
        self._alive()
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if getattr(self, "_process", None) is not None and LIBRARY is not None:
            self.close()

    def __reduce__(self):
        return load, (self.path, self.threads)


def _table(values, name):
    array = numpy.ascontiguousarray(values.detach() if hasattr(values, "detach") else values, dtype=numpy.float32)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name} have shape {list(array.shape)}, and not [n, dim] of one row or more")
    return array


def _whole(value, name):
    """A whole number, numpy's too."""
    if isinstance(value, (bool, numpy.bool_)):
        raise TypeError(f"{name} is a number, and not {value!r}")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is a number, and not {value!r}") from None


def neighbours(features, queries=None, k=10, threads=0):
    """(index, similarity) of the k rows of `features` that are most similar to each query by cosine, most similar
    first: int32 and float32 [queries, k]. Without queries: to each row, itself left out. Where there are fewer than k
    rows a list ends with index -1 and similarity 0."""
    rows = _table(features, "features")
    asked = None if queries is None else _table(queries, "queries")
    if asked is not None and asked.shape[1] != rows.shape[1]:
        raise ValueError(f"queries have {asked.shape[1]} values each, and features {rows.shape[1]}")
    count, k, threads = len(rows if asked is None else asked), _whole(k, "k"), _whole(threads, "threads")
    search = SearchStruct(ctypes.sizeof(SearchStruct), rows.ctypes.data, len(rows),
                          None if asked is None else asked.ctypes.data, count, rows.shape[1], k, threads)
    search.alive = rows, asked  # to which it points
    if k < 1:
        raise ValueError(f"k is {k}, and must be 1 or more")
    index, similarity = numpy.empty((count, k), numpy.int32), numpy.empty((count, k), numpy.float32)
    context = Context(log=log_line)
    work = Work(context, lambda: LIBRARY.simclr_neighbours(
        context.pointer, byref(search), index.ctypes.data_as(POINTER(c_int32)),
        similarity.ctypes.data_as(POINTER(c_float))))
    try:
        work.wait()
    finally:
        work.leave(context.close)
    return index, similarity
