#!/usr/bin/env python3
"""Walks every #include and fails when a room reaches where it may not (the map is the one in CMakeLists.txt)."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
rooms = {}
for match in re.finditer(r"^simclr_room\((\w+)\s+DEPENDS([^)]*)\)", (root / "CMakeLists.txt").read_text(), re.M):
    rooms[match[1]] = set(match[2].split())
if len(rooms) < 10:
    sys.exit("check_layers: CMakeLists.txt names too few rooms; the map could not be read")

# Outside libraries, each with the rooms that may know it.
libraries = {
    "jpeglib.h": {"image"}, "jerror.h": {"image"}, "png.h": {"image"}, "webp/decode.h": {"image"}, "curl/curl.h": {"command"}, "jansson.h": {"checkpoint", "train", "data"}, "yaml.h": {"config"},
    "zlib.h": {"data"}, "zstd.h": {"data"},
    "immintrin.h": {"base", "augment", "backend", "image"}, "cuda_runtime.h": {"backend"}, "cudnn.h": {"backend"}, "cublas_v2.h": {"backend"},
}
include = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
errors, seen = [], 0
for path in sorted((root / "src").rglob("*.[ch]")):
    room = path.relative_to(root / "src").parts[0]
    inside_backend = path.relative_to(root / "src").parts[1] if room == "backend" and len(path.relative_to(root / "src").parts) > 2 else None
    for _, target in include.findall(path.read_text()):
        seen += 1
        first = target.split("/")[0]
        where = f"{path.relative_to(root)}: includes {target}"
        if target in libraries and room not in libraries[target]:
            errors.append(f"{where}, a library that only {', '.join(sorted(libraries[target]))} may know")
        elif first == "simclr":
            if target != "simclr/status.h" and room not in ("api", "train", "command"):
                errors.append(f"{where}: only api, train and command know the public header")
        elif first in rooms and first != room and first not in rooms[room]:
            errors.append(f"{where}, but {room} may include only {', '.join(sorted(rooms[room])) or 'nothing'}")
        elif target.startswith("backend/") and target.count("/") == 2 and room == "backend":
            folder = target.split("/")[1]
            if inside_backend and inside_backend != folder and folder != "ref":
                errors.append(f"{where}: one backend may not look into another")
        elif target.startswith("backend/") and target.count("/") == 2:
            errors.append(f"{where}: a backend's inside is private")
for path in sorted((root / "cli").rglob("*.[ch]")):
    for kind, target in include.findall(path.read_text()):
        seen += 1
        if kind == '"' and not target.startswith("simclr/") and not (path.parent / target).exists():
            errors.append(f"{path.relative_to(root)}: includes {target}; the CLI sees only the public header")
for room, depends in rooms.items():
    for other in depends:
        if room in rooms.get(other, ()):
            errors.append(f"{room} and {other} depend on each other")
if seen < 50:
    errors.append(f"only {seen} includes were seen: the walk is broken")
print("\n".join(errors) or f"{seen} includes in {len(rooms)} rooms: the layers hold")
sys.exit(1 if errors else 0)
