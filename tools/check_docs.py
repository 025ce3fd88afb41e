#!/usr/bin/env python3
"""Holds the documents to the tree: what they name must exist.

    check_docs.py               all documents
    check_docs.py --self-test   planted mistakes: the checker must find each, and nothing else

1. Every path or file name in backquotes (`src/nn/run.c`, `nn/run.c`, `run.c`, `nt_xent*.c`) is one that git knows.
2. The block that begins with ```tree in docs/structure.md names exactly the folders under src/ that git knows.
3. "method.md section N" in the code cites a section of docs/method.md.
4. Every package that ./dev or packaging/debian/control asks apt for has a row in docs/packages.md, and the reverse."""
import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/")
TOP = r"(?:src|tools|tests|docs|cmake|bench|cli|include|recipes|examples|python)/[\w./*{},-]*"
BARE = r"[\w*-]+(?:/[\w*-]+)*\.(?:c|h|py|sh|cmake|md|yaml)"
# Files that a reader makes or finds elsewhere.
FOREIGN = {"config.yaml", "NAME.c", "NAME.h", "train.c", "cfg.yaml"}


def git_files():
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def missing_paths(text, files):
    """(line, name) of what stands in backquotes, looks like a file or a folder of the project, and is none."""
    bases = {name.rsplit("/", 1)[-1] for name in files}
    folders = {"/".join(name.split("/")[:depth]) for name in files for depth in range(1, name.count("/") + 1)}
    known, fence = set(files) | folders, False
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            fence = not fence
            continue
        if fence:
            continue
        for name in re.findall(r"`([^`\s]+)`", line):
            if not re.fullmatch(f"{TOP}|{BARE}", name) or name in FOREIGN or "NAME" in name or name[0] == "_":
                continue
            name = name.rstrip("/")
            if "*" in name:
                found = any(fnmatch.fnmatch(file, name) or fnmatch.fnmatch(file, f"*/{name}") for file in known)
            elif "/" in name:
                found = name in known or any(f"{top}/{name}" in known for top in ("src", "tests", "tests/unit", "include"))
            else:
                found = name in bases or name in known
            if not found:
                yield number, name


def tree_of(text):
    """The folders named in the ```tree block, as paths; two columns of indentation are one level."""
    match = re.search(r"^```tree\n(.*?)^```", text, re.M | re.S)
    folders, stack = set(), []
    for line in match[1].split("\n") if match else []:
        entry = re.match(r"^( *)([\w.-]+)/(?:\s|$)", line)
        if not entry:
            continue
        depth = len(entry[1]) // 2
        stack = stack[:depth] + [entry[2]]
        folders.add("/".join(stack))
    return folders


def packages_of_dev(text):
    """The names in the lists that ./dev begins with, and behind `need` and `want` in it."""
    lists = dict(re.findall(r'^([A-Z]+)="([^"$]*)"$', text, re.M))
    names = {name for key in ("NEEDED", "OPTIONAL", "LINTERS") for name in lists.get(key, "").split()}
    for words in re.findall(r"(?:^|[;&|)] +|^ +)(?:need|want) ((?:[\w$.+-]+ *)+)", text, re.M):
        names |= {word for word in words.split() if "$" not in word}
    return names


def packages_of_control(text):
    """The names in Build-Depends and Depends of others' packages. debhelper-compat is a virtual one, of debhelper."""
    own, names = set(re.findall(r"^Package: (\S+)", text, re.M)), set()
    for field in re.findall(r"^(?:Build-)?Depends:(.*(?:\n .*)*)", text, re.M):
        names |= {word for word in re.findall(r"(?:^|,)\s*([a-z0-9][a-z0-9.+-]*)", field)}
    return {name.replace("debhelper-compat", "debhelper") for name in names} - own


def packages_listed(text):
    """The names that begin the rows of the first table of docs/packages.md."""
    return set(re.findall(r"^\| `([\w.+-]+)` \|", text.split("## What the built")[0], re.M))


def package_errors(dev, control, listed):
    for name in sorted((dev | control) - listed):
        yield f"docs/packages.md: no row for {name}, which {'./dev' if name in dev else 'packaging/debian/control'} names"
    for name in sorted(listed - dev - control):
        yield f"docs/packages.md: a row for {name}, which neither ./dev nor packaging/debian/control names"


def self_test():
    files = ["src/nn/run.c", "src/nn/run.h", "docs/views.md", "src/backend/cpu/nt_xent_a.c"]
    text = ("`src/nn/run.c` `nn/run.h` `run.c` `views.md` `src/nn` `nt_xent*.c` `src/nn/*.c` `x.y` `a b.c`\n"
            "```sh\n`src/none.c`\n```\n`src/none.c` `nn/none.h` `none.c` `pool*.c` `src/none/`\n")
    names = [name for _, name in missing_paths(text, files)]
    wrong = names != ["src/none.c", "nn/none.h", "none.c", "pool*.c", "src/none"]
    tree = tree_of("x\n```tree\nsrc/\n  nn/       text\n    ops/    text\n  base/\n```\n")
    wrong |= tree != {"src", "src/nn", "src/nn/ops", "src/base"}
    dev = packages_of_dev('NEEDED="gcc a-dev"\nOPTIONAL="b"\n# need nothing of this\nf() {\n    need $NEEDED c dpkg-dev\n    x) need d; y ;;\n    z || want e\n}\n')
    control = packages_of_control("Build-Depends: debhelper-compat (= 13), f,\n g\nPackage: own\nDepends: own (= 1), h, ${x:Y}\n")
    wrong |= dev != {"gcc", "a-dev", "b", "c", "dpkg-dev", "d", "e"} or control != {"debhelper", "f", "g", "h"}
    listed = packages_listed("| `gcc` | build |\n| `old` | x |\n## What the built\n| `late` | x |\n")
    found = [error.split(" ")[2:5] for error in package_errors({"gcc", "new"}, {"more"}, listed)]
    wrong |= found != [["row", "for", "more,"], ["row", "for", "new,"], ["row", "for", "old,"]]
    print("the planted mistakes were " + (f"not all found: {names} {tree}" if wrong else "found"))
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    files, errors, named = git_files(), [], 0
    for document in files:
        if document.startswith(DOCUMENTS) and document.endswith(".md"):
            text = (ROOT / document).read_text(encoding="utf-8")
            named += text.count("`") // 2
            errors += [f"{document}:{number}: {name} is not in the tree" for number, name in missing_paths(text, files)]
    there = {name.rsplit("/", 1)[0] for name in files if name.startswith("src/") and name.count("/") > 0}
    there |= {"/".join(folder.split("/")[:depth]) for folder in there for depth in range(1, folder.count("/") + 1)}
    tree = tree_of((ROOT / "docs/structure.md").read_text(encoding="utf-8"))
    errors += [f"docs/structure.md: the tree lacks {folder}/" for folder in sorted(there - tree)]
    errors += [f"docs/structure.md: the tree names {folder}/, which does not exist" for folder in sorted(tree - there)]
    sections = set(re.findall(r"^## (\d+)\.", (ROOT / "docs/method.md").read_text(encoding="utf-8"), re.M))
    cited = 0
    for name in files:
        if name.endswith((".c", ".h", ".py")) and name != "tools/check_docs.py":
            for match in re.finditer(r"method\.md\s+sections?\s+(\d+)(?:\s+and\s+(\d+))?", (ROOT / name).read_text()):
                for section in filter(None, match.groups()):
                    cited += 1
                    if section not in sections:
                        errors.append(f"{name}: cites section {section} of method.md, which has {', '.join(sorted(sections))}")
    asked = [packages_of_dev((ROOT / "dev").read_text()), packages_of_control((ROOT / "packaging/debian/control").read_text())]
    errors += package_errors(*asked, packages_listed((ROOT / "docs/packages.md").read_text(encoding="utf-8")))
    if min(map(len, asked)) < 10:
        errors.append("fewer than ten packages were seen in ./dev or packaging/debian/control: the walk is broken")
    if named < 100 or cited < 10 or len(there) < 10:
        errors.append(f"only {named} names, {cited} citations, {len(there)} folders were seen: the walk is broken")
    print("\n".join(errors) or f"{named} names, {cited} citations and {len(there)} folders: the documents name what is there")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
