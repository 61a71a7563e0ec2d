"""The ledger: everything a lab makes is written down before it is made, and undone from what is written.

The file outlives its writer, so that a lab whose process was killed can still be cleaned up. A process is
named by its pid and its start time: a pid alone may be another's by then.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

from . import host

NAME = "ledger.json"


def start_time(pid):
    """Clock ticks since boot at which pid started; None if there is no such process (or only its zombie)."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


class Ledger:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.entries = {"owner": None, "processes": [], "namespaces": [], "hugepages_added": 0,
                        "netns_mounted": False}

    @classmethod
    def create(cls, folder):
        ledger = cls(folder)
        ledger.folder.mkdir(mode=0o700)
        ledger.entries["owner"] = {"pid": os.getpid(), "start": start_time(os.getpid())}
        ledger.write()
        return ledger

    @classmethod
    def load(cls, folder):
        """The ledger in folder, or None. A folder that is not the caller's own is not believed."""
        path = pathlib.Path(folder)
        if path.is_symlink() or not path.is_dir():
            return None
        if path.stat().st_uid != os.geteuid():
            raise RuntimeError(f"{path} is not owned by uid {os.geteuid()}: not touching it")
        ledger = cls(path)
        try:
            ledger.entries.update(json.loads((path / NAME).read_text()))
        except (OSError, ValueError):
            pass  # died while making it: nothing but the folder exists
        return ledger

    def write(self):
        temporary = self.folder / (NAME + ".new")
        temporary.write_text(json.dumps(self.entries))
        temporary.rename(self.folder / NAME)

    def add(self, kind, value):
        self.entries[kind].append(value)
        self.write()

    def add_process(self, pid, what):
        self.add("processes", {"pid": pid, "start": start_time(pid), "what": what})

    def forget_process(self, pid):
        self.entries["processes"] = [p for p in self.entries["processes"] if p["pid"] != pid]
        self.write()

    def living(self):
        return [p for p in self.entries["processes"] if p["start"] is not None
                and start_time(p["pid"]) == p["start"]]

    def owner_lives(self):
        owner = self.entries["owner"]
        return bool(owner) and owner["start"] is not None and start_time(owner["pid"]) == owner["start"]

    def _signal(self, number):
        for process in self.living():
            try:
                os.kill(process["pid"], number)
            except ProcessLookupError:
                pass

    def _end_processes(self, grace_s):
        for number, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5)):
            self._signal(number)
            if number == signal.SIGTERM:
                self._signal(signal.SIGCONT)
            deadline = time.monotonic() + patience_s
            while self.living() and time.monotonic() < deadline:
                reap()
                time.sleep(0.01)
        reap()
        return [f"{p['what']} (pid {p['pid']}) is still alive" for p in self.living()]

    def undo(self, grace_s=3.0, keep_folder=False):
        """Undoes all that is written. Returns what could not be undone, in words."""
        left = self._end_processes(grace_s)
        present = set(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else set()
        for name in self.entries["namespaces"]:
            if name in present:
                done = subprocess.run(["ip", "netns", "del", name], capture_output=True, text=True)
                if done.returncode:
                    left.append(f"namespace {name}: {done.stderr.strip()}")
        if self.entries["netns_mounted"] and os.path.isdir("/run/netns") and not os.listdir("/run/netns"):
            # ip-netns mounts it with the first namespace and leaves it; somebody else's keeps it busy.
            subprocess.run(["umount", "/run/netns"], capture_output=True)
        try:
            host.add_hugepages(-self.entries["hugepages_added"])
        except OSError as error:
            left.append(f"nr_hugepages: {error}")
        if not keep_folder and not left:
            shutil.rmtree(self.folder, ignore_errors=True)
            if self.folder.exists():
                left.append(f"folder {self.folder}")
        return left


def reap():
    """Collects ended children, so that a zombie is not taken for a living process."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
