"""Pictures that the cases make themselves, so that they need nobody else's encoder."""
import pathlib
import zlib


def exif(orientation, order="little"):
    """A TIFF structure with the entry 274 alone."""
    def number(value, count):
        return value.to_bytes(count, order)
    entry = number(274, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + b"\0\0"
    return (b"II*\0" if order == "little" else b"MM\0*") + number(8, 4) + number(1, 2) + entry + number(0, 4)


def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def raw_profile(data):
    """EXIF as ImageMagick writes it into a text of a PNG."""
    data = b"Exif\0\0" + data
    return chunk(b"tEXt", b"Raw profile type exif\0\nexif\n%8d\n%s\n" % (len(data), data.hex().encode()))


def xmp(orientation):
    """XMP of a PNG that says how it is turned."""
    return chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\""
                 b"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description xmlns:tiff=\"http://ns.adobe.com/"
                 b"tiff/1.0/\" tiff:Orientation=\"%d\"/></rdf:RDF></x:xmpmeta>" % orientation)


def write_png(path, array, before=b"", behind=b""):
    """RGB of uint8 [height, width, 3], or gray of uint16 [height, width]. before, behind: chunks around the pixels."""
    height, width = array.shape[:2]
    kind = b"\x08\x02" if array.ndim == 3 else b"\x10\0"
    rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in array)
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + kind + b"\0\0\0"
    pixels = before + chunk(b"IDAT", zlib.compress(rows)) + behind
    pathlib.Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b""))
