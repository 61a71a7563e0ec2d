"""scripts/demo: a small datacenter of swimlane servers on this machine, and what it does.

It builds swimlane, starts servers and origins in network namespaces of their own, kills a server, breaks an
origin, cuts the network in two and heals it, and shows what the servers make of it. As root the servers run
on AF_XDP, as an ordinary user (in a user namespace) on AF_PACKET. Nothing is left behind.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from . import host, lab
from .ledger import Ledger, start_time
from .screen import Screen
from .story import Story


class Interrupted(BaseException):
    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


def parse(arguments):
    def count(low, high):
        def value(text):
            if not text.isdigit() or not low <= int(text) <= high:
                raise argparse.ArgumentTypeError(f"{text}: a number from {low} to {high}")
            return int(text)
        return value

    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=count(3, 16), default=5, metavar="N", help="3 to 16 servers (default 5)")
    parser.add_argument("--origins", type=count(1, 200), default=6, metavar="N", help="1 to 200 origins (default 6)")
    parser.add_argument("--kind", choices=["af_xdp", "af_packet"],
                        help="port of the servers (default: af_xdp as root, af_packet otherwise)")
    parser.add_argument("--keep", action="store_true", help="leave it running and say how to talk to it")
    parser.add_argument("--down", action="store_true", help="take down what --keep or a killed demo left")
    parser.add_argument("--json", action="store_true", help="the result as one JSON object in the last line")
    parser.add_argument("-q", "--quiet", action="store_true", help="the summary only")
    parser.add_argument("--build-dir", type=pathlib.Path, default=lab.ROOT / "build", metavar="DIR",
                        help="where to build (default: build)")
    parser.add_argument("--no-build", action="store_true", help="take what is built already")
    parser.add_argument("--no-install", action="store_true", help="do not look for missing packages")
    parser.add_argument("--built", help=argparse.SUPPRESS)  # to itself in the user namespace: what was built
    options = parser.parse_args(arguments)
    if options.kind == "af_xdp" and os.geteuid() != 0:
        parser.error("--kind af_xdp needs root: the kernel loads XDP programs for nobody else")
    options.build_dir = options.build_dir.resolve()
    return options


def folder_of_demo():
    if host.is_inside():
        return pathlib.Path(os.environ["SWIMLANE_LAB_FOLDER"])
    return pathlib.Path("/run/swimlane-demo" if os.geteuid() == 0 else f"/tmp/swimlane-demo-{os.geteuid()}")


def build(options, screen):
    folder = options.build_dir
    started = time.monotonic()
    commands = []
    if not (folder / "build.ninja").exists():
        commands.append(["meson", "setup", str(folder), str(lab.ROOT)])
    commands.append(["ninja", "-C", str(folder)])
    screen.head("build")
    for command in commands:
        screen.say(" ".join(command).replace(f"{lab.ROOT}/", ""))
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            screen.line(done.stdout)
            raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}")
    screen.good(f"built in {time.monotonic() - started:.1f} s")
    return f"in {time.monotonic() - started:.1f} s"


# ---- what an earlier demo left ----

def keeper_file(folder):
    return folder.with_name(folder.name + ".keeper")


def write_keeper(folder, pid, kept):
    """An ordinary user's demo: which process outside of its namespaces stands for it."""
    keeper_file(folder).write_text(json.dumps({"pid": pid, "start": start_time(pid), "kept": kept}))


def keeper_of(folder):
    """That process, if it lives."""
    path = keeper_file(folder)
    try:
        if path.is_symlink() or path.stat().st_uid != os.geteuid():
            raise RuntimeError(f"{path} is not owned by uid {os.geteuid()}: not touching it")
        entry = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return entry if entry["start"] is not None and start_time(entry["pid"]) == entry["start"] else None


def is_running(folder):
    """Whether a demo in this folder runs or is kept, in words; None if not."""
    if os.geteuid() != 0:
        keeper = keeper_of(folder)
        return keeper and ("a kept demo" if keeper["kept"] else "another demo")
    ledger = Ledger.load(folder)
    if ledger is None:
        return None
    if ledger.owner_lives():
        return "another demo"
    return "a kept demo" if ledger.entries.get("kept") and ledger.living() else None


def await_end(lives, timeout_s):
    deadline = time.monotonic() + timeout_s
    while lives() and time.monotonic() < deadline:
        time.sleep(0.02)


def take_down(folder):
    """Removes every trace of a demo; what could not be removed, in words."""
    if os.geteuid() == 0:
        ledger = Ledger.load(folder)
        if ledger and ledger.owner_lives():
            os.kill(ledger.entries["owner"]["pid"], signal.SIGTERM)  # it cleans up itself
            await_end(ledger.owner_lives, 20)
            ledger = Ledger.load(folder)
        return ledger.undo() if ledger else []
    keeper = keeper_of(folder)
    if keeper:
        # Of a kept demo the keeper is unshare --kill-child: all in its namespaces ends with it.
        os.kill(keeper["pid"], signal.SIGKILL if keeper["kept"] else signal.SIGTERM)
        await_end(lambda: keeper_of(folder), 20)
    keeper_file(folder).unlink(missing_ok=True)
    if Ledger.load(folder):
        shutil.rmtree(folder, ignore_errors=True)
    return [f"folder {folder}"] if folder.exists() else []


# ---- the run ----

def how_to_talk(screen, the_lab, enter=""):
    server = the_lab["server"]
    ctl, socket, prefix = the_lab["ctl"], the_lab["socket"], the_lab["prefix"]
    screen.line()
    screen.line("It keeps running. Talk to it:")
    for arguments in ("members", "health", "owner origin/o1", "map put greeting hello", "map watch", "stats"):
        screen.line(f"  {ctl} --socket {socket} {arguments}")
    screen.line("Look at its network:")
    if not enter:  # tcpdump wants to change its groups, which a user namespace with one user forbids
        screen.line(f"  ip netns exec {prefix}-switch tcpdump -nn -i {server} udp port 7946")
    screen.line(f"  {enter}ip netns exec {prefix}-1 ping -c 3 10.77.0.2")
    screen.line(f"Logs, configs and sockets: {the_lab['folder']}")
    screen.line("Take it down:")
    screen.line(f"  {lab.ROOT}/scripts/demo --down")


def summary(screen, story, ok, servers, logs):
    screen.line()
    names = {"crash_known_ms": "a crash was known to all after", "takeover_ms": "its origins had new owners after",
             "verdict_ms": "a broken origin was known to all after", "heal_equal_ms": "healed maps were equal after",
             "unchecked_ms": "no origin was unchecked for longer than"}
    for key, words in names.items():
        value = story.figures[key]
        screen.line(f"  {words:42}{'not seen' if value is None else f'{value:,} ms'}")
    seen = sum(step["ok"] for step in story.steps)
    screen.line(f"  {seen} of {len(story.steps)} steps seen on {servers} servers")
    missed = [step for step in story.steps if not step["ok"]]
    if missed:
        screen.line(f"  not seen: {missed[0]['name']}: {missed[0]['detail'].splitlines()[0]}")
        if missed[1:]:
            screen.line(f"  not reached: {', '.join(step['name'] for step in missed[1:])}")
    if logs:
        screen.line(f"  logs: {logs}")


def run(options, screen, result):
    """Inside root or the user namespace: lab, story, summary. The exit code."""
    lab_options = lab.Options(build=options.build_dir, servers=options.servers, origins=options.origins,
                              folder=folder_of_demo(), kind=options.kind)
    with lab.Lab(lab_options) as the_lab:
        memory = "hugepages" if lab_options.hugepages else "without hugepages"
        screen.head(f"a datacenter: {options.servers} servers, {options.origins} origins; "
                    f"{lab_options.kind}, {memory}")
        story = Story(the_lab, screen)
        ok = False
        try:
            ok = story.tell()
        finally:
            result.update(ok=ok, **story.figures)
            result["steps"] += story.steps
        logs = None if ok else the_lab.save_logs("demo")
        summary(screen, story, ok, options.servers, logs)
        if options.keep and ok:
            stay(options, screen, the_lab, result)
    return 0 if ok else 1


def stay(options, screen, the_lab, result):
    """--keep: as root the processes simply stay; in a user namespace this process holds it."""
    facts = {"ctl": str(the_lab.options.ctl), "socket": str(the_lab.fleet.servers[0].socket), "server": "s1",
             "prefix": the_lab.options.prefix, "folder": str(the_lab.options.folder)}
    if host.is_root():
        the_lab.ledger.entries["kept"] = True
        the_lab.ledger.write()
        the_lab.keep()
        how_to_talk(screen, facts)
        return
    (the_lab.options.folder / "facts.json").write_text(json.dumps(facts))
    if options.json:
        (the_lab.options.folder / "result.json").write_text(json.dumps(result))
    LIFELINE.detach(0)
    while True:
        signal.pause()


def outside(options, screen, result, arguments):
    """An ordinary user: the same program again as root of a user namespace."""
    folder = folder_of_demo()
    os.environ["SWIMLANE_LAB_FOLDER"] = str(folder)
    kept = []

    def on_detached(pid, _):
        write_keeper(folder, pid, True)
        kept.append(pid)

    write_keeper(folder, os.getpid(), False)
    try:
        again = [sys.executable, "-m", "lab.demo"] + arguments
        if result["steps"]:
            again += ["--built", result["steps"][0]["detail"]]
        code = host.enter_user_namespace(again, on_detached)
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
            keeper_file(folder).unlink(missing_ok=True)
    if kept:
        inner = first_child(kept[0])
        facts = json.loads((folder / "facts.json").read_text())
        how_to_talk(screen, facts, f"nsenter -t {inner} -U -m --preserve-credentials ")
        if options.json:
            print((folder / "result.json").read_text())
    result["told"] = True
    return code


def first_child(pid):
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    return int(entry.name)
            except OSError:
                pass
    return pid


LIFELINE = None


def catch_signals():
    def interrupt(number, _):
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)  # nothing may interrupt the cleaning up
        raise Interrupted(number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def session(options, screen, result, arguments):
    folder = folder_of_demo()
    if not host.is_inside():
        running = is_running(folder)
        if running:
            raise RuntimeError(f"{running} is there: scripts/demo --down takes it down")
        for line in take_down(folder):
            raise RuntimeError(f"an earlier demo is not gone: {line}")
        if not options.no_build:
            result["steps"].append({"name": "build", "ok": False, "detail": ""})
            result["steps"][0].update(detail=build(options, screen), ok=True)
    if os.geteuid() != 0:
        return outside(options, screen, result, arguments)
    if host.is_inside():
        host.prepare_inside()
        if options.built:
            result["steps"].append({"name": "build", "ok": True, "detail": options.built})
    return run(options, screen, result)


def main(arguments):
    options = parse(arguments)
    if host.is_inside():
        global LIFELINE
        LIFELINE = host.Lifeline(lambda: os.kill(os.getpid(), signal.SIGTERM))
    screen = Screen(options.quiet)
    if options.down:
        left = take_down(folder_of_demo())
        for line in left:
            screen.bad(f"not cleaned up: {line}")
        return 1 if left else 0
    catch_signals()
    result = {"ok": False, "servers": options.servers, "crash_known_ms": None, "takeover_ms": None,
              "verdict_ms": None, "heal_equal_ms": None, "unchecked_ms": None, "unchecked_bound_ms": None,
              "unchecked_side_ms": None, "steps": []}
    try:
        code = session(options, screen, result, arguments)
    except Interrupted as interruption:
        if not host.is_inside():  # there the process outside says it
            screen.bad(f"interrupted ({interruption}); cleaned up")
        code = 128 + interruption.number
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        screen.bad(str(error))
        result["error"] = str(error)
        code = 1
    if options.json and not result.pop("told", False) and not (host.is_inside() and code > 128):
        print(json.dumps(result), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
