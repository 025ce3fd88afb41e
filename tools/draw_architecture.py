#!/usr/bin/env python3
"""Draws the rooms of src/ as docs/architecture-light.svg and docs/architecture-dark.svg.

    draw_architecture.py           writes both files
    draw_architecture.py --check   fails if they are not what would be written

The map is read from CMakeLists.txt (simclr_room), so the picture shows what check_layers.py holds. An arrow goes from a
room to one that it may include; arrows that follow from others are left out. Floors are the longest chains of arrows
down to `base`. Colours tell what a room can see: pixels, the network, both or neither."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Two lines for each room. A room without a caption is an error, and so is a caption without a room.
CAPTIONS = {
    "base": ("errors, memory, files, log,", "random numbers, threads"),
    "simd": ("what the machine runs,", "one mask for --cpu"),
    "image": ("JPEG, PNG, WebP:", "decode, turn, resize"),
    "page": ("an HTML page: words,", "tables, SVG charts"),
    "augment": ("views: draw their", "parameters, render them"),
    "data": ("data sets of every", "format, cache, order"),
    "loader": ("batches of views,", "made ahead"),
    "tensor": ("element types, the", "table of parameters"),
    "comm": ("messages between", "ranks, sums in order"),
    "forecast": ("messages and seconds", "of a step over ranks"),
    "backend": ("the contract with the", "machine; ref and cpu"),
    "nn": ("a network: operations", "planned once, one arena"),
    "model": ("ResNet,", "projection head"),
    "loss": ("NT-Xent,", "cross entropy"),
    "optim": ("LARS, SGD, AdamW,", "the rate of a step"),
    "eval": ("kNN, regression,", "plain numbers"),
    "checkpoint": ("model and optimiser", "in safetensors"),
    "config": ("one option table,", "recipes"),
    "run": ("session, run folder,", "metrics, features"),
    "train": ("the step; Algorithm 1,", "supervised training"),
    "explore": ("a set as rows, its", "graph, thumbnails"),
    "export": ("forms that other", "programs load"),
    "evaluate": ("sources, protocols,", "one score, one JSON"),
    "report": ("one page about", "a run or several"),
    "command": ("one row for each", "command of the program"),
    "api": ("the functions of", "simclr/simclr.h"),
    "cli": ("the program: words in,", "text out"),
}

THEMES = {
    "light": {"back": "#ffffff", "text": "#1f2328", "faint": "#59636e", "line": "#8c959f",
              "pixels": ("#ddf4ff", "#54aeff"), "network": ("#fff1e5", "#fb8f44"), "both": ("#fbefff", "#c297ff"),
              "neither": ("#f6f8fa", "#afb8c1")},
    "dark": {"back": "#0d1117", "text": "#e6edf3", "faint": "#9198a1", "line": "#6e7681",
             "pixels": ("#0c2d4f", "#388bfd"), "network": ("#40250e", "#db6d28"), "both": ("#2f1f4d", "#a371f7"),
             "neither": ("#161b22", "#484f58")},
}
LEGEND = (("pixels", "sees pixels"), ("network", "sees the network"), ("both", "sees both"), ("neither", "sees neither"))

BOX_WIDTH, BOX_HEIGHT, FLOOR, GAP, THREAD, MARGIN = 164, 62, 106, 22, 20, 24
FONT = "-apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"


def read_rooms():
    text = (ROOT / "CMakeLists.txt").read_text()
    rooms = {m[1]: set(m[2].split()) for m in re.finditer(r"^simclr_room\((\w+)\s+DEPENDS([^)]*)\)", text, re.M)}
    if len(rooms) < 10:
        sys.exit("draw_architecture: CMakeLists.txt names too few rooms; the map could not be read")
    rooms["cli"] = {"api"}  # through the public header; cli/ is no room of src/
    missing, over = rooms.keys() - CAPTIONS.keys(), CAPTIONS.keys() - rooms.keys()
    if missing or over:
        sys.exit(f"draw_architecture: captions: {sorted(missing)} missing, {sorted(over)} of no room")
    return rooms


def reachable(rooms, start):
    seen, todo = set(), [start]
    while todo:
        for other in rooms[todo.pop()]:
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def reduce_edges(rooms):
    """The arrows that no chain of others implies."""
    below = {room: reachable(rooms, room) for room in rooms}
    return [(a, b) for a in sorted(rooms) for b in sorted(rooms[a])
            if not any(b in below[c] for c in rooms[a] if c != b)], below


def kind_of(room, below):
    seen = below[room] | {room}
    pixels, network = "image" in seen, "tensor" in seen
    return "both" if pixels and network else "pixels" if pixels else "network" if network else "neither"


class Drawing:
    """A layered drawing after Sugiyama: floors, threads of long arrows through them, few crossings, straight lines."""

    def __init__(self, rooms):
        self.rooms = rooms
        self.edges, self.below = reduce_edges(rooms)
        self.floor = {}
        for room in rooms:
            self.find_floor(room)
        self.raise_rooms()
        self.chains = []  # of each arrow: the nodes it passes, from the upper floor to the lower
        self.nodes = {room: self.floor[room] for room in rooms}
        for number, (a, b) in enumerate(self.edges):
            chain = [a]
            for floor in range(self.floor[a] - 1, self.floor[b], -1):
                self.nodes[f"~{number}.{floor}"] = floor
                chain.append(f"~{number}.{floor}")
            self.chains.append(chain + [b])
        self.up, self.down = {node: [] for node in self.nodes}, {node: [] for node in self.nodes}
        for chain in self.chains:
            for a, b in zip(chain, chain[1:]):
                self.down[a].append(b)
                self.up[b].append(a)
        self.top = max(self.nodes.values())
        rank = {"pixels": 0, "neither": 1, "both": 2, "network": 3}
        key = {n: rank[kind_of(n, self.below)] if n in rooms else
               rank[kind_of(self.edges[int(n[1:].split(".")[0])][1], self.below)] for n in self.nodes}
        self.rows = [sorted((n for n in self.nodes if self.nodes[n] == f), key=lambda n: (key[n], n))
                     for f in range(self.top + 1)]
        self.order()
        self.place()

    def find_floor(self, room):
        if room not in self.floor:
            self.floor[room] = 1 + max((self.find_floor(other) for other in self.rooms[room]), default=-1)
        return self.floor[room]

    def raise_rooms(self):
        """A room whose arrows down are short and whose arrows up are long goes up to just below its lowest user."""
        for room in sorted(self.rooms, key=lambda r: -self.floor[r]):
            users = [self.floor[a] for a, b in self.edges if b == room]
            if users and room != "base" and len([1 for a, _ in self.edges if a == room]) <= len(users):
                self.floor[room] = max(self.floor[room], min(users) - 1)

    def crossings(self):
        total = 0
        for floor in range(1, self.top + 1):
            place = {n: i for i, n in enumerate(self.rows[floor - 1])}
            lines = [(i, place[b]) for i, a in enumerate(self.rows[floor]) for b in self.down[a]]
            total += sum((p - r) * (q - s) < 0 for i, (p, q) in enumerate(lines) for r, s in lines[:i])
        return total

    def order(self):
        """Sorts each floor by the middle of its neighbours, up and down, then exchanges neighbours while that helps."""
        best, rows = self.crossings(), [list(row) for row in self.rows]
        for sweep in range(24):
            floors = range(1, self.top + 1) if sweep % 2 == 0 else range(self.top - 1, -1, -1)
            for floor in floors:
                other = self.rows[floor - 1] if sweep % 2 == 0 else self.rows[floor + 1]
                place = {n: (i + 0.5) / len(other) for i, n in enumerate(other)}
                near = self.down if sweep % 2 == 0 else self.up
                old = {n: (i + 0.5) / len(self.rows[floor]) for i, n in enumerate(self.rows[floor])}
                self.rows[floor].sort(key=lambda n: (sum(place[m] for m in near[n]) / len(near[n]) if near[n] else old[n]))
            if self.crossings() < best:
                best, rows = self.crossings(), [list(row) for row in self.rows]
        self.rows, better = rows, True
        while better:
            better = False
            for row in self.rows:
                for i in range(len(row) - 1):
                    row[i], row[i + 1] = row[i + 1], row[i]
                    if self.crossings() < best:
                        best, better = self.crossings(), True
                    else:
                        row[i], row[i + 1] = row[i + 1], row[i]

    @staticmethod
    def width(node):
        return THREAD if node[0] == "~" else BOX_WIDTH

    def settle(self, row, wanted, weight):
        """Positions next to `wanted` that keep the order and the gaps: least squares by pooling neighbours."""
        offset, at = [], 0.0
        for i, node in enumerate(row):
            if i:
                at += (self.width(row[i - 1]) + self.width(node)) / 2 + GAP
            offset.append(at)
        pools = []
        for i, node in enumerate(row):
            pools.append([wanted[node] - offset[i], weight[node], [i]])
            while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
                value, mass, members = pools.pop()
                pools[-1] = [(pools[-1][0] * pools[-1][1] + value * mass) / (pools[-1][1] + mass), pools[-1][1] + mass,
                             pools[-1][2] + members]
        return {row[i]: value + offset[i] for value, _, members in pools for i in members}

    def place(self):
        self.x = {}
        for row in self.rows:
            self.x.update(self.settle(row, {n: 0.0 for n in row}, {n: 1.0 for n in row}))
        for sweep in range(60):
            floors = list(range(self.top + 1))
            for floor in floors if sweep % 2 == 0 else reversed(floors):
                row, wanted, weight = self.rows[floor], {}, {}
                for node in row:
                    near = self.up[node] + self.down[node]
                    straight = [4.0 if node[0] == "~" or m[0] == "~" else 1.0 for m in near]
                    wanted[node] = sum(w * self.x[m] for w, m in zip(straight, near)) / sum(straight)
                    weight[node] = sum(straight)
                self.x.update(self.settle(row, wanted, weight))
        left = min(self.x[n] - self.width(n) / 2 for n in self.nodes)
        self.x = {n: round(x - left + MARGIN) for n, x in self.x.items()}
        self.right = max(self.x[n] + self.width(n) // 2 for n in self.nodes) + MARGIN

    def y(self, node):
        return MARGIN + (self.top - self.nodes[node]) * FLOOR

    def ports(self, node, others, below):
        """Where the arrows of a box meet its edge: side by side, in the order of what they lead to."""
        ordered = sorted(others, key=lambda m: self.x[m])
        step = min(26, (BOX_WIDTH - 40) / max(1, len(ordered)))
        return {m: round(self.x[node] + (i - (len(ordered) - 1) / 2) * step) for i, m in enumerate(ordered)}

    def paths(self):
        out = {n: self.ports(n, self.down[n], True) for n in self.rooms}
        into = {n: self.ports(n, self.up[n], False) for n in self.rooms}
        for (a, b), chain in zip(self.edges, self.chains):
            points = [(out[a][chain[1]], self.y(a) + BOX_HEIGHT)]
            for node in chain[1:-1]:
                points += [(self.x[node], self.y(node)), (self.x[node], self.y(node) + BOX_HEIGHT)]
            points.append((into[b][chain[-2]], self.y(b) - 3))
            text = f"M{points[0][0]},{points[0][1]}"
            for i in range(0, len(points) - 1, 2):
                (x0, y0), (x1, y1) = points[i], points[i + 1]
                middle = (y0 + y1) // 2
                text += f" C{x0},{middle} {x1},{middle} {x1},{y1}"
                if i + 2 < len(points):
                    text += f" L{points[i + 2][0]},{points[i + 2][1]}"
            yield a, b, text


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def draw(drawing, theme):
    colours = THEMES[theme]
    height = MARGIN * 2 + drawing.top * FLOOR + BOX_HEIGHT + 34
    lines = [
        "<!-- made by tools/draw_architecture.py from CMakeLists.txt -->",
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawing.right} {height}" width="{drawing.right}" '
        f'height="{height}" font-family="{FONT}">',
        "<title>The rooms of src/ and what each may include</title>",
        f'<rect width="100%" height="100%" fill="{colours["back"]}"/>',
        f'<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0,0.5 L7,4 L0,7.5 z" fill="{colours["line"]}"/></marker></defs>',
    ]
    for a, b, path in drawing.paths():
        dash = ' stroke-dasharray="5 4"' if a == "cli" else ""
        lines.append(f'<path d="{path}" fill="none" stroke="{colours["line"]}" stroke-width="1.4"{dash} '
                     f'marker-end="url(#tip)"><title>{a} includes {b}</title></path>')
    for room in sorted(drawing.rooms):
        fill, edge = colours[kind_of(room, drawing.below)]
        x, y = drawing.x[room] - BOX_WIDTH // 2, drawing.y(room)
        lines.append(f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="7" fill="{fill}" '
                     f'stroke="{edge}"/>')
        middle = drawing.x[room]
        name = f"{room}/" if room == "cli" else f"src/{room}"
        lines.append(f'<text x="{middle}" y="{y + 20}" text-anchor="middle" font-size="14" font-weight="600" '
                     f'fill="{colours["text"]}">{name}</text>')
        for i, caption in enumerate(CAPTIONS[room]):
            lines.append(f'<text x="{middle}" y="{y + 37 + 14 * i}" text-anchor="middle" font-size="11" '
                         f'fill="{colours["faint"]}">{escape(caption)}</text>')
    x, y = MARGIN, height - 26
    for kind, text in LEGEND:
        fill, edge = colours[kind]
        lines.append(f'<rect x="{x}" y="{y}" width="14" height="14" rx="3" fill="{fill}" stroke="{edge}"/>')
        lines.append(f'<text x="{x + 20}" y="{y + 11}" font-size="11" fill="{colours["faint"]}">{text}</text>')
        x += 34 + 7 * len(text)
    lines.append(f'<text x="{x + 8}" y="{y + 11}" font-size="11" fill="{colours["faint"]}">arrow: may include; dashed: '
                 "through the public header</text>")
    return "\n".join(lines + ["</svg>", ""])


def main(arguments):
    drawing, old = Drawing(read_rooms()), []
    for theme in THEMES:
        path = ROOT / "docs" / f"architecture-{theme}.svg"
        text = draw(drawing, theme)
        if arguments == ["--check"]:
            if not path.exists() or path.read_text() != text:
                old.append(path.name)
        else:
            path.write_text(text)
    if old:
        print(f"{', '.join(old)}: not what the map in CMakeLists.txt says; run tools/draw_architecture.py")
        return 1
    print(f"{len(drawing.rooms)} rooms, {len(drawing.edges)} arrows, {drawing.crossings()} crossings")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
