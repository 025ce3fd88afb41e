#!/usr/bin/env python3
"""Holds every text to two limits: no sentence over 35 words, no line over 120 columns.

    check_prose.py [FILE...]     the files given, or all texts of the project
    check_prose.py --self-test   planted sentences: the checker must find each, and nothing else

The texts are README.md, CONTRIBUTING.md, CHANGELOG.md, docs/**/*.md and the header comment of every .c and .h file
that git knows: the first comment of the file.

What counts as a sentence: words up to a full stop, a question mark or an exclamation mark; a blank line, a heading and
a list marker end one too. Code blocks, tables, drawings and formulas are not prose. Code in backquotes is one word.
A line may be longer than 120 columns if it is a row of a table or if an address makes it so."""
import pathlib
import re
import subprocess
import sys

MOST_WORDS = 35
MOST_COLUMNS = 120
ROOT = pathlib.Path(__file__).resolve().parent.parent

ADDRESS = re.compile(r"https?://\S+")
MARKER = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
# A full stop behind one of these does not end a sentence, nor does one behind a single letter (A. Author).
ABBREVIATIONS = {"e.g.", "i.e.", "vs.", "cf.", "eq.", "fig.", "et", "al.", "no.", "app.", "sec.", "resp."}


def plain(text):
    """Markdown without its marks: code in backquotes and addresses are one word each, links are their text."""
    text = re.sub(r"`[^`]+`", "CODE", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<?https?://\S+", "ADDRESS", text)
    text = re.sub(r"<!--.*?-->|</?[a-zA-Z][^<>]*>", " ", text)
    return text.replace("*", "").replace("_", " ")


def sentences(text):
    """The sentences of one paragraph, as lists of words. A word has a letter or a digit."""
    current = []
    for token in plain(text).split():
        if re.search(r"[^\W_]", token):
            current.append(token)
        bare = token.rstrip("\"')]}»”")
        ends = bare.endswith((".", "?", "!", "...")) or (bare != token and re.search(r"[.?!]", token[-2:]))
        word = bare.lstrip("(\"'[")
        if ends and word.lower() not in ABBREVIATIONS and not re.fullmatch(r"[A-Za-z]\.", word):
            if current:
                yield current
            current = []
    if current:
        yield current


class Paragraphs:
    """Gathers lines into paragraphs, each with the number of its first line."""

    def __init__(self):
        self.done, self.lines, self.first = [], [], 0

    def add(self, number, text):
        if not self.lines:
            self.first = number
        self.lines.append(text.strip())

    def end(self):
        if self.lines:
            self.done.append((self.first, " ".join(self.lines)))
        self.lines = []


def markdown(text):
    """(paragraphs, lines that may not be too long) of a Markdown text."""
    paragraphs, lines, fence = Paragraphs(), [], False
    blank = indented = True
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        indented = line.startswith("    ") and (blank or indented) and not MARKER.match(line)
        blank = not stripped
        if stripped.startswith("```"):
            fence = not fence
            paragraphs.end()
            lines.append((number, line))
            continue
        if not (stripped.startswith("|") and not fence):
            lines.append((number, line))
        if fence:
            continue
        if not stripped or indented or stripped.startswith(("|", "<", "![")):
            paragraphs.end()
        elif stripped.startswith("#"):
            paragraphs.end()
            paragraphs.add(number, stripped.lstrip("# "))
            paragraphs.end()
        else:
            if MARKER.match(line):
                paragraphs.end()
            paragraphs.add(number, MARKER.sub("", line))
    paragraphs.end()
    return paragraphs.done, lines


def header_comment(text):
    """The same of a C file's first comment. Indented lines (three columns or more beyond the text, not below a list
    marker) are drawings, tables or formulas."""
    start = text.find("/*")
    stop = text.find("*/", start + 2)
    if start < 0 or stop < 0:
        return [], []
    first = text.count("\n", 0, start) + 1
    paragraphs, lines, in_list = Paragraphs(), [], False
    whole = text.split("\n")
    for offset, line in enumerate(text[start + 2 : stop].split("\n")):
        number = first + offset
        lines.append((number, whole[number - 1]))
        body = re.sub(r"^\s*\*( |$)", "", line) if offset else line.lstrip()
        body = body.rstrip()
        if not body.strip():
            paragraphs.end()
            in_list = False
            continue
        indent = len(body) - len(body.lstrip())
        if MARKER.match(body):
            paragraphs.end()
            in_list = True
            paragraphs.add(number, MARKER.sub("", body))
        elif indent >= 3 and not (in_list and indent <= 6):
            paragraphs.end()
        else:
            if indent == 0:
                if in_list:
                    paragraphs.end()
                in_list = False
            if offset == 0:  # "room/file.h -- what it is": the name is not part of the sentence
                body = re.sub(r"^[\w./-]+ -- ", "", body)
            paragraphs.add(number, body)
    paragraphs.end()
    return paragraphs.done, lines


def faults(text, is_markdown):
    """(line, sentence) for all that is beyond a limit."""
    paragraphs, lines = markdown(text) if is_markdown else header_comment(text)
    found = []
    for number, line in lines:
        if len(line) > MOST_COLUMNS and (not ADDRESS.search(line) or len(ADDRESS.sub("", line)) > MOST_COLUMNS):
            found.append((number, f"{len(line)} columns, {MOST_COLUMNS} are allowed"))
    for number, paragraph in paragraphs:
        for words in sentences(paragraph):
            if len(words) > MOST_WORDS:
                found.append((number, f"a sentence of {len(words)} words ({' '.join(words[:6])} ...), "
                              f"{MOST_WORDS} are allowed"))
    return sorted(found)


def texts():
    names = subprocess.run(["git", "ls-files", "*.c", "*.h", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in names.stdout.split():
        if name.endswith(".md") and "/" in name and not name.startswith("docs/"):
            continue
        if (ROOT / name).exists():
            yield name


def self_test():
    long_sentence = "This " + "w " * 34 + "ends."
    limit_sentence = "This " + "w " * 33 + "ends."
    cases = [  # text, is it Markdown, how many faults
        (limit_sentence, True, 0),
        (long_sentence, True, 1),
        (limit_sentence.replace("w w", "w, which\nw w", 1), True, 1),  # across lines
        ("* " + limit_sentence + "\n* " + limit_sentence, True, 0),  # a marker ends a sentence
        ("1. " + long_sentence, True, 1),
        ("```\n" + long_sentence + "\n```\n", True, 0),  # code
        ("Text:\n\n    " + "code " * 20 + "\n    " + "code " * 20 + "\n", True, 0),
        ("* " + "w " * 20 + "\n    " + "w " * 20, True, 1),  # not code: an item that goes on
        ("| " + "cell " * 60 + "|", True, 0),  # a table
        ("# Heading\n" + limit_sentence, True, 0),
        ("As e.g. " + "w " * 34 + "here.", True, 1),  # an abbreviation does not end it
        ("In 3.14 of `a. b. c.` " + "w " * 31 + "here.", True, 1),
        ("Short. " + "x" * 121, True, 1),  # a line
        ("```\n" + "x" * 121 + "\n```", True, 1),  # in code too
        ("See https://example.org/" + "x" * 121, True, 0),  # an address
        ("/* a/b.h -- " + limit_sentence + " */", False, 0),
        ("/* a/b.h -- x\n * " + "word " * 20 + "\n * " + "word " * 20 + "end. */\nint x;", False, 1),
        ("/* a/b.h -- x.\n *\n *     " + "cell " * 18 + "\n *     " + "cell " * 19 + "\n */", False, 0),  # a drawing
        ("/* a/b.h -- x.\n *  - " + "word " * 20 + "\n *    " + "word " * 20 + "end. */", False, 1),  # a list
        ("/* a/b.h -- x. */\n/* " + "word " * 20 + "\n * " + "word " * 20 + "end. */", False, 0),  # the second comment
    ]
    wrong = 0
    for text, is_markdown, wanted in cases:
        found = faults(text, is_markdown)
        if len(found) != wanted:
            wrong += 1
            print(f"{len(found)} faults where {wanted} were planted:\n{text}\n{found}")
    print(f"{len(cases)} planted texts, {wrong} judged wrong")
    return 1 if wrong or len(cases) < 10 else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    names, errors = arguments or list(texts()), 0
    for name in names:
        for number, what in faults((ROOT / name).read_text(encoding="utf-8"), name.endswith(".md")):
            errors += 1
            print(f"{name}:{number}: {what}")
    if not arguments and len(names) < 100:
        errors += 1
        print(f"only {len(names)} texts were found: the search is broken")
    if not errors:
        print(f"{len(names)} texts: the prose holds")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
