#!/usr/bin/env python3
"""Walks every #include of src/ and cli/ and fails where a room reaches where it may not.

The map is the one in CMakeLists.txt:
  simclr_room(NAME DEPENDS rooms...)           a folder of src/, and the rooms that it may include
  simclr_subroom(PATH DEPENDS names...)        a folder inside a room, and the sub-rooms beside it that it may include
  simclr_floor(PATH headers...)                headers directly in PATH that every sub-room of PATH may include

Files directly in a folder that has sub-rooms are its face: they may include every sub-room, and no sub-room includes
them. The headers of simclr_floor are the opposite: every sub-room may include them, and they include no sub-room.
`check_layers.py --self-test` plants one violation of each rule in a small tree and fails unless each is found."""
import pathlib
import re
import sys
import tempfile

# Outside libraries, each with the rooms that may know it.
LIBRARIES = {
    "jpeglib.h": {"image"}, "jerror.h": {"image"}, "png.h": {"image"}, "webp/decode.h": {"image"},
    "curl/curl.h": {"command"}, "mpi.h": {"comm/mpi"}, "yaml.h": {"config"},
    "zlib.h": {"data"}, "zstd.h": {"data"},
    "immintrin.h": {"base", "simd", "augment", "backend", "image"}, "cpuid.h": {"base", "simd"},
    "cuda_runtime.h": {"backend"}, "cudnn.h": {"backend"}, "cublas_v2.h": {"backend"},
}
ENDINGS = {".c", ".h", ".cu", ".cuh", ".cpp", ".hpp"}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


class Map:
    def __init__(self, text):
        self.rooms = {m[1]: set(m[2].split()) for m in re.finditer(r"^simclr_room\((\w+)\s+DEPENDS([^)]*)\)", text, re.M)}
        self.subrooms = {m[1]: set(m[2].split())
                         for m in re.finditer(r"^simclr_subroom\(([\w/]+)\s+DEPENDS([^)]*)\)", text, re.M)}
        self.floor = {m[1]: set(m[2].split()) for m in re.finditer(r"^simclr_floor\(([\w/]+)\s+([^)]*)\)", text, re.M)}
        self.parents = {path.rpartition("/")[0] for path in self.subrooms}

    def circles(self):
        """Rooms, and sub-rooms of one folder, that depend on themselves by way of others."""
        graphs = [self.rooms]
        for parent in sorted(self.parents):
            graphs.append({path.rpartition("/")[2]: depends for path, depends in self.subrooms.items()
                           if path.rpartition("/")[0] == parent})
        for graph in graphs:
            done = set()

            def visit(name, way):
                if name in way:
                    yield " > ".join(way[way.index(name):] + [name]) + ": a circle"
                elif name not in done:
                    for other in sorted(graph.get(name, ())):
                        yield from visit(other, way + [name])
                    done.add(name)
            for name in sorted(graph):
                for other in sorted(graph[name] - set(graph)):
                    yield f"{name} depends on {other}, which the map does not have"
                yield from visit(name, [])


def check_nested(layers, path, target):
    """Includes between the sub-rooms of one folder. Both paths are relative to src/."""
    for parent in layers.parents:
        if not path.startswith(parent + "/") or not target.startswith(parent + "/"):
            continue
        here, there = (p[len(parent) + 1:].rpartition("/")[0].split("/")[0] for p in (path, target))
        floor = layers.floor.get(parent, set())
        if here == there:
            if path[len(parent) + 1:] in floor and target[len(parent) + 1:] not in floor:
                yield f"a floor of {parent} includes no more than the floor"
        elif not there and target[len(parent) + 1:] not in floor:
            yield f"which is above {parent}/{here} (a sub-room includes of {parent} only {', '.join(sorted(floor)) or 'nothing'})"
        elif not here and path[len(parent) + 1:] in floor:
            yield f"a floor of {parent} includes no sub-room"
        elif here and there and there not in layers.subrooms.get(f"{parent}/{here}", set()):
            may = ", ".join(sorted(layers.subrooms.get(f"{parent}/{here}", ()))) or "none"
            yield f"but {parent}/{here} may include of the sub-rooms beside it only {may}"


def check_include(layers, path, target):
    room, first = path.split("/")[0], target.split("/")[0]
    if target in LIBRARIES and not any(path.startswith(f"{may}/") for may in LIBRARIES[target]):
        yield f"a library that only {', '.join(sorted(LIBRARIES[target]))} may know"
    elif first == "simclr":
        if target != "simclr/status.h" and room != "api":
            yield "only api knows the public header"
    elif first in layers.rooms and first != room and first not in layers.rooms[room]:
        yield f"but {room} may include only {', '.join(sorted(layers.rooms[room])) or 'nothing'}"
    elif first == "backend" and target.count("/") >= 2:
        inside = path.split("/")[1] if path.count("/") >= 2 else None
        if room != "backend":
            yield "a backend's inside is private"
        elif inside and target.split("/")[1] not in (inside, "ref"):
            yield "one backend may not look into another"
    yield from check_nested(layers, path, target)


def sources(folder):
    """Its files of C, CUDA and C++, in order."""
    return sorted(file for file in folder.rglob("*") if file.suffix in ENDINGS)


def check(root, least_rooms, least_includes):
    layers = Map((root / "CMakeLists.txt").read_text())
    errors, seen = list(layers.circles()), 0
    if len(layers.rooms) < least_rooms:
        errors.append("CMakeLists.txt names too few rooms; the map could not be read")
    for file in sources(root / "src"):
        path = file.relative_to(root / "src").as_posix()
        for parent in layers.parents:
            inner = path[len(parent) + 1:].split("/") if path.startswith(parent + "/") else []
            if len(inner) > 1 and f"{parent}/{inner[0]}" not in layers.subrooms:
                errors.append(f"src/{path}: the map has no sub-room {parent}/{inner[0]}")
        for kind, target in INCLUDE.findall(file.read_text()):
            seen += 1
            if kind == '"' and not any((root / folder / target).exists() for folder in ("src", "include")):
                errors.append(f"src/{path}: includes {target}, which is not there (paths start at src/)")
            errors += [f"src/{path}: includes {target}, {why}" for why in check_include(layers, path, target)]
    for file in sources(root / "cli"):
        for kind, target in INCLUDE.findall(file.read_text()):
            seen += 1
            if kind == '"' and not target.startswith("simclr/") and not (file.parent / target).exists():
                errors.append(f"{file.relative_to(root)}: includes {target}; the CLI sees only the public header")
    for path in sorted(layers.subrooms):
        if not sources(root / "src" / path):
            errors.append(f"{path}: the map has this sub-room, the tree has not")
    if seen < least_includes:
        errors.append(f"only {seen} includes were seen: the walk is broken")
    return errors, f"{seen} includes in {len(layers.rooms)} rooms and {len(layers.subrooms)} sub-rooms"


def self_test():
    """A tree that holds, then the same with one thing wrong at a time: (what, file, its text, words of the error)."""
    house = {
        "CMakeLists.txt": "simclr_room(base DEPENDS)\nsimclr_room(data DEPENDS base)\nsimclr_floor(data floor.h)\n"
                          "simclr_subroom(data/low DEPENDS)\nsimclr_subroom(data/high DEPENDS low)\n",
        "src/base/base.h": "", "src/data/floor.h": '#include "base/base.h"\n', "src/data/face.h": '#include "data/high/high.h"\n',
        "src/data/low/low.h": '#include "data/floor.h"\n', "src/data/low/inner/deep.h": '#include "data/low/low.h"\n',
        "src/data/high/high.h": '#include "data/low/inner/deep.h"\n', "cli/main.c": "",
    }
    planted = [
        ("an include up between sub-rooms", "src/data/low/low.h", '#include "data/high/high.h"\n', "only none"),
        ("the same from a folder further in", "src/data/low/inner/deep.h", '#include "data/high/high.h"\n', "only none"),
        ("a sub-room that includes the face", "src/data/high/high.h", '#include "data/face.h"\n', "above data/high"),
        ("a floor that includes a sub-room", "src/data/floor.h", '#include "data/low/low.h"\n', "no sub-room"),
        ("a floor that includes the face", "src/data/floor.h", '#include "data/face.h"\n', "no more than the floor"),
        ("a room that includes one above", "src/base/base.h", '#include "data/face.h"\n', "only nothing"),
        ("a file that is not there", "src/base/base.h", '#include "gone.h"\n', "not there"),
        ("a library of another room", "src/base/base.h", "#include <zlib.h>\n", "a library"),
        ("a folder that the map lacks", "src/data/new/new.h", "", "no sub-room data/new"),
        ("a circle of sub-rooms", "CMakeLists.txt", house["CMakeLists.txt"].replace("low DEPENDS", "low DEPENDS high"), "circle"),
        ("a circle of rooms", "CMakeLists.txt", house["CMakeLists.txt"].replace("base DEPENDS", "base DEPENDS data", 1), "circle"),
        ("a CUDA file that includes a room above", "src/base/base.cu", '#include "data/face.h"\n', "only nothing"),
        ("a CUDA header with a library of another room", "src/base/base.cuh", "#include <cuda_runtime.h>\n", "a library"),
        ("a C++ file with the public header", "src/data/low/low.cpp", '#include "simclr/simclr.h"\n', "only api"),
        ("a C++ header in a folder that the map lacks", "src/data/new/new.hpp", "", "no sub-room data/new"),
        ("a C++ file of the CLI", "cli/main.cpp", '#include "base/base.h"\n', "only the public header"),
        ("a sub-room without files", "CMakeLists.txt", house["CMakeLists.txt"] + "simclr_subroom(data/no DEPENDS)\n", "tree has not"),
    ]
    failures = []
    for what, name, text, words in [("nothing", "cli/main.c", "", None)] + planted:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for file, content in {**house, name: text}.items():
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                (root / file).write_text(content)
            errors, _ = check(root, 2, 1)
        if words is None and errors or words is not None and not any(words in error for error in errors):
            failures.append(f"self-test: planted {what}, found {errors or 'nothing'}")
    print("\n".join(failures) or f"self-test: {len(planted)} violations planted, all found")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    errors, counts = check(pathlib.Path(__file__).resolve().parent.parent, 10, 50)
    print("\n".join(errors) or f"{counts}: the layers hold")
    sys.exit(1 if errors else 0)


main()
