#!/usr/bin/env python3
"""The service under a real manager: a machine whose first process is systemd, with this one's root as its own and
the files of `meson install` laid over it, goes through docs/operations.md step by step, then what a manager is for.

  tests/qemu/service.py [--build DIR]

guest_service.py does it in there and says each step on the console; this one knows how long each may take.
Emulated: minutes, and no time here says anything about swimlane.
"""
import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(HERE)]
sys.dont_write_bytecode = True

import machine  # noqa: E402

MEMORY_MIB = 1536
# Each from the one before it.
STEPS = [("booted", 240), ("installed", 120), ("doctor", 120), ("started", 180), ("privileges", 60),
         ("reloaded", 120), ("restarted after SIGKILL", 120), ("restarted by the watchdog", 180),
         ("not restarted with a wrong configuration", 120), ("stopped", 120), ("removed", 60)]
TARGET = """\
[Unit]
Description=tests of swimlane's service
Requires=basic.target swimlane-test.service
After=basic.target
AllowIsolate=yes
"""
TEST = """\
[Unit]
After=basic.target
[Service]
Type=exec
ExecStart=/usr/bin/python3 -u /opt/swimlane-test/guest_service.py
ExecStopPost=/bin/systemctl --no-block poweroff -f
StandardOutput=journal+console
StandardError=journal+console
"""


def image(folder, build):
    """What is laid over the root: `meson install`, and the test as a unit of its own."""
    done = subprocess.run(["meson", "install", "-C", str(build), "--no-rebuild", "--quiet", "--destdir", str(folder)],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"meson install: {done.stdout}{done.stderr}")
    for name, text in (("etc/systemd/system/swimlane-test.target", TARGET), ("etc/fstab", ""),
                       ("etc/systemd/system/swimlane-test.service", TEST)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "opt/swimlane-test").mkdir(parents=True)
    shutil.copy(HERE / "guest_service.py", folder / "opt/swimlane-test")
    for path in [folder, *folder.rglob("*")]:  # as root made it, whatever the umask here
        if path.is_dir():
            path.chmod(0o755)


def command(kernel, folder, console):
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
        "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(MEMORY_MIB),
        "-kernel", str(kernel / "vmlinuz"), "-initrd", str(folder / "initramfs"),
        "-append", f"console=ttyS0 quiet panic=-1 swimlane.image={folder / 'image'} systemd.unit=swimlane-test.target "
                   "fstab=no systemd.gpt_auto=no systemd.show_status=no systemd.condition-first-boot=no",
        "-serial", f"file:{console}", "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
        "-device", "virtio-9p-pci,fsdev=root,mount_tag=root", "-device", "virtio-rng-pci"]


class Watched:
    """The machine's console, and the steps that it says."""

    def __init__(self, process, console):
        self.process, self.console = process, console
        self.count, self.failed = 0, []

    def said(self):
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def check(self, ok, what):
        self.count += 1
        print(f"{'ok' if ok else 'not ok'} {self.count} - service: {what}", flush=True)
        if not ok:
            self.failed.append(what)

    def step(self, name, seconds):
        begun = time.monotonic()
        while f"guest: {name}" not in self.said() and "guest: failed" not in self.said():
            if self.process.poll() is not None or time.monotonic() > begun + seconds:
                break
            time.sleep(0.2)
        ok = f"guest: {name}" in self.said()
        self.check(ok, f"{name} ({time.monotonic() - begun:.0f} s)")
        return ok


def perform(folder, build, logs):
    console = logs / "qemu-service-console.log"
    console.unlink(missing_ok=True)
    image(folder / "image", build)
    (folder / "initramfs").write_bytes(machine.initramfs(build / "qemu"))
    process = subprocess.Popen(command(build / "qemu", folder, console), stdin=subprocess.DEVNULL,
                               start_new_session=True)
    watched = Watched(process, console)
    try:
        for name, seconds in STEPS:
            if not watched.step(name, seconds):
                break
        for line in watched.said().splitlines():
            if "guest: note" in line:
                print("# " + line.split("guest: ", 1)[1].removeprefix("note "), flush=True)
        if watched.failed:
            print("\n".join("# " + line for line in watched.said().splitlines()[-60:]), flush=True)
    finally:
        process.kill()
        process.wait()
    print(f"# console: {console}\n1..{watched.count}", flush=True)
    return 1 if watched.failed else 0


def end(number, _):
    sys.exit(128 + number)


def main():
    parser = argparse.ArgumentParser(prog="tests/qemu/service.py")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    build = parser.parse_args().build.resolve()
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root: the machine reads files of this one that root alone may read", flush=True)
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    logs = build / "lab-logs"
    logs.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="swimlane-service-") as folder:
        os.chmod(folder, 0o755)
        return perform(pathlib.Path(folder), build, logs)


if __name__ == "__main__":
    sys.exit(main())
