#!/usr/bin/env python3
"""Counts test cases, not binaries, from meson's log and the results that googletest wrote.

  results.py LOG FOLDER    the last line: N passed, M failed[, K skipped]; exit 1 if any failed

A test that wrote googletest XML counts its cases; one that printed TAP its lines; any other is one case. A
test that meson calls failed although none of its cases is (a crash, a timeout) is one failed case more.
"""
import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree

TAP = re.compile(r"^(not )?ok\b(?:\s+\d+)?[ -]*([^#\n]*)(#\s*SKIP)?", re.IGNORECASE)


def cases_of_xml(path):
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            yield name, "failed"
        elif case.find("skipped") is not None or case.get("status") == "notrun":
            yield name, "skipped"
        else:
            yield name, "passed"


def cases_of_tap(text):
    for line in text.splitlines():
        found = TAP.match(line)
        if found:
            outcome = "failed" if found[1] else "skipped" if found[3] else "passed"
            yield found[2].strip(), outcome


def cases_of(test, folder):
    name = test["name"].split(" / ")[-1]
    file = folder / (pathlib.Path(test["command"][0]).name + ".xml")
    found = []
    if file.exists():
        try:
            found = [(f"{name}: {case}", outcome) for case, outcome in cases_of_xml(file)]
        except xml.etree.ElementTree.ParseError:
            pass  # it ended while writing: counted below
    else:
        found = [(f"{name}: {case}", outcome) for case, outcome in cases_of_tap(test.get("stdout", ""))]
    fine = test["result"] in ("OK", "EXPECTEDFAIL")
    if test["result"] == "SKIP":
        found = found or [(name, "skipped")]
    elif not fine and not any(outcome == "failed" for _, outcome in found):
        found.append((f"{name}: {test['result'].lower()} (return code {test.get('returncode')})", "failed"))
    elif fine and not found:
        found = [(name, "passed")]
    return found


def main(log, folder):
    counts = collections.Counter()
    path = pathlib.Path(log)
    if not path.exists():
        print("no test ran")
        counts["failed"] += 1
    else:
        for line in path.read_text().splitlines():
            for name, outcome in cases_of(json.loads(line), pathlib.Path(folder)):
                counts[outcome] += 1
                if outcome != "passed":
                    print(f"{outcome}: {name}")
    end = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{end}")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
