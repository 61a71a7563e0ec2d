#!/usr/bin/env python3
"""Keys written while 20 % of all packets are dropped and a partition comes and goes are equal soon after."""
import sys
import time

from live import main  # first: it finds lab
from lab import maps, rpc

DROP_PERCENT = 20
LIMIT_MS = 5000


def put_all(test, the_lab, keys):
    """Writes keys round the servers, on connections that stay open."""
    connections = [rpc.Rpc(s.socket) for s in the_lab.fleet.servers]
    busy = 0
    for n in keys:
        deadline = time.monotonic() + 5
        while True:
            try:
                connections[n % len(connections)].call("map.put", key=f"loss/{n:04}", value=f"value of {n}")
                break
            except rpc.RpcError as error:
                if error.code not in (rpc.BUSY, rpc.NOT_READY) or time.monotonic() > deadline:
                    raise
                busy += 1
                time.sleep(0.002)
    for connection in connections:
        connection.close()
    if busy:
        test.note(f"tried again {busy} times: busy or not ready")


def body(test, the_lab):
    fleet, feed = the_lab.fleet, the_lab.feed
    total = 1000 if test.full else 300
    third = total // 3
    for server in fleet.servers:
        server.call("test.shim", drop_percent=DROP_PERCENT)
    put_all(test, the_lab, range(third))
    the_lab.network.part([4, 5])
    mark = feed.mark()
    parted = feed.until(lambda: len({(n.server, n.params["server"]) for n in feed.events(mark, "dead")}) >= 6, 15)
    test.note(f"parted: {'both sides know' if parted else 'not noticed by all'}")
    put_all(test, the_lab, range(third, total))
    mark = feed.mark()
    before = maps.dumps_of(fleet.running())
    wanted = maps.winners(before)
    test.note(f"{total} keys written; held before the heal: " + ", ".join(f"{n} {len(d)}" for n, d in before.items()))
    healed_ms = time.time() * 1000
    the_lab.network.heal()
    dumps, differ = maps.await_equal(feed, fleet.running(), 30)
    # A watch may tell a moment later than a dump.
    arrivals = lambda: [maps.arrivals(feed.since(mark), before, wanted, s.name) for s in fleet.running()]
    feed.until(lambda: not any(missing for _, missing in arrivals()), 5)
    latest_ms = max([healed_ms] + [at_ms for came, _ in arrivals() for at_ms in came.values()])
    lost = [f"{s.name} {key}" for s, (_, missing) in zip(fleet.running(), arrivals()) for key in missing]
    test.note(f"the last record was in {latest_ms - healed_ms:.0f} ms after the heal; {len(differ)} keys differ, "
              f"{len(lost)} missing {' '.join(lost[:5])}")
    keys = {f"loss/{n:04}" for n in range(total)}
    test.check(all(keys <= set(d) for d in dumps.values()), f"all {total} keys are on all servers")
    test.check(not differ, "complete dumps are equal: keys, values, dots, stamps")
    test.check(not differ and not lost and latest_ms - healed_ms <= LIMIT_MS,
               f"equal within {LIMIT_MS} ms after the heal, {DROP_PERCENT} % still being dropped")
    for server in fleet.servers:
        server.call("test.shim", drop_percent=0)
    test.check(fleet.await_all_alive(20), "all members are alive again once nothing is dropped")


sys.exit(main("loss", body))
