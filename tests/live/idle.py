#!/usr/bin/env python3
"""Each idle policy once: spin, pause, sleep and interrupt. Two servers find each other and take writes with it, never or
mostly sleep as it says, and their time is shown as busy, idle and asleep."""
import pathlib
import signal
import subprocess
import sys
import time

from live import main, roles, shares, start_all

POLICIES = {"spin": "spins", "pause": "pause", "sleep": "sleeps up to", "interrupt": "sleeps until it is woken"}
WATCH_S = 3


def pid_of(server):
    """swimlane's own: what was started may be a wrapper around it."""
    for task in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (task / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(server.config).encode() in words and words[0].endswith(b"swimlane"):
            return int(task.name)
    return server.process.pid


def waits(server):
    """How often lane and keeper have given up their CPU of their own accord."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid_of(server)}/task").iterdir():
        if (task / "comm").read_text().strip() in ("rte-worker-1", "rte-worker-2"):
            status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines() if ":" in line)
            total += int(status["voluntary_ctxt_switches"])
    return total


def watch(test, the_lab, policy):
    fleet = the_lab.fleet
    one, two = fleet.servers
    hz, before = roles(one)
    waited = waits(one)
    time.sleep(WATCH_S)
    waited = waits(one) - waited
    _, after = roles(one)
    for role in ("lane", "keeper"):
        busy, idle, asleep = shares(before[role], after[role], hz)
        sleeps = after[role]["sleeps"] - before[role]["sleeps"]
        test.note(f"{policy}: {role} busy {busy:.1%}, idle {idle:.1%}, asleep {asleep:.1%}, {sleeps} sleeps")
        if policy == "spin":
            test.check(sleeps == 0 and asleep == 0 and idle > 0, f"{policy}: the {role} never sleeps")
        elif policy == "pause":
            test.check(after[role]["loops"] > before[role]["loops"] and idle + asleep > 0.5,
                       f"{policy}: the {role} is not busy")
        else:
            test.check(asleep > 0.5 and sleeps > 0, f"{policy}: the {role} is asleep for most of its time")
    test.note(f"{policy}: {waited / WATCH_S:.0f} waits in the kernel a second, lane and keeper together")
    if policy in ("spin", "pause"):
        test.check(waited <= 5 * WATCH_S, f"{policy}: it does not wait in the kernel")
    else:
        test.check(waited > 5 * WATCH_S, f"{policy}: it waits in the kernel")
    fleet.put(one, f"idle/{policy}", "x")

    def arrived():
        try:
            return two.call("map.get", key=f"idle/{policy}")["value"] == "x"
        except Exception:
            return False

    test.check(the_lab.feed.until(arrived, 10), f"{policy}: a write comes to the other server")
    shown = subprocess.run([str(the_lab.options.ctl), "--socket", str(one.socket), "stats"], capture_output=True,
                           text=True, timeout=10).stdout
    test.check(all(word in shown.upper() for word in ("BUSY", "IDLE", "ASLEEP")), f"{policy}: swimlanectl shows the time")


def body(test, the_lab):
    fleet = the_lab.fleet
    for policy, words in POLICIES.items():
        for server in fleet.servers:
            fleet.kill(server, signal.SIGTERM)
            fleet.collect(server)
        the_lab.options.idle = policy
        start_all(test, the_lab)
        log = fleet.servers[0].log.read_text()
        test.check(words in log.split("lcore 0")[-1], f"{policy}: the start screen says so")
        watch(test, the_lab, policy)


if __name__ == "__main__":
    sys.exit(main("idle", body, servers=2, origins=1, profile="virtual"))
