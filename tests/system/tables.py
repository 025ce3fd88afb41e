"""Readers of what `simclr embed` writes, from docs/formats.md and the formats' own descriptions, with the standard library
alone. Names come as bytes. check_tables.py and the scripts beside it use them."""
import ast
import csv
import io
import json
import re
import struct
import zipfile
import zlib


# ---- names ----
def unescape(text):
    r"""\n \t \r \\ \xHH back to what they stand for."""
    plain = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"\\": b"\\"}

    def one(match):
        escape = match.group(1)
        return bytes([int(escape[1:], 16)]) if escape[:1] == b"x" else plain[escape]

    return re.sub(rb"\\(x[0-9a-f]{2}|[ntr\\])", one, text)


def from_text(text):
    r"""A name in a text of UTF-8: where it has \x, backslashes are doubled and bytes are \xHH; else it is as it is."""
    return unescape(text.encode()) if "\\x" in text else text.encode()


def read_list(path, escaped):
    lines = open(path, "rb").read().split(b"\n")
    assert lines.pop() == b"", f"{path}: the last line has no end"
    return [unescape(line) for line in lines] if escaped else lines


# ---- NumPy ----
def lists_are_escaped(npy):
    """Whether the header of the file says so."""
    data = open(npy, "rb").read(1024)
    return data[10:10 + struct.unpack("<H", data[8:10])[0]].rstrip().endswith(b"}  # lists beside it are escaped")


def read_beside(npy, ending):
    """The names (".txt") or the labels (".labels.txt") of the rows."""
    return read_list(re.sub(r"\.npy$", "", str(npy)) + ending, lists_are_escaped(npy))


def parse_npy(data):
    """Type, shape and data of an .npy file."""
    assert data[:8] == b"\x93NUMPY\x01\x00"
    length = struct.unpack("<H", data[8:10])[0]
    assert (10 + length) % 64 == 0 and data[9 + length:10 + length] == b"\n"
    header = ast.literal_eval(data[10:10 + length].decode())
    assert set(header) == {"descr", "fortran_order", "shape"} and header["fortran_order"] is False
    count = 1
    for size in header["shape"]:
        count *= size
    width = int(header["descr"][2:]) * (4 if header["descr"][1] == "U" else 1)
    assert len(data) == 10 + length + count * width, f"{len(data)} bytes for {header}"
    return header["descr"], header["shape"], data[10 + length:]


def texts_of(descr, shape, data):
    """UTF-32 of one width, filled up with zeros; low surrogates are bytes, as Python keeps them."""
    width = 4 * int(descr[2:])
    items = (data[i * width:(i + 1) * width] for i in range(shape[0]))
    return [item.decode("utf-32-le", "surrogatepass").rstrip("\0").encode("utf-8", "surrogateescape") for item in items]


def read_npz(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None and all(info.compress_type == 0 for info in archive.infolist())
        return {name[:-4]: parse_npy(archive.read(name)) for name in archive.namelist()}


# ---- safetensors ----
def read_safetensors(path):
    """name -> (type, shape, data), and the metadata."""
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    head, end, tensors = json.loads(data[8:8 + length]), 0, {}
    metadata = head.pop("__metadata__")
    sizes = {"F32": 4, "F16": 2, "I64": 8, "U8": 1}
    for name, info in sorted(head.items(), key=lambda item: item[1]["data_offsets"]):
        begin, count = info["data_offsets"][0], sizes[info["dtype"]]
        assert begin == end and begin % count == 0, f"{name} begins at {begin}"
        end = info["data_offsets"][1]
        for size in info["shape"]:
            count *= size
        assert end - begin == count
        tensors[name] = info["dtype"], info["shape"], data[8 + length + begin:8 + length + end]
    assert 8 + length + end == len(data)
    return tensors, metadata


def crc32c(data):
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


# ---- Parquet: the compact protocol of Thrift, pages of plain values, levels in runs ----
class Thrift:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def value(self, kind):
        if kind in (1, 2):
            return kind == 1
        if kind in (4, 5, 6):
            value = self.varint()
            return value >> 1 ^ -(value & 1)
        if kind == 8:
            length = self.varint()
            self.at += length
            return self.data[self.at - length:self.at]
        if kind == 9:
            head = self.byte()
            count = head >> 4 if head >> 4 < 15 else self.varint()
            return [self.value(head & 15) for _ in range(count)]
        assert kind == 12, f"type {kind}"
        fields, last = {}, 0
        while (head := self.byte()) != 0:
            last = last + (head >> 4) if head >> 4 else self.value(4)
            assert last not in fields
            fields[last] = self.value(head & 15)
        return fields


def read_levels(data, count):
    """Levels of one bit, as runs; the bytes that they take."""
    length = struct.unpack("<I", data[:4])[0]
    reader, levels = Thrift(data[4:4 + length]), []
    while reader.at < length:
        head = reader.varint()
        assert head & 1 == 0 and head > 0, "a run of packed bits"
        levels += [reader.byte()] * (head >> 1)
    assert len(levels) == count and set(levels) <= {0, 1}
    return levels, 4 + length


def read_values(kind, data, count):
    """Plain ones, which fill the page."""
    if kind == 6:
        values, at = [], 0
        for _ in range(count):
            length = struct.unpack_from("<I", data, at)[0]
            values.append(data[at + 4:at + 4 + length])
            assert len(values[-1]) == length
            at += 4 + length
    else:
        values, at = list(struct.unpack_from(f"<{count}{ {1: 'i', 4: 'f'}[kind]}", data)), 4 * count
    assert at == len(data), f"{at} of {len(data)} bytes"
    return values


def read_chunk(data, chunk, optional, listed):
    """The values of a column in a group: None for a null, lists for a list. Where its pages lie."""
    meta = chunk[3]
    reader, begin, out, seen = Thrift(data, meta[9]), meta[9], [], 0
    assert meta[4] == 0 and chunk[2] == begin and meta[6] == meta[7]
    while reader.at < begin + meta[7]:
        page = reader.value(12)
        body = data[reader.at:reader.at + page[3]]
        reader.at += page[3]
        assert page[1] == 0 and page[2] == page[3] == len(body) and page[5][2] == 0 and page[5][3] == page[5][4] == 3
        count, at, repeats, defined = page[5][1], 0, None, None
        if listed:
            repeats, at = read_levels(body, count)
        if listed or optional:
            defined, length = read_levels(body[at:], count)
            at += length
        values = read_values(meta[1], body[at:], sum(defined) if defined else count)
        seen += count
        if listed:
            assert repeats[0] == 0 and all(defined)
            for repeat, value in zip(repeats, values):
                if repeat == 0:
                    out.append([])
                out[-1].append(value)
        else:
            rest = iter(values)
            out += [next(rest) if there else None for there in defined] if defined else values
    assert reader.at == begin + meta[7] and seen == meta[5]
    return out, (begin, begin + meta[7])


def read_parquet(path):
    """column -> values, in order; and the rows of each group."""
    data = open(path, "rb").read()
    length = struct.unpack("<I", data[-8:-4])[0]
    assert data[:4] == data[-4:] == b"PAR1"
    footer = Thrift(data, len(data) - 8 - length)
    file = footer.value(12)
    assert footer.at == len(data) - 8 and file[1] == 1
    root, *schema = file[2]
    columns, groups, pages = {}, [], []
    for group in file[4]:
        groups.append(group[3])
        elements = iter(schema)
        assert len(group[1]) == root[5]
        for chunk in group[1]:
            element = next(elements)
            path, listed = [element[4]], element.get(6) == 3
            if listed:
                assert element[3] == 0 and element[5] == 1 and list(element[10]) == [3]
                inner = next(elements), next(elements)
                assert inner[0][3] == 2 and inner[0][5] == 1 and inner[1][3] == 0
                path += [part[4] for part in inner]
            elif element[1] == 6:
                assert element[6] == 0 and list(element[10]) == [1]
            assert chunk[3][3] == path and chunk[3][1] == (inner[1] if listed else element)[1]
            values, place = read_chunk(data, chunk, element[3] == 1, listed)
            pages.append(place)
            assert len(values) == group[3]
            columns.setdefault(element[4].decode(), []).extend(values)
        assert group[2] == sum(chunk[3][7] for chunk in group[1])
    end = 4
    for begin, after in sorted(pages):
        assert begin == end, "a hole between pages"
        end = after
    assert end == len(data) - 8 - length and sum(groups) == file[3]
    if not groups:
        columns = {part[4].decode(): [] for part in schema if part[4] not in (b"list", b"element")}
    return columns, groups


# ---- text ----
def read_csv(path):
    """The header, and rows of a name and texts of numbers."""
    text = open(path, "rb").read().decode()
    csv.field_size_limit(1 << 30)
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    return rows[0], [(from_text(row[0]), row[1:]) for row in rows[1:]]


def float32(text):
    """Of a text, as bits, whether it is read as a float or as a double that becomes one."""
    return struct.unpack("<I", struct.pack("<f", float(text)))[0]


def crc32(data):
    return zlib.crc32(data)
