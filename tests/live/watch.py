#!/usr/bin/env python3
"""Watching the map: every change, resumed from a vector after the connection was killed, on the same server and on
another; a client that does not read is told what it missed, within its bound; watches beyond the limit are refused."""
import socket
import sys
import threading
import time

from live import main
from lab import maps, rpc

KEYS, WRITES, FULL_WRITES, WATCHES_MAX, WATCH_KIB = 50, 1500, 20000, 8, 64


class Watcher:
    """Keeps what it is told, as a client would that must not miss anything."""

    def __init__(self):
        self.values, self.vector, self.changes, self.missed, self.resumed = {}, None, 0, 0, 0
        self.client = None

    def connect(self, server):
        if self.client:
            self.client.close()
        self.client = rpc.Rpc(server.socket, timeout_s=5)
        more = {} if self.vector is None else {"vector": self.vector}
        answer = self.client.call("map.watch", prefix="watched/", **more)
        self.resumed += answer["resuming"]
        if self.vector is None:
            self.vector = answer["vector"]

    def read(self, for_s, at_most_s=30.0):
        """Until nothing comes for this long, or the longest time is over."""
        end = time.monotonic() + at_most_s
        while time.monotonic() < end:
            try:
                method, params = self.client.next_note(for_s)
            except TimeoutError:
                return
            if method == "map.change":
                self.changes += 1
                self.values[params["key"]] = None if params["tombstone"] else params["value"]
            elif method == "map.vector":
                self.vector = params["vector"]
            elif method == "map.missed":
                self.missed += 1
                self.vector = params["vector"]

    def live(self):
        return {k: v for k, v in self.values.items() if v is not None}


def writer(fleet, stop, count):
    """Writes, overwrites and deletes on all servers until told to stop."""
    n = 0
    while not stop.is_set() and n < count:
        server, key = fleet.servers[n % 3], f"watched/{n * 7 % KEYS}"
        if n % 4 == 3:
            try:
                server.call("map.del", key=key)
            except rpc.RpcError as error:
                if error.code != rpc.NOT_FOUND:
                    raise
        else:
            fleet.put(server, key, f"value-{n}")
        n += 1


def truth(server):
    return {k: r["value"] for k, r in maps.dump(server).items() if not r["tombstone"] and k.startswith("watched/")}


def resume(test, fleet, feed):
    stop, watcher = threading.Event(), Watcher()
    thread = threading.Thread(target=writer, args=(fleet, stop, FULL_WRITES if test.full else WRITES))
    watcher.connect(fleet.servers[0])
    thread.start()
    kills, number = 0, 0
    while thread.is_alive():
        watcher.read(0.05, 0.3)
        # Killed in the middle of whatever comes; what was in flight is gone.
        watcher.client.socket.shutdown(socket.SHUT_RDWR)
        number = (number + 1) % 3
        kills += 1
        time.sleep(0.1)
        watcher.connect(fleet.servers[number])
    stop.set()
    thread.join()
    _, differ = maps.await_equal(feed, fleet.servers, 10)
    test.need(not differ, "all maps are equal after the writes")
    watcher.read(2)
    expected = truth(fleet.servers[0])
    test.note(f"{kills} connections killed, {watcher.resumed} resumed, {watcher.changes} changes told")
    test.check(kills > 3 and watcher.resumed > 3, "connections were killed while changes came, and resumed on other servers")
    test.check(watcher.live() == expected, f"nothing was missed: {len(expected)} keys; wrong: "
               f"{[k for k in set(expected) | set(watcher.live()) if expected.get(k) != watcher.live().get(k)][:3]}")


def slow(test, fleet):
    """Does not read while far more is written than its bound; then resumes from what it is told."""
    server, watcher = fleet.servers[0], Watcher()
    watcher.connect(server)
    watcher.read(1.5)
    value = "x" * 1000
    count = 3000
    with rpc.Rpc(server.socket) as connection:
        for n in range(count):
            connection.call("map.put", key=f"watched/slow/{n % 200}", value=f"{value}{n}")
    rss = int(open(f"/proc/{server.process.pid}/statm").read().split()[1]) * 4
    watcher.read(1)
    stats = server.call("stats")["map"]
    test.note(f"{watcher.changes} of {count} changes told before it had too much unread; server's memory {rss} KiB; "
              f"{ {k: v for k, v in stats.items() if k.startswith('watch')} }")
    test.check(watcher.missed == 1 and watcher.changes < count, "it was told that it missed something, once")
    watcher.connect(server)
    watcher.read(1.5)
    expected = {k: v for k, v in truth(server).items() if k.startswith("watched/slow/")}
    wrong = [k for k in set(expected) | set(watcher.live()) if expected.get(k) != watcher.live().get(k)]
    test.check(not wrong, f"resumed from there it has everything: {len(expected)} keys; wrong: {len(wrong)} "
               f"{[(k, str(expected.get(k))[-8:], str(watcher.live().get(k))[-8:]) for k in wrong[:3]]}, "
               f"missed {watcher.missed} times")
    watcher.client.close()


def limit(test, fleet):
    server, clients, error = fleet.servers[1], [], None
    for _ in range(WATCHES_MAX + 1):
        client = rpc.Rpc(server.socket)
        clients.append(client)
        try:
            client.call("map.watch", prefix="none/")
        except rpc.RpcError as refusal:
            error = refusal
    test.check(error is not None and error.code == -32006, f"watches beyond the limit are refused: {error}")
    for client in clients:
        client.close()
    test.check(server.call("stats")["map"]["watches_refused"] > 0, "… and counted")


def body(test, the_lab):
    resume(test, the_lab.fleet, the_lab.feed)
    slow(test, the_lab.fleet)
    limit(test, the_lab.fleet)


sys.exit(main("watch", body, servers=3, map_lines=(f"watches_max: {WATCHES_MAX}", f"watch_kib: {WATCH_KIB}")))
