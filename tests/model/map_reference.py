#!/usr/bin/env python3
"""The map's rules once more, in another language and without a byte of the C: plays the schedules that map_swarm
writes and compares each replica after each step: its records with stamps and dots, its vector, its floor.

  map_reference.py MAP_SWARM RUNS SEED      exit 0: no difference in RUNS scripts from SEED

What a schedule holds is what happened (a write, a pull that began, the packet that arrived); what was in the packet
this side works out for itself. Packets are known by their sender and their number, so both must send the same packets
in the same order. Stamps are tuples (clock, weight, replica, epoch, seq), vectors are dicts by actor (replica, epoch);
an entry of a closed epoch has CLOSED added. An actor that nothing here knows has no slot: what is reported of it is
not kept. What the C does over several ticks for large maps is done at once here.
"""
import subprocess
import sys
from collections import namedtuple

CLOSED = 1 << 63
STEP, RESEND, TIMEOUT, FIRST = 2, 10**6, 10**9, 10**10      # milliseconds, as in map_internal.h
KEYS, SLOTS = 2, 64
STARTING, BUSY, UNKNOWN, RECONCILE = 1, 2, 3, 4
ROOM = 1342                                                  # for records in a packet of a session
MASK = (1 << 64) - 1

Record = namedtuple("Record", "key stamp dot gone previous origin adopted")
# stamp: (clock, weight, replica, epoch, seq); dot, previous: (actor, seq)
Packet = namedtuple("Packet", "sender to floor kind fields")


def reach(seq):
    return seq & (CLOSED - 1)


def join(a, b):
    return min(a, b) if a & CLOSED and b & CLOSED else max(a, b)


def author(record):
    return (record.stamp[2], record.stamp[3]), record.stamp[4]


def covers(vector, dot):
    return reach(vector.get(dot[0], 0)) >= dot[1]


def mix(x):
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & MASK
    x = (x ^ x >> 27) * 0x94d049bb133111eb & MASK
    return x ^ x >> 31


class Slot:
    """What is known of an actor."""

    def __init__(self, place):
        self.place, self.seq, self.cap, self.collected, self.over = place, 0, None, 0, False


class Session:
    """One that is served."""

    def __init__(self, asker, nonce, snapshot, packets, now):
        self.asker, self.nonce, self.snapshot, self.packets, self.last = asker, nonce, snapshot, packets, now


class Pull:
    def __init__(self, peer, kind, nonce, now):
        self.peer, self.kind, self.nonce = peer, kind, nonce
        self.snapshot, self.count, self.heads = None, 0, 0
        self.got, self.early, self.vector, self.collected, self.held = set(), {}, {}, {}, set()
        self.progress = self.asked = now


class Replica:
    def __init__(self, world, me, epoch, first):
        self.world, self.me, self.actor = world, me, (me, epoch)
        self.now, self.ready, self.floor = 0, first, 0
        self.map, self.slots, self.reported, self.starting = {}, {}, {}, {}
        self.known = {}                # replica: (epoch, live)
        self.serving, self.pull, self.out = [], None, []
        self.snapshots, self.closed_epoch, self.probes, self.told = 0, 0, {}, None
        self.slot(self.actor)

    # ---- what is known of actors ----

    def slot(self, actor):
        if actor not in self.slots:
            taken = {s.place for s in self.slots.values()}
            place = mix((mix(actor[0] + 1) + actor[1]) & MASK) % SLOTS
            while place in taken:
                place = (place + 1) % SLOTS
            self.slots[actor] = Slot(place)
        return self.slots[actor]

    def vector(self):
        return {a: s.seq for a, s in sorted(self.slots.items()) if s.seq}

    def raise_to(self, actor, seq):
        s = self.slot(actor)
        s.seq = join(s.seq, seq)

    def covered(self, dot):
        return dot[0] in self.slots and reach(self.slots[dot[0]].seq) >= dot[1]

    def own_dot(self):
        seq = reach(self.slot(self.actor).seq) + 1
        self.raise_to(self.actor, seq)
        return self.actor, seq

    def over(self, actor):
        if actor[0] == self.me:
            return actor[1] < self.actor[1]
        epoch, live = self.known.get(actor[0], (0, True))
        return epoch > actor[1] or (epoch == actor[1] and not live)

    def members(self, known):
        self.known = known
        self.starting = {r: at for r, at in self.starting.items() if r in known and known[r][0] == at[0]}
        waited = {(r, epoch) for r, (epoch, live) in known.items() if live}
        self.reported = {a: self.reported.get(a, {}) for a in waited}
        self.look()

    def look(self):
        for actor, s in self.slots.items():
            s.over = self.over(actor)

    def live(self, replica):
        return replica in self.known and self.known[replica][1]

    def report(self, sender, vector):
        if sender in self.reported:
            row = self.reported[sender]
            for actor, seq in vector.items():
                if actor in self.slots:
                    row[actor] = join(row.get(actor, 0), seq)

    # ---- records ----

    def redot(self, record):
        return record._replace(dot=self.own_dot(), adopted=True)

    def lift(self, record):
        dot = self.own_dot()
        stamp = (self.floor + 1, self.world.weights[record.key, self.me], self.me, self.actor[1], dot[1])
        return record._replace(stamp=stamp, dot=dot, adopted=False)

    def write(self, key, gone, origin):
        old = self.map.get(key)
        dot = self.own_dot()
        clock = (old.stamp[0] if old else self.floor) + 1
        stamp = (clock, self.world.weights[key, self.me], self.me, self.actor[1], dot[1])
        record = Record(key, stamp, dot, gone, author(old) if gone else None, origin, False)
        self.map[key] = record
        for replica in sorted(self.known):
            if self.live(replica):
                self.out.append((1, replica, "push", record))

    def was_collected(self, record, how):
        if how == "push" and record.stamp[0] <= self.floor:
            return True
        if self.covered(record.dot):
            return True
        return how == "reconcile" and self.covered(author(record))

    def merge(self, record, how):
        """True if the vector may move for it."""
        old = self.map.get(record.key)
        if old is not None and record.stamp <= old.stamp:
            if how == "reconcile":
                self.pull.held.add(record.key)
            return True
        if old is None and self.was_collected(record, how):
            return False
        s = self.slot(record.dot[0])
        if old is None and how == "reconcile" and record.stamp[0] <= self.floor:
            record = self.lift(record)
        elif s.cap is not None and record.dot[1] > s.cap:
            record = self.redot(record)
        self.map[record.key] = record
        if how == "reconcile":
            self.pull.held.add(record.key)
        return True

    # ---- epochs that are over ----

    def adopt_above(self, actor, seq):
        for record in sorted(self.map.values(), key=lambda r: -r.dot[1]):
            if record.dot[0] == actor and record.dot[1] > seq:
                self.map[record.key] = self.redot(record)

    def mark(self, s, cap):
        if s.collected > cap:
            self.slot(self.actor).collected = self.own_dot()[1]
            s.collected = cap

    def learn(self, actor, cap):
        s = self.slots.get(actor)
        if s is None or (s.cap is not None and s.cap <= cap):
            return True
        if actor == self.actor:
            self.closed_epoch = actor[1]
            return False
        self.adopt_above(actor, cap)
        self.mark(s, cap)
        s.cap = cap
        return True

    def learn_all(self, vector):
        told = [self.learn(a, reach(seq)) for a, seq in sorted(vector.items()) if seq & CLOSED]
        return all(told)

    def close(self, actor):
        s = self.slots[actor]
        if not s.over or actor == self.actor:
            return
        if not s.seq & CLOSED:
            self.adopt_above(actor, s.seq)
        holds = any(r.dot[0] == actor for r in self.map.values())
        if s.seq == 0 and not holds and s.cap is None and s.collected == 0:
            for row in self.reported.values():
                row.pop(actor, None)
            del self.slots[actor]
            return
        if s.seq == 0 or s.seq & CLOSED:
            return
        if all(row.get(actor, 0) == s.seq or row.get(actor, 0) & CLOSED for row in self.reported.values()):
            if self.learn(actor, s.seq):
                s.seq |= CLOSED

    # ---- collection ----

    def collect(self, actor):
        s = self.slots[actor]
        stable = min([row.get(actor, 0) for row in self.reported.values()] + [s.seq])
        for r in sorted(self.map.values(), key=lambda r: r.dot[1]):
            if r.gone and r.dot[0] == actor and r.dot[1] <= stable and self.covered(r.previous):
                s.collected = max(s.collected, r.dot[1])
                self.floor = max(self.floor, r.stamp[0])
                del self.map[r.key]

    def is_covered_by(self, vector):
        return all(covers(vector, (a, s.collected)) for a, s in self.slots.items() if s.collected)

    # ---- sessions, served ----

    def size(self, r):
        value = 0 if r.gone else 640 if self.world.long_values else 1
        return 44 + 20 * r.adopted + 20 * (r.previous is not None) + 1 + value

    def snapshot(self, theirs):
        """theirs None: everything."""
        records = [r for r in self.map.values() if theirs is None or r.dot[1] > theirs.get(r.dot[0], 0)]
        packets, room = [("vector", self.vector())], 0
        gathered = {a: s.collected for a, s in self.slots.items() if s.collected}
        if theirs is None and gathered:
            packets.append(("collected", gathered))
        heads = len(packets)
        # Cut from new to old, and sent the other way round, so that each actor's records come in order.
        cut = []
        for r in sorted(records, key=lambda r: (self.slots[r.dot[0]].place, -r.dot[1])):
            if self.size(r) > room:
                cut.append([])
                room = ROOM
            cut[-1].append(r)
            room -= self.size(r)
        return heads, packets + [("records", piece[::-1]) for piece in reversed(cut)]

    def find_session(self, asker, nonce):
        return next((s for s in self.serving if s.asker == asker and s.nonce == nonce), None)

    def send_packets(self, session, indices):
        heads, packets = session.packets
        for i in indices:
            self.out.append((2, session.asker[0], "data", (session.nonce, session.snapshot, i, len(packets), heads,
                                                           packets[i])))

    def refuse(self, sender, nonce, reason):
        self.out.append((0, sender[0], "refuse", (nonce, reason)))

    def hear_request(self, sender, nonce, kind, vector):
        if not self.ready:
            return self.refuse(sender, nonce, STARTING)
        if not self.live(sender[0]) or self.known[sender[0]][0] != sender[1]:
            return self.refuse(sender, nonce, UNKNOWN)
        self.report(sender, vector)
        if not self.learn_all(vector):
            return None if kind == "report" else self.refuse(sender, nonce, BUSY)
        if kind == "report":
            return None
        full = kind in ("first", "reconcile")
        if not full and not self.is_covered_by(vector):
            return self.refuse(sender, nonce, RECONCILE)
        session = self.find_session(sender, nonce)
        if session is not None:
            if self.now - session.last >= RESEND / 2:
                self.send_packets(session, range(len(session.packets[1])))
            session.last = self.now
            return None
        self.serving = [s for s in self.serving if s.asker[0] != sender[0]]
        self.snapshots += 1
        session = Session(sender, nonce, self.snapshots, self.snapshot(None if full else vector), self.now)
        self.serving.append(session)
        return self.send_packets(session, range(len(session.packets[1])))

    def hear_get(self, sender, nonce, snapshot, wanted):
        session = self.find_session(sender, nonce)
        if session is None or session.snapshot != snapshot:
            return self.refuse(sender, nonce, UNKNOWN)
        session.last = self.now
        return self.send_packets(session, wanted)

    # ---- sessions, asked for ----

    def request(self):
        self.out.append((0, self.pull.peer[0], "request", (self.pull.nonce, self.pull.kind, self.vector())))

    def begin_pull(self, peer, kind):
        if kind == "first":
            self.map.clear()
            for s in self.slots.values():
                s.seq, s.cap, s.collected = 0, None, 0
        self.pull = Pull(peer, kind, self.world.nonce(), self.now)
        self.request()

    def hear_refusal(self, sender, nonce, reason):
        p = self.pull
        if p is None or p.nonce != nonce or p.peer != sender:
            return
        if reason == STARTING and self.live(sender[0]):
            self.starting[sender[0]] = (self.known[sender[0]][0], self.now)
        self.pull = None
        if reason == RECONCILE and self.live(sender[0]) and self.ready:
            self.begin_pull((sender[0], self.known[sender[0]][0]), "reconcile")

    def hear_data(self, sender, floor, fields):
        nonce, snapshot, index, count, heads, content = fields
        p = self.pull
        if p is None or p.peer != sender or p.nonce != nonce:
            return
        if p.snapshot is None:
            p.snapshot, p.count, p.heads = snapshot, count, heads
        if snapshot != p.snapshot or index in p.got:
            return
        p.progress = self.now
        self.floor = max(self.floor, floor)
        if index >= p.heads and any(i not in p.got for i in range(p.heads)):
            p.early[index] = content
            return
        if not self.take_in(index, content) or index >= p.heads:
            return
        if all(i in p.got for i in range(p.heads)):
            for i, early in sorted(p.early.items()):
                if i not in p.got and not self.take_in(i, early):
                    return

    def take_in(self, index, content):
        """False: the session has ended, one way or the other."""
        p = self.pull
        if content[0] == "records":
            for r in content[1]:
                self.merge(r, "reconcile" if p.kind == "reconcile" else "session")
        else:
            (p.vector if content[0] == "vector" else p.collected).update(content[1])
        p.got.add(index)
        if index < p.heads and all(i in p.got for i in range(p.heads)) and not self.may_take():
            return False
        if len(p.got) < p.count:
            return True
        self.complete()
        return False

    def may_take(self):
        p = self.pull
        self.report(p.peer, p.vector)
        if not self.learn_all(p.vector) or (p.kind == "delta" and not self.is_covered_by(p.vector)):
            self.pull = None
            return False
        return True

    def complete(self):
        p = self.pull
        if p.kind == "reconcile":
            self.join_all(p)
        self.out.append((0, p.peer[0], "done", p.nonce))
        self.pull = None
        if not self.learn_all(p.vector):
            return
        for actor, seq in sorted(p.vector.items()):
            self.raise_to(actor, seq)
        if p.kind != "delta":
            for actor, seq in sorted(p.collected.items()):
                s = self.slot(actor)
                s.collected = max(s.collected, seq)
                if s.cap is not None:
                    self.mark(s, s.cap)
        self.ready = True

    def join_all(self, p):
        for key in self.world.key_order:
            r = self.map.get(key)
            if r is None or key in p.held:
                continue
            if covers(p.vector, r.dot) or covers(p.vector, author(r)):
                del self.map[key]
            elif r.stamp[0] <= self.floor:
                self.map[key] = self.lift(r)

    # ---- packets and time ----

    def hear(self, p):
        if self.over(p.sender):
            return
        self.floor = max(self.floor, p.floor)
        if p.kind == "push":
            self.hear_push(p.fields)
        elif p.kind == "request":
            self.hear_request(p.sender, *p.fields)
        elif p.kind == "data":
            self.hear_data(p.sender, p.floor, p.fields)
        elif p.kind == "get":
            self.hear_get(p.sender, *p.fields)
        elif p.kind == "done":
            self.serving = [s for s in self.serving if (s.asker, s.nonce) != (p.sender, p.fields)]
        elif p.kind == "refuse":
            self.hear_refusal(p.sender, *p.fields)

    def hear_push(self, record):
        if not self.ready or not self.merge(record, "push"):
            return
        s = self.slot(record.dot[0])
        if not s.seq & CLOSED and s.seq + 1 == record.dot[1]:
            s.seq += 1

    def tick(self, hint=None):
        self.look()
        for actor, vector in self.probes.items():
            if vector == self.vector() and actor in self.reported:
                self.report(actor, vector)
        self.probes = {}
        if self.told is not None and self.ready:
            self.out.append((0, self.told, "request", (None, "report", self.vector())))
        self.told = None
        if self.ready and self.pull is None:
            for actor in sorted(self.slots, key=lambda a: self.slots[a].place):
                self.collect(actor)
                self.close(actor)
        self.tick_pull(hint)
        self.serving = [s for s in self.serving if self.now - s.last < TIMEOUT]

    def tick_pull(self, hint):
        p = self.pull
        if p is None:
            if hint is not None:
                self.begin_pull((hint, self.known[hint][0]), "delta" if self.ready else "first")
        elif self.now - p.progress >= TIMEOUT:
            self.pull = None
        elif self.now - max(p.asked, p.progress) >= RESEND:
            p.asked = self.now
            if p.snapshot is None:
                self.request()
            else:
                missing = [i for i in range(p.count) if i not in p.got]
                self.out.append((0, p.peer[0], "get", (p.nonce, p.snapshot, missing)))

    def go_on(self, epoch):
        self.actor = (self.me, epoch)
        self.slot(self.actor)


class Difference(Exception):
    pass


class World:
    def __init__(self, replicas, late, long_values):
        self.replicas, self.long_values = replicas, long_values
        self.weights, self.hashes, self.key_order = {}, {}, []
        self.nonces, self.nodes, self.sent = 0, {}, {r: [] for r in range(replicas)}
        self.epochs, self.writes = [0] * replicas, [0] * replicas
        self.sees = {r: {} for r in range(replicas)}
        self.first = replicas - late

    def nonce(self):
        self.nonces += 1
        return self.nonces

    def begin(self):
        self.key_order = sorted(self.hashes, key=lambda k: self.hashes[k] % 8)
        for r in range(self.first):
            self.epochs[r] = 1
            self.nodes[r] = Replica(self, r, 1, True)
        for r in range(self.first):
            self.sees[r] = {o: (1, True) for o in range(self.first) if o != r}
            self.nodes[r].members(dict(self.sees[r]))

    def tell(self, a):
        self.nodes[a].members(dict(self.sees[a]))

    def go_on(self, a):
        self.epochs[a] += 1
        self.nodes[a].go_on(self.epochs[a])

    def restart(self, a):
        self.epochs[a] += 1
        self.nodes[a] = Replica(self, a, self.epochs[a], False)
        self.sees[a] = {o: (n.actor[1], True) for o, n in sorted(self.nodes.items()) if o != a}
        self.tell(a)

    def step(self, name, a, b, number):
        if name == "restart":
            return self.restart(a)
        n, hint = self.nodes[a], None
        if name in ("put", "delete"):
            n.write(b, name == "delete", a * 16 + self.writes[a])
            self.writes[a] += 1
        elif name == "pull":
            hint = b
            if n.pull is not None:
                n.now += TIMEOUT
                n.tick()
        elif name == "again":
            n.now += RESEND
        elif name == "learn":
            self.sees[a][b] = (self.nodes[b].actor[1], True)
            self.tell(a)
        elif name == "forget":
            self.sees[a][b] = (self.sees[a][b][0], False)
            self.tell(a)
        elif name == "go-on":
            self.go_on(a)
        elif name == "report":
            n.told = b
        elif name == "probe":
            n.probes[self.nodes[b].actor] = self.nodes[b].vector()
        elif name == "hear":
            if number >= len(self.sent[b]):
                raise Difference(f"{'ABCD'[b]} has sent {len(self.sent[b])} packets here, and number {number} there")
            n.hear(self.sent[b][number])
        else:
            raise Difference(f"no such step: {name}")
        if n.closed_epoch == n.actor[1]:
            self.go_on(a)
        n.now += STEP
        n.tick(hint)
        for _, to, kind, fields in sorted(n.out, key=lambda o: o[0]):
            self.sent[a].append(Packet(n.actor, to, n.floor, kind, fields))
        n.out = []
        return None

    def state(self, a):
        n = self.nodes[a]
        dot = lambda d: f"{d[0][0]}.{d[0][1]}.{d[1]}"
        records = "".join(f" {k}:{r.stamp[0]}:{dot(author(r))}:{dot(r.dot)}:{int(r.gone)}:{r.origin}"
                          for k, r in sorted(n.map.items()))
        vector = "".join(f" {x[0]}.{x[1]}:{reach(s)}{'!' if s & CLOSED else ''}" for x, s in n.vector().items())
        return f"= {a} {n.actor[1]} {int(n.ready)} {n.floor}{records} |{vector}"


def play(lines):
    """Scripts, steps and states compared, and scripts left out: those where all wait for a first."""
    world, scripts, steps, left_out, history = None, 0, 0, 0, []
    for line in lines:
        word, *rest = line.split()
        if word == "script":
            world, history = World(*map(int, rest)), []
            scripts += 1
        elif word == "key":
            world.hashes[int(rest[0])] = int(rest[1])
        elif word == "weight":
            world.weights[int(rest[0]), int(rest[1])] = int(rest[2])
        elif word == "end" or world is None:
            world = None
        elif word == "silence":
            left_out += 1
            world = None
        elif word == "=":
            steps += 1
            history.append(line)
            here = world.state(int(rest[0]))
            if here != line:
                raise Difference("script %d\n%s\nhere: %s" % (scripts, "\n".join(history[-40:]), here))
        elif word in ("put", "delete", "pull", "again", "restart", "learn", "forget", "go-on", "report", "probe", "hear"):
            if not world.nodes:
                world.begin()
            history.append(line)
            try:
                world.step(word, int(rest[0]), int(rest[1]), int(rest[2]) if len(rest) > 2 else None)
            except Difference as difference:
                raise Difference("script %d\n%s\n%s" % (scripts, "\n".join(history[-40:]), difference)) from None
    return scripts, steps, left_out


def main():
    swarm, runs, seed = sys.argv[1:4]
    with subprocess.Popen([swarm, "--schedule", "--runs", runs, "--seed", seed], stdout=subprocess.PIPE, text=True) as p:
        try:
            scripts, steps, left_out = play(line.rstrip("\n") for line in p.stdout)
        except Difference as difference:
            p.kill()
            print(f"a difference, {difference}")
            return 1
    if p.returncode != 0 or scripts != int(runs) or left_out * 5 > scripts:
        print(f"{swarm}: exit {p.returncode}, {scripts} scripts, {left_out} left out")
        return 1
    print(f"{scripts} scripts, {steps} steps: each replica as the reference has it, after each step"
          f" ({left_out} scripts to the point where all started at once)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
