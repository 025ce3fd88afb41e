"""pictures.py FOLDER class:r,g,b:count ... -- folders of plain 16 x 16 pictures in nearly one colour each. A class `.` is the folder
itself. SEED=n draws others."""
import os, random, struct, sys, zlib


def png(rng, colour):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    noisy = lambda value: min(255, max(0, value + rng.randrange(-20, 21)))
    rows = b"".join(b"\0" + bytes(noisy(value) for _ in range(16) for value in colour) for _ in range(16))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def main():
    rng = random.Random(os.environ.get("SEED", "1"))
    for word in sys.argv[2:]:
        name, colour, count = word.split(":")
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder, exist_ok=True)
        for i in range(int(count)):
            with open(os.path.join(folder, f"{i:03}.png"), "wb") as file:
                file.write(png(rng, [int(value) for value in colour.split(",")]))


if __name__ == "__main__":
    main()
