#!/usr/bin/env python3
"""Lanes under load: a spinning lane makes no system call, two and four lanes share a port and keep each flow on one of
them and in order, real probes are answered in time while junk pours in, records come beside probes, a memif peer may
vanish, and a capture shows what passes, in Wireshark's words.

  tests/live/lanes.py [--full]    with the full numbers: 30 s of junk
"""
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / "scripts/bench")]

import lanes_parts as parts  # noqa: E402
from lanes_parts import INTERFACE, MEMIF, ROOT, Server, Source, Veth  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SW_BUILD", ROOT / "build"))
CLIENT = "net_memif0,role=client,id=0,socket={folder}/link.sock,socket-abstract=no,rsize=10"
DISSECTOR = ROOT / "scripts/wireshark/swimlane.lua"
PEER_KILLS = 8
PROBE_TIMEOUT_MS = 20  # of the profile that the server runs with
LATE_SHARE = 0.001  # more than twice those that are late without junk
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
            print(f"# the server: exit code {self.server.process and self.server.process.poll()}")
            print("\n".join(f"# {line}" for line in self.server.last_words().splitlines()))
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
    missed = re.search(r"(\d+) missed", run.stderr)
    check(missed is not None and int(missed[1]) > 100, f"and says what it missed: {run.stderr.strip()}")


def flows(server, source, lanes, kind):
    """64 peers' probes, each peer a flow: its answers come from one lane, in the order of the questions."""
    source.run(200)
    time.sleep(0.5)  # what a lane had in hand when it was taken off its CPU is not of the next run
    before = server.lanes()
    run = source.run(2000, kind="flows")
    after = server.lanes()
    answered = [b["counters"]["answered"] - a["counters"]["answered"] for a, b in zip(before, after)]
    seen, probes = run["flows"], run["probes"]
    print(f"# {kind}: answered by lane {answered}; seen by the source {seen}, {probes}")
    check(len(answered) == lanes and min(answered) > 0 and seen["by_lane"] != [] and len(seen["by_lane"]) == lanes
          and min(seen["by_lane"]) > 0, f"{kind}, {lanes} lanes: flows are spread over all of them")
    check(seen["moved"] == 0 and run["bad"] == 0, f"{kind}, {lanes} lanes: each flow stays on its lane")
    check(seen["reordered"] == 0, f"{kind}, {lanes} lanes: each flow's answers come in order")
    check(probes["answered"] == sum(seen["by_lane"]) and
          all(s <= a for s, a in zip(seen["by_lane"], answered)) and
          probes["answered"] <= sum(answered) <= probes["sent"],
          f"{kind}, {lanes} lanes: their counters add up: {sum(answered)} answered of {probes['sent']}")


def peer_goes(folder, keyring):
    """memif's driver takes the link's memory away while the lane may be reading it: in the middle of the load, often."""
    pair = Pair(folder / "gone", keyring)
    with pair:
        for _ in range(PEER_KILLS):
            pair.source.process.stdin.write("run ms=60000\n")
            pair.source.process.stdin.flush()
            time.sleep(0.3)
            pair.source.process.kill()
            pair.source.process.wait()
            time.sleep(0.2)
            if pair.server.process.poll() is not None:
                break
            pair.source.start()
            pair.source.await_ready()
        check(pair.server.process.poll() is None, f"a memif peer that is killed {PEER_KILLS} times does the server no harm")
        check(pair.source.run(500)["answered"] > 0, "and the next one is answered")


def several_lanes(folder, keyring, lanes):
    with Pair(folder / f"{lanes}", keyring, lanes) as pair:
        flows(pair.server, pair.source, lanes, "memif")
    with Veth() as veth:
        here, cpus = folder / f"p{lanes}", sorted(os.sched_getaffinity(0))
        server = Server(BUILD, here, cpus, INTERFACE.format(kind="af_packet", interface="swa0"), keyring, lanes,
                        namespace=veth.server)
        vdev = "net_af_packet0,iface=swb0,blocksz=4096,framesz=2048,framecnt=512"
        with server, Source(BUILD, here, cpus[0], vdev, keyring=keyring, to_mac=veth.mac("server"),
                            mac=veth.mac("source"), namespace=veth.source) as source:
            flows(server, source.await_ready(), lanes, "af_packet")


def junk(pair, seconds):
    """At the highest rate of the source, with a real probe each millisecond; in turns with such probes alone, since
    what else runs on this machine takes source and lane off their CPUs. One such moment makes a whole row of probes
    late: more seconds, up to four times as many, tell it from lateness that junk makes."""
    frames, ran, totals, worst = 0, 0, {kind: {"sent": 0, "lost": 0, "late": 0} for kind in ("rtt", "junk")}, {}
    alone, among = totals["rtt"], totals["junk"]
    in_time = lambda: among["late"] <= among["sent"] * (2 * alone["late"] / alone["sent"] + LATE_SHARE)
    while ran < seconds or (ran < 4 * seconds and not in_time()):
        for kind, options in (("rtt", {"rate": 1000}), ("junk", {})):
            run = pair.source.run(1000, kind=kind, timeout_ms=PROBE_TIMEOUT_MS, **options)
            for name in totals[kind]:
                totals[kind][name] += run["probes"][name]
            worst[kind] = max(worst.get(kind, 0), run["rtt_us"]["p99"])
            frames += run["sent"] if kind == "junk" else 0
        ran += 1
    print(f"# {frames} frames of junk in {ran} s; probes among it {among}, alone {alone}; worst p99 of a second {worst}")
    check(frames > 10000 * ran and among["sent"] > 100 * ran, f"junk pours in for {ran} s")
    check(among["lost"] == 0, "no real probe is lost among it")
    check(in_time(),
          f"they are answered within {PROBE_TIMEOUT_MS} ms: {among['late']} of {among['sent']} are late, without junk "
          f"{alone['late']} of {alone['sent']}")


def deltas(pair):
    """Records of 64 writers beside probes: all are merged, no probe is lost. Fewer packets than any ring holds: what else
    runs on this machine may keep lane and keeper from their CPUs for long."""
    def merged():
        keeper = next(core for core in pair.server.call("stats")["cores"] if core["role"] == "keeper")
        return keeper["counters"]["merged"]

    before = merged()
    run = pair.source.run(2000, kind="deltas", rate=400, timeout_ms=PROBE_TIMEOUT_MS)
    deadline = time.monotonic() + 5
    while merged() - before < run["deltas"] and time.monotonic() < deadline:
        time.sleep(0.1)
    print(f"# {run['deltas']} records in {run['sent']} packets, {merged() - before} merged; probes {run['probes']}")
    check(run["deltas"] > 1000 and merged() - before == run["deltas"], "all records are merged")
    check(run["probes"]["sent"] > 10 and run["probes"]["lost"] == 0, "no probe is lost beside them")


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
        with Pair(folder / "busy", keyring) as pair:
            junk(pair, 30 if "--full" in sys.argv[1:] else 5)
            deltas(pair)
        peer_goes(folder, keyring)
        for lanes in (2, 4):
            several_lanes(folder, keyring, lanes)
    finally:
        parts.remove(folder)
    print(f"1..{count}")
    return 1 if failed else 0


sys.exit(main())
