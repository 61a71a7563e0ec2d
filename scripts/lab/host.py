"""The machine under a lab: commands, root or a user namespace of one's own, hugepages."""
import fcntl
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

INSIDE = "SWIMLANE_LAB_INSIDE"  # set in the user namespace: the fd of the line to the process outside

USER_NAMESPACE_ADVICE = """\
An ordinary user needs user namespaces for this, and the kernel refuses them. One of these allows them (as root):
  sysctl -w kernel.unprivileged_userns_clone=1                (Debian's switch, where it exists)
  sysctl -w user.max_user_namespaces=10000                    (where it is 0)
  sysctl -w kernel.apparmor_restrict_unprivileged_userns=0    (where AppArmor restricts them)
In a chroot or an unprivileged container they may be out of reach. Or run it as root."""


class CommandFailed(RuntimeError):
    pass


def run(arguments, text=None, timeout_s=60):
    """Runs a command to its end; its output. A failure says what was run and what it said."""
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, timeout=timeout_s)
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}")
        raise CommandFailed(f"{' '.join(arguments)}: {words}")
    return done.stdout


def is_root():
    return os.geteuid() == 0 and INSIDE not in os.environ


def is_inside():
    return INSIDE in os.environ


def check_user_namespaces():
    if not shutil.which("unshare"):
        raise RuntimeError("unshare is missing: apt-get install util-linux")
    done = subprocess.run(["unshare", "-Urnm", "--pid", "--fork", "--mount-proc", "true"],
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{done.stderr.strip()}\n{USER_NAMESPACE_ADVICE}")


def enter_user_namespace(arguments, on_detached=None):
    """Runs `arguments` as root of new user, network, mount and pid namespaces, and waits for it.

    The two are joined by a socket: when this process ends, in whatever way, the inner one sees it and takes
    its lab down. If the inner one says that it stays (detach()), on_detached(pid of the namespaces' keeper,
    code) is called and this returns at once.
    """
    check_user_namespaces()
    mine, theirs = socket.socketpair()
    environment = dict(os.environ, **{INSIDE: str(theirs.fileno())})
    child = subprocess.Popen(
        ["unshare", "-Urnm", "--pid", "--fork", "--kill-child", "--mount-proc"] + arguments,
        env=environment, pass_fds=[theirs.fileno()], start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    theirs.close()
    try:
        # Not inherited but handed over: unshare, which stays with a kept lab, must not hold our output open.
        socket.send_fds(mine, [b"x"], [1, 2])
        said = mine.recv(64)
        if said.startswith(b"stays"):
            code = int(said.split()[1])
            on_detached(child.pid, code)
            mine.sendall(b"go")
            return code
        return child.wait()
    except BaseException:
        mine.close()  # the inner one takes its lab down on this
        try:
            child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()
        raise


class Lifeline:
    """The inner end of that socket."""

    def __init__(self, on_lost):
        self.socket = socket.socket(fileno=int(os.environ[INSIDE]))
        _, outputs, _, _ = socket.recv_fds(self.socket, 1, 2)
        for fd, output in zip((1, 2), outputs):
            os.dup2(output, fd)
            os.close(output)
        self.detached = False
        self.thread = threading.Thread(target=self._watch, args=(on_lost,), daemon=True)
        self.thread.start()

    def _watch(self, on_lost):
        try:
            self.socket.recv(16)
        except OSError:
            pass
        if not self.detached:
            on_lost()

    def detach(self, code):
        """Lets the process outside end with `code` while this one stays."""
        self.detached = True
        sys.stdout.flush()
        self.socket.sendall(b"stays %d" % code)
        self.thread.join()
        null = os.open("/dev/null", os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)


def prepare_inside():
    """A /run of our own, for ip-netns and DPDK."""
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])


# ---- hugepages (2 MiB), as root only ----

NR_HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")


def memory_info():
    """/proc/meminfo, sizes in KiB and counts as they are."""
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}


def add_hugepages(count):
    """Changes the number of pages by count, beside other labs that do the same; how many it became."""
    if count == 0:
        return 0
    lock = os.open("/run", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = int(NR_HUGEPAGES.read_text())
        NR_HUGEPAGES.write_text(str(max(0, before + count)))
        return int(NR_HUGEPAGES.read_text()) - before
    finally:
        os.close(lock)


def reserve_hugepages(ledger, megabytes):
    """Sees to that many free MiB of hugepages, if the machine can spare them. True if they are there."""
    wanted = (megabytes + 1) // 2
    info = memory_info()
    if info.get("Hugepagesize") != 2048 or not is_root():
        return False
    more = wanted - (info["HugePages_Free"] - info["HugePages_Rsvd"])
    if more <= 0:
        return True
    if more * 2048 > info["MemAvailable"] // 2:
        return False
    try:
        ledger.entries["hugepages_added"] = more  # first: whoever is killed here takes too many back, at worst
        ledger.write()
        added = ledger.entries["hugepages_added"] = add_hugepages(more)
        ledger.write()
    except OSError:
        ledger.entries["hugepages_added"] = 0
        return False
    if added < more:  # memory is too fragmented
        add_hugepages(-added)
        ledger.entries["hugepages_added"] = 0
        ledger.write()
    return added >= more
