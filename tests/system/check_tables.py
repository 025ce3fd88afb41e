#!/usr/bin/env python3
"""check_tables.py WRITE_TABLES NUMBER... -- tables of random shapes, written in every format by write_tables, hold what
they should, to the bit, by readers that know the formats and not this program (tables.py)."""
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile
import unicodedata

sys.dont_write_bytecode = True
import tables


class Truth:
    def __init__(self, path):
        data = open(path, "rb").read()
        self.rows, self.dim, count = struct.unpack("<3q", data[:24])
        at = 24

        def text():
            nonlocal at
            end = data.index(b"\0", at)
            found, at = data[at:end], end + 1
            return found

        self.classes = [text() for _ in range(count)]
        self.names, self.labels, values = [], [], []
        for _ in range(self.rows):
            self.names.append(text())
            self.labels.append(struct.unpack_from("<i", data, at)[0])
            values.append(data[at + 4:at + 4 + 4 * self.dim])
            at += 4 + 4 * self.dim
        assert at == len(data)
        self.data = b"".join(values)
        self.bits = struct.unpack(f"<{self.rows * self.dim}I", self.data)
        self.class_names = [self.classes[label] if label >= 0 else None for label in self.labels]

    def row_bits(self, row):
        return self.bits[row * self.dim:(row + 1) * self.dim]


def needs_escapes(name):
    """Of the names of tests/support/tables.h: it is no line as it is."""
    try:
        letters = name.decode()
    except UnicodeDecodeError:
        return True
    return letters[-1:] in ("", " ") or any(unicodedata.category(letter) in ("Cc", "Cf") for letter in letters)


def check_lists(truth, folder, stem):
    escaped = tables.lists_are_escaped(folder / f"{stem}.npy")
    assert escaped == any(map(needs_escapes, truth.names + truth.classes))
    assert tables.read_beside(folder / f"{stem}.npy", ".txt") == truth.names
    labels = folder / f"{stem}.labels.txt"
    assert labels.exists() == bool(truth.classes)
    if truth.classes:
        assert tables.read_beside(folder / f"{stem}.npy", ".labels.txt") == [name or b"" for name in truth.class_names]


def check_npy(truth, folder):
    descr, shape, data = tables.parse_npy((folder / "t.npy").read_bytes())
    assert (descr, shape, data) == ("<f4", (truth.rows, truth.dim), truth.data)
    check_lists(truth, folder, "t")


def check_npz(truth, folder):
    arrays = tables.read_npz(folder / "t.npz")
    assert list(arrays) == ["features"] + ["labels", "classes"] * bool(truth.classes) + ["names"]
    assert arrays["features"] == ("<f4", (truth.rows, truth.dim), truth.data)
    assert tables.texts_of(*arrays["names"]) == truth.names
    if truth.classes:
        assert arrays["labels"] == ("<i8", (truth.rows,), struct.pack(f"<{truth.rows}q", *truth.labels))
        assert tables.texts_of(*arrays["classes"]) == truth.classes


def check_safetensors(truth, folder):
    tensors, metadata = tables.read_safetensors(folder / "t.safetensors")
    assert set(tensors) == {"features", "names"} | ({"labels", "classes"} if truth.classes else set())
    assert tensors["features"] == ("F32", [truth.rows, truth.dim], truth.data)
    assert tensors["names"][2].split(b"\0")[:-1] == truth.names
    if truth.classes:
        assert tensors["labels"][2] == struct.pack(f"<{truth.rows}q", *truth.labels)
        assert tensors["classes"][2].rstrip(b"\0").split(b"\0") == truth.classes
    if truth.rows < 1000:
        whole = (folder / "t.safetensors").read_bytes().replace(metadata["file_crc32c"].encode(), b"00000000", 1)
        assert f"{tables.crc32c(whole):08x}" == metadata["file_crc32c"]


def check_parquet(truth, folder):
    columns, groups = tables.read_parquet(folder / "t.parquet")
    assert list(columns) == ["path", "label", "class", "feature"]
    assert [tables.from_text(name.decode()) for name in columns["path"]] == truth.names
    assert columns["label"] == [None if label < 0 else label for label in truth.labels]
    assert [name and tables.from_text(name.decode()) for name in columns["class"]] == truth.class_names
    assert all(len(row) == truth.dim for row in columns["feature"])
    assert struct.pack(f"<{truth.rows * truth.dim}f", *(value for row in columns["feature"] for value in row)) == truth.data
    most = [20000] * (truth.rows // 20000) + [truth.rows % 20000] * (truth.rows % 20000 > 0)
    assert groups == most, f"groups of {groups} rows"


def digits(text):
    return len(text.lstrip("-").partition("e")[0].replace(".", "").strip("0"))


def shortest(bits):
    """Digits of the shortest text that gives these bits of a float32."""
    value = struct.unpack("<f", struct.pack("<I", bits))[0]
    for count in range(1, 10):
        text = f"{value:.{count - 1}e}"
        if tables.float32(text) == bits:
            return digits(text)
    raise AssertionError(f"{value} has no text")


def check_numbers(truth, row, texts):
    assert tuple(map(tables.float32, texts)) == truth.row_bits(row), f"row {row} of {truth.names[row][:60]}"
    for text, bits in zip(texts[:8], truth.row_bits(row)):
        value = abs(float(text))
        # a number in the middle of two floats is taken for neither, where that is not sure
        assert digits(text) == shortest(bits) or not 1e-9 < value < 1e9, f"{text} is not the shortest"


def check_csv(truth, folder):
    header, rows = tables.read_csv(folder / "t.csv")
    assert header == ["filename"] + [f"embedding_{i}" for i in range(truth.dim)]
    assert [name for name, _ in rows] == truth.names
    for row, (_, texts) in enumerate(rows):
        check_numbers(truth, row, texts)


def check_jsonl(truth, folder):
    lines = (folder / "t.jsonl").read_bytes().decode().split("\n")
    assert lines.pop() == "" and len(lines) == truth.rows
    for row, line in enumerate(lines):
        found = json.loads(line, parse_float=str, parse_int=str)
        assert list(found) == ["path", "label", "class", "embedding"]
        assert tables.from_text(found["path"]) == truth.names[row]
        label, name = truth.labels[row], truth.class_names[row]
        assert found["label"] == (None if label < 0 else str(label))
        assert (found["class"] and tables.from_text(found["class"])) == name
        check_numbers(truth, row, found["embedding"])


def check_tsv(truth, folder):
    escaped = any(map(needs_escapes, truth.names))
    assert tables.read_list(folder / "v.txt", escaped) == truth.names
    lines = (folder / "v.tsv").read_bytes().decode().split("\n")
    assert lines.pop() == "" and len(lines) == truth.rows
    for row, line in enumerate(lines):
        check_numbers(truth, row, line.split("\t"))


def check_half(_, folder):
    """All three have the same halves; tests/unit/run has which."""
    descr, shape, data = tables.parse_npy((folder / "h.npy").read_bytes())
    assert descr == "<f2" and all(map(math.isfinite, struct.unpack(f"<{len(data) // 2}e", data)))
    assert tables.read_npz(folder / "h.npz")["features"] == (descr, shape, data)
    assert tables.read_safetensors(folder / "h.safetensors")[0]["features"] == ("F16", list(shape), data)


def main():
    checks = [check_npy, check_npz, check_safetensors, check_parquet, check_csv, check_jsonl, check_tsv, check_half]
    failed = 0
    for number in sys.argv[2:]:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            subprocess.run([sys.argv[1], number, name], check=True)
            truth = Truth(folder / "truth")
            for check in checks:
                try:
                    check(truth, folder)
                except Exception as problem:
                    failed += 1
                    print(f"FAILED: table {number}, {truth.rows} x {truth.dim}: {check.__name__}: {type(problem).__name__}: {problem}")
    count = len(checks) * len(sys.argv[2:])
    print(f"{count} checks, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
