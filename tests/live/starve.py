#!/usr/bin/env python3
"""CPU exhaustion: one server shares its CPU with busy neighbours. It may fall behind; it must accuse nobody wrongly,
no other server may be declared dead, and it is alive everywhere when the neighbours are gone."""
import os
import subprocess
import sys
import time

from live import main  # first: it finds lab
from lab import host

NEIGHBOURS, FOR_S, FULL_S = 8, 8, 60


def body(test, the_lab):
    fleet, feed = the_lab.fleet, the_lab.feed
    starved = fleet.servers[2]
    cpu = max(os.sched_getaffinity(0))
    for task in os.listdir(f"/proc/{starved.process.pid}/task"):
        os.sched_setaffinity(int(task), {cpu})

    def selfish():
        os.sched_setaffinity(0, {cpu})
        if os.geteuid() == 0 and not host.is_inside():
            os.nice(-20)  # takes nearly all of the CPU

    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=selfish)
            for _ in range(NEIGHBOURS)]
    for neighbour in busy:
        the_lab.ledger.add_process(neighbour.pid, "neighbour")
    mark, end = feed.mark(), time.monotonic() + (FULL_S if test.full else FOR_S)
    try:
        feed.until(lambda: time.monotonic() >= end, FULL_S + 1)
    finally:
        for neighbour in busy:
            neighbour.kill()
            neighbour.wait()
            the_lab.ledger.forget_process(neighbour.pid)
    lane = next(core for core in starved.call("stats")["cores"] if core["role"] == "lane")
    events = [(n.server, n.params["kind"], n.params["server"]) for n in feed.events(mark)
              if n.params["kind"] in ("dead", "suspect")]
    test.note(f"{starved.name} on CPU {cpu} with {NEIGHBOURS} busy neighbours: {lane['counters']['pauses']} pauses noticed, "
              f"{lane['counters']['probes_voided']} verdicts void; suspected {sum(k == 'suspect' for _, k, w in events if w == starved.name)} "
              f"times, dead {sum(k == 'dead' for _, k, w in events if w == starved.name)} times")
    wrong = [(by, who) for by, kind, who in events if kind == "dead" and who != starved.name]
    test.check(not wrong, f"no server with a CPU of its own is declared dead: {wrong}")
    test.check(fleet.await_all_alive(20), "all are alive on all when the neighbours are gone")


sys.exit(main("starve", body))
