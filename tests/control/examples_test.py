#!/usr/bin/env python3
"""Every example in the documentation and the manual pages is run here, or marked with why it cannot be.

In every *.md of the repository but NEWS.md a block is fenced with ``` and says by its first word what it is:

  ```console    "$ " lines are run by bash beside a server of their own, in the root of the source; what stands
                below one is what it prints: numbers, ids and times may differ, "..." is anything
  ```json-rpc   "> " lines are sent to that server; "< " lines are what it answers, with other values
  ```yaml       a configuration: `swimlane --check` takes it
  ```text       no example: a formula, a format, what a program printed
  ```           anything else follows a line <!-- not run: why -->

In manual pages a literal block is a configuration if it begins with "name:", commands if its lines begin with
"$ ", and anything else follows a line .\\" not run: why. A line by itself (.Dl, .D1) is no command.

/etc/swimlane/ and /run/swimlane/ are folders of the test.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

from control import BUILD, ROOT, Alone, main

PAGES = sorted(p for folder in (ROOT, ROOT / "docs", ROOT / "drivers-config") for p in folder.glob("*.md")
               if p.name != "NEWS.md")
MANUALS = [ROOT / "app/ctl/swimlanectl.1", ROOT / "app/swimlane/swimlane.8", BUILD / "app/swimlane/swimlane.yaml.5"]
REASON = re.compile(r'(?:<!--|\.\\") not run: (.{12,}?)(?: -->)?$')


# What is a command wherever it stands: a block of them is no text.
COMMAND = re.compile(r"\s*(\$ |(sudo )?(swimlane(?= -)|swimlane(ctl|-sim|-doctor|-queues|-hugepages)|scripts/\S+|tests/\S+|build\S*/\S+|ip|ethtool|"
                     r"curl|meson|ninja|systemctl|dpdk-\S+)( |$))")


class Block:
    def __init__(self, path, line, kind, before):
        self.path, self.line, self.kind = path, line, kind
        self.lines = []
        reason = REASON.match(before.strip())
        self.reason = reason.group(1) if reason else None

    def __str__(self):
        return f"{self.path.name}:{self.line}"


def blocks_of_page(path):
    found, block, before = [], None, ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.startswith("```"):
            if block is not None:
                block.lines.append(line)
            elif line.strip():
                before = line
        elif block is None:
            block = Block(path, number, (line[3:].split() or [""])[0], before)
        else:
            found.append(block)
            block, before = None, ""
    return found


def blocks_of_no_fence(path):
    """What Markdown takes for code without a fence of three backticks: [(line number, line)]."""
    found, fence, blank, in_list = [], False, True, False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.lstrip().startswith(("```", "~~~")):
            found += [(number, line)] if not line.startswith("```") else []
            fence = not fence
        elif not fence:
            in_list = bool(re.match(r"\s*([-*]|[0-9]+\.) ", line)) or in_list and (not line.strip() or line[0] == " ")
            if re.match(r" {4}|\t", line) and blank and not in_list or "<pre" in line:
                found.append((number, line))
        blank = not line.strip()
    return found


def blocks_of_manual(path):
    found, block, before = [], None, ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith(".Bd -literal"):
            block = Block(path, number, "", before)
        elif line.startswith(".Ed") and block is not None:
            first = (block.lines or [""])[0]
            block.kind = "console" if first.startswith("$ ") else "yaml" if first.startswith("name:") else ""
            found.append(block)
            block = None
        elif block is not None:
            block.lines.append(line.replace("\\e", "\\").replace("\\-", "-"))
        else:
            before = line
    return found


def commands_of(lines):
    """[(command, what it prints)]: a command goes on where its line ends with a backslash."""
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1][0] = found[-1][0][:-1] + line.strip()
        elif found:
            found[-1][1].append(line)
    return found


def pattern_of(line):
    """What a line of output may look like: the same words, other numbers and ids."""
    if line == "...":
        return "(?s:.*)"
    plain = re.escape(line.rstrip())
    plain = plain.replace(re.escape("..."), ".*")
    plain = re.sub(r"(?:\\?[ ])+", r"\\s+", plain)
    return re.sub(r"[0-9a-f]{16}|[0-9]+", "[0-9a-f]+", plain)


def shape(value):
    """A value without its values."""
    if isinstance(value, dict):
        return {re.sub("^[0-9a-f]{16}@[0-9]+$", "life", key): shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.server = Alone(BUILD, more="test: {shim: true}\n")
        cls.addClassCleanup(cls.server.__exit__)
        cls.server.start()
        with cls.server.client() as client:
            client.call("origin.add", name="shop", origin={"url": "http://127.0.0.1:9/"})
        keyring = cls.folder / "keyring-of-the-examples"
        subprocess.run([BUILD / "app/ctl/swimlanectl", "key", "new", keyring], check=True, stdout=subprocess.DEVNULL)
        cls.keyring = keyring

    def of(self, kind):
        for path in PAGES + MANUALS:
            for block in (blocks_of_page if path in PAGES else blocks_of_manual)(path):
                if block.kind == kind and block.reason is None:
                    yield block

    def local(self, text):
        return text.replace("/etc/swimlane/", f"{self.folder}/").replace("/run/swimlane/", f"{self.server.folder}/")

    def test_every_block_is_run_or_says_why_it_is_not(self):
        count = 0
        for path in PAGES + MANUALS:
            for block in (blocks_of_page if path in PAGES else blocks_of_manual)(path):
                count += 1
                with self.subTest(str(block)):
                    self.assertIn(block.kind, ("console", "json-rpc", "yaml", "text", ""))
                    if block.kind == "":
                        self.assertIsNotNone(block.reason, "no first word, and no line \"not run: why\" before it")
                    if block.kind == "text":
                        self.assertFalse(list(filter(COMMAND.match, block.lines)), "commands, and no console")
        self.assertGreater(count, 50)

    def test_headings_and_tables_stand_by_themselves(self):
        """Otherwise a table is shown as a paragraph of bars."""
        for path in PAGES:
            before, fence = "", False
            for number, line in enumerate(path.read_text().splitlines(), 1):
                fence ^= line.startswith("```")
                begins = line.startswith("#") or line.startswith("|") and not before.startswith("|")
                if begins and not fence and before and not before.startswith("<!--"):
                    self.fail(f"{path.name}:{number}: no empty line before it")
                before = line

    def test_no_block_is_hidden_from_this_test(self):
        for path in PAGES:
            with self.subTest(path.name):
                self.assertEqual(blocks_of_no_fence(path), [], "indented, or another fence than ```")
        for path in MANUALS:
            for number, line in enumerate(path.read_text().splitlines(), 1):
                with self.subTest(f"{path.name}:{number}"):
                    self.assertNotRegex(line, r"^\.nf\b|^\.Bd -(?!literal)", "a literal block that is not looked at")
                    if match := re.match(r"\.D[l1] (.*)", line):
                        self.assertNotRegex(match[1], COMMAND)

    def test_hidden_blocks_are_found(self):
        page = self.folder / "hidden.md"
        for text, lines in (("a\n\n    swimlanectl x\n", [3]), ("~~~\nx\n~~~\n", [1, 3]), ("<pre>x</pre>\n", [1]),
                            ("- item\n\n      goes on\n\nend\n\n    x\n", [7]), ("a\n    goes on\n", []),
                            ("```\n\n    x\n```\n", [])):
            page.write_text(text)
            self.assertEqual([number for number, _ in blocks_of_no_fence(page)], lines, text)
        for command in ("$ x", "swimlane --check FILE", "swimlanectl map ls", "sudo ip link", "scripts/demo", "ethtool -n eth0"):
            self.assertRegex(command, COMMAND)
        for text in ("swimlane 0.1.0", "info: capabilities: none", "ipv4 is", "stamp = (clock"):
            self.assertNotRegex(text, COMMAND)

    def test_commands_print_what_is_written_below_them(self):
        path = f"{BUILD}/app/ctl:{BUILD}/app/swimlane:{BUILD}/app/sim:{os.environ['PATH']}"
        ran = 0
        for block in self.of("console"):
            for command, wanted in commands_of(block.lines):
                ran += 1
                with self.subTest(f"{block}: {command}"):
                    done = subprocess.run(["bash", "-c", self.local(command)], cwd=ROOT, text=True, timeout=60,
                                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                          env=dict(os.environ, PATH=path, SWIMLANE_SOCKET=str(self.server.socket),
                                                   EXAMPLES=str(self.folder)))
                    self.assertEqual(done.returncode, 0, done.stdout)
                    if wanted:
                        lines = (pattern_of(self.local(line)) for line in wanted)
                        self.assertRegex(done.stdout.rstrip(), r"\A" + r"\n".join(lines) + r"\Z")
        self.assertGreater(ran, 5)

    def test_configurations_are_right(self):
        ran = 0
        for block in self.of("yaml"):
            ran += 1
            with self.subTest(str(block)):
                text = "\n".join(block.lines) + "\n"
                text = re.sub(r"/etc/swimlane/keyring", str(self.keyring), text)
                config = self.folder / "example.yaml"
                config.write_text(text)
                done = subprocess.run([BUILD / "app/swimlane/swimlane", "--check", config], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertGreaterEqual(ran, 2)

    def test_requests_are_answered_in_the_same_shape(self):
        ran = 0
        for block in self.of("json-rpc"):
            before = "\n".join(block.path.read_text().splitlines()[:block.line])
            if "<!-- rpc reference: begin -->" in before and "<!-- rpc reference: end -->" not in before:
                continue  # methods_test.py runs these, against their schemas
            with self.server.client() as client:
                answers = []
                for line in block.lines:
                    if line.startswith("> "):
                        client.socket.sendall(line[2:].encode() + b"\n")
                        answers = []
                    elif line.startswith("< "):
                        ran += 1
                        with self.subTest(f"{block}: {line[:60]}"):
                            wanted = json.loads(line[2:])
                            if "method" in wanted:
                                continue  # a notification, which comes when something changes
                            answers.append(client._message(time.monotonic() + 10, "an example"))
                            self.assertEqual(shape(answers[-1]), shape(wanted))
        self.assertGreater(ran, 0)


if __name__ == "__main__":
    main()
