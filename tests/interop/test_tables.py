"""Tables of features that `simclr embed`, `map` and `neighbours` write, as other people's readers see them."""
from interop import cases, make_encoder, need, write_png

ODD = ["a,b.png", 'say "q".png', "line\nend.png", "back\\slash.png", "\u00e9\U0001f600.png", " blank .png"]


def make_set(place):
    """Pictures of two classes with names that are hard to keep; the encoder; rows, names and classes as .npz has them."""
    numpy = need("numpy")
    random = numpy.random.default_rng(3)
    for label in ("cat", "dog, big"):
        (place / "set" / label).mkdir(parents=True)
        for name in ODD:
            write_png(place / "set" / label / name, [random.integers(0, 256, 72, dtype="uint8").tobytes() for _ in range(24)])
    make_encoder(place / "encoder", 18, 0.125, "cifar", 16)
    place.simclr("embed", "--checkpoint", "encoder", "--data", "set", "--out", "t.npz", "--precision", "float32")
    table = numpy.load(place / "t.npz")
    names, classes = list(table["names"]), [str(table["classes"][label]) for label in table["labels"]]
    assert len(names) == 12 and all((place / name).exists() for name in names)
    assert classes == [name.split("/")[1] for name in names]
    return table["features"], names, classes


def embed(place, name, *options):
    place.simclr("embed", "--checkpoint", "encoder", "--data", "set", "--out", name, "--precision", "float32", *options)
    return str(place / name)


def read_pyarrow(path):
    return need("pyarrow.parquet", "pyarrow")[0].read_table(path).to_pydict()


def read_polars(path):
    return need("polars").read_parquet(path).to_dict(as_series=False)


def read_duckdb(path):
    result = need("duckdb").execute("select * from read_parquet(?)", [path])
    names = [column[0] for column in result.description]
    return {name: [row[i] for row in rows] for rows in [result.fetchall()] for i, name in enumerate(names)}


def read_pandas(path):
    need("pyarrow")
    return need("pandas").read_parquet(path).to_dict("list")


READERS = (("pyarrow", read_pyarrow), ("polars", read_polars), ("duckdb", read_duckdb), ("pandas", read_pandas))


@cases(*READERS)
def test_parquet(place, read):
    numpy = need("numpy")
    features, names, classes = make_set(place)
    columns = read(embed(place, "t.parquet"))
    assert list(columns) == ["path", "label", "class", "feature"]
    assert columns["path"] == names and columns["class"] == classes
    assert list(columns["label"]) == [0] * 6 + [1] * 6
    assert numpy.array_equal(numpy.array([list(row) for row in columns["feature"]], "float32"), features)


@cases(*READERS)
def test_groups_of_rows(place, read):
    """Tables of all shapes, as the build's write_tables draws them: no row, one value a row, edges of groups."""
    numpy = need("numpy")
    for number in (0, 1, 2, 4, 5, 6, 7, 8, 13):
        folder = place / str(number)
        folder.mkdir()
        place.tool("write_tables", number, folder)
        wanted = numpy.load(folder / "t.npz")
        names = [name.encode("utf-8", "surrogateescape") for name in wanted["names"].tolist()]
        columns = read(str(folder / "t.parquet"))
        got = numpy.array([list(row) for row in columns["feature"]], "float32").reshape(wanted["features"].shape)
        assert got.tobytes() == wanted["features"].tobytes(), f"table {number}"
        assert [unescape(name) for name in columns["path"]] == names, f"table {number}"


def unescape(text):
    r"""docs/formats.md: a name with \x in it has bytes as \xHH, and its other backslashes doubled."""
    if "\\x" not in text:
        return text.encode()
    out, at = bytearray(), 0
    while at < len(text):
        if text[at] != "\\":
            out += text[at].encode()
            at += 1
        elif text[at + 1] == "\\":
            out += b"\\"
            at += 2
        else:
            out.append(int(text[at + 2:at + 4], 16))
            at += 4
    return bytes(out)


@cases(*READERS)
def test_map(place, read):
    numpy = need("numpy")
    features, names, classes = make_set(place)
    place.simclr("map", "--features", "t.npz", "--out", "m.parquet")
    place.simclr("map", "--features", "t.npz", "--out", "m.npy")
    columns = read(str(place / "m.parquet"))
    assert list(columns) == ["path", "label", "class", "x", "y", "feature"]
    assert columns["path"] == names and columns["class"] == classes
    assert numpy.array_equal(numpy.array([columns["x"], columns["y"]], "float32").T, numpy.load(place / "m.npy"))
    assert numpy.array_equal(numpy.array([list(row) for row in columns["feature"]], "float32"), features)


@cases(*READERS)
def test_neighbours(place, read):
    numpy = need("numpy")
    make_set(place)
    place.simclr("neighbours", "--features", "t.npz", "--out", "n.parquet", "-k", "3")
    place.simclr("neighbours", "--features", "t.npz", "--out", "n.npz", "-k", "3")
    columns, arrays = read(str(place / "n.parquet")), numpy.load(place / "n.npz")
    names = [name.decode() for name in arrays["names"].tolist()]
    assert list(columns) == ["query", "rank", "name", "similarity", "class"]
    assert columns["query"] == [name for name in names for _ in range(3)] and columns["rank"] == [1, 2, 3] * 12
    assert columns["name"] == [names[row] for row in arrays["neighbours"].ravel()]
    assert numpy.array_equal(numpy.array(columns["similarity"], "float32"), arrays["similarities"].ravel())
    assert columns["class"] == [name.split("/")[-2] for name in columns["name"]]


def test_parquet_by_pandas_without_labels(place):
    pandas = need("pandas")
    need("pyarrow")
    make_set(place)
    (place / "set").rename(place / "kept")
    (place / "kept" / "cat").rename(place / "set")
    table = pandas.read_parquet(embed(place, "t.parquet"))
    assert len(table) == 6 and table["label"].isna().all() and table["class"].isna().all()


def test_numpy(place):
    numpy = need("numpy")
    features, names, _ = make_set(place)
    assert numpy.array_equal(numpy.load(embed(place, "t.npy")), features)
    half = numpy.load(embed(place, "h.npy", "--half"))
    assert half.dtype == "float16" and numpy.array_equal(half, features.astype("float16"))
    archive = numpy.load(embed(place, "h.npz", "--half"))
    assert numpy.array_equal(archive["features"], half) and archive["names"].tolist() == names
    # the header says that the lists are escaped, which the reader passed over: a line for each row all the same
    assert b"}  # lists beside it are escaped" in (place / "t.npy").read_bytes()[:128]
    assert (place / "t.labels.txt").read_text().splitlines() == ["cat"] * 6 + ["dog, big"] * 6
    lines = list(open(place / "t.txt", encoding="utf-8"))
    escapes = {"\n": "\\n", "\\": "\\\\"}
    assert lines == ["".join(escapes.get(letter, letter) for letter in name) + "\n" for name in names]


def test_safetensors(place):
    numpy, load = need("numpy", "safetensors.numpy")
    features, names, classes = make_set(place)
    for name, options in (("t.safetensors", ()), ("h.safetensors", ("--half",))):
        table = load.load_file(embed(place, name, *options))
        assert numpy.array_equal(table["features"], features.astype("float16") if options else features)
        assert bytes(table["names"]).decode().split("\0")[:-1] == names
        names_of = bytes(table["classes"]).decode().rstrip("\0").split("\0")
        assert [names_of[label] for label in table["labels"]] == classes


def test_text_by_pandas(place):
    numpy, pandas = need("numpy", "pandas")
    features, names, classes = make_set(place)
    table = pandas.read_csv(embed(place, "t.csv"))
    assert list(table.columns) == ["filename"] + [f"embedding_{i}" for i in range(64)]
    assert table["filename"].tolist() == names
    assert numpy.array_equal(table.iloc[:, 1:].to_numpy("float32"), features)
    table = pandas.read_json(embed(place, "t.jsonl"), lines=True)
    assert table["path"].tolist() == names and table["class"].tolist() == classes and table["label"].tolist() == [0] * 6 + [1] * 6
    assert numpy.array_equal(numpy.array(table["embedding"].tolist(), "float32"), features)
    assert numpy.array_equal(numpy.loadtxt(embed(place, "t.tsv"), "float32", delimiter="\t"), features)
