#!/usr/bin/env python3
"""The service: installed, and its command started as the manager would start it, an unprivileged user with the
capabilities of the unit alone, on AF_PACKET and on AF_XDP. It says when it is ready, feeds the watchdog while
lanes and keeper turn and not while one stands still, stops, and the stop step gives the interface back also
when it was killed. Once it runs it holds only what its port still needs, in every thread, and does all of that
with it; without that little, its program stays on the interface."""
import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from live import ROOT, Live, end, perform  # first: it finds lab
from lab import host

sys.path.insert(0, str(ROOT / "scripts/lib"))
import sandbox  # noqa: E402
import service_unit  # noqa: E402
from stopped_thread import FIRST_LANE, KEEPER, stopped_thread  # noqa: E402

UID = 64646  # nobody's
WATCHDOG_S = 2.0  # shorter than the unit's: the test would wait for it
STUCK_S = 1.0  # PROGRESS_STUCK_MS
SETTLE_S = 0.4  # a tick, and a slow machine
RUNS_WITH = {"af_packet": [], "af_xdp": ["CAP_NET_ADMIN"]}  # drivers-config/KIND.yaml, docs/security.md


class Service:
    """A server of the lab that is run by its unit."""

    def __init__(self, test, the_lab, server, kind, root):
        self.test, self.lab, self.server, self.kind, self.root = test, the_lab, server, kind, root
        # Where --prefix and DESTDIR put them.
        find = lambda pattern: next(path for path in root.rglob(pattern) if path.is_file())
        self.unit = service_unit.Unit(find("swimlane.service"), find(f"service/{kind}.conf"))
        self.bare = service_unit.Unit(find("swimlane.service"))
        self.sbin = find("sbin/swimlane").parent
        self.folder = the_lab.ledger.folder / f"{server.name}.run"
        self.folder.mkdir()
        server.socket = self.folder / "control.sock"
        server.state_dir.mkdir(exist_ok=True)
        the_lab.fleet.write_config(server)
        keyring = the_lab.ledger.folder / f"{server.name}.keyring"
        shutil.copy(the_lab.fleet.keyring, keyring)
        server.config.write_text(server.config.read_text().replace(str(the_lab.fleet.keyring), str(keyring)))
        os.chmod(server.config, 0o644)
        for path in (self.folder, server.state_dir, keyring):
            os.chown(path, UID, UID)
            os.chmod(path, 0o700)
        os.chmod(keyring, 0o600)
        self.manager = None

    def words(self, key):
        prefix = "/" + str(self.sbin.parent.relative_to(self.root))
        return self.unit.command(key, {"/etc/swimlane/swimlane.yaml": str(self.server.config),
                                       prefix + "/sbin": str(self.sbin)})

    def start(self, capabilities=None, watchdog=True, memory_locked=None, trace=None):
        wanted = self.unit.capabilities() if capabilities is None else capabilities
        words = self.words("ExecStart")
        if trace:
            words = ["strace", "-f", "-qq", "-s", "256", "-o", str(trace)] + words
        command = service_unit.as_service(words, self.unit, UID, wanted)
        path = self.lab.ledger.folder / f"{self.server.name}.notify"
        path.unlink(missing_ok=True)
        if self.manager:
            self.manager.close()
        self.manager = service_unit.Manager(path)
        environment = {"NOTIFY_SOCKET": str(path), "RUNTIME_DIRECTORY": str(self.folder),
                       "STATE_DIRECTORY": str(self.server.state_dir)}
        if watchdog:
            environment["WATCHDOG_USEC"] = str(int(WATCHDOG_S * 1e6))
        process = service_unit.start(self.lab.network.inside(self.server.namespace, command), self.unit,
                                     environment, self.server.log, memory_locked)
        self.server.process = process
        self.lab.ledger.add_process(process.pid, self.server.name)
        return process

    def ready(self):
        since = time.monotonic()
        end_s = since + 30
        while not self.manager.until("READY=1", 0):
            if self.server.process.poll() is not None or time.monotonic() > end_s:
                self.test.note(self.server.last_words())
                self.test.need(False, f"{self.kind}: READY=1")
            self.manager.listen(0.1)
        return time.monotonic() - since

    def stop_step(self):
        """As root: the unit's + says so."""
        if not self.unit["ExecStopPost"]:
            return ""
        assert self.unit["ExecStopPost"].startswith("+")
        return host.run(self.lab.network.inside(self.server.namespace, self.words("ExecStopPost")))

    def xdp(self):
        return "xdp" in host.run(["ip", "-n", self.server.namespace, "link", "show", "dev", "eth0"])

    def collect(self, number):
        self.server.process.send_signal(number)
        return self.lab.fleet.collect(self.server)


def install(test, the_lab):
    """meson install into a folder of its own."""
    root = the_lab.ledger.folder / "root"
    done = subprocess.run(["meson", "install", "-C", str(test.options.build), "--no-rebuild", "--quiet",
                           "--destdir", str(root)], capture_output=True, text=True)
    test.need(done.returncode == 0, f"meson install --destdir {done.stderr.strip()[-300:]}".strip())
    return root


def statuses(pid):
    """Of each thread, as the kernel has it."""
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        lines = (line.partition(":") for line in path.read_text().splitlines())
        yield {key: value.split() for key, _, value in lines}


def credentials(test, service):
    """The process's own, of every thread of it."""
    kept = RUNS_WITH[service.kind]
    threads = list(statuses(service.server.process.pid))
    seen = {tuple(status[key][0] for key in ("CapPrm", "CapEff", "CapInh", "CapAmb")) for status in threads}
    bounds = {status["CapBnd"][0] for status in threads}
    wanted, ambient = f"{service_unit.mask(kept):016x}", f"{0:016x}"
    test.note(f"{service.kind}: uid {threads[0]['Uid'][0]}, {len(threads)} threads, started with "
              f"{' '.join(service.unit.capabilities())}; permitted, effective, inheritable, ambient: {seen}")
    test.check(all(s["Uid"] == [str(UID)] * 4 and s["Gid"] == [str(UID)] * 4 and not s["Groups"] for s in threads),
               f"{service.kind}: runs as the unprivileged user")
    test.check(bounds == {f"{service_unit.mask(service.unit.capabilities()):016x}"},
               f"{service.kind}: could never have more capabilities than the unit's")
    test.check(len(threads) > 4 and seen == {(wanted, wanted, ambient, ambient)},
               f"{service.kind}: each thread holds {' '.join(kept) or 'no capability'} once it runs, and no other")
    test.check({s["NoNewPrivs"][0] for s in threads} == {"1"}, f"{service.kind}: and can gain none")
    told = service.server.call("status")
    test.check(told["capabilities"] == kept and told["no_new_privileges"], f"{service.kind}: status says so")
    said = f"capabilities: {' '.join(kept) or 'none'} kept, of {len(service.unit.capabilities())} at the start"
    test.check(said in service.server.log.read_text(), f"{service.kind}: the log says so")


def works_with_what_is_left(test, the_lab, service):
    """What needed privileges once, and is done again while it runs."""
    text = service.server.config.read_text()
    service.server.config.write_text(text + "weight: 3\n")
    changed = service.server.call("reload")["changed"]
    test.check(changed == [{"key": "weight", "change": "in_force"}], f"{service.kind}: reload by RPC: {changed}")
    service.server.config.write_text(text)
    os.kill(service.server.process.pid, signal.SIGHUP)
    weight = lambda: next(m["weight"] for m in service.server.call("members")["members"] if m["self"])
    test.check(the_lab.feed.until(lambda: weight() == 100, 5), f"{service.kind}: reload by SIGHUP: weight {weight()}")
    for state in ("reachable", "stale"):
        finds_its_neighbour_again(test, the_lab, service, state)


def finds_its_neighbour_again(test, the_lab, service, state):
    """Which the kernel had in this state when it lost it."""
    first = the_lab.fleet.servers[0].address
    inside = lambda *words: host.run(["ip", "-n", service.server.namespace, "neigh", *words, "dev", "eth0"])
    inside("change", first, "nud", state)
    time.sleep(0.5)  # by then its control has heard so
    inside("flush", "all")
    gone = first not in inside("show")
    since = time.monotonic()
    found = the_lab.feed.until(lambda: f"{first} lladdr" in inside("show"), 10)
    test.note(f"{service.kind}: a flushed neighbour was there again after {time.monotonic() - since:.1f} s")
    test.check(gone and found, f"{service.kind}: the kernel is asked for a {state} neighbour that it lost")


def takes_its_program_off(test, service):
    """That needs the one capability that is kept."""
    drivers = service.folder / "drivers"
    drivers.mkdir(exist_ok=True)
    own = (ROOT / "drivers-config/af_xdp.yaml").read_text()
    none = own.replace("capabilities: [CAP_NET_ADMIN]", "capabilities: []")
    assert none != own
    (drivers / "af_xdp.yaml").write_text(none)
    text = service.server.config.read_text()
    service.server.config.write_text(text.replace("port:\n", f"port:\n  drivers_dir: {drivers}\n", 1))
    service.start()
    service.ready()
    test.check(service.server.call("status")["capabilities"] == [], "af_xdp: a driver file may keep less")
    service.collect(signal.SIGTERM)
    test.check(service.xdp(), "af_xdp: without CAP_NET_ADMIN its program stays on the interface")
    service.stop_step()
    test.check(not service.xdp(), "af_xdp: and the stop step takes it off")
    service.server.config.write_text(text)


def takes_part(test, the_lab, service):
    first = the_lab.fleet.servers[0]
    names = {first.name: "alive", service.server.name: "alive"}
    found = the_lab.feed.until(lambda: the_lab.fleet.all_see(names, [first, service.server]), 20)
    test.need(found, f"{service.kind}: it and the others find each other")
    the_lab.fleet.put(service.server, f"unit/{service.kind}", "here")
    seen = the_lab.feed.until(lambda: has(first, f"unit/{service.kind}"), 5)
    test.check(seen, f"{service.kind}: what is written on it is read on another server")


def has(server, key):
    try:
        return server.call("map.get", key=key).get("value") == "here"
    except Exception:
        return False


def watchdog(test, service, thread, who):
    """Fed, not fed while the thread stands still, fed again."""
    manager = service.manager
    begun = time.monotonic()
    manager.listen(2 * WATCHDOG_S)
    fed = manager.times("WATCHDOG=1", begun)
    gaps = [b - a for a, b in zip([begun] + fed, fed)]
    test.check(fed and max(gaps) < WATCHDOG_S, f"{service.kind}: the watchdog is fed in time ({len(fed)} times in "
               f"{2 * WATCHDOG_S:.0f} s)")
    with stopped_thread(service.server.process.pid, thread):
        stopped = time.monotonic()
        manager.listen(STUCK_S + SETTLE_S + 2 * WATCHDOG_S)
        late = manager.times("WATCHDOG=1", stopped + STUCK_S + SETTLE_S)
        test.check(not late, f"{service.kind}: not fed while {who} stands still, for {2 * WATCHDOG_S:.0f} s")
        test.check(manager.until(f"STATUS=stuck: {who}", 0, stopped), f"{service.kind}: the status names {who}")
    on = time.monotonic()
    test.check(manager.until("WATCHDOG=1", 5, on), f"{service.kind}: fed again once {who} goes on")
    test.check(manager.until("STATUS=ready", 10, on), f"{service.kind}: the status is that of a ready server")


def none_is_too_much(test, service):
    """With one capability less it does not start, and says so."""
    for left_out in service.unit.capabilities():
        rest = [c for c in service.unit.capabilities() if c != left_out]
        # That one stands for the limit of locked memory, which is raised for the others' sake (vfio).
        service.start(rest, memory_locked=8 << 20 if left_out == "CAP_IPC_LOCK" else None)
        try:
            code = service.server.process.wait(20)
        except subprocess.TimeoutExpired:
            service.server.process.kill()
            code = None
        service.lab.fleet.collect(service.server)
        said = service.server.last_words().splitlines()[-1]
        test.note(f"without {left_out}: {code}, {said}")
        test.check(code == 1 and said.startswith("error:"), f"{service.kind}: does not start without {left_out}")
        service.stop_step()


def life(test, the_lab, service):
    xdp = service.kind == "af_xdp"
    service.start()
    test.check(service.ready() is not None, f"{service.kind}: READY=1")
    credentials(test, service)
    takes_part(test, the_lab, service)
    works_with_what_is_left(test, the_lab, service)
    if xdp:
        test.check(service.xdp(), "af_xdp: the XDP program is on the interface")
    watchdog(test, service, FIRST_LANE, "lane 0")
    if not xdp:  # the keeper's work does not depend on the port
        watchdog(test, service, KEEPER, "the keeper")
    code = service.collect(signal.SIGTERM)
    service.manager.listen(0.2)
    test.check(code == 0, f"{service.kind}: SIGTERM ends it with exit code 0")
    test.check(service.manager.times("STOPPING=1"), f"{service.kind}: STOPPING=1")
    test.check(not service.xdp(), f"{service.kind}: it took off by itself what was on the interface")
    test.note(f"stop step: {service.stop_step().strip()}")
    if xdp:
        takes_its_program_off(test, service)


def killed(test, service):
    """The stop step after a crash; and without a watchdog nothing is fed."""
    service.start(watchdog=False)
    service.ready()
    service.manager.listen(1.5)
    test.check(not service.manager.times("WATCHDOG=1"), f"{service.kind}: no watchdog wanted, none fed")
    service.collect(signal.SIGKILL)
    if service.kind == "af_xdp":
        test.check(service.xdp(), "af_xdp: a killed process leaves its XDP program on the interface")
    said = service.stop_step()
    test.note(f"stop step after SIGKILL: {said.strip() or 'none'}")
    test.check(not service.xdp(), f"{service.kind}: after the stop step nothing is on the interface")
    service.start()
    test.check(service.ready() is not None, f"{service.kind}: and it starts again")
    test.check(service.collect(signal.SIGTERM) == 0, f"{service.kind}: and stops")
    service.stop_step()


def stays_inside(test, the_lab, service):
    """A whole life under strace: nothing that succeeded would be refused by the unit's sandbox."""
    if not all(map(shutil.which, ("strace", "systemd-analyze"))):
        test.note(f"{service.kind}: SKIP the sandbox: strace or systemd-analyze is not installed")
        return
    trace = service.folder / "trace"
    strace = service.start(watchdog=False, trace=trace)
    service.ready()
    takes_part(test, the_lab, service)
    for method in ("status", "stats", "members", "reload"):
        service.server.call(method)
    service.manager.listen(1)
    traced = int(pathlib.Path(f"/proc/{strace.pid}/task/{strace.pid}/children").read_text().split()[0])
    os.kill(traced, signal.SIGTERM)
    the_lab.fleet.collect(service.server, 20)
    service.stop_step()
    count, found = sandbox.breaches(service.unit, trace, (str(service.folder), str(service.server.state_dir)))
    test.note("\n".join(found))
    test.check(count > 1000 and not found, f"{service.kind}: the unit's sandbox would have refused none of "
               f"{count} system calls")
    _, found = sandbox.breaches(service.bare, trace, ())
    test.check(any(f.startswith("RestrictAddressFamilies") for f in found) and
               any(f.startswith("ProtectSystem") for f in found),
               f"{service.kind}: one without the drop-in and the folders would have ({len(found)} kinds of them)")


def body(test, the_lab):
    os.chmod(the_lab.ledger.folder, 0o755)  # what runs as another user must get in
    the_lab.fleet.start(the_lab.fleet.servers[0])  # whom the others find
    root = install(test, the_lab)
    for server, kind in zip(the_lab.fleet.servers[1:], ("af_packet", "af_xdp")):
        service = Service(test, the_lab, server, kind, root)
        life(test, the_lab, service)
        killed(test, service)
        stays_inside(test, the_lab, service)
        none_is_too_much(test, service)


def main():
    parser = argparse.ArgumentParser(prog="tests/live/unit.py")
    parser.add_argument("--full", action="store_true", help="the same: its numbers are full")
    parser.add_argument("--kind", choices=["af_xdp", "af_packet"], help="ignored: both are its subject")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("SW_BUILD", ROOT / "build")))
    options = parser.parse_args()
    options.kind, options.build = None, options.build.resolve()
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root: a process becomes another user", flush=True)
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    ports = [[f"kind: {kind}", "interface: eth0"] for kind in ("af_xdp", "af_packet", "af_xdp")]
    return perform(Live("unit", options), body, {"servers": 3, "ports": ports})


sys.exit(main())
