#!/usr/bin/env python3
"""Roles with the policy `interrupt` sleep for most of the time, and still answer at once."""
import sys
import time

from live import main, roles, shares

WATCH_S = 5


def body(test, the_lab):
    fleet, feed = the_lab.fleet, the_lab.feed
    hz, before = roles(fleet.servers[0])
    time.sleep(WATCH_S)
    _, after = roles(fleet.servers[0])
    for role in ("lane", "keeper"):
        busy, idle, asleep = shares(before[role], after[role], hz)
        sleeps = (after[role]["sleeps"] - before[role]["sleeps"]) / WATCH_S
        test.note(f"{role}: busy {busy:.1%}, idle {idle:.1%}, asleep {asleep:.1%}, {sleeps:.0f} sleeps/s")
        test.check(asleep > 0.5, f"the {role} of a quiet server sleeps for most of its time")
    log = fleet.servers[0].log.read_text()
    test.check("sleeps until it is woken" in log and "no receive interrupts" not in log,
               "it waits for the port itself")
    times = []
    for n in range(20):
        mark, start_ms = feed.mark(), time.time() * 1000
        fleet.put(fleet.servers[0], f"wake/{n}", "x")
        came = feed.until(lambda: [note.at_ms for note in feed.since(mark) if note.server == "s2"
                                   and note.params.get("key") == f"wake/{n}"], 5)
        if came:
            times.append(came[0] - start_ms)
    times.sort()
    test.check(len(times) == 20, "20 writes wake the keeper, the lane and the other server")
    test.note(f"a write and its way to another server: median {times[len(times) // 2]:.1f} ms, worst {times[-1]:.1f} ms")
    # A ring that went unheard is noticed after 100 ms at the latest.
    test.check(times[len(times) // 2] < 60, "half of them without a wait")
    rtts = [m["rtt_us"] for m in fleet.servers[0].call("members")["members"] if not m["self"]]
    test.note(f"round trips of probes: {rtts} us")


if __name__ == "__main__":
    sys.exit(main("wake", body, servers=3, origins=1, idle="interrupt"))
