"""Whatever a caller has as images becomes an array of simclr_image."""
import ctypes
import itertools
import os
import sys

import numpy

from ._library import ImageStruct, c_text

ONE = (str, os.PathLike, bytes, bytearray, memoryview)


def _is_pil(item):
    module = sys.modules.get("PIL.Image")  # where nobody has imported it, nothing is one of its images
    return module is not None and isinstance(item, module.Image)


def _of_pil(item, name):
    """Upright and RGB, as the library makes it of the same file."""
    from PIL import ImageOps
    if item.mode in ("I", "F"):
        raise TypeError(f"{name} is a PIL image of mode {item.mode}, whose range is not known: convert it to RGB first")
    item = ImageOps.exif_transpose(item)
    if item.mode.startswith("I;16"):
        gray = (numpy.asarray(item) >> 8).astype(numpy.uint8)
        return numpy.repeat(gray[:, :, None], 3, axis=2)
    return numpy.asarray(item if item.mode == "RGB" else item.convert("RGB"))


def _as_array(item, name):
    """An array of numpy's over the same memory; a tensor of torch gives its own."""
    if hasattr(item, "detach"):
        item = item.detach()
        device = str(getattr(item, "device", "cpu"))
        if device != "cpu":
            raise TypeError(f"{name} is a tensor on {device}: give tensor.cpu()")
    try:
        return numpy.asarray(item)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} is a {type(item).__name__}, which is no image ({error}): give a path, the bytes of a "
                        "file, a PIL image, or a uint8 array [height, width, 3]") from None


def _check_array(array, name):
    if array.dtype != numpy.uint8:
        hint = ": (255 * x).round().astype(numpy.uint8) makes it of values in [0, 1]" if array.dtype.kind == "f" else ""
        raise TypeError(f"{name} has type {array.dtype}, and not uint8{hint}")
    if array.ndim != 3 or array.shape[2] != 3:
        hint = ""
        if array.ndim == 3 and array.shape[0] == 3:
            hint = ": the channels come last: x.transpose(1, 2, 0), or permute(1, 2, 0) of a tensor"
        elif array.ndim == 2:
            hint = ": numpy.repeat(x[:, :, None], 3, 2) makes it of a gray picture"
        raise ValueError(f"{name} has shape {list(array.shape)}, and not [height, width, 3]{hint}")
    if array.size == 0:
        raise ValueError(f"{name} has shape {list(array.shape)}: there are no pixels in it")


def _pixels(array):
    """The array with rows that lie as the library takes them: copied where they do not."""
    height, width, _ = array.shape
    rows, columns, channels = array.strides
    fits = channels == 1 and columns == 3 and (height == 1 or rows >= 3 * width)
    return array if fits else numpy.ascontiguousarray(array)


def describe(item, index, struct):
    """Fills a simclr_image. Returns what must stay alive as long as it."""
    name = f"image {index}"
    struct.size = ctypes.sizeof(ImageStruct)
    if isinstance(item, (str, os.PathLike)):
        struct.path = data = c_text(item, name)
        return data
    if isinstance(item, (bytes, bytearray, memoryview)):
        data = numpy.frombuffer(item, numpy.uint8)
        if data.size == 0:
            raise ValueError(f"{name} is empty: there are no bytes in it")
        struct.bytes, struct.byte_count = data.ctypes.data, data.size
        return data
    array = _of_pil(item, name) if _is_pil(item) else _as_array(item, name)
    _check_array(array, name)
    array = _pixels(array)
    struct.rgb, struct.stride = array.ctypes.data, array.strides[0] if array.shape[0] > 1 else 0
    struct.height, struct.width = array.shape[:2]
    return array


def each(images):
    """The images one by one: one image alone is a list of one."""
    if isinstance(images, ONE) or _is_pil(images):
        return iter([images])
    dimensions = getattr(images, "ndim", None)
    if dimensions == 3:
        return iter([images])
    if dimensions is not None and dimensions not in (1, 4):
        raise ValueError(f"an array of {dimensions} dimensions is neither one image [height, width, 3] nor several "
                         "[n, height, width, 3]")
    try:
        return iter(images)
    except TypeError:
        raise TypeError(f"images are a list, an array or one image, and not {type(images).__name__}") from None


def chunks(images, size):
    """Arrays of at most `size` simclr_image, and how many. What they point to lives as long as they do."""
    images, first = each(images), 0
    while True:
        some = list(itertools.islice(images, size))
        if not some:
            return
        structs = (ImageStruct * len(some))()
        structs.alive = [describe(item, first + i, structs[i]) for i, item in enumerate(some)]
        yield structs, len(some)
        first += len(some)
