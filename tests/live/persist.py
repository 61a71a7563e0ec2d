#!/usr/bin/env python3
"""The map's copy in the state folder: all servers are killed at once and start from it; one that was stopped in order
loses nothing; a damaged copy is set aside, and the server starts empty and learns everything from the others."""
import pathlib
import signal
import sys

from live import main
from lab import maps

KEYS, FULL_KEYS = 300, 10000


def copies(server):
    return server.call("stats")["map"]["copies"]


def copy_path(server):
    return pathlib.Path(server.state_dir) / "map.snapshot"


def values_of(server):
    return {k: r["value"] for k, r in maps.dump(server).items() if not r["tombstone"]}


def kill_all(fleet, number=signal.SIGKILL):
    for server in fleet.servers:
        fleet.kill(server, number)
    for server in fleet.servers:
        fleet.collect(server, 20)


def start_all(fleet):
    for server in fleet.servers:
        fleet.start(server)


def body(test, the_lab):
    fleet, feed = the_lab.fleet, the_lab.feed
    count = FULL_KEYS if test.full else KEYS
    for n in range(count):
        fleet.put(fleet.servers[n % 3], f"kept/{n}", f"value-{n}")
    for n in range(0, count, 5):
        fleet.servers[n % 3].call("map.del", key=f"kept/{n}")
    wanted = {f"kept/{n}": f"value-{n}" for n in range(count) if n % 5}
    epochs = {s.name: fleet.states(s)[s.name]["epoch"] for s in fleet.servers}
    copied = True
    for n in range(2):  # the second one was begun after the first was done
        before = {s.name: copies(s) for s in fleet.servers}
        fleet.put(fleet.servers[n], "kept/mark", str(n))
        copied = copied and feed.until(lambda: all(copies(s) > before[s.name] for s in fleet.servers), 30)
    wanted["kept/mark"] = "1"
    test.need(copied, "every server has written a copy since")
    test.note(f"copies: { {s.name: copy_path(s).stat().st_size for s in fleet.servers} } bytes, took "
              f"{[s.call('stats')['map']['copy_took_ms'] for s in fleet.servers]} ms")
    stamps = {k: maps.comparable(r) for k, r in maps.dump(fleet.servers[0]).items() if not r["tombstone"]}
    kill_all(fleet)
    start_all(fleet)
    test.check(fleet.await_all_alive(30), "all find each other after all were killed at once")
    _, differ = maps.await_equal(feed, fleet.servers, 10)
    test.check(not differ and values_of(fleet.servers[0]) == wanted, "all data is there again, and no deleted key")
    now = {k: maps.comparable(r) for k, r in maps.dump(fleet.servers[0]).items() if not r["tombstone"]}
    test.check(now == stamps, "records stand under their old stamps")
    after = {s.name: fleet.states(s)[s.name]["epoch"] for s in fleet.servers}
    test.check(all(after[n] > epochs[n] for n in after), "every server has a new epoch")
    fleet.put(fleet.servers[0], "kept/last", "just before the end")
    feed.until(lambda: all("kept/last" in maps.dump(s) for s in fleet.servers), 5)
    kill_all(fleet, signal.SIGTERM)
    start_all(fleet)
    test.check(fleet.await_all_alive(30), "all find each other after all were stopped in order")
    test.check(values_of(fleet.servers[1]).get("kept/last") == "just before the end",
               "what was written last is in the copy of a server that was stopped in order")
    damaged(test, fleet, feed, wanted)


def damaged(test, fleet, feed, wanted):
    victim = fleet.servers[2]
    fleet.kill(victim)
    fleet.collect(victim)
    whole = copy_path(victim).read_bytes()
    copy_path(victim).write_bytes(whole[:len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1:])
    fleet.start(victim)
    said = [line for line in victim.log.read_text(errors="replace").splitlines() if "checksum" in line]
    test.check(said, f"the damage is said: {said[-1:]}")
    test.check(copy_path(victim).with_name("map.snapshot.damaged").exists(), "the damaged copy is kept aside")
    test.check(fleet.await_all_alive(30), "the server is back without it")
    _, differ = maps.await_equal(feed, fleet.servers, 10)
    test.check(not differ and values_of(victim).items() >= wanted.items(), "and has everything from the others")


sys.exit(main("persist", body, servers=3, map_lines=("persist: true", "persist_interval_s: 1")))
