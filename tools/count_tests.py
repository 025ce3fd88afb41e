#!/usr/bin/env python3
"""Closes a test run with one line: N passed, N failed, N skipped (a skipped test is never counted as passed)."""
import sys
import xml.etree.ElementTree as tree

suite = tree.parse(sys.argv[1]).getroot()
skipped = [case.get("name") for case in suite.iter("testcase") if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled")]
failed = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
total = sum(1 for _ in suite.iter("testcase"))
for name in skipped:
    print(f"skipped: {name}")
for name in failed:
    print(f"FAILED: {name}")
print(f"{total - len(failed) - len(skipped)} passed, {len(failed)} failed, {len(skipped)} skipped")
sys.exit(1 if failed or total == len(skipped) else 0)
