#!/usr/bin/env python3
"""Random, truncated and bit-flipped packets at the port are counted by reason and do no harm."""
import json
import pathlib
import subprocess
import sys
import time

from live import main  # first: it finds lab
from lab import maps
from lab.fleet import UDP_PORT

PACKETS_PER_S = 50000
TOOL = str(pathlib.Path(__file__).with_name("packets.py"))


def drops_of(fleet):
    """Drops by reason, over all servers and cores."""
    total = {}
    for server in fleet.running():
        for core in server.call("stats")["cores"]:
            for reason, count in core.get("drops", {}).items():
                total[reason] = total.get(reason, 0) + count
    return total


def samples(test, the_lab):
    """Real packets of each length seen while servers probe and write."""
    network = the_lab.network
    sniffer = subprocess.Popen(
        network.inside(network.switch, [sys.executable, TOOL, "sniff", "s1", str(UDP_PORT), "2"]),
        stdout=subprocess.PIPE, text=True)
    for n in range(20):
        the_lab.fleet.put(the_lab.fleet.servers[n % 5], f"sample/{n}", "x" * n * 20)
    text = sniffer.communicate(timeout=20)[0]
    test.note(f"{len(text.split())} real packets to bend, of different lengths")
    return text


def body(test, the_lab):
    fleet, feed, network = the_lab.fleet, the_lab.feed, the_lab.network
    seconds = 30 if test.full else 5
    real = samples(test, the_lab)
    test.need(real.split(), "real packets are seen on the wire")
    before, mark = drops_of(fleet), feed.mark()
    pids = [s.process.pid for s in fleet.servers]
    flood = subprocess.Popen(
        network.inside(network.origin_side, [sys.executable, TOOL, "flood", str(seconds), "7", str(PACKETS_PER_S)]
                       + [f"{s.address}:{UDP_PORT}" for s in fleet.servers]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    the_lab.ledger.add_process(flood.pid, "flood")
    flood.stdin.write(real)
    flood.stdin.close()
    slowest_ms, rounds, spread_ms = 0.0, 0, []
    while flood.poll() is None:
        started = time.monotonic()
        key = f"flood/{rounds}"
        here = feed.mark()
        written_ms = time.time() * 1000
        fleet.put(fleet.servers[rounds % 5], key, "written in the flood")
        everywhere = lambda: {n.server: n.at_ms for n in feed.since(here)
                              if n.method == "map.change" and n.params["key"] == key}
        came = feed.until(lambda: everywhere() if len(everywhere()) == 5 else None, 5)
        if not came:
            test.check(False, f"{key} reaches all servers while junk pours in")
            break
        spread_ms.append(max(came.values()) - written_ms)
        fleet.servers[(rounds + 1) % 5].call("members")
        slowest_ms = max(slowest_ms, (time.monotonic() - started) * 1000)
        rounds += 1
    sent = json.loads(flood.stdout.read())
    flood.wait()
    report(test, the_lab, sent, seconds, before, mark, pids)
    test.note(f"{rounds} writes meanwhile: on all servers after {sorted(spread_ms)[len(spread_ms) // 2]:.1f} ms "
              f"(median), {max(spread_ms):.1f} ms (worst); the slowest round took {slowest_ms:.1f} ms")
    test.check(rounds >= seconds, "map and RPC keep working meanwhile")
    _, differ = maps.await_equal(feed, fleet.running(), 10)
    test.check(not differ, "the maps are equal after, in complete dumps")


def report(test, the_lab, sent, seconds, before, mark, pids):
    fleet, feed = the_lab.fleet, the_lab.feed
    after = drops_of(fleet)
    counted = {r: n - before.get(r, 0) for r, n in sorted(after.items()) if n > before.get(r, 0)}
    test.note(f"sent {sent['sent']:,} in {seconds} s: {sent['by_kind']}; the kernel refused {sent['refused']}")
    test.note(f"dropped and counted: {sum(counted.values()):,}: {counted}")
    test.check(sum(counted.values()) > 0.5 * sent["sent"] and len(counted) >= 3,
               f"junk is counted, by {len(counted)} reasons")
    test.check([s.process.pid for s in fleet.running()] == pids, "no server ends")
    accused = [f"{n.server} took {n.params['server']} for dead" for n in feed.events(mark, "dead")]
    for line in accused:
        test.note(line)
    test.check(not accused, "nobody is declared dead meanwhile")
    test.check(fleet.await_all_alive(10), "all members alive on all servers after")


sys.exit(main("junk", body))
