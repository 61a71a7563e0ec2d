#!/usr/bin/env python3
"""No origin is left alone when its owner crashes, drains, stops for a moment or weighs less: by the origins' own
access log. And every server gives the same owners, which are those that `plan` foretold."""
import signal
import sys
import time

from live import main

from lab import gaps

ORIGIN = {"interval_ms": 500, "timeout_ms": 250, "rise": 2, "fall": 2}


def ranks(server, key, n=5):
    return [o["name"] for o in server.call("owner", key=key, n=n)["owners"]]


def owners(server):
    return {o["name"]: o["owner"] for o in server.call("origin.list")["origins"]}


def agree(the_lab):
    """The owners by origin if all running servers say the same, none of them hands over or stands in."""
    running = the_lab.fleet.running()
    views = [owners(s) for s in running]
    duties = [s.call("duties") for s in running]
    quiet = all(d["hand_over"]["now"] == 0 and d["stand_in"]["now"] == 0 for d in duties)
    names = {s.name for s in running}
    return views[0] if quiet and all(v == views[0] for v in views) and set(views[0].values()) <= names else None


def settle(test, the_lab, what):
    found = the_lab.feed.until(lambda: agree(the_lab), 30)
    if not found:
        test.need(False, f"all servers agree on owners {what}")
    return found


def add_origins(test, the_lab):
    servers = the_lab.fleet.servers
    for position, name in enumerate(the_lab.origins.names):
        definition = dict(ORIGIN, url=the_lab.origins.url(name))
        servers[position % len(servers)].call("origin.add", name=name, origin=definition)
    up = the_lab.feed.until(lambda: all(o["state"] == "up" for s in servers for o in s.call("health")["origins"])
                            and len(owners(servers[-1])) == len(the_lab.origins.names), 30)
    test.need(up, f"{len(the_lab.origins.names)} origins are up on all servers")
    settle(test, the_lab, "at first")


def owner_of_most(the_lab):
    found = list(owners(the_lab.fleet.running()[0]).values())
    return the_lab.fleet.by_name[max(sorted(set(found)), key=found.count)]


class Watch:
    """The longest time that an origin was unchecked, by kind of event."""

    def __init__(self, test, the_lab):
        self.test, self.lab = test, the_lab
        self.bound_ms = (ORIGIN["interval_ms"] + the_lab.fleet.servers[0].call("status")["suspicion_ms"] + 100)
        self.worst = {}

    def event(self, kind, do):
        from_ms = time.time() * 1000
        do()
        settle(self.test, self.lab, f"after a {kind}")
        time.sleep(ORIGIN["interval_ms"] / 1000)
        names, checks = self.lab.origins.names, self.lab.origins.checks()
        self.seen = (from_ms, time.time() * 1000, checks)
        gap = gaps.longest(checks, names, from_ms, time.time() * 1000)
        count, most = gaps.beside(checks, names, from_ms, time.time() * 1000, ORIGIN["interval_ms"])
        self.test.note(f"{kind}: longest unchecked {gap.ms:.0f} ms ({gap.origin}, {gap.from_ms - from_ms:+.0f} ms); "
                       f"{count} checks beside another server's, {most} servers at most")
        self.worst.setdefault(kind, []).append(gap.ms)

    def report(self):
        for kind, found in self.worst.items():
            self.test.check(max(found) <= self.bound_ms,
                            f"{kind}: no origin unchecked for longer than {self.bound_ms} ms ({len(found)} times; "
                            f"longest {max(found):.0f} ms)")


def verdicts(the_lab, names, victim):
    """As another server reads them."""
    reader = the_lab.fleet.others(victim)[0]
    return {o["name"]: o for o in reader.call("health")["origins"] if o["name"] in names}


def crash(test, the_lab, watch):
    victim = owner_of_most(the_lab)

    def kill():
        the_lab.fleet.kill(victim)
        the_lab.fleet.collect(victim)
        mine = the_lab.feed.until(lambda: victim.name not in owners(the_lab.fleet.running()[0]).values(), 15)
        test.need(mine, f"{victim.name}'s origins have other owners")
    mine = [o for o, owner in owners(victim).items() if owner == victim.name]
    before = verdicts(the_lab, mine, victim)
    watch.event("crash", kill)
    after = verdicts(the_lab, mine, victim)
    test.check(all(after[o]["since_ms"] == before[o]["since_ms"] and after[o]["writer"] != victim.name
                   and after[o]["checks"] > before[o]["checks"] for o in mine),
               f"the {len(mine)} verdicts go on where {victim.name} stopped: the same age, more checks, another writer")
    from_ms, to_ms, checks = watch.seen
    alone = gaps.longest([c for c in checks if c.client == victim.address], mine, from_ms, to_ms)
    test.check(alone.ms >= to_ms - from_ms, "without the others' checks the same log shows the hole")

    def back():
        the_lab.fleet.start(victim)
        test.need(the_lab.fleet.await_all_alive(30), f"{victim.name} comes back")
        test.need(the_lab.feed.until(lambda: victim.name in owners(victim).values(), 15),
                  f"{victim.name} owns its share again")
    watch.event("return", back)


def drain(test, the_lab, watch):
    server = owner_of_most(the_lab)
    foretold = server.call("plan", without=[server.name])
    moves = {m["key"].removeprefix("origin/"): m["to"] for m in foretold["moves"]}
    before = owners(server)

    def go():
        server.call("drain", on=True)
        gone = the_lab.feed.until(lambda: server.call("duties")["owner"]["now"] == 0
                                  and server.call("duties")["hand_over"]["now"] == 0, 15)
        test.need(gone, f"{server.name} has handed everything over")
    watch.event("drain", go)
    after = owners(server)
    moved = {o: after[o] for o in after if after[o] != before[o]}
    test.check(moved == moves and moved, f"a drain moves the {len(moves)} origins that `plan` said, to the servers it said")

    def undrain():
        server.call("drain", on=False)
        test.need(the_lab.feed.until(lambda: owners(server) == before, 15), f"{server.name} owns what it had")
    watch.event("end of a drain", undrain)


def weight(test, the_lab, watch):
    server = owner_of_most(the_lab)
    before = owners(server)
    foretold = server.call("plan", **{"with": [{"name": server.name, "weight": 10}]})
    moves = {m["key"].removeprefix("origin/"): m["to"] for m in foretold["moves"]}
    watch.event("change of weight", lambda: (server.call("weight", weight=10), time.sleep(0.3)))
    after = owners(server)
    moved = {o: after[o] for o in after if after[o] != before[o]}
    test.check(moved == moves and moved, f"a tenth of the weight moves the {len(moves)} origins that `plan` said")
    server.call("weight", weight=100)
    test.check(the_lab.feed.until(lambda: owners(server) == before, 15), "and its own weight brings them back")
    settle(test, the_lab, "with equal weights")


def pause(test, the_lab, watch):
    """Stopped for less than the suspicion lasts: others stand in, and stop."""
    server = owner_of_most(the_lab)
    others = the_lab.fleet.others(server)
    begun = sum(s.call("duties")["stand_in"]["begun"] for s in others)

    def stop():
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(0.35)
        server.process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
    watch.event("pause", stop)
    return sum(s.call("duties")["stand_in"]["begun"] for s in others) - begun


def body(test, the_lab):
    servers = the_lab.fleet.servers
    add_origins(test, the_lab)
    keys = [f"some/key/{n}" for n in range(50)] + [f"origin/{n}" for n in the_lab.origins.names]
    answers = {s.name: [ranks(s, k) for k in keys] for s in servers}
    test.check(all(a == answers["s1"] for a in answers.values()) and all(len(r) == 5 for r in answers["s1"]),
               f"five owners of {len(keys)} keys are the same on every server")
    balance = servers[0].call("balance")
    owned = {s["name"]: s["owned"] for s in balance["servers"]}
    counted = {s.name: s.call("owned", server=s.name)["count"] for s in servers}
    test.check(owned == counted and sum(owned.values()) == balance["keys"], "`balance` counts what `owned` lists")
    watch = Watch(test, the_lab)
    for _ in range(10 if test.full else 2):
        crash(test, the_lab, watch)
        drain(test, the_lab, watch)
    weight(test, the_lab, watch)
    stood_in = sum(pause(test, the_lab, watch) for _ in range(10 if test.full else 3))
    test.check(stood_in > 0, f"others stand in for a server that stops ({stood_in} origins)")
    watch.report()


sys.exit(main("handover", body, origins=16))
