#!/usr/bin/env python3
"""Mass restart: all servers are killed at once and started again, at once, without their memory."""
import sys

from live import main
from lab import maps


def body(test, the_lab):
    fleet, feed = the_lab.fleet, the_lab.feed
    for n in range(20):
        fleet.put(fleet.servers[n % len(fleet.servers)], f"before/{n}", "lost with everybody's memory")
    epochs = {s.name: fleet.states(s)[s.name]["epoch"] for s in fleet.servers}
    for number in range(3 if test.full else 1):
        for server in fleet.servers:
            fleet.kill(server)
        for server in fleet.servers:
            fleet.collect(server)
        mark = feed.mark()
        for server in fleet.servers:
            fleet.start(server)
        test.check(fleet.await_all_alive(30), f"restart {number + 1}: all find each other again, and are ready")
        now = {s.name: fleet.states(s)[s.name]["epoch"] for s in fleet.servers}
        test.check(all(now[name] > epochs[name] for name in now), f"every epoch is larger than before: {epochs} → {now}")
        epochs = now
        dead = [(n.server, n.params["server"]) for n in feed.events(mark, "dead")]
        test.check(not dead, f"nobody takes a server's former life for news: {dead}")
        fleet.put(fleet.servers[number], f"after/{number}", "written after the restart")
        dumps, differ = maps.await_equal(feed, fleet.running(), 10)
        test.check(not differ and f"after/{number}" in dumps["s1"], "maps are equal, and take writes again")


sys.exit(main("restart", body))
