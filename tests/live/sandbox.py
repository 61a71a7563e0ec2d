"""Whether a traced process stayed within what its unit's settings allow. No manager of services is needed: the
settings are read, system calls of a whole life are looked at one by one (strace). What an error answered was
nothing it relied on, and is left out.
"""
import re
import subprocess

CALL = re.compile(r"^(?:\[pid +)?\d+\]? +(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+|\?)")
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
PATH = re.compile(r'"(/[^"]*)"')
# What stays in the unit's own /dev (systemd.exec(5), PrivateDevices=).
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/shm", "/dev/pts",
           "/dev/hugepages", "/dev/mqueue")
FOLDER_CALLS = {"mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat",
                "symlink", "chmod", "fchmodat", "chown", "fchownat", "rmdir", "truncate"}


def expand(name):
    """The calls of one of systemd's groups."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True,
                          check=True).stdout
    words = [line.strip() for line in text.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*(expand(word) for word in words))


def calls(path):
    """(name, arguments, succeeded) of each."""
    pending = {}
    for line in open(path, errors="replace"):
        begun = re.match(r"^(\d+) +(.*) <unfinished \.\.\.>$", line)
        if begun:
            pending[begun[1]] = begun[2]
            continue
        resumed = re.match(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$", line)
        if resumed and resumed[1] in pending:
            line = f"{resumed[1]} {pending.pop(resumed[1])}{resumed[2]}"
        found = CALL.match(line)
        if found:
            yield found[1], found[2], not found[3].startswith("-")


def breach(unit, allowed, writable, name, arguments):
    """What one call that succeeded is not allowed, in words; "" if it is."""
    if name not in allowed:
        return f"SystemCallFilter: {name}"
    if name == "socket" and arguments.split(",")[0] not in unit["RestrictAddressFamilies"].split():
        return f"RestrictAddressFamilies: {arguments}"
    if name == "mmap" and "PROT_WRITE|PROT_EXEC" in arguments or "mprotect" in name and "PROT_EXEC" in arguments:
        return f"MemoryDenyWriteExecute: {name}({arguments})"
    if name in ("clone", "clone3", "unshare", "setns") and "CLONE_NEW" in arguments:
        return f"RestrictNamespaces: {name}({arguments})"
    if name == "sched_setscheduler" and re.search("SCHED_(FIFO|RR)", arguments):
        return f"RestrictRealtime: {arguments}"
    for path in PATH.findall(arguments) if name in {"open", "openat", "creat"} | FOLDER_CALLS else []:
        if path.startswith("/dev/") and not path.startswith(DEVICES):
            return f"PrivateDevices: {path}"
        if path.startswith(("/root", "/home")) and name.startswith("open"):
            return f"ProtectHome: {path}"
        writes = name in FOLDER_CALLS or WRITES.search(arguments)
        inside = path.startswith((*writable, "/dev/", "/proc/self", "/tmp/", "/var/tmp/"))
        if writes and not inside:
            return f"ProtectSystem: {name}({arguments})"
    return ""


def breaches(unit, trace, writable):
    """(how many calls were looked at, what they would have been refused)"""
    allowed = set().union(*(expand(word) for word in unit["SystemCallFilter"].split()))
    found, count = set(), 0
    for name, arguments, succeeded in calls(trace):
        count += 1
        if succeeded:
            found.add(breach(unit, allowed, writable, name, arguments))
    return count, sorted(found - {""})
