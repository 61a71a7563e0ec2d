#!/usr/bin/env python3
"""One server does not hear one other (one way only): asked through others it answers, and nobody is declared dead."""
import sys
import time

from live import main

FOR_S, FULL_S = 8, 60


def body(test, the_lab):
    fleet, feed = the_lab.fleet, the_lab.feed
    deaf, unheard = fleet.servers[0], fleet.servers[1]
    mark = feed.mark()
    deaf.call("test.shim", block=[unheard.address])
    end = time.monotonic() + (FULL_S if test.full else FOR_S)
    try:
        feed.until(lambda: time.monotonic() >= end, FULL_S + 1)
    finally:
        deaf.call("test.shim", block=[])
    lane = next(core for core in deaf.call("stats")["cores"] if core["role"] == "lane")
    counters, dropped = lane["counters"], lane["drops"].get("shim", 0)
    test.note(f"{deaf.name} dropped {dropped} packets of {unheard.name}, asked others {counters['probes_indirect']} times, "
              f"{counters['probes_failed']} of {counters['probes']} probes failed")
    test.check(dropped > 0 and counters["probes_indirect"] > 0, "the cut was there, and others were asked")
    dead = [(n.server, n.params["server"]) for n in feed.events(mark, "dead")]
    test.check(not dead, f"nobody is declared dead: {dead}")
    test.check(fleet.await_all_alive(10), "all are alive on all")


sys.exit(main("oneway", body))
