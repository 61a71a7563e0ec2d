#!/usr/bin/env python3
"""Two islands that forget each other: 5 servers, cut 2 against 3, writes, overwrites and deletes on both sides until
both have collected what was deleted. After the heal all maps are equal, no acknowledged value is lost and no deleted
key is back, by a history of its own."""
import os
import random
import sys
import time
import zlib

from live import main
from lab import maps
from lab.acknowledged import History

KEYS, FULL_KEYS = 120, 1500
FORGET_S = 3


def write_some(history, fleet, dice, island, servers, keys, count):
    for _ in range(count):
        key = dice.choice(keys)
        server = servers[zlib.crc32(key.encode()) % len(servers)]
        if dice.random() < 0.35:
            history.delete(island, server, key)
        else:
            history.put(fleet, island, server, key, f"{island}-{history.acknowledged}")


def counter(server, name):
    keeper = next(core for core in server.call("stats")["cores"] if core["role"] == "keeper")
    return keeper["counters"].get(name, 0)


def states_of(fleet, viewer, others):
    table = fleet.states(viewer)
    return {table.get(o.name, {}).get("state", "gone") for o in others}


def forgotten(fleet, one, other):
    """Whether each server of either side waits for none of the other any more."""
    return all(states_of(fleet, v, other) <= {"forgotten", "gone"} for v in one) and \
        all(states_of(fleet, v, one) <= {"forgotten", "gone"} for v in other)


def collected(servers):
    return all(s.call("status")["tombstones"] == 0 and counter(s, "collected") > 0 for s in servers)


def tell_difference(test, fleet, dumps, key):
    for s in fleet.servers:
        record, status = dumps[s.name].get(key), s.call("status")
        test.note(f"{s.name}: {key}: {maps.comparable(record) if record else None}")
        test.note(f"{s.name}: vector {status['vector_hash']}, content {status['content_hash']}, "
                  + ", ".join(f"{name} {counter(s, name)}" for name in (
                      "pulls", "pulls_done", "pulls_failed", "pulls_refused", "reconciles", "reconcile_told", "stale",
                      "absent_covered", "alarms", "repairs", "closed", "own_closed", "refused_fenced")))


def body(test, the_lab):
    fleet, feed, network = the_lab.fleet, the_lab.feed, the_lab.network
    seed = int(os.environ.get("SW_SEED", time.time_ns() % 1000000))
    dice, history = random.Random(seed), History()
    keys = [f"islands/{n}" for n in range(FULL_KEYS if test.full else KEYS)]
    one, other = fleet.servers[:3], fleet.servers[3:]
    test.note(f"seed {seed}, {len(keys)} keys, forgotten after {FORGET_S} s")
    for n, key in enumerate(keys):
        history.put(fleet, "all", fleet.servers[n % 5], key, f"before-{n}")
    _, differ = maps.await_equal(feed, fleet.servers, 10)
    test.need(not differ, "all hold the same before they are cut")
    history.cut()
    network.part([s.number for s in other])
    rounds = len(keys) * 2
    write_some(history, fleet, dice, "one", one, keys, rounds)
    write_some(history, fleet, dice, "other", other, keys, rounds // 2)
    test.need(feed.until(lambda: forgotten(fleet, one, other), 60), "the islands have forgotten each other")
    write_some(history, fleet, dice, "one", one, keys, rounds // 2)
    write_some(history, fleet, dice, "other", other, keys, rounds // 2)
    done = feed.until(lambda: collected(fleet.servers), 60)
    if not done:
        for s in fleet.servers:
            test.note(f"{s.name}: {s.call('status')['tombstones']} tombstones, {s.call('map.staleness')}")
    test.need(done, "both have collected all that was deleted")
    test.note(f"collected: { {s.name: counter(s, 'collected') for s in fleet.servers} }, "
              f"{history.acknowledged} operations acknowledged")
    mark = feed.mark()
    network.heal()
    healed = time.monotonic()
    test.check(fleet.await_all_alive(60), "all find each other again")
    dumps, differ = maps.await_equal(feed, fleet.servers, 60)
    test.note(f"equal {time.monotonic() - healed:.1f} s after the heal; "
              f"whole maps joined: {[(n.server, n.params['text']) for n in feed.events(mark, 'reconciled')][:4]}, "
              f"written anew: { {s.name: counter(s, 'lifted') for s in fleet.servers} }")
    if not test.check(not differ, f"all maps are equal: {len(dumps['s1'])} records, {len(differ)} differ: {differ[:3]}"):
        tell_difference(test, fleet, dumps, differ[0])
    for name, dump in sorted(dumps.items()):
        lost, back = history.wrong(dump)
        test.check(not lost, f"{name}: no value is lost: {len(lost)}: {lost[:3]}")
        test.check(not back, f"{name}: no deleted key is back: {len(back)}: {back[:3]}")
    test.check(sum(counter(s, "reconciles") for s in fleet.servers) > 0, "whole maps were joined")
    history.put(fleet, "one", one[0], keys[0], "after")
    history.last[keys[0]] = {"one": "after"}
    dumps, differ = maps.await_equal(feed, fleet.servers, 10)
    test.check(not differ and dumps["s5"][keys[0]]["value"] == "after", "a write after the heal is everywhere")


sys.exit(main("islands", body, more_lines=(f"membership: {{forget_after_s: {FORGET_S}}}",)))
