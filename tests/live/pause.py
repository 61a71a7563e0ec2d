#!/usr/bin/env python3
"""A server that is stopped for five seconds is declared dead, and comes back by itself with an equal map."""
import signal
import sys
import time

from live import main  # first: it finds lab
from lab import maps

PAUSE_S = 5.0


def body(test, the_lab):
    fleet, feed = the_lab.fleet, the_lab.feed
    paused = fleet.servers[2]
    others = fleet.others(paused)
    for n in range(30):
        fleet.put(fleet.servers[n % len(fleet.servers)], f"before/{n}", "written before the pause")
    epoch = fleet.states(others[0])[paused.name]["epoch"]
    mark = feed.mark()
    stopped_ms = fleet.kill(paused, signal.SIGSTOP)
    try:
        told = lambda: {n.server for n in feed.events(mark, "dead") if n.params["server"] == paused.name}
        dead = feed.until(lambda: told() >= {s.name for s in others}, PAUSE_S)
        last_ms = max((n.params["at_ms"] for n in feed.events(mark, "dead")), default=stopped_ms)
        test.note(f"declared dead by {len(told())} of {len(others)} after {last_ms - stopped_ms:.0f} ms")
        test.check(dead, f"a stopped server is declared dead by all others within {PAUSE_S:.0f} s")
        for n in range(30):
            fleet.put(others[n % len(others)], f"during/{n}", "written during the pause")
        feed.until(lambda: time.time() * 1000 >= stopped_ms + PAUSE_S * 1000, PAUSE_S)
    finally:
        continued_ms = fleet.kill(paused, signal.SIGCONT)
    back = fleet.await_all_alive(20)
    rows = [fleet.states(s)[paused.name] for s in fleet.running()]
    since = [row["since_ms"] - continued_ms for row, s in zip(rows, fleet.running()) if s is not paused]
    test.note(f"alive again everywhere {max(since):.0f} ms after SIGCONT; epoch {epoch} → {rows[0]['epoch']}, "
              f"incarnation {rows[0]['incarnation']}")
    test.check(back and paused.alive(), "continued, it is alive everywhere again, by itself")
    dumps, differ = maps.await_equal(feed, fleet.running(), 10)
    test.note(f"{len(dumps[paused.name])} records, {len(differ)} differ")
    test.check(not differ and f"during/29" in dumps[paused.name], "its map is the others' map, in complete dumps")
    wrong = {n.params["server"] for n in feed.events(mark, "dead")
             if n.server in {s.name for s in others} and n.params["server"] != paused.name}
    test.check(not wrong, "no other server is taken for dead by those that ran")


sys.exit(main("pause", body))
