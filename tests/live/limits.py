#!/usr/bin/env python3
"""What is limited says so, each with its own error or counter, and the map is right after it: a full table, filled by
one server and by all at once; values and keys that are too large; writers and waiting clients beyond their number;
a vector that is full of epochs; more servers that want the whole map than are served at a time."""
import signal
import subprocess
import sys

from live import main  # first: it finds lab
from lab import maps, rpc
from lab.fleet import UDP_PORT

RECORDS_MAX, MORE_RECORDS, EACH, IN_FLIGHT = 1000, 4000, 600, 120
KEY_MAX, PAYLOAD_MAX = 255, 1256
VECTOR_MAX, EPOCHS, SESSIONS_MAX, SESSIONS, WAITS_MAX = 1024, 1200, 8, 24, 64
TOO_LARGE, INVALID_PARAMS = -32004, -32602
FORGED = "forged"  # written under epochs of which each server has taken as many as it had room for


def count_of(server, name):
    """Of the map; the keeper counts for it."""
    keeper = next(core for core in server.call("stats")["cores"] if core["role"] == "keeper")
    return {**keeper["counters"], **keeper["drops"]}.get(name, 0)


def error_of(server, method, **params):
    try:
        return f"answered {server.call(method, **params)}"
    except rpc.RpcError as error:
        return error


def refused(answer, code, *words):
    return getattr(answer, "code", None) == code and all(word in str(answer) for word in words)


def values(server):
    return {k: r["value"] for k, r in maps.dump(server).items() if not r["tombstone"] and k != FORGED}


def equal(test, the_lab, wanted, text):
    dumps = {}

    def differences():
        dumps.update(maps.dumps_of(the_lab.fleet.servers))
        return set(maps.differences(dumps)) - {FORGED}

    the_lab.feed.until(lambda: not differences(), 30)
    differ = set(maps.differences(dumps)) - {FORGED}
    held = values(the_lab.fleet.servers[0])
    wrong = [k for k in wanted if held.get(k) != wanted[k]]
    test.check(not differ and not wrong and len(held) == len(wanted),
               f"{text}: {len(held)} keys, {len(differ)} differ, {len(wrong)} wrong")


def too_large(test, server):
    for text, key, size in (("value", "large", PAYLOAD_MAX), ("key", "k" * (KEY_MAX + 1), 1)):
        answer = error_of(server, "map.put", key=key, value="v" * size)
        test.check(refused(answer, TOO_LARGE, str(KEY_MAX), str(PAYLOAD_MAX)), f"a {text} beyond its bound: {answer}")
    answer = error_of(server, "map.put", key="", value="v")
    test.check(getattr(answer, "code", None) == INVALID_PARAMS, f"no key at all: {answer}")
    server.call("map.put", key="l", value="v" * (PAYLOAD_MAX - 1))
    test.check(len(server.call("map.get", key="l")["value"]) == PAYLOAD_MAX - 1, "one that just fits is held")


def waiting_clients(test, server):
    """Each wait is a request that has no answer yet; a connection may have 64 of them."""
    first, second = rpc.Rpc(server.socket), rpc.Rpc(server.socket)
    for _ in range(WAITS_MAX - 1):
        first.send("map.wait", key="l", members=200, timeout_ms=60000)
    first.call("status")  # behind them
    waits = [second.send("map.wait", key="l", members=200, timeout_ms=60000) for _ in range(2)]
    try:
        answer = f"answered {second.answer(waits[1])}"
    except rpc.RpcError as error:
        answer = error
    test.check(getattr(answer, "code", None) == rpc.BUSY, f"one more than may wait: {answer}")
    first.close()
    second.close()


def full(test, the_lab):
    """One server fills the table; what is there can still be written and deleted."""
    server, other = the_lab.fleet.servers[:2]
    wanted, answer = {}, None
    wanted["l"] = server.call("map.get", key="l")["value"]
    for n in range(RECORDS_MAX + 1):
        answer = error_of(server, "map.put", key=f"fill/{n}", value=f"{n}")
        if isinstance(answer, rpc.RpcError):
            break
        wanted[f"fill/{n}"] = f"{n}"
    test.check(refused(answer, TOO_LARGE, "full", "map.records_max") and len(wanted) == RECORDS_MAX,
               f"a key beyond {len(wanted)}: {answer}")
    equal(test, the_lab, wanted, "full on all")
    server.call("map.put", key="fill/0", value="overwritten")
    wanted["fill/0"] = "overwritten"
    for n in range(1, RECORDS_MAX // 2):
        other.call("map.del", key=f"fill/{n}")
        del wanted[f"fill/{n}"]
    collected = the_lab.feed.until(
        lambda: all(s.call("status")["records"] == len(wanted) for s in the_lab.fleet.servers), 30)
    test.check(collected, "overwritten and deleted in a full table, and the deletes are collected")
    server.call("map.put", key="again", value="there is room")
    wanted["again"] = "there is room"
    equal(test, the_lab, wanted, "room again")
    return wanted


def write_at_once(fleet, wanted):
    """To all servers, some requests under way at each; what they acknowledge goes into `wanted`. How many they refuse."""
    connections = {server.name: rpc.Rpc(server.socket, timeout_s=20) for server in fleet.servers}
    under_way, refusals = [], 0

    def take_answer():
        name, key, number = under_way.pop(0)
        try:
            connections[name].answer(number)
            wanted[key] = "x"
        except rpc.RpcError:
            return 1
        return 0

    for n in range(EACH):
        for name, connection in connections.items():
            key = f"over/{name}/{n}"
            under_way.append((name, key, connection.send("map.put", key=key, value="x")))
            if len(under_way) == IN_FLIGHT:
                refusals += take_answer()
    while under_way:
        refusals += take_answer()
    for connection in connections.values():
        connection.close()
    return refusals


def overfull(test, the_lab, wanted):
    """All write at once what does not fit into one table together. No server loses what it has acknowledged; with
    larger tables, one server after the other, all have everything."""
    fleet = the_lab.fleet
    refusals = write_at_once(fleet, wanted)
    told = the_lab.feed.until(lambda: any(count_of(s, "refused_full") > 0 for s in fleet.servers), 3)
    test.note(f"{len(wanted)} keys acknowledged, {refusals} refused; refused_full "
              f"{[count_of(s, 'refused_full') for s in fleet.servers]}")
    test.check(refusals > 0, "what does not fit is refused")
    test.check(told or len(wanted) <= RECORDS_MAX, "what was acknowledged and fits nowhere else is counted there")
    fleet.options.records_max = MORE_RECORDS
    for server in fleet.servers:
        fleet.kill(server, signal.SIGTERM)
        fleet.collect(server, 20)
        fleet.start(server)
        test.need(fleet.await_all_alive(30), f"{server.name} is back with a larger table")
    equal(test, the_lab, wanted, "with larger tables nothing that was acknowledged is missing")


def forge(the_lab, server, *what):
    network, tool = the_lab.network, the_lab.options.build / "tests/live/forge"
    subprocess.run(network.inside(network.origin_side, [
        str(tool), network.prefix, server.address, str(UDP_PORT), server.call("status")["id"], *map(str, what)]),
        check=True, timeout=30)


def sessions(test, the_lab, wanted):
    server = the_lab.fleet.servers[2]
    before = count_of(server, "sessions_busy"), count_of(server, "sessions")
    forge(the_lab, server, "sessions", SESSIONS)
    told = the_lab.feed.until(lambda: count_of(server, "sessions_busy") > before[0], 10)
    test.check(told, f"of {SESSIONS} that want everything some are refused: {count_of(server, 'sessions_busy') - before[0]} "
               f"({count_of(server, 'sessions') - before[1]} sessions begun; {SESSIONS_MAX} at a time)")
    the_lab.fleet.put(server, "beside", "sessions")
    wanted["beside"] = "sessions"
    equal(test, the_lab, wanted, "writes go on meanwhile, and arrive")


def epochs(test, the_lab, wanted):
    """A server whose epoch is in the vectors already, since it has written under it, is not shut out."""
    for server in the_lab.fleet.servers:
        the_lab.fleet.put(server, f"first/{server.name}", "written before")
        wanted[f"first/{server.name}"] = "written before"
    equal(test, the_lab, wanted, "each has written")
    for server in the_lab.fleet.servers:
        forge(the_lab, server, "epochs", EPOCHS)
    told = the_lab.feed.until(lambda: all(count_of(s, "refused_actors") > 0 for s in the_lab.fleet.servers), 20)
    test.check(told, f"epochs beyond {VECTOR_MAX} in the vector are counted: "
               f"{[count_of(s, 'refused_actors') for s in the_lab.fleet.servers]}")
    for server in the_lab.fleet.servers:
        the_lab.fleet.put(server, f"last/{server.name}", "still writing")
        wanted[f"last/{server.name}"] = "still writing"
    the_lab.fleet.servers[1].call("map.del", key="l")
    del wanted["l"]
    equal(test, the_lab, wanted, "with full vectors members' writes and deletes go on, and arrive")


def body(test, the_lab):
    too_large(test, the_lab.fleet.servers[1])
    waiting_clients(test, the_lab.fleet.servers[1])
    wanted = full(test, the_lab)
    overfull(test, the_lab, wanted)
    sessions(test, the_lab, wanted)
    epochs(test, the_lab, wanted)


sys.exit(main("limits", body, servers=3, sealed=False, records_max=RECORDS_MAX,
              map_lines=("persist: true", "persist_interval_s: 1")))
