#!/usr/bin/env python3
"""Keys are rotated while everybody probes and writes: not one packet is lost for it."""
import signal
import sys
import time

from live import main  # first: it finds lab
from lab import maps

# Drops that a rotation could cause.
SEALING = ("key", "tag", "replay", "new_sender", "no_sender", "exhausted")


def drops_of(fleet):
    total = dict.fromkeys(SEALING, 0)
    for server in fleet.running():
        for core in server.call("stats")["cores"]:
            for reason in SEALING:
                total[reason] += core.get("drops", {}).get(reason, 0)
    return total


def counter_of(fleet, name):
    return sum(core.get("counters", {}).get(name, 0) for s in fleet.running() for core in s.call("stats")["cores"])


class Traffic:
    """A write on each server in turn, as fast as they are answered."""

    def __init__(self, fleet):
        self.fleet, self.count = fleet, 0

    def run(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            servers = self.fleet.servers
            self.fleet.put(servers[self.count % len(servers)], f"rotate/{self.count % 500}", str(self.count))
            self.count += 1


def take_over(fleet, traffic):
    """Everybody reads the file anew, one after the other; every other one by signal."""
    for number, server in enumerate(fleet.servers):
        reloads = server.call("keys")["reloads"]
        if number % 2:
            fleet.kill(server, signal.SIGHUP)
        else:
            server.call("keys.reload")
        deadline = time.monotonic() + 5
        while server.call("keys")["reloads"] == reloads and time.monotonic() < deadline:
            time.sleep(0.005)
        traffic.run(0.1)


def all_hear(fleet, key_id, traffic):
    """Whether everybody's last packets came under this key."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        traffic.run(0.1)
        heard = [next((k["heard_from"] for k in s.call("keys")["keys"] if k["id"] == key_id), 0) for s in fleet.servers]
        if all(n == len(fleet.servers) - 1 for n in heard):
            return True
    return False


def body(test, the_lab):
    fleet, feed = the_lab.fleet, the_lab.feed
    traffic = Traffic(fleet)
    rounds = 10 if test.full else 3
    for server in fleet.servers:
        test.check(server.call("status")["sealed"], f"{server.name} says that it is sealed")
    traffic.run(1)
    before, mark = drops_of(fleet), feed.mark()
    failed, probes = counter_of(fleet, "probes_failed"), counter_of(fleet, "probes")
    for number in range(rounds):
        old, new = number + 1, number + 2
        fleet.key("add")
        take_over(fleet, traffic)
        fleet.key("use", new)
        take_over(fleet, traffic)
        test.check(all_hear(fleet, new, traffic), f"round {number + 1}: everybody sends with key {new}")
        fleet.key("remove", old)
        take_over(fleet, traffic)
        held = [[k["id"] for k in s.call("keys")["keys"]] for s in fleet.servers]
        test.check(held == [[new]] * len(fleet.servers), f"round {number + 1}: everybody holds key {new} alone")
    after = drops_of(fleet)
    lost = {reason: after[reason] - before[reason] for reason in SEALING if after[reason] != before[reason]}
    probes, failed = counter_of(fleet, "probes") - probes, counter_of(fleet, "probes_failed") - failed
    test.note(f"{rounds} rotations, {traffic.count} writes, {probes} probes, {failed} of them without an answer in time")
    test.check(not lost, f"no packet is dropped by sealing: {lost}")
    accused = [n.params for n in feed.events(mark, "suspect")] + [n.params for n in feed.events(mark, "dead")]
    test.check(not accused, f"nobody is suspected: {accused[:3]}")
    _, differ = maps.await_equal(feed, fleet.running(), 10)
    test.check(not differ, "the maps are equal after, in complete dumps")
    broken_file(test, fleet)


def broken_file(test, fleet):
    """A keyring that cannot be used changes nothing."""
    server = fleet.servers[0]
    keys = server.call("keys")["keys"]
    fleet.keyring.chmod(0o644)
    try:
        server.call("keys.reload")
        test.check(False, "a keyring that others may read is refused")
    except Exception as error:  # whatever it says, it must say why
        test.check("0644" in str(error), f"a keyring that others may read is refused: {error}")
    test.check([k["id"] for k in server.call("keys")["keys"]] == [k["id"] for k in keys], "the keys stay as they were")
    test.check(fleet.await_all_alive(10), "all members alive on all servers after")


sys.exit(main("rotate", body))
