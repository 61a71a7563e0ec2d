#!/usr/bin/env python3
"""A newcomer that needs everything (100,000 records) does not slow the others' writes: the time from a put on one server
to the change on another, with and without it, in turns. All servers share this machine's cores, and a newcomer that merges
takes some; so what it is held against is the same time beside processes that only compute."""
import multiprocessing
import statistics
import subprocess
import sys
import time

from live import main
from lab import rpc

RECORDS, ROUNDS, FULL_ROUNDS, IDLE_S = 100000, 3, 12, 4
IN_FLIGHT = 48


def fill(server, count):
    """Writes many records over one connection, some requests under way at a time."""
    value, begin = "v" * 80, time.monotonic()
    with rpc.Rpc(server.socket, timeout_s=20) as connection:
        under_way = []
        for n in range(count):
            under_way.append(connection.send("map.put", key=f"bulk/{n}", value=value))
            if len(under_way) == IN_FLIGHT:
                connection.answer(under_way.pop(0))
        for number in under_way:
            connection.answer(number)
    return time.monotonic() - begin


class Probe:
    """Puts on one server, watched on another, one at a time."""

    def __init__(self, writer, reader):
        self.writer, self.watcher = rpc.Rpc(writer.socket), rpc.Rpc(reader.socket)
        self.watcher.call("map.watch", prefix="probe/")
        self.number = 0

    def once(self):
        """Milliseconds until the other one has it; as many as 5,000 if it does not come."""
        self.number += 1
        begin = time.monotonic()
        self.writer.call("map.put", key=f"probe/{self.number % 64}", value=str(self.number))
        while time.monotonic() - begin < 5:
            method, params = self.watcher.next_note(5)
            if method == "map.change" and params["value"] == str(self.number):
                break
        return (time.monotonic() - begin) * 1000


def measure(writer, reader, results, stop):
    """In a process of its own: what the test does besides must not be in the times."""
    probe, samples = Probe(writer, reader), []
    while not stop.is_set():
        samples += [(time.monotonic(), probe.once()) for _ in range(10)]
    results.send(samples)


class Load:
    """As many processes that compute as a server has busy threads while it takes everything: lane and keeper."""

    def __enter__(self):
        self.processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


def p99(samples):
    return sorted(samples)[int(len(samples) * 0.99)]


def is_ready(server):
    try:
        status = server.call("status")
        return status["ready"] and status["records"] >= RECORDS
    except (OSError, rpc.RpcError):
        return False


def body(test, the_lab):
    fleet, feed = the_lab.fleet, the_lab.feed
    writer, reader, newcomer = fleet.servers[0], fleet.servers[1], fleet.servers[3]
    took = fill(writer, RECORDS)
    test.note(f"{RECORDS} records written in {took:.1f} s")
    test.need(feed.until(lambda: all(s.call("status")["records"] >= RECORDS for s in fleet.servers), 60),
              "all hold them before it begins")
    results, far_end = multiprocessing.Pipe(duplex=False)
    stop, phases, taken = multiprocessing.Event(), [], []
    process = multiprocessing.Process(target=measure, args=(writer, reader, far_end, stop), daemon=True)
    process.start()
    for _ in range(FULL_ROUNDS if test.full else ROUNDS):
        fleet.kill(newcomer)
        fleet.collect(newcomer)
        begin = time.monotonic()
        time.sleep(IDLE_S)
        phases.append(("idle", begin, time.monotonic()))
        with Load():
            begin = time.monotonic()
            time.sleep(IDLE_S / 2)
            phases.append(("loaded", begin, time.monotonic()))
        fleet.start(newcomer)  # its process is up and has the RPC; now it asks for everything
        begin = time.monotonic()
        feed.until(lambda: is_ready(newcomer), 30)
        phases.append(("busy", begin, time.monotonic()))
        taken.append(time.monotonic() - begin)
    stop.set()
    samples = results.recv()
    process.join()
    idle, loaded, busy = ([ms for at, ms in samples if any(name == n and b <= at <= e for n, b, e in phases)]
                          for name in ("idle", "loaded", "busy"))
    test.note(f"put to change on another server, without: median {statistics.median(idle):.2f} ms, p99 {p99(idle):.2f} ms "
              f"({len(idle)} writes); beside a load: median {statistics.median(loaded):.2f} ms, p99 {p99(loaded):.2f} ms "
              f"({len(loaded)} writes); with a newcomer: median {statistics.median(busy):.2f} ms, p99 {p99(busy):.2f} ms "
              f"({len(busy)} writes); it had everything after {', '.join(f'{t:.2f}' for t in taken)} s")
    test.check(len(busy) >= 20 * len(taken), "writes were measured while it took everything")
    test.note(f"the slowest with a newcomer: {[round(x) for x in sorted(busy)[-5:]]} ms, beside a load: "
              f"{[round(x) for x in sorted(loaded)[-5:]]} ms")
    test.check(p99(busy) <= 3 * p99(loaded) + 10,
               "the others' writes are not slowed: p99 within three times and 10 ms of the load's")
    test.check(statistics.median(busy) <= 2 * statistics.median(loaded) + 2, "nor is their median")
    test.check(max(busy) < 5000, "no write was lost on the way")


sys.exit(main("newcomer", body, servers=4, records_max=150000, megabytes=96))
