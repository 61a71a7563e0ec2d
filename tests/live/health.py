#!/usr/bin/env python3
"""What operators and readers see of an origin's health, on every server: changes as events with the reason in words,
a mistake in a definition refused with its place, maintenance, and a verdict that is stale because its owner's control
core stands still while the owner is a living member."""
import sys
import time

from live import ROOT, main
from lab import rpc

sys.path.insert(0, str(ROOT / "scripts/lib"))
from stopped_thread import stopped_thread  # noqa: E402

ORIGIN = {"interval_ms": 300, "timeout_ms": 150, "rise": 2, "fall": 2}
REFRESH_MS = 1000
MISTAKES = (
    ({"url": "http://10.77.1.1/health", "interval_ms": 5}, "interval_ms"),
    ({"url": "http://10.77.1.1/health", "expect_status": "200,9x9"}, "expect_status"),
    ({"url": "http://10.77.1.1:99999/"}, "url"),
    ({"url": "http://10.77.1.1/health", "intervall_ms": 500}, "intervall_ms"),
    ({"interval_ms": 500}, "url"),
)


def health(server, name):
    return server.call("health", name=name)["origins"][0]


def everywhere(the_lab, name, wanted):
    return lambda: all(wanted(health(s, name)) for s in the_lab.fleet.servers)


def add_origins(test, the_lab):
    for position, name in enumerate(the_lab.origins.names):
        server = the_lab.fleet.servers[position % 3]
        server.call("origin.add", name=name, origin=dict(ORIGIN, url=the_lab.origins.url(name)))
    for name in the_lab.origins.names:
        up = the_lab.feed.until(lambda: all(n in {o["name"] for o in s.call("health")["origins"]}
                                            for s in the_lab.fleet.servers for n in [name]), 10)
        test.need(up and the_lab.feed.until(everywhere(the_lab, name, lambda o: o["state"] == "up"), 10),
                  f"{name} is up on all servers")


def mistakes(test, the_lab):
    server = the_lab.fleet.servers[0]
    for origin, place in MISTAKES:
        try:
            server.call("origin.add", name="wrong", origin=origin)
            words = "taken"
        except rpc.RpcError as error:
            words = str(error)
        test.check(place in words, f"a definition with a mistake is refused with its place: {words}")
    test.check(all(o["name"] != "wrong" for o in server.call("origin.list")["origins"]), "and is not there")


def told(the_lab, mark, text):
    """Which servers told such a verdict as an event, and how often each."""
    notes = [n for n in the_lab.feed.events(mark, "verdict") if text in str(n.params)]
    return {s.name: sum(n.server == s.name for n in notes) for s in the_lab.fleet.servers}


def transitions(test, the_lab):
    once = {s.name: 1 for s in the_lab.fleet.servers}
    for act, words in ((the_lab.origins.break_, "o1 is down: status 503"), (the_lab.origins.mend, "o1 is up")):
        mark = the_lab.feed.mark()
        act("o1")
        seen = the_lab.feed.until(lambda: all(told(the_lab, mark, words).values()), 10)
        time.sleep(2 * ORIGIN["interval_ms"] / 1000)
        test.check(seen and told(the_lab, mark, words) == once, f"every server tells once: \"{words}\"")


def maintenance(test, the_lab):
    asked, mark = the_lab.fleet.servers[1], the_lab.feed.mark()
    before = health(asked, "o2")["checks"]
    asked.call("origin.maintenance", name="o2", reason="new disks")
    seen = the_lab.feed.until(everywhere(the_lab, "o2", lambda o: o["state"] == "maintenance"), 10)
    test.check(seen and everywhere(the_lab, "o2", lambda o: "new disks" in o["error"])(),
               "maintenance is the state on every server, with the reason")
    from_ms = time.time() * 1000
    time.sleep(6 * ORIGIN["interval_ms"] / 1000)
    checks = the_lab.origins.checks(from_ms)
    others = sum(c.origin != "o2" for c in checks)
    test.check(not any(c.origin == "o2" for c in checks) and others >= 8,
               f"it is not checked for six intervals, the others are ({others} checks)")
    test.check(all(told(the_lab, mark, "o2 is maintenance").values()), "every server tells it as an event")
    asked.call("origin.maintenance", name="o2", reason="")
    seen = the_lab.feed.until(everywhere(the_lab, "o2", lambda o: o["state"] == "up"), 5)
    test.check(seen and health(asked, "o2")["checks"] > before, "it ends: the first result decides, and checks count on")


def stale(test, the_lab):
    owner = the_lab.fleet.by_name[health(the_lab.fleet.servers[0], "o3")["owner"]]
    readers = the_lab.fleet.others(owner)
    name = open(f"/proc/{owner.process.pid}/comm", encoding="ascii").read().strip()
    settled = the_lab.feed.until(lambda: health(readers[0], "o3")["age_ms"] < ORIGIN["interval_ms"], 5)
    test.need(settled, f"{owner.name} owns o3 and tells of it")
    with stopped_thread(owner.process.pid, name):
        from_s = time.monotonic()
        time.sleep(1.5 * REFRESH_MS / 1000)
        early = [health(s, "o3")["stale"] for s in readers]
        seen = the_lab.feed.until(lambda: all(health(s, "o3")["stale"] for s in readers), 5)
        after_s = time.monotonic() - from_s
        found = [health(s, "o3") for s in readers]
        alive = [the_lab.fleet.states(s)[owner.name]["state"] for s in readers]
    test.check(not any(early), "silent for one interval of telling: not stale")
    test.check(seen and 2 * REFRESH_MS / 1000 <= after_s <= 3.5 * REFRESH_MS / 1000,
               f"silent for three: stale on the other servers (after {after_s:.2f} s)")
    test.check(all(o["state"] == "up" and o["age_ms"] >= 2 * REFRESH_MS and o["writer"] == owner.name for o in found),
               f"the last state, its writer and age are still told ({found[0]['age_ms']} ms)")
    test.check(alive == ["alive"] * len(readers), "its owner is a living member all the while")
    fresh = the_lab.feed.until(everywhere(the_lab, "o3", lambda o: not o["stale"]), 5)
    test.check(fresh, "it goes on: fresh again everywhere")


def body(test, the_lab):
    add_origins(test, the_lab)
    mistakes(test, the_lab)
    transitions(test, the_lab)
    maintenance(test, the_lab)
    stale(test, the_lab)


sys.exit(main("health", body, servers=3, origins=3, more_lines=(f"health: {{refresh_ms: {REFRESH_MS}}}",)))
