#!/usr/bin/env python3
"""kill -9 of one of five servers is known to all others within a second, and nobody else is accused."""
import sys

from live import main

LIMIT_MS = 1000


def dead_of(the_lab, mark):
    return [(n.server, n.params["server"], n.params["at_ms"]) for n in the_lab.feed.events(mark, "dead")]


def trial(test, the_lab, victim, number):
    """One kill and return: ms until the last survivor knew (None: not in time), wrong accusations."""
    fleet, feed = the_lab.fleet, the_lab.feed
    others = {s.name for s in fleet.others(victim)}
    mark = feed.mark()
    killed_ms = fleet.kill(victim)
    fleet.collect(victim)
    feed.until(lambda: {by for by, who, _ in dead_of(the_lab, mark) if who == victim.name} >= others, 10)
    told = dead_of(the_lab, mark)
    known = {by: at_ms for by, who, at_ms in reversed(told) if who == victim.name}
    wrong = [f"{by} took {who} for dead" for by, who, _ in told if who != victim.name]
    mark = feed.mark()
    fleet.start(victim)
    if not fleet.await_all_alive(30):
        test.need(False, f"{victim.name} comes back after trial {number}")
    wrong += [f"{by} took {who} for dead" for by, who, at_ms in dead_of(the_lab, mark)
              if who != victim.name or at_ms > victim.started_ms + 1000]
    if not set(known) >= others:
        return None, wrong
    return max(known.values()) - killed_ms, wrong


def body(test, the_lab):
    trials = 20 if test.full else 3
    times, wrong = [], []
    for number in range(trials):
        victim = the_lab.fleet.servers[number % len(the_lab.fleet.servers)]
        known_ms, accused = trial(test, the_lab, victim, number + 1)
        words = "not by all" if known_ms is None else f"by all after {known_ms:.0f} ms"
        test.note(f"trial {number + 1}: {victim.name} killed, known {words}")
        times.append(known_ms)
        wrong += accused
    in_time = [t for t in times if t is not None and t <= LIMIT_MS]
    if in_time:
        test.note(f"shortest {min(in_time):.0f} ms, longest {max(in_time):.0f} ms")
    test.check(len(in_time) == trials, f"kill -9 known to all within {LIMIT_MS} ms in {len(in_time)} of {trials} trials")
    for line in wrong:
        test.note(line)
    test.check(not wrong, "no living server is ever declared dead")


sys.exit(main("crash", body))
