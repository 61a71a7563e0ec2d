"""What the live tests share: a lab for one test, TAP output, a clean end whatever happens.

A test runs as root on AF_XDP; as an ordinary user it starts itself again in a user namespace, on AF_PACKET.
"""
import argparse
import os
import pathlib
import signal
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
sys.dont_write_bytecode = True

from lab import host, lab  # noqa: E402
from lab.ledger import Ledger  # noqa: E402

FOLDER = "swimlane-live-"


class Live:
    """One test: its options, its checks, its notes."""

    def __init__(self, name, options):
        self.name = name
        self.full = options.full
        self.options = options
        self.count = 0
        self.failed = 0
        self.start = time.monotonic()

    def note(self, text):
        for line in str(text).splitlines():
            print(f"# {time.monotonic() - self.start:7.3f} {line}", flush=True)

    def check(self, ok, text):
        """One case; a failed one does not end the test."""
        ok = bool(ok)
        self.count += 1
        self.failed += not ok
        print(f"{'ok' if ok else 'not ok'} {self.count} - {self.name}: {text}", flush=True)
        return ok

    def need(self, ok, text):
        """A case that the rest stands on."""
        if not self.check(ok, text):
            raise Given(text)

    def lab(self, servers=5, origins=1, **more):
        base = pathlib.Path("/run" if host.is_root() else "/tmp")
        if host.is_root():
            sweep(base)
        tag = os.environ.get("SWIMLANE_LAB_TAG", str(os.getpid()))
        return lab.Lab(lab.Options(build=self.options.build, servers=servers, origins=origins,
                                   prefix=f"{FOLDER}{tag}", folder=base / f"{FOLDER}{tag}",
                                   kind=self.options.kind, **more))


class Given(Exception):
    """A needed case failed: no point in going on."""


class Ended(BaseException):
    pass


def sweep(base):
    """Takes down what killed tests left."""
    for folder in base.glob(FOLDER + "*"):
        ledger = Ledger.load(folder)
        if ledger and not ledger.owner_lives():
            ledger.undo()


def start_all(test, the_lab):
    for server in the_lab.fleet.servers:
        the_lab.fleet.start(server)
    ready = the_lab.fleet.await_all_alive(30)
    test.need(ready, f"{len(the_lab.fleet.servers)} servers find each other")


def roles(server):
    """The counters of its cores, and cycles a second."""
    stats = server.call("stats")
    return stats["tsc_hz"], {c["role"]: c for c in stats["cores"]}


def shares(before, after, tsc_hz):
    """Of the time between two of them: busy, idle, asleep."""
    parts = [after[name] - before[name] for name in ("busy_cycles", "idle_cycles")]
    parts.append((after["asleep_us"] - before["asleep_us"]) / 1e6 * tsc_hz)
    return [part / sum(parts) for part in parts]


def end(number, _):
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise Ended(signal.Signals(number).name)


def main(name, body, **lab_options):
    """Runs body(test, lab); the exit code. Each test's file calls this."""
    parser = argparse.ArgumentParser(prog=f"tests/live/{name}.py")
    parser.add_argument("--full", action="store_true", help="with the full numbers")
    parser.add_argument("--kind", choices=["af_xdp", "af_packet"])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(os.environ.get("SW_BUILD", ROOT / "build")))
    options = parser.parse_args()
    options.build = options.build.resolve()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    try:
        if os.geteuid() != 0:
            os.environ["SWIMLANE_LAB_TAG"] = f"{os.geteuid()}-{os.getpid()}"
            return host.enter_user_namespace([sys.executable] + sys.argv)
        if host.is_inside():
            host.Lifeline(lambda: os.kill(os.getpid(), signal.SIGTERM))
            host.prepare_inside()
        test = Live(name, options)
        return perform(test, with_all_started(body), lab_options)
    except Ended as reason:
        print(f"Bail out! {reason}", flush=True)
        return 1


def with_all_started(body):
    def both(test, the_lab):
        where = f"{the_lab.options.kind}, {'hugepages' if the_lab.options.hugepages else 'no hugepages'}"
        test.note(f"{the_lab.options.servers} servers on {where}, profile {the_lab.options.profile}")
        start_all(test, the_lab)
        body(test, the_lab)

    return both


def perform(test, body, lab_options):
    """body(test, lab) in a lab where nothing runs yet; the exit code."""
    place = None
    with test.lab(**lab_options) as the_lab:
        try:
            body(test, the_lab)
        except Given:
            pass
        except Exception:
            test.note(traceback.format_exc())
            test.check(False, "runs to its end")
        if test.failed:
            place = the_lab.save_logs(f"live-{test.name}")
    if place:
        test.note(f"logs: {place}")
    print(f"1..{test.count}", flush=True)
    return 1 if test.failed else 0
