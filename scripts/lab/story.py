"""The demo's story: each step does something to the datacenter and waits until it has seen what must follow.

Times are taken from the servers' own events (wall clock, same machine), from the arrival of map changes on
a watch of each server, and from nginx's access log; never from how often something was asked.
"""
import math
import subprocess
import time
from typing import Callable, NamedTuple

from . import gaps, host, maps
from .screen import ms

ORIGIN = {"interval_ms": 500, "timeout_ms": 250, "rise": 2, "fall": 2}


class Window(NamedTuple):
    """A time in which origins changed hands: how long may one be unchecked, and by whose checks?"""
    what: str
    from_ms: float
    to_ms: float
    allowed_ms: float
    that_count: Callable = list
    side: bool = False  # the checks of one side of the partition alone


class NotSeen(RuntimeError):
    """A step whose outcome did not come."""


class Story:
    def __init__(self, lab, screen):
        self.lab = lab
        self.fleet = lab.fleet
        self.feed = lab.feed
        self.screen = screen
        self.steps = []
        self.figures = {"crash_known_ms": None, "takeover_ms": None, "verdict_ms": None, "heal_equal_ms": None,
                        "unchecked_ms": None, "unchecked_bound_ms": None, "unchecked_side_ms": None}
        self.windows = []  # when origins changed hands

    def tell(self):
        """All steps in order, until one is not seen. Whether all were."""
        plan = [("members", self.members), ("origins", self.origins), ("crash", self.crash),
                ("takeover", self.takeover), ("verdict", self.verdict), ("mend", self.mend),
                ("return", self.comeback), ("drain", self.drain), ("partition", self.partition),
                ("heal", self.heal), ("unchecked", self.unchecked)]
        for position, (name, step) in enumerate(plan):
            try:
                detail = step()
            except (NotSeen, host.CommandFailed, OSError, RuntimeError, KeyError, subprocess.SubprocessError) as error:
                words = f"{type(error).__name__}: {error}" if isinstance(error, (KeyError, OSError)) else str(error)
                self.screen.bad(f"{name}: {words}")
                self.steps.append({"name": name, "ok": False, "detail": words})
                self.steps += [{"name": n, "ok": False, "detail": "not reached"} for n, _ in plan[position + 1:]]
                return False
            self.screen.good(detail)
            self.steps.append({"name": name, "ok": True, "detail": detail})
        return True

    def see(self, condition, timeout_s, what):
        value = self.feed.until(condition, timeout_s)
        if not value:
            raise NotSeen(f"not within {timeout_s} s: {what}")
        return value

    # ---- the members find each other ----

    def members(self):
        self.screen.head(f"{len(self.fleet.servers)} servers start, one after the other")
        for server in self.fleet.servers:
            self.fleet.start(server)
            self.see(lambda: self.fleet.all_see({s.name: "alive" for s in self.fleet.running()}), 30,
                     f"{server.name} ready and known to all")
            rows = [self.fleet.states(s)[server.name] for s in self.fleet.running()]
            known_ms = max(row["since_ms"] for row in rows) - server.started_ms
            self.screen.say(f"{server.name} joined at {rows[0]['address']}: known to all "
                            f"{len(rows)} {ms(max(known_ms, 0))} after its start")
        status = self.fleet.servers[0].call("status")
        port = status["port"]
        self.screen.say(f"port: {port['name']}, {port['driver']}; {port['steering']}")
        return f"{len(self.fleet.servers)} members, the same table on each"

    # ---- origins, owners, verdicts ----

    def origins(self):
        names = self.lab.origins.names
        self.screen.head(f"{len(names)} origins (nginx), each told to one server")
        for position, name in enumerate(names):
            server = self.fleet.servers[position % len(self.fleet.servers)]
            self.add_origin(server, name)
        self.see(lambda: self.verdicts({n: "up" for n in names}), 30, "all origins up, on every server")
        self.see(self.owners_agree, 10, "the same owners on every server")
        self.show_origins()
        return f"{len(names)} origins, one owner each, verdicts on all servers"

    def add_origin(self, server, name):
        deadline = time.monotonic() + 10
        while True:
            try:
                return server.call("origin.add", name=name, origin=dict(ORIGIN, url=self.lab.origins.url(name)))
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def verdicts(self, expected, of=None):
        """Whether every server's own map says these states."""
        for server in of or self.fleet.running():
            held = {o["name"]: o["state"] for o in server.call("health")["origins"]}
            if any(held.get(name) != state for name, state in expected.items()):
                return False
        return True

    def owners(self, server):
        return {o["name"]: o["owner"] for o in server.call("origin.list")["origins"]}

    def owners_agree(self):
        """The owners by origin, if all running servers say the same and each owner runs."""
        views = [self.owners(s) for s in self.fleet.running()]
        running = {s.name for s in self.fleet.running()}
        same = all(v == views[0] for v in views) and set(views[0].values()) <= running
        return views[0] if same else None

    def show_origins(self):
        reader = self.fleet.running()[-1]
        rows = [[o["name"], self.lab.origins.url(o["name"]), o["owner"], o["state"], o["writer"],
                 f"{o['latency_us'] / 1000:.1f} ms", o["checks"]] for o in reader.call("health")["origins"]]
        self.screen.say(f"as {reader.name} reads it from its own memory:")
        self.screen.table(["origin", "url", "owner", "verdict", "written by", "latency", "checks"], rows)

    # ---- a crash ----

    def crash(self):
        owners = self.before_crash = self.see(self.owners_agree, 10, "the same owners on every server")
        by_owner = {}
        for origin, owner in owners.items():
            by_owner.setdefault(owner, []).append(origin)
        name = max(sorted(by_owner), key=lambda o: len(by_owner[o]))
        self.victim = self.fleet.by_name[name]
        self.orphans = sorted(by_owner[name])
        others = self.fleet.others(self.victim)
        self.screen.head(f"{name} is killed without warning: kill -9 {self.victim.process.pid}")
        self.screen.say(f"it owned {', '.join(self.orphans)}")
        mark = self.feed.mark()
        self.killed_ms = self.fleet.kill(self.victim)
        self.fleet.collect(self.victim)
        self.see(lambda: set(self.told(mark, "dead", name)) >= {s.name for s in others}, 15,
                 f"{name} declared dead by all others")
        known = self.told(mark, "dead", name)
        for server, at_ms in sorted(known.items(), key=lambda item: item[1]):
            self.screen.say(f"{server} knew after {ms(at_ms - self.killed_ms)}")
        wrong = [n.params["server"] for n in self.feed.events(mark, "dead") if n.params["server"] != name]
        if wrong:
            raise NotSeen(f"living servers were declared dead: {', '.join(sorted(set(wrong)))}")
        self.figures["crash_known_ms"] = math.ceil(max(known.values()) - self.killed_ms)
        return f"all {len(others)} others knew within {self.figures['crash_known_ms']} ms"

    def told(self, mark, kind, name):
        """Which server told an event of this kind about `name` first at what time (its own clock, ms)."""
        first = {}
        for note in self.feed.events(mark, kind):
            if note.params.get("server") == name:
                first.setdefault(note.server, note.params["at_ms"])
        return first

    def takeover(self):
        owners = self.see(self.owners_agree, 15, f"new owners of {', '.join(self.orphans)}, the same everywhere")
        latest = 0.0
        rows = []
        for origin in self.orphans:
            heir = self.fleet.by_name[owners[origin]]
            check = self.see(lambda: self.first_check(origin, heir), 15, f"a check of {origin} by {heir.name}")
            latest = max(latest, check.at_ms - self.killed_ms)
            rows.append([origin, self.victim.name, heir.name, ms(check.at_ms - self.killed_ms), heir.address])
        self.screen.table(["origin", "was checked by", "now by", "first check after", "as nginx saw it"], rows)
        others = set(owners) - set(self.orphans)
        moved = sorted(o for o in others if owners[o] != self.before_crash[o])
        if moved:
            raise NotSeen(f"origins of living servers changed owners: {', '.join(moved)}")
        self.figures["takeover_ms"] = math.ceil(latest)
        self.windows.append(Window("the crash", self.killed_ms, time.time() * 1000, self.bound_ms()))
        return (f"each of its {len(self.orphans)} origins has a new owner that checked it within "
                f"{self.figures['takeover_ms']} ms; the other {len(others)} stayed where they were")

    def first_check(self, origin, by):
        for check in self.lab.origins.checks(self.killed_ms):
            if check.origin == origin and check.client == by.address:
                return check
        return None

    # ---- an origin breaks, and is mended ----

    def verdict(self):
        origin = self.broken = self.lab.origins.names[0]
        self.screen.head(f"{origin} breaks: it answers 503 from now on")
        since_ms, arrived = self.turn(origin, "down", self.lab.origins.break_)
        owner = self.owners(self.fleet.running()[0])[origin]
        failures = [c for c in self.lab.origins.checks(since_ms) if c.origin == origin and c.status == 503]
        self.screen.say(f"{owner} got its first 503 after {ms(failures[0].at_ms - since_ms)} "
                        f"(checks every {ORIGIN['interval_ms']} ms, down after {ORIGIN['fall']} failures)")
        for server, at_ms in sorted(arrived.items(), key=lambda item: item[1]):
            self.screen.say(f"{server} read \"down\" after {ms(at_ms - since_ms)}")
        spread = max(arrived.values()) - min(arrived.values())
        self.figures["verdict_ms"] = math.ceil(max(arrived.values()) - since_ms)
        return (f"the verdict was on all {len(arrived)} servers after {self.figures['verdict_ms']} ms, "
                f"{ms(spread)} between the first and the last")

    def mend(self):
        self.screen.head(f"{self.broken} is mended")
        since_ms, arrived = self.turn(self.broken, "up", self.lab.origins.mend)
        return f"\"up\" on all {len(arrived)} servers after {ms(max(arrived.values()) - since_ms)}"

    def turn(self, origin, state, change):
        """Changes an origin; when it was, and when each server's map said the new state."""
        servers = {s.name for s in self.fleet.running()}
        mark = self.feed.mark()
        since_ms = time.time() * 1000
        change(origin)
        self.see(lambda: set(self.map_said(mark, origin, state)) >= servers, 20, f"{origin} {state} on all servers")
        self.see(lambda: self.verdicts({origin: state}), 5, f"health says {origin} {state} on all servers")
        return since_ms, self.map_said(mark, origin, state)

    def map_said(self, mark, origin, state):
        first = {}
        for note in self.feed.since(mark):
            if note.method == "map.change" and note.params["key"] == f"health/{origin}":
                if f'"{state}"' in (note.params.get("value") or ""):
                    first.setdefault(note.server, note.at_ms)
        return first

    # ---- the killed server comes back ----

    def comeback(self):
        name = self.victim.name
        self.screen.head(f"{name} is started again, with an empty memory")
        epoch = self.fleet.states(self.fleet.running()[0])[name]["epoch"]
        mark = self.feed.mark()
        self.fleet.start(self.victim)
        self.see(self.fleet.await_all_alive, 1, f"{name} ready and alive everywhere")
        rows = [self.fleet.states(s)[name] for s in self.fleet.running()]
        back_ms = max(row["since_ms"] for row in rows) - self.victim.started_ms
        if any(row["epoch"] <= epoch for row in rows):
            raise NotSeen(f"{name} came back with an epoch that is not larger than {epoch}")
        _, differ = maps.await_equal(self.feed, self.fleet.running(), 10)
        if differ:
            raise NotSeen(f"the map of {name} is not the others': {', '.join(differ[:5])}")
        records = self.victim.call("status")["records"]
        self.screen.say(f"epoch {epoch} → {rows[0]['epoch']}; its map is the others' again: {records} records")
        self.see(lambda: self.orphans_back(), 20, f"{name} owns {', '.join(self.orphans)} again")
        return f"{name} was back after {ms(back_ms)}, and owns {', '.join(self.orphans)} again"

    def orphans_back(self):
        owners = self.owners_agree()
        return owners and all(owners[o] == self.victim.name for o in self.orphans)

    # ---- a drain ----

    def drain(self):
        owners = self.see(self.owners_agree, 10, "the same owners on every server")
        name = max(sorted(set(owners.values())), key=lambda s: list(owners.values()).count(s))
        drained = self.fleet.by_name[name]
        its = sorted(o for o in owners if owners[o] == name)
        self.screen.head(f"{name} is drained: it owns {', '.join(its)}")
        from_ms = time.time() * 1000
        drained.call("drain", on=True)
        self.see(lambda: self.handed_over(drained), 20, f"{name} has handed everything over")
        done_ms = time.time() * 1000
        new = self.see(self.owners_agree, 10, "the same owners on every server")
        moved = sorted(o for o in owners if new[o] != owners[o])
        if moved != its:
            raise NotSeen(f"the origins that changed owners are not those of {name}: {', '.join(moved)}")
        late = [o for o in its if not self.checked_by_another(o, drained, from_ms, done_ms)]
        if late:
            raise NotSeen(f"{name} said that it is done, and nobody else had checked {', '.join(late)}")
        self.screen.say(f"handed over after {ms(done_ms - from_ms)}: each was checked by its new owner before")
        drained.call("drain", on=False)
        self.see(lambda: self.owners_agree() == owners, 20, f"{name} owns {', '.join(its)} again")
        self.feed.until(lambda: all(self.settled(s) for s in self.fleet.running()), 10)
        self.windows.append(Window("the drain", from_ms, time.time() * 1000, self.bound_ms()))
        return f"{name} handed {len(its)} origins over in {ms(done_ms - from_ms)}; only those moved, and came back"

    def settled(self, server):
        duties = server.call("duties")
        return duties["hand_over"]["now"] == 0 and duties["stand_in"]["now"] == 0

    def handed_over(self, server):
        duties = server.call("duties")
        return duties["owner"]["now"] == 0 and duties["hand_over"]["now"] == 0

    def checked_by_another(self, origin, server, from_ms, to_ms):
        return any(c.origin == origin and c.client != server.address and c.at_ms <= to_ms + 50
                   for c in self.lab.origins.checks(from_ms))

    # ---- a partition, writes on both sides, healing ----

    def partition(self):
        count = 2 if len(self.fleet.servers) >= 4 else 1
        self.minority = self.fleet.servers[-count:]
        self.majority = self.fleet.servers[:-count]
        names = [" ".join(s.name for s in side) for side in (self.majority, self.minority)]
        self.screen.head(f"a partition: {names[0]} │ {names[1]}")
        cut_ms = self.cut_ms = time.time() * 1000
        mark = self.feed.mark()
        self.lab.network.part([s.number for s in self.minority])
        for side, gone in ((self.majority, self.minority), (self.minority, self.majority)):
            expected = {s.name: "alive" for s in side} | {s.name: "dead" for s in gone}
            self.see(lambda: self.fleet.all_see(expected, side), 30, "each side alone with itself")
        self.dead_notes = self.feed.events(mark, "dead")
        last_ms = max(n.params["at_ms"] for n in self.dead_notes)
        self.screen.say(f"each side took the other for dead after {ms(last_ms - cut_ms)}")
        self.write_on_both_sides()
        self.see(self.each_side_owns_all, 15, "each side owns and checks every origin")
        self.screen.say("each side owns and checks every origin by itself")
        return "both sides took writes and read them back"

    def write_on_both_sides(self):
        for name, side in (("majority", self.majority), ("minority", self.minority)):
            started = time.monotonic()
            for n in range(50):
                self.fleet.put(side[n % len(side)], f"demo/{name}/{n:02}", f"written by the {name}, {n}")
            for n in range(5):
                self.fleet.put(side[n % len(side)], f"demo/both/{n}", f"the {name}'s claim")
            self.ctl(side[0], "map", "put", "demo/by-hand/" + name, "with swimlanectl")
            writes_ms = (time.monotonic() - started) * 1000
            _, differ = maps.await_equal(self.feed, side, 10)
            if differ:
                raise NotSeen(f"the {name}'s maps differ: {', '.join(differ[:5])}")
            self.screen.say(f"{name}: 56 keys written in {ms(writes_ms)}, the same on its {len(side)} servers")
        for side, other in ((self.majority, "minority"), (self.minority, "majority")):
            if f"demo/{other}/00" in maps.dump(side[0]):
                raise NotSeen("a key crossed the partition: there was none")
        self.screen.say("demo/both/0 … 4 were written on both sides, differently: two claims, no order between them")

    def each_side_owns_all(self):
        for side in (self.majority, self.minority):
            names = {s.name for s in side}
            if any(not set(self.owners(s).values()) <= names for s in side):
                return False
            if not self.verdicts({o: "up" for o in self.lab.origins.names}, side):
                return False
        return True

    def ctl(self, server, *arguments):
        return host.run([str(self.lab.options.ctl), "--socket", str(server.socket), *arguments])

    def heal(self):
        self.screen.head("the partition heals")
        servers = self.fleet.running()
        mark = self.feed.mark()
        before = maps.dumps_of(servers)
        wanted = maps.winners(before)
        apart = len(maps.differences(before))
        healed_ms = time.time() * 1000
        self.lab.network.heal()
        self.see(lambda: not any(self.still_missing(mark, before, wanted)), 30, "every record on every server")
        dumps, differ = maps.await_equal(self.feed, servers, 15)
        if differ:
            raise NotSeen(f"maps differ in {len(differ)} keys: {', '.join(differ[:5])}")
        latest = healed_ms
        for server in servers:
            came, _ = maps.arrivals(self.feed.since(mark), before, wanted, server.name)
            last = max([healed_ms, *came.values()])
            latest = max(latest, last)
            self.screen.say(f"{server.name} took {len(came):3} records, the last after {ms(last - healed_ms)}")
        self.figures["heal_equal_ms"] = math.ceil(latest - healed_ms)
        self.see(self.fleet.await_all_alive, 1, "all members alive again on every server")
        self.see(self.owners_agree, 20, "the same owners on every server")
        self.see(lambda: all(self.settled(s) for s in servers), 20, "every origin handed back to its owner")
        self.add_partition(healed_ms)
        claims = sorted({dumps[s.name][f"demo/both/{n}"]["value"] for s in servers for n in range(5)})
        self.screen.say(f"contested keys are settled the same way everywhere: {', '.join(claims)}")
        records = len(next(iter(dumps.values())))
        return (f"{apart} keys differed; all {records} records are equal on {len(servers)} servers "
                f"{self.figures['heal_equal_ms']} ms after the heal (keys, values, dots, stamps)")

    def add_partition(self, healed_ms):
        """Each side is a datacenter of its own: what the other one checks is no news to it. A few servers that lose
        many at once need longer to suspect the last of them than the bound has time for: what it took counts then."""
        cut_ms, to_ms = self.cut_ms, time.time() * 1000
        self.windows.append(Window("the partition, on both sides", cut_ms, to_ms, self.bound_ms()))
        for side in (self.majority, self.minority):
            names, clients = [s.name for s in side], {s.address for s in side}
            dead_ms = max(n.params["at_ms"] for n in self.dead_notes if n.server in names) - cut_ms
            self.windows.append(Window(
                f"the partition, on {' '.join(names)}", cut_ms, to_ms,
                max(self.bound_ms(), ORIGIN["interval_ms"] + dead_ms + 100),
                lambda checks, clients=clients: gaps.of_side(checks, clients, cut_ms, healed_ms), side=True))

    def bound_ms(self):
        return ORIGIN["interval_ms"] + self.fleet.servers[0].call("status")["suspicion_ms"] + 100

    def still_missing(self, mark, before, wanted):
        notes = self.feed.since(mark)
        return [maps.arrivals(notes, before, wanted, s.name)[1] for s in self.fleet.running()]

    # ---- was any origin left alone? ----

    def unchecked(self):
        """No origin went unchecked for longer than its interval, the suspicion and 100 ms, by nginx's log."""
        checks, names = self.lab.origins.checks(), self.lab.origins.names
        self.screen.head("how long was an origin unchecked? nginx's access log says")
        rows, over, worst_ms = [], [], {False: 0, True: 0}
        for w in self.windows:
            seen = w.that_count(checks)
            gap = gaps.longest(seen, names, w.from_ms, w.to_ms)
            count, most = gaps.beside(seen, names, w.from_ms, w.to_ms, ORIGIN["interval_ms"])
            rows.append([w.what, ms(gap.ms), ms(w.allowed_ms), gap.origin, ms(gap.from_ms - w.from_ms), count, most])
            worst_ms[w.side] = max(worst_ms[w.side], gap.ms)
            if gap.ms > w.allowed_ms:
                over.append(f"during {w.what} {gap.origin} went unchecked for {ms(gap.ms)}: longer than {ms(w.allowed_ms)}")
        self.screen.table(["during", "longest unchecked", "at most", "origin", "from its begin",
                           "checks beside another's", "servers at most"], rows)
        self.figures.update(unchecked_ms=math.ceil(worst_ms[False]), unchecked_bound_ms=self.bound_ms(),
                            unchecked_side_ms=math.ceil(worst_ms[True]))
        if over:
            raise NotSeen("; ".join(over))
        return (f"never longer than {math.ceil(worst_ms[False])} ms, the bound is {self.bound_ms()} ms; "
                f"{math.ceil(worst_ms[True])} ms for one side of the partition alone")
