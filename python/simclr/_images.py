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


def _exif(item):
    """The EXIF by which a picture of PIL is to be turned, in bytes. PIL turns a TIFF itself, as it loads it. Of a PNG
    counts what stands before the pixels. PIL adds what stands behind them when it loads, so its file is asked again."""
    exif = b"" if item.format == "TIFF" else item.info.get("exif", b"")
    if exif and item.format == "PNG" and not getattr(item, "tile", None) and getattr(item, "filename", None):
        try:
            with sys.modules["PIL.Image"].open(item.filename) as stored:
                return stored.info.get("exif", b"")
        except Exception:  # there is no such file any more, or it is none that PIL would open
            pass
    return exif


def _orientation(exif):
    """The entry 274 of such bytes, 2 to 8; 1 where there is none, or none that is valid: as the library reads it."""
    tiff = exif[6:] if exif[:6] == b"Exif\0\0" else exif
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(bytes(tiff[:4]))

    def number(at, count):
        return int.from_bytes(tiff[at:at + count], order)
    if not order or number(4, 4) < 8:
        return 1
    first = number(4, 4) + 2
    for at in range(first, min(first + 12 * number(first - 2, 2), len(tiff) - 11), 12):
        if number(at, 2) == 274:
            size = {3: 2, 4: 4}.get(number(at + 2, 2), 0) if number(at + 4, 4) == 1 else 0
            return number(at + 8, size) if 1 <= number(at + 8, size) <= 8 else 1
    return 1


def _of_pil(item, name):
    """Upright and RGB, as the library makes it of the same file."""
    orientation = _orientation(_exif(item))  # before anything loads it
    item.load()  # Pillow 9 knows the sides of a turned TIFF only then
    if item.mode.startswith("I;16") or (item.mode == "I" and item.format == "PNG"):  # I: before Pillow 10.3
        gray = (numpy.asarray(item) >> 8).astype(numpy.uint8)
        array = numpy.repeat(gray[:, :, None], 3, axis=2)
    elif item.mode in ("I", "F"):
        raise TypeError(f"{name} is a PIL image of mode {item.mode}, whose range is not known: convert it to RGB first")
    else:
        array = numpy.asarray(item if item.mode == "RGB" else item.convert("RGB"))
    if orientation >= 5:
        array = array.transpose(1, 0, 2)
    return array[::-1 if orientation in (3, 4, 7, 8) else 1, ::-1 if orientation in (2, 3, 6, 7) else 1]


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
