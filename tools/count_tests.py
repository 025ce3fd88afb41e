#!/usr/bin/env python3
"""Closes a test run with one line in cases: N passed, N failed, N skipped (a skipped case is never counted as passed).

    tools/count_tests.py [--strict] TESTS.XML     what `ctest --output-junit` has written

Programs (tests/support/run.h) and scripts (tests/system/check.sh) end with a line that counts their cases:
    7 cases, 1 failed, 2 skipped: no reference folder
A test without such a line (a check of tools/, a replayed corpus) is one case. So is one that crashed or ran out of time.
Each skipped case is named with its reason, and each failed test. --strict: a skipped case is a failure.
"""
import argparse
import re
import sys
import xml.etree.ElementTree as tree

COUNTS = re.compile(r"^(\d+) (?:cases|checks), (?:(\d+) failed, )?(\d+) skipped", re.MULTILINE)
SKIPPED = re.compile(r"^skipped: (.*)$", re.MULTILINE)
CASE_FAILED = re.compile(r"^\[  FAILED  \] (?!\d+ test|.*: )(.*)$|^FAILED: (.*)$", re.MULTILINE)


def count(case):
    """(passed, failed, skipped) of one test, and the lines that name what was skipped or failed."""
    name, output = case.get("name"), "".join(part.text or "" for part in case.iter("system-out"))
    wrong = case.find("failure") is not None
    absent = case.find("skipped") is not None or case.get("status") in ("notrun", "disabled")
    lines = [f"skipped: {name}: {line}" for line in SKIPPED.findall(output)]
    counted = COUNTS.findall(output)
    if counted:
        cases, failed, skipped = (int(number or 0) for number in counted[-1])
        if wrong and not failed:  # a sanitizer's finding at exit, or a time limit after the count
            cases, failed = cases + 1, 1
    else:
        cases, failed, skipped = 1, int(wrong), int(absent and not wrong)
        if skipped and not lines:
            lines = [f"skipped: {name}"]
    if failed:
        which = [first or second for first, second in CASE_FAILED.findall(output)]
        lines += [f"FAILED: {name}" + (f": {one}" if one else "") for one in dict.fromkeys(which or [""])]
    return (cases - failed - skipped, failed, skipped), lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strict", action="store_true", help="fail where a case was skipped")
    parser.add_argument("xml")
    options = parser.parse_args()
    sums, lines = [0, 0, 0], []
    for case in tree.parse(options.xml).getroot().iter("testcase"):
        counts, said = count(case)
        sums = [a + b for a, b in zip(sums, counts)]
        lines += said
    passed, failed, skipped = sums
    print("\n".join(sorted(lines, key=lambda line: line.startswith("FAILED"))), end="\n" if lines else "")
    if options.strict and skipped:
        print("strict: a skipped case is a failure")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed or options.strict and skipped else 0


sys.exit(main())
