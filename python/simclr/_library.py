"""Finds libsimclr.so and declares the functions of simclr/simclr.h to ctypes."""
import ctypes
import os
import sys
from ctypes import (POINTER, byref, c_byte, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_ssize_t,
                    c_void_p)

NAME = "libsimclr.so.0"
WANTED = (0, 1)  # major and minor version of the header that the structures below follow

STATUS = {-1: "INVALID", -2: "NO_MEMORY", -3: "IO", -4: "CORRUPT", -5: "UNSUPPORTED", -6: "DEVICE", -7: "DATA",
          -8: "INTERRUPTED", -9: "DIVERGED", -10: "BUSY", -11: "UNEXPECTED"}


class Error(RuntimeError):
    """What the library refuses, in its own sentence. `status` is the name of its code: "INVALID", "IO" and so on."""

    def __init__(self, sentence, status="INVALID"):
        super().__init__(sentence)
        self.status = status

    def __reduce__(self):
        return type(self), (str(self), self.status)


# ---- structures, as the header has them ----

class ProgressStruct(ctypes.Structure):
    _fields_ = [("phase", c_char_p), ("step", c_int64), ("steps", c_int64), ("epoch", c_double), ("epochs", c_double),
                ("views_per_second", c_double), ("wait_share", c_double), ("eta_seconds", c_double),
                ("loss", c_double), ("chance_loss", c_double), ("top1", c_double), ("learning_rate", c_double)]


OUTPUT = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_size_t)
LOG = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_char_p)
PROGRESS = ctypes.CFUNCTYPE(None, c_void_p, POINTER(ProgressStruct))


class OptionsStruct(ctypes.Structure):
    _fields_ = [("output", OUTPUT), ("log", LOG), ("progress", PROGRESS), ("cookie", c_void_p)]


class OptionStruct(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("argument", c_char_p), ("type", c_char_p), ("default_text", c_char_p),
                ("choices", c_char_p), ("words", c_char_p), ("section", c_char_p), ("help", c_char_p),
                ("minimum", c_double), ("maximum", c_double), ("required", c_int)]


class ImageStruct(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("rgb", c_void_p), ("width", c_int), ("height", c_int), ("stride", c_ssize_t),
                ("path", c_char_p), ("bytes", c_void_p), ("byte_count", c_size_t)]


class SearchStruct(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("rows", c_void_p), ("row_count", c_int64), ("queries", c_void_p),
                ("query_count", c_int64), ("dim", c_int), ("k", c_int), ("threads", c_int)]


# ---- finding it ----

def _places():
    """Where it may be: named by the user, carried by a wheel, known to the loader, or installed beside Python."""
    named = os.environ.get("SIMCLR_LIBRARY")
    if named:
        return [named]
    carried = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib", NAME)
    folders = [os.path.join(sys.prefix, "lib"), "/usr/local/lib", "/usr/local/lib/x86_64-linux-gnu",
               "/usr/local/lib/aarch64-linux-gnu", os.path.expanduser("~/.local/lib")]
    return [carried, NAME] + [os.path.join(folder, NAME) for folder in folders]


def _open():
    places, reasons = _places(), []
    for place in places:
        if os.sep in place and not os.path.exists(place):
            continue
        try:
            return ctypes.CDLL(place), place
        except OSError as error:
            if os.sep in place:
                reasons.append(str(error))
    why = "; ".join(reasons) or "looked for " + ", ".join(places)
    raise ImportError(
        f"simclr: the library {NAME} cannot be loaded ({why}). Install it from the project's folder with "
        "`./dev install` (then `ldconfig`), install a wheel that carries it (`./dev wheel`), or name the file in "
        "SIMCLR_LIBRARY")


def _declare(library):
    status = c_int
    functions = {
        "simclr_open": (status, [POINTER(c_void_p), POINTER(OptionsStruct)]),
        "simclr_close": (None, [POINTER(c_void_p)]),
        "simclr_error": (c_char_p, [c_void_p]),
        "simclr_version": (c_char_p, []),
        "simclr_interrupt": (None, [c_void_p]),
        "simclr_config_create": (status, [c_void_p, c_char_p, POINTER(c_void_p)]),
        "simclr_config_destroy": (None, [POINTER(c_void_p)]),
        "simclr_config_set": (status, [c_void_p, c_char_p, c_char_p]),
        "simclr_config_load": (status, [c_void_p, c_char_p]),
        "simclr_option_at": (status, [c_char_p, c_int, POINTER(OptionStruct)]),
        "simclr_run": (status, [c_void_p, c_void_p]),
        "simclr_model_load": (status, [c_void_p, c_char_p, c_int, POINTER(c_void_p)]),
        "simclr_model_share": (status, [c_void_p, c_void_p, POINTER(c_void_p)]),
        "simclr_model_close": (None, [POINTER(c_void_p)]),
        "simclr_model_dim": (c_int, [c_void_p]),
        "simclr_model_image_size": (c_int, [c_void_p]),
        "simclr_model_set_batch": (status, [c_void_p, c_int]),
        "simclr_model_batch": (c_int, [c_void_p]),
        "simclr_model_embed_batch": (status, [c_void_p, POINTER(ImageStruct), c_int64, POINTER(c_float)]),
        "simclr_model_class_count": (c_int, [c_void_p]),
        "simclr_model_class_name": (c_char_p, [c_void_p, c_int]),
        "simclr_model_predict": (status, [c_void_p, POINTER(ImageStruct), c_int64, POINTER(c_float), POINTER(c_byte)]),
        "simclr_neighbours": (status, [c_void_p, POINTER(SearchStruct), POINTER(c_int32), POINTER(c_float)]),
    }
    for name, (result, arguments) in functions.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


def _checked():
    library, path = _open()
    try:
        library.simclr_version.restype = c_char_p
        found = library.simclr_version().decode()
        if tuple(int(part) for part in found.split(".")[:2]) != WANTED:
            raise ImportError(f"simclr: {path} is version {found}, and this package needs {WANTED[0]}.{WANTED[1]}: "
                              "install both from one version of the project")
        _declare(library)
    except AttributeError as error:
        raise ImportError(f"simclr: {path} lacks a function that this package needs ({error}): "
                          "install both from one version of the project") from None
    return library, path


LIBRARY, PATH = _checked()


def library_path():
    """The file, or the name that the loader found, of the library in use."""
    return PATH


def version():
    """The version of the library in use."""
    return LIBRARY.simclr_version().decode()


# ---- texts and contexts ----

def c_text(value, what):
    """Bytes for a C string. Names of files hold any bytes but NUL: those that are no UTF-8 come back as they were."""
    data = value if isinstance(value, bytes) else os.fsencode(value)
    if b"\0" in data:
        raise ValueError(f"{what} has a NUL character in it: {data!r}")
    return data


class Context:
    """A simclr_context. Callbacks are called on any thread, and must not raise."""

    def __init__(self, output=None, log=None, progress=None):
        self.pointer = c_void_p()
        # ctypes frees a callback with its object: they live as long as the context does
        self._options = OptionsStruct(OUTPUT(output) if output else OUTPUT(), LOG(log) if log else LOG(),
                                      PROGRESS(progress) if progress else PROGRESS(), None)
        if LIBRARY.simclr_open(byref(self.pointer), byref(self._options)) != 0:
            raise MemoryError("no memory for a simclr context")

    def error(self):
        """The sentence of the last call that failed."""
        return LIBRARY.simclr_error(self.pointer).decode("utf-8", "backslashreplace")

    def check(self, status):
        if status != 0:
            raise Error(self.error(), STATUS.get(status, str(status)))

    def interrupt(self):
        LIBRARY.simclr_interrupt(self.pointer)

    def close(self):
        LIBRARY.simclr_close(byref(self.pointer))
