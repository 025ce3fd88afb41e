#!/usr/bin/env python3
"""Does other people's software read what this program writes, and does this program read what theirs writes?

    run.py SIMCLR BUILD [--closing] [WORD...]   all cases, or those whose name has one of the words

Cases are those of the files test_*.py here (interop.py says how they are written). A case whose reader is not installed
is skipped by name. The last line counts: "N checks, N failed, N skipped: reasons"; with --closing "N passed, N failed,
N skipped". Exit code 1: a case failed; 77: all were skipped."""
import argparse
import importlib
import pathlib
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import interop  # noqa: E402


def find_cases():
    """(name, function, arguments) of every case, in the order of files and lines."""
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        for name, function in vars(module).items():
            if not name.startswith("test_") or not callable(function):
                continue
            name = f"{path.stem[5:]}.{name[5:]}"
            rows = getattr(function, "rows", None)
            if rows is None:
                yield name, function, ()
            else:
                yield from ((f"{name}[{row[0]}]", function, row[1:]) for row in rows)


def run(name, function, arguments, options):
    """"" where the case passed, else a line that says what happened."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            function(interop.Place(folder, options.simclr, options.build), *arguments)
        except interop.Skip as reason:
            return f"skipped: {name}: {reason}"
        except Exception:  # whatever a reader throws is this case's failure
            traceback.print_exc(file=sys.stdout)
            return f"FAILED: {name}"
    print(f"passed: {name} ({time.monotonic() - started:.1f} s)", flush=True)
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--closing", action="store_true", help="close with N passed, N failed, N skipped")
    parser.add_argument("simclr")
    parser.add_argument("build")
    parser.add_argument("words", nargs="*")
    options = parser.parse_intermixed_args()
    options.simclr = str(pathlib.Path(options.simclr).resolve())
    options.build = str(pathlib.Path(options.build).resolve())
    chosen = [case for case in find_cases() if not options.words or any(word in case[0] for word in options.words)]
    said = []
    for name, function, arguments in chosen:
        said.append(run(name, function, arguments, options))
        if said[-1]:
            print(said[-1], flush=True)
    failed = sum(line.startswith("FAILED") for line in said)
    skipped = [line for line in said if line.startswith("skipped")]
    if not said:
        print("no case has such a name")
        return 1
    if options.closing:
        print(f"{len(said) - failed - len(skipped)} passed, {failed} failed, {len(skipped)} skipped")
    else:
        reasons = "; ".join(dict.fromkeys(line.split(": ", 2)[2] for line in skipped))
        print(f"{len(said)} checks, {failed} failed, {len(skipped)} skipped{': ' + reasons if reasons else ''}")
    return 1 if failed else 77 if len(skipped) == len(said) else 0


sys.exit(main())
