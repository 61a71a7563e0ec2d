#!/usr/bin/env python3
"""swimlanectl against a real server: a command for every method, the live screen on a pseudo-terminal, the
completion of both shells, and the manual pages."""
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
import unittest
import fcntl

from control import BUILD, ROOT, Alone, main

CTL = BUILD / "app/ctl/swimlanectl"
ENTER, LEAVE = b"\033[?1049h\033[?25l", b"\033[?25h\033[?1049l"


class Ctl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Alone(BUILD, more="test: {shim: true}\n")
        cls.addClassCleanup(cls.server.__exit__)
        cls.server.start()
        cls.client = cls.server.client()
        cls.addClassCleanup(cls.client.close)
        cls.client.call("origin.add", name="shop", origin={"url": "http://127.0.0.1:9/"})

    def ctl(self, *arguments, code=0):
        done = subprocess.run([CTL, "-s", self.server.socket, *arguments], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout


class Commands(Ctl):
    def test_every_method_has_a_command(self):
        sources = "".join(p.read_text() for p in (ROOT / "app/ctl").glob("*.c"))
        for method in self.client.call("methods")["methods"]:
            self.assertIn(f'"{method["name"]}"', sources, "no command of swimlanectl asks this method")

    def test_every_command_is_in_the_manual_page_and_the_help(self):
        page = (ROOT / "app/ctl/swimlanectl.1").read_text()
        commands = [m.group(1) for m in re.finditer(r"^    \"([a-z -]+) \"\*\)", self.ctl("completion", "bash"), re.M)]
        self.assertGreater(len(commands), 20)
        for command in commands:
            self.assertRegex(page, rf"(?m)^\.It Cm {command}( |$)")
            self.assertIn(f"swimlanectl [OPTION]... {command}", self.ctl(*command.split(), "--help"))

    def test_reload_and_log(self):
        self.assertIn("says what it said before", self.ctl("reload"))
        self.assertIn("info", self.ctl("log"))
        self.assertIn("debug", self.ctl("log", "debug"))
        self.ctl("log", "info")
        self.ctl("log", "loud", code=1)
        self.server.write_config("test: {shim: true}\nzone: b\nweight: 50\n")
        rows = {line.split()[0]: " ".join(line.split()[1:]) for line in self.ctl("reload").splitlines()}
        self.assertEqual(rows["weight"], "in force -")
        self.assertEqual(rows["zone"], "waits for a restart -")

    def test_watch_tells_events_and_changes_in_one_stream(self):
        watch = subprocess.Popen([CTL, "-s", self.server.socket, "--json", "watch", "w/", "--for", "2s"],
                                 stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        self.client.call("map.put", key="w/1", value="x")
        self.client.call("map.put", key="other", value="x")
        self.client.call("origin.add", name="watched", origin={"url": "http://127.0.0.1:9/"})
        text = watch.communicate(timeout=20)[0]
        self.assertIn('"key":"w/1"', text)
        self.assertNotIn('"key":"other"', text)
        self.assertIn('"kind":"verdict"', text)

    def test_methods_lists_all(self):
        self.assertIn("map.ls", self.ctl("methods"))


class Top(Ctl):
    def terminal(self, columns=80, rows=24, command=None):
        """swimlanectl top on a pseudo-terminal: (process, our end, the settings before)."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        before = termios.tcgetattr(theirs)
        top = [str(CTL), "-s", str(self.server.socket), "top", "--interval", "200ms"]
        process = subprocess.Popen(command(top) if command else top, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                                   preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
                                   env=dict(os.environ, TERM="xterm"))
        self.addCleanup(os.close, theirs)
        self.addCleanup(process.kill)
        return process, ours, theirs, before

    def read_until(self, fd, condition, timeout_s=10):
        text = b""
        deadline = time.monotonic() + timeout_s
        while not condition(text):
            self.assertLess(time.monotonic(), deadline, text[-2000:])
            if select.select([fd], [], [], 0.1)[0]:
                text += os.read(fd, 65536)
        return text

    def frames(self, text):
        """The pictures, without colours: lists of lines."""
        plain = re.sub(rb"\033\[[0-9;]*m", b"", text)
        return [[line.decode() for line in f.split(b"\033[J")[0].replace(b"\033[K", b"").split(b"\r\n")]
                for f in plain.split(b"\033[H")[1:] if b"\033[J" in f]

    def check_screen(self, columns, rows):
        process, ours, theirs, before = self.terminal(columns, rows)
        text = self.read_until(ours, lambda t: t.count(b"\033[H") >= 3)
        for frame in self.frames(text):
            self.assertLessEqual(len(frame), rows)
            for line in frame:
                self.assertLessEqual(len(line), columns, line)
        os.write(ours, b"q")
        rest = self.read_until(ours, lambda t: LEAVE in t)
        self.assertEqual(process.wait(10), 0)
        self.assertTrue((text + rest).startswith(ENTER))
        self.assertEqual(termios.tcgetattr(theirs), before)
        return self.frames(text)

    def test_it_fits_eighty_by_twenty_four_and_shows_everything(self):
        screen = "\n".join(self.check_screen(80, 24)[-1])
        for wanted in ("edge-01", "running", "records", "origins", "CORE", "keeper", "lane", "MEMBER", "alive",
                       "NOT UP", "shop", "down"):
            self.assertIn(wanted, screen)
        self.assertRegex(screen, r"lane 2 +\d+ % +\d+ % +[\d,]+ ", "rates come with the second picture")

    def test_it_fits_small_and_large_terminals(self):
        self.check_screen(40, 10)
        self.check_screen(20, 3)
        self.check_screen(200, 60)

    def test_signals_give_the_terminal_back(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                process, ours, theirs, before = self.terminal()
                self.read_until(ours, lambda t: b"\033[J" in t)
                self.assertNotEqual(termios.tcgetattr(theirs), before)
                process.send_signal(number)
                self.read_until(ours, lambda t: LEAVE in t)
                self.assertEqual(process.wait(10), 128 + number)
                self.assertEqual(termios.tcgetattr(theirs), before)

    def test_to_the_background_and_back(self):
        """With a shell that has job control: Ctrl-Z, and then `fg`."""
        process, ours, theirs, before = self.terminal(
            command=lambda top: ["bash", "-mc", f"{' '.join(top)}; sleep 1; fg >/dev/null"])
        self.read_until(ours, lambda t: b"\033[J" in t)
        os.write(ours, b"\x1a")
        self.read_until(ours, lambda t: LEAVE in t)
        self.assertEqual(termios.tcgetattr(theirs), before)
        self.read_until(ours, lambda t: ENTER in t and b"\033[J" in t.split(ENTER)[-1])
        os.write(ours, b"q")
        self.read_until(ours, lambda t: LEAVE in t)
        self.assertEqual(process.wait(10), 0)
        self.assertEqual(termios.tcgetattr(theirs), before)

    def test_a_changed_size_is_followed(self):
        process, ours, theirs, _ = self.terminal()
        self.read_until(ours, lambda t: b"\033[J" in t)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 30, 0, 0))
        process.send_signal(signal.SIGWINCH)
        time.sleep(0.5)
        select.select([ours], [], [], 1)
        os.read(ours, 1 << 20)
        text = self.read_until(ours, lambda t: t.count(b"\033[J") >= 2)
        for line in self.frames(text)[-1]:
            self.assertLessEqual(len(line), 30)
        os.write(ours, b"q")
        self.assertEqual(process.wait(10), 0)

    def test_once_is_for_no_terminal_and_live_is_not(self):
        lines = self.ctl("top", "--once").splitlines()
        self.assertLessEqual(len(lines), 24)
        self.assertTrue(all(len(line) <= 80 for line in lines))
        self.assertNotIn("\033", "".join(lines))
        self.ctl("top", code=2)

    def test_the_end_of_the_server_gives_the_terminal_back_and_is_told(self):
        with Alone(BUILD, name="short-lived") as server:
            self.server, kept = server, self.server
            try:
                process, ours, theirs, before = self.terminal()
            finally:
                self.server = kept
            self.read_until(ours, lambda t: b"\033[J" in t)
            server.stop(signal.SIGKILL)
            text = self.read_until(ours, lambda t: b"does not answer" in t)
            self.assertIn(LEAVE, text)
            self.assertEqual(process.wait(10), 3)
            self.assertEqual(termios.tcgetattr(theirs), before)


BASH = """\
source {script}
COMP_WORDS=({words}) COMP_CWORD={index}
PATH={path}:$PATH
_swimlanectl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

ZSH = """\
compdef() {{ :; }}
_describe() {{ local name=$2; print -rl -- ${{(P)name}}; }}
_files() {{ print files; }}
_message() {{ print message; }}
source {script}
words=({words}) CURRENT={index}
path=({path} $path)
_swimlanectl
"""


class Completion(Ctl):
    def complete(self, shell, *words):
        quoted = " ".join(f"'{w}'" for w in words)
        script = BUILD / ("app/ctl/swimlanectl.bash" if shell == "bash" else "app/ctl/_swimlanectl")
        template, index = (BASH, len(words) - 1) if shell == "bash" else (ZSH, len(words))
        command = ["bash", "--norc"] if shell == "bash" else ["zsh", "-f"]
        done = subprocess.run(command, input=template.format(script=script, words=quoted, index=index,
                                                             path=BUILD / "app/ctl"),
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.stderr, "")
        return [line.split(":")[0] for line in done.stdout.split("\n") if line]

    def check(self, shell):
        ctl = "swimlanectl"
        first = self.complete(shell, ctl, "")
        self.assertLessEqual({"status", "map", "origin", "top", "completion"}, set(first))
        self.assertEqual(len(first), len(set(first)))
        self.assertNotIn("test-shim", first)
        self.assertLessEqual({"put", "get", "ls", "del"}, set(self.complete(shell, ctl, "map", "")))
        self.assertIn("--tombstones", self.complete(shell, ctl, "--json", "-s", "x", "map", "ls", "-"))
        self.assertIn("--socket", self.complete(shell, ctl, "status", "-"))
        self.assertLessEqual({"bash", "zsh"}, set(self.complete(shell, ctl, "completion", "")))
        self.assertIn("debug", self.complete(shell, ctl, "log", ""))
        self.assertIn("edge-01", self.complete(shell, ctl, "-s", str(self.server.socket), "owned", ""))

    def test_bash(self):
        self.check("bash")
        self.assertEqual(self.complete("bash", "swimlanectl", "map", "wat"), ["watch"])

    def test_zsh(self):
        self.assertIsNotNone(shutil.which("zsh"), "zsh is missing: scripts/packages has it")
        self.check("zsh")


class Manuals(unittest.TestCase):
    def test_man_formats_them_without_a_warning(self):
        pages = [ROOT / "app/ctl/swimlanectl.1", ROOT / "app/swimlane/swimlane.8", BUILD / "app/swimlane/swimlane.yaml.5"]
        for page in pages:
            with self.subTest(page.name):
                done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", page], capture_output=True, text=True,
                                      env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8"))
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertGreater(len(done.stdout), 1000)
                done = subprocess.run(["groff", "-ww", "-mandoc", "-Tutf8", "-z", page], capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_page_of_the_configuration_has_every_key(self):
        page = (BUILD / "app/swimlane/swimlane.yaml.5").read_text()
        reference = subprocess.run([BUILD / "app/swimlane/swimlane", "--config-reference"], capture_output=True,
                                   text=True, check=True).stdout
        for line in reference.splitlines()[2:]:
            self.assertIn(f".It Cm {line.split('`')[1]}\n", page)


if __name__ == "__main__":
    main()
