#!/usr/bin/env python3
"""Lanes under load over shared memory: a spinning lane makes no system call, two and four lanes share a port, and a
capture shows what passes, in Wireshark's words."""
import os
import pathlib
import subprocess
import sys
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / "scripts/bench")]

import lanes_parts as parts  # noqa: E402
from lanes_parts import MEMIF, ROOT, Server, Source  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SW_BUILD", ROOT / "build"))
CLIENT = "net_memif0,role=client,id=0,socket={folder}/link.sock,socket-abstract=no,rsize=10"
DISSECTOR = ROOT / "scripts/wireshark/swimlane.lua"
count = failed = 0


def check(good, text):
    global count, failed
    count += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {count} - {text}", flush=True)


class Pair:
    """A server and a source, ended in that order."""

    def __init__(self, folder, keyring, lanes=1, more=""):
        cpus = sorted(os.sched_getaffinity(0))
        self.server = Server(BUILD, folder, cpus, MEMIF, keyring, lanes)
        self.server.config.write_text(self.server.config.read_text().replace("control.sock}", "control.sock" + more + "}"))
        self.source = Source(BUILD, folder, cpus[0], CLIENT, keyring=keyring, queues=lanes)

    def __enter__(self):
        try:
            self.server.start()
            self.server.await_socket()
            self.source.start()
            self.source.await_ready()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.server.end()
        self.source.end()

    def beside(self, ms, **options):
        """A run in a thread of its own."""
        thread = threading.Thread(target=self.source.run, args=(ms,), kwargs=options)
        thread.start()
        return thread


def no_system_call(pair):
    load = pair.beside(4000)
    trace = subprocess.run(["timeout", "-s", "INT", "2", "strace", "-c", "-p", str(pair.server.thread())],
                           capture_output=True, text=True)
    load.join()
    calls = [line for line in trace.stderr.splitlines() if line and line.split()[0][0].isdigit()]
    # strace's own attaching may interrupt one call, which the kernel then starts again.
    calls = [line for line in calls if "restart_syscall" not in line]
    for line in calls:
        print(f"# {line}")
    check("attached" in trace.stderr and not calls, "a spinning lane makes no system call while it answers")


def capture(pair, *options):
    file = pair.server.folder / "capture.pcap"
    load = pair.beside(3000, kind="rtt", rate=2000)
    run = subprocess.run([BUILD / "app/ctl/swimlanectl", "--socket", pair.server.folder / "control.sock", "capture",
                          "--for", "1s", *options, file], capture_output=True, text=True)
    load.join()
    shown = subprocess.run(["tshark", "-r", file, "-X", f"lua_script:{DISSECTOR}"], capture_output=True, text=True)
    return run, shown.stdout.splitlines()


def captures(pair):
    run, lines = capture(pair)
    check(run.returncode == 0 and len(lines) > 100 and all("header of a packet" in line for line in lines),
          "a capture of sealed packets has headers alone")
    run, lines = capture(pair, "--clear", "--type", "ACK", "--count", "50")
    check(run.returncode == 0 and len(lines) == 50 and all("ACK" in line and "PING" not in line for line in lines),
          "a capture in the clear of one type has nothing else")
    run, lines = capture(pair, "--rate", "50")
    check(run.returncode == 0 and 0 < len(lines) <= 70, f"a capture keeps to its rate: {len(lines)} in a second")


def lanes_add_up(folder, keyring, lanes):
    with Pair(folder / f"{lanes}", keyring, lanes) as pair:
        pair.source.run(200)
        time.sleep(0.5)  # what a lane had in hand when it was taken off its CPU is not of the next run
        before = pair.server.lanes()
        run = pair.source.run(2000)
        after = pair.server.lanes()
        answered = [b["counters"]["answered"] - a["counters"]["answered"] for a, b in zip(before, after)]
        print(f"# answered by lane {answered}, seen by the source {run['answered']}, {run['lost']} lost")
        check(len(answered) == lanes and min(answered) > 0 and run["sent"] - run["lost"] <= sum(answered) <= run["sent"],
              f"{lanes} lanes answer, and their counters add up")


def main():
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root")
        return 0
    folder = parts.scratch()
    try:
        keyring = folder / "keyring"
        subprocess.run([BUILD / "app/ctl/swimlanectl", "key", "new", keyring], check=True, stdout=subprocess.DEVNULL)
        with Pair(folder / "1", keyring, more=", capture_clear: true") as pair:
            no_system_call(pair)
            captures(pair)
        with Pair(folder / "refused", keyring) as pair:
            run, _ = capture(pair, "--clear")
            check(run.returncode == 1 and "capture_clear" in run.stderr,
                  "what is sealed is shown only where the configuration allows it")
        for lanes in (2, 4):
            lanes_add_up(folder, keyring, lanes)
    finally:
        parts.remove(folder)
    print(f"1..{count}")
    return 1 if failed else 0


sys.exit(main())
