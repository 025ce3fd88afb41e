"""check_page.py PAGE...: is a page what it should be? Valid HTML5 of our own strict kind, nothing from outside, no script,
readable in light, dark and print, at most 3 MB. Where html5lib is installed, its strict parser reads the page too."""
import html.parser
import re
import sys

VOID = {"meta", "img", "br"}
KNOWN = VOID | set("""html head title style body main section nav h1 h2 h3 h4 h5 h6 p div span strong code pre ol ul li a dl dt dd
    table caption thead tbody tr th td figure figcaption details summary svg desc path circle text g""".split())
PARENTS = {"li": {"ol", "ul"}, "dt": {"dl"}, "dd": {"dl"}, "caption": {"table"}, "thead": {"table"}, "tbody": {"table"},
           "tr": {"thead", "tbody"}, "th": {"tr"}, "td": {"tr"}, "figcaption": {"figure"}, "summary": {"details"},
           "path": {"svg"}, "circle": {"svg"}, "text": {"svg"}, "desc": {"svg"}, "section": {"main"}}
ATTRIBUTES = {"*": {"class", "id", "style", "tabindex", "role", "aria-label", "aria-labelledby"}, "html": {"lang"},
              "meta": {"charset", "http-equiv", "content", "name"}, "img": {"src", "alt", "width", "height"},
              "a": {"href"}, "th": {"scope"}, "svg": {"viewbox"}, "path": {"d"}, "circle": {"cx", "cy", "r"},
              "text": {"x", "y", "text-anchor"}}
MOST_BYTES = 3_000_000


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.open, self.problems, self.ids, self.wanted, self.level, self.counts = [], [], set(), set(), 0, {}

    def problem(self, what):
        self.problems.append(f"line {self.getpos()[0]}: {what}")

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in KNOWN:
            self.problem(f"<{tag}> is no element of a page")
        if tag in PARENTS and (not self.open or self.open[-1] not in PARENTS[tag]):
            self.problem(f"<{tag}> in <{self.open[-1] if self.open else ''}>")
        if len(values) != len(attributes):
            self.problem(f"<{tag}> has an attribute twice")
        for name, value in values.items():
            if name not in ATTRIBUTES["*"] | ATTRIBUTES.get(tag, set()):
                self.problem(f"<{tag} {name}>")
            if value is None:
                self.problem(f"<{tag} {name}> has no value")
        if "id" in values:
            if values["id"] in self.ids or " " in values["id"]:
                self.problem(f"id {values['id']} is there twice")
            self.ids.add(values["id"])
        self.wanted |= set(values.get("aria-labelledby", "").split())
        if tag == "a":
            if not re.fullmatch(r"#[a-z]+", values.get("href", "")):
                self.problem(f"a link to {values.get('href')}")
            self.wanted.add(values.get("href", "#")[1:])
        if tag == "img":
            if not values.get("src", "").startswith("data:image/"):
                self.problem("a picture from outside")
            if not values.get("alt"):
                self.problem("a picture without alt")
        if tag == "th" and values.get("scope") not in ("row", "col"):
            self.problem("<th> without scope")
        if "url(" in values.get("style", ""):
            self.problem("a style that fetches")
        if re.fullmatch(r"h[1-6]", tag):
            level = int(tag[1])
            if level > self.level + 1 or (level == 1 and self.level):
                self.problem(f"<{tag}> after <h{self.level}>")
            self.level = level
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problem(f"</{tag}> closes something else")

    def handle_data(self, data):
        if self.open and self.open[-1] != "style" and ("&" in data or "<" in data or ">" in data):
            self.problem(f"not escaped: {data.strip()[:60]!r}")
        if any(ord(c) < 32 and c != "\n" or 0x7f <= ord(c) < 0xa0 for c in data):
            self.problem("a control character")

    def handle_entityref(self, name):
        if name not in ("amp", "lt", "gt", "quot"):
            self.problem(f"&{name};")


def luminance(color):
    def linear(value):
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
    return sum(w * linear(int(color[i:i + 2], 16) / 255) for w, i in ((0.2126, 1), (0.7152, 3), (0.0722, 5)))


def contrast(a, b):
    x, y = sorted((luminance(a), luminance(b)))
    return (y + 0.05) / (x + 0.05)


def blend(over, ground, share):
    return "#" + "".join(f"{round(int(over[i:i + 2], 16) * share + int(ground[i:i + 2], 16) * (1 - share)):02x}" for i in (1, 3, 5))


def check_colors(page):
    """WCAG 2, level AA: 4.5 to 1, of every colour of words on every ground that the sheet has, in both schemes."""
    schemes = re.findall(r":root\{([^}]*)\}", page)
    if len(schemes) != 2:
        yield f"{len(schemes)} colour schemes, not light and dark"
    shades = [float(s) for s in re.findall(r"--shade:([0-9.]+)", page)]
    for scheme in schemes:
        colors = dict(re.findall(r"--(\w+):(#[0-9a-f]{6})", scheme))
        for ground in ("ground", "panel"):
            for words in ["ink", "muted", "link"] + [f"h{i}" for i in range(8)]:
                if contrast(colors[words], colors[ground]) < 4.5:
                    yield f"{words} on {ground}: {contrast(colors[words], colors[ground]):.2f}"
        for shade in shades:
            if contrast(colors["ink"], blend(colors["h0"], colors["ground"], shade)) < 4.5:
                yield f"ink on a shade of {shade}"


def check(path):
    raw = open(path, "rb").read()
    try:
        page = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return [f"no UTF-8: {error}"]
    reader = Reader()
    reader.feed(page)
    reader.close()
    problems = reader.problems + list(check_colors(page))
    if len(raw) > MOST_BYTES:
        problems.append(f"{len(raw)} bytes")
    if not page.startswith("<!DOCTYPE html>\n"):
        problems.append("no doctype")
    if reader.open:
        problems.append(f"not closed: {reader.open}")
    if reader.wanted - reader.ids:
        problems.append(f"no element has the id {reader.wanted - reader.ids}")
    for tag in ("html", "head", "body", "main", "h1", "title"):
        # <title> of a drawing counts too
        if reader.counts.get(tag, 0) != 1 and not (tag == "title" and reader.counts.get(tag, 0) > 1):
            problems.append(f"{reader.counts.get(tag, 0)} <{tag}>")
    for bad in ("<script", "javascript:", "http:", "https:", "@import", " onload=", " onclick=", " onerror="):
        if bad in re.sub(r">[^<]*<", "><", page).lower():
            problems.append(f"holds {bad}")
    if "default-src 'none'" not in page:
        problems.append("no content security policy")
    try:
        import html5lib
        parser = html5lib.HTMLParser(strict=False)
        parser.parse(raw, transport_encoding="utf-8")
        problems += [f"html5lib: {where} {code} {data}" for where, code, data in parser.errors]
    except ImportError:
        pass
    return problems


failed = False
for name in sys.argv[1:]:
    for line in check(name)[:20]:
        print(f"{name}: {line}")
        failed = True
sys.exit(failed)
