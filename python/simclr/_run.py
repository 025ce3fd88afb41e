"""The program's commands as one function."""
import ctypes
import math
import numbers
import os
from ctypes import byref, c_void_p

from ._library import LIBRARY, Context, OptionStruct, ProgressStruct, c_text
from ._work import LEVELS, LOGGER, Work


class Progress:
    """A step of a command: phase, step, steps, epoch, epochs, loss ... None is what is not known, or not yet."""

    __slots__ = tuple(name for name, _ in ProgressStruct._fields_)

    def __init__(self, struct):
        for name in self.__slots__:
            value = getattr(struct, name)
            if isinstance(value, bytes):
                value = value.decode("utf-8", "backslashreplace")
            elif (isinstance(value, float) and math.isnan(value)) or (isinstance(value, int) and value < 0):
                value = None
            setattr(self, name, value)

    def __str__(self):
        parts = [f"{self.phase} {self.step}" + ("" if self.steps is None else f"/{self.steps}")]
        if self.epoch is not None and self.epochs is not None:
            parts.append(f"epoch {self.epoch:.2f} of {self.epochs:g}")
        if self.loss is not None:
            parts.append(f"loss {self.loss:.4f}")
        if self.views_per_second is not None:
            parts.append(f"{self.views_per_second:.0f} views/s")
        if self.eta_seconds is not None:
            parts.append(f"{self.eta_seconds:.0f} s left")
        return ", ".join(parts)

    def __repr__(self):
        return f"<simclr.Progress {self}>"


def _is_list(command, name):
    """Does the option take several texts, one after the other?"""
    option, index = OptionStruct(), 0
    while LIBRARY.simclr_option_at(command, index, byref(option)) == 0:
        if option.name == name:
            return option.type == b"list"
        index += 1
    return False


def _text(value):
    if getattr(value, "shape", None) == () and not isinstance(value, numbers.Real):
        value = value.item()  # a boolean of numpy, an array or a tensor of one value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float.__repr__(value)  # a float64 of numpy has a repr of its own
    return value if isinstance(value, (str, bytes, os.PathLike)) else str(value)


def _settings(command, options):
    """(name, value) as simclr_config_set takes them."""
    for word, value in options.items():
        name = word.replace("_", "-").encode()
        if value is None:
            continue
        several = value if isinstance(value, (list, tuple)) else [value]
        if not _is_list(command, name):
            several = [b",".join(c_text(_text(one), word) for one in several)]
        for one in several:
            yield name, c_text(_text(one), word)


def run(command, *, recipe=None, progress=None, log=None, output=None, **options):
    """Runs a command of the program ("pretrain", "data info" ...) to its end and returns what it prints.

    Options have the names of `simclr COMMAND --help`, with _ for -; None leaves one out. recipe: a YAML file, over
    which options win. progress(Progress), log(line) and output(text) are called on the thread that called run. Without
    log, lines go to Python's logging under the name "simclr". Ctrl-C, and an exception of a callback, stop the command
    as Ctrl-C stops the program: a run of training writes a checkpoint, and the same call goes on from it."""
    printed, work = [], None

    def take_output(text):
        printed.append(text)
        if output:
            output(text.decode("utf-8", "backslashreplace"))

    def take_log(level, line):
        log(line) if log else LOGGER.log(LEVELS[level], "%s", line)

    context = Context(
        output=lambda _, text, length: work.post(take_output, ctypes.string_at(text, length)),
        log=lambda _, level, line: work.post(take_log, level, line.decode("utf-8", "backslashreplace")),
        progress=(lambda _, step: work.post(progress, Progress(step.contents))) if progress else None)
    config = c_void_p()

    def free():
        LIBRARY.simclr_config_destroy(byref(config))
        context.close()
    work = Work(context, lambda: LIBRARY.simclr_run(context.pointer, config))
    try:
        name = c_text(command, "the command")
        context.check(LIBRARY.simclr_config_create(context.pointer, name, byref(config)))
        for option, value in _settings(name, options):
            context.check(LIBRARY.simclr_config_set(config, option, value))
        if recipe is not None:
            context.check(LIBRARY.simclr_config_load(config, c_text(recipe, "recipe")))
        work.wait()
    finally:
        work.leave(free)
    return b"".join(printed).decode("utf-8", "backslashreplace")
