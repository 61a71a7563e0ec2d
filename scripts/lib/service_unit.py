"""A unit of systemd, as far as the tests need it: its settings with its drop-ins, and its command run as the
manager would: under a uid, with exactly its ambient capabilities, its limits, and a socket to notify."""
import os
import pathlib
import resource
import shlex
import socket
import subprocess
import time

# linux/capability.h
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_IPC_LOCK": 14, "CAP_SYS_NICE": 23, "CAP_PERFMON": 38, "CAP_BPF": 39}
LISTS = {"AmbientCapabilities", "CapabilityBoundingSet", "ExecStopPost", "RestrictAddressFamilies",
         "SystemCallFilter", "DeviceAllow"}


def seconds(text):
    return float(text)  # the unit's times are plain seconds


class Unit:
    def __init__(self, *paths):
        """The unit first, then its drop-ins, in their order."""
        self.settings = {}
        for path in paths:
            for line in pathlib.Path(path).read_text().splitlines():
                if line.strip() and line[0] not in "#;[":
                    self._set(*(part.strip() for part in line.split("=", 1)))

    def _set(self, key, value):
        if key not in LISTS or not value:
            self.settings[key] = value
        else:
            before = self.settings.get(key, "")
            joint = "\n" if key.startswith("Exec") else " "
            self.settings[key] = f"{before}{joint}{value}" if before else value

    def __getitem__(self, key):
        return self.settings.get(key, "")

    def capabilities(self, key="AmbientCapabilities"):
        return self[key].split()

    def command(self, key, replace):
        """The words of a command; `replace`: paths to put for those of the unit."""
        words = shlex.split(self[key].lstrip("+-"))
        return [next((new + w[len(old):] for old, new in replace.items() if w.startswith(old)), w) for w in words]


def mask(capabilities):
    return sum(1 << CAPABILITIES[c] for c in capabilities)


class Manager:
    """Receives what a service notifies."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.heard = []  # (monotonic time, line)

    def listen(self, seconds_long):
        """Hears for that long."""
        end = time.monotonic() + seconds_long
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                text = self.socket.recv(4096).decode()
            except TimeoutError:
                break
            self.heard += [(time.monotonic(), line) for line in text.splitlines()]

    def until(self, start, timeout_s=10, since=0.0):
        """When the first message beginning with `start` came, since then; None: it did not."""
        end = time.monotonic() + timeout_s
        while True:
            for at, line in self.heard:
                if at >= since and line.startswith(start):
                    return at
            if time.monotonic() > end:
                return None
            self.listen(0.05)

    def times(self, line, since=0.0):
        return [at for at, heard in self.heard if heard == line and at >= since]

    def close(self):
        self.socket.close()


def as_service(command, unit, uid, capabilities):
    """The command under this uid, with these capabilities and no others, now or later."""
    plus = ",".join(["-all"] + ["+" + c.removeprefix("CAP_").lower() for c in capabilities])
    words = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", f"--inh-caps={plus}",
             f"--ambient-caps={plus}", f"--bounding-set={plus}"]
    if unit["NoNewPrivileges"] == "yes":
        words.append("--no-new-privs")
    return words + command


def set_limit(kind, text):
    """As the unit says; where nobody may raise it (a container's root without CAP_SYS_RESOURCE), as it is."""
    wanted = resource.RLIM_INFINITY if text == "infinity" else int(text)
    hard = resource.getrlimit(kind)[1]
    try:
        resource.setrlimit(kind, (wanted, wanted))
    except (ValueError, OSError):
        resource.setrlimit(kind, (hard, hard))


def start(command, unit, environment, log, memory_locked=None):
    """Starts what as_service() made (inside whatever namespace): limits and environment are the unit's, but
    for `memory_locked` bytes."""
    def limits():
        set_limit(resource.RLIMIT_MEMLOCK, unit["LimitMEMLOCK"] if memory_locked is None else memory_locked)
        set_limit(resource.RLIMIT_NOFILE, unit["LimitNOFILE"])
        os.umask(int(unit["UMask"], 8))
    plain = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    with open(log, "ab") as out:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=limits,
                                start_new_session=True, env=plain | environment)
