#!/usr/bin/env python3
"""Churn: servers are killed, stopped for a while, drained, told to leave and started again, at random, all the time.
A server that runs is never declared dead, and after the last fault all tables and maps are equal."""
import os
import random
import signal
import sys
import time

from live import main
from lab import maps

FOR_S, FULL_S = 20, 1800


def crash(fleet, feed, server, away_s):
    fleet.kill(server)
    fleet.collect(server)
    feed.until(lambda: False, away_s)
    fleet.start(server)


def leave(fleet, feed, server, away_s):
    server.call("leave")
    fleet.collect(server)
    feed.until(lambda: False, away_s)
    fleet.start(server)


def pause(fleet, feed, server, away_s):
    fleet.kill(server, signal.SIGSTOP)
    feed.until(lambda: False, away_s)
    fleet.kill(server, signal.SIGCONT)


def drain(fleet, feed, server, away_s):
    server.call("drain", on=True)
    feed.until(lambda: False, away_s)
    server.call("drain", on=False)


FAULTS = (crash, leave, pause, drain)


def body(test, the_lab):
    fleet, feed = the_lab.fleet, the_lab.feed
    seed = int(os.environ.get("SW_SEED", time.time_ns() % 1000000))
    dice = random.Random(seed)
    test.note(f"seed {seed}")
    end, counts, wrong, written = time.monotonic() + (FULL_S if test.full else FOR_S), {}, [], 0
    while time.monotonic() < end:
        fault, server = dice.choice(FAULTS), dice.choice(fleet.servers)
        mark, away_s = feed.mark(), dice.choice((0.1, 0.5, 2.0))
        writer = dice.choice(fleet.others(server))
        fleet.put(writer, f"churn/{written % 500}", str(written))
        written += 1
        fault(fleet, feed, server, away_s)
        counts[fault.__name__] = counts.get(fault.__name__, 0) + 1
        if not test_alive(test, fleet, fault, server):
            break
        wrong += [(n.server, n.params["server"]) for n in feed.events(mark, "dead") if n.params["server"] != server.name]
    test.note(f"faults: {counts}, {written} writes")
    test.check(not wrong, f"no server that ran was declared dead: {wrong}")
    dumps, differ = maps.await_equal(feed, fleet.running(), 10)
    test.check(not differ, f"all maps are equal: {len(dumps['s1'])} records, {len(differ)} differ")
    tables = [{name: (m["epoch"], m["incarnation"], m["state"]) for name, m in fleet.states(s).items()}
              for s in fleet.running()]
    test.check(all(t == tables[0] for t in tables), "all member tables are equal")


def test_alive(test, fleet, fault, server):
    ok = fleet.await_all_alive(30)
    if not ok:
        test.check(False, f"all alive again after {fault.__name__} of {server.name}")
    return ok


sys.exit(main("churn", body))
