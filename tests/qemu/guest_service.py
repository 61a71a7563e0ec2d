"""In the machine, as a service of its own beside swimlane's: docs/operations.md, "Install as a service", then what a
manager is for. Each step is said once it is done; the first that fails ends it."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

CONFIG = pathlib.Path("/etc/swimlane/swimlane.yaml")
TEXT = """\
name: edge-01
cluster: ams1
profile: virtual
seal: {keyring: /etc/swimlane/keyring}
state_dir: /var/lib/swimlane
port: {kind: af_xdp, interface: sw0}
cores:
  lane_idle: {policy: sleep, ramp_us: 50, ceiling_us: 1000}
  keeper_idle: {policy: sleep, ramp_us: 50, ceiling_us: 1000}
memory: {hugepages: off, megabytes: 128}
"""


def say(text):
    print(f"guest: {text}", flush=True)


def run(*command, code=0, timeout=150):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL)
    if code is not None and done.returncode != code:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}, wanted {code}:\n{done.stdout}")
    return done.stdout


def need(ok, what):
    if not ok:
        raise RuntimeError(what)


def until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"not in {seconds} s: {what}")
        time.sleep(0.3)
    return found


def shown(name):
    return run("systemctl", "show", "swimlane", "-P", name).strip()


def xdp():
    return "xdp" in run("ip", "link", "show", "dev", "sw0")


def ready():
    """The manager's own words."""
    return shown("ActiveState") == "active" and shown("StatusText").startswith("ready")


def status_of(pid):
    lines = (line.partition(":") for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return {key: value.split() for key, _, value in lines}


def install():
    """Steps 1 to 4; `meson install` has been laid over the root."""
    run("ip", "link", "add", "sw0", "type", "veth", "peer", "name", "sw1")
    run("ip", "address", "add", "10.77.0.1/24", "dev", "sw0")
    run("ip", "link", "set", "sw0", "up")
    run("ip", "link", "set", "sw1", "up")
    run("systemd-sysusers")
    run("systemd-tmpfiles", "--create", "swimlane.conf")
    folder = CONFIG.parent.stat()
    need(run("stat", "-c", "%U:%G %a", str(CONFIG.parent)).strip() == "swimlane:swimlane 750", f"folder: {folder}")
    CONFIG.write_text(TEXT)
    os.chmod(CONFIG, 0o644)
    run("runuser", "-u", "swimlane", "--", "swimlanectl", "key", "new", "/etc/swimlane/keyring")
    run("runuser", "-u", "swimlane", "--", "swimlane", "--check", str(CONFIG))
    drop_ins = pathlib.Path("/etc/systemd/system/swimlane.service.d")
    drop_ins.mkdir(parents=True)
    (drop_ins / "port.conf").symlink_to("/usr/local/share/swimlane/service/af_xdp.conf")
    run("systemctl", "daemon-reload")


def start():
    begun = time.monotonic()
    run("systemctl", "enable", "--now", "swimlane")  # comes back when READY=1 has been said
    say(f"note systemctl start took {time.monotonic() - begun:.1f} s")
    need(shown("ActiveState") == "active", "active once the command is back")
    until(ready, 30, "StatusText=ready")
    say(f"note Status: {shown('StatusText')}")
    need(json.loads(run("swimlanectl", "members", "--json"))["members"][0]["name"] == "edge-01", "members")
    need(xdp(), "the XDP program is on the interface")


def privileges():
    pid = shown("MainPID")
    status = status_of(pid)
    uid = run("id", "-u", "swimlane").strip()
    need(status["Uid"] == [uid] * 4, f"uid {status['Uid']}")
    held = {key: status[key][0].lstrip("0") for key in ("CapPrm", "CapEff", "CapInh", "CapAmb")}
    need(held == {"CapPrm": "1000", "CapEff": "1000", "CapInh": "", "CapAmb": ""}, f"capabilities: {held}")
    need(status["NoNewPrivs"] == ["1"] and status["Seccomp"] == ["2"], "no new privileges, and a filter of calls")
    line = next(line for line in run("swimlanectl", "status").splitlines() if "holds" in line)
    need("CAP_NET_ADMIN, and can gain none" in line, line)
    say(f"note {' '.join(line.split())}; bounding set {status['CapBnd'][0]}")
    score = run("systemd-analyze", "security", "swimlane", "--no-pager").splitlines()[-1]
    say(f"note {score.strip()}")
    lines = run("journalctl", "-u", "swimlane", "-o", "json", "--no-pager").splitlines()
    said = [json.loads(line) for line in lines]
    need(any("capabilities: CAP_NET_ADMIN kept" in str(entry["MESSAGE"]) and entry["PRIORITY"] == "6" for entry in said),
         "the journal has the line, with its priority")


def reload():
    before = shown("MainPID")
    CONFIG.write_text(TEXT + "weight: 7\n")
    run("systemctl", "reload", "swimlane")
    weight = lambda: json.loads(run("swimlanectl", "members", "--json"))["members"][0]["weight"]
    until(lambda: weight() == 7, 10, "the weight of the file")
    CONFIG.write_text(TEXT + "weight: seven\n")
    said = run("systemctl", "reload", "swimlane", code=1)
    need(weight() == 7 and shown("ActiveState") == "active", f"a mistake changes nothing: {said}")
    CONFIG.write_text(TEXT)
    run("systemctl", "reload", "swimlane")
    need(shown("MainPID") == before, "the same process")


def killed():
    before, restarts = shown("MainPID"), int(shown("NRestarts"))
    os.kill(int(before), signal.SIGKILL)
    begun = time.monotonic()
    until(lambda: shown("MainPID") not in (before, "0") and ready(), 90, "another process, ready")
    say(f"note ready again {time.monotonic() - begun:.1f} s after SIGKILL")
    need(int(shown("NRestarts")) == restarts + 1, "started again once")
    said = run("journalctl", "-u", "swimlane", "--no-pager", "-o", "cat")
    need("swimlane's XDP program is off" in said, "the stop step took off what the killed one left")
    need(xdp(), "the new one has put its own there")


def watchdog():
    before, restarts = shown("MainPID"), int(shown("NRestarts"))
    os.kill(int(before), signal.SIGSTOP)
    begun = time.monotonic()
    until(lambda: shown("MainPID") not in (before, "0") and ready(), 120, "another process, ready")
    say(f"note ready again {time.monotonic() - begun:.1f} s after SIGSTOP")
    need(int(shown("NRestarts")) == restarts + 1, "started again once")
    said = run("journalctl", "-u", "swimlane", "--no-pager", "-o", "cat")
    need(re.search(r"Watchdog timeout \(limit 10s\)", said), "it was the watchdog")


def wrong_configuration():
    CONFIG.write_text(TEXT + "weight: seven\n")
    restarts = shown("NRestarts")
    run("systemctl", "restart", "swimlane", code=1)
    time.sleep(3)  # RestartSec is 1
    need(shown("ActiveState") == "failed" and shown("ExecMainStatus") == "3", "it failed with 3")
    need(shown("NRestarts") in ("0", restarts), "it was not started again")
    need("weight" in run("journalctl", "-u", "swimlane", "--no-pager", "-o", "cat", "-n", "20"), "the journal has the mistake")
    CONFIG.write_text(TEXT)
    run("systemctl", "reset-failed", "swimlane")
    run("systemctl", "start", "swimlane")
    until(ready, 60, "ready again")


def stop():
    need(xdp(), "the XDP program is on the interface")
    run("systemctl", "stop", "swimlane")
    need(shown("ActiveState") == "inactive" and shown("Result") == "success", "stopped well")
    need(shown("ExecMainStatus") == "0", "exit code 0")
    need(not xdp(), "the interface is as it was")


def remove():
    run("systemctl", "disable", "swimlane")
    need(not pathlib.Path("/etc/systemd/system/multi-user.target.wants/swimlane.service").exists(), "no link is left")


def main():
    say("booted")
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    install()
    say("installed")
    for line in run("swimlane-doctor").splitlines():  # exit code 0: nothing stands in the way
        say(f"note {line}")
    say("doctor")
    for step, words in ((start, "started"), (privileges, "privileges"), (reload, "reloaded"),
                        (killed, "restarted after SIGKILL"), (watchdog, "restarted by the watchdog"),
                        (wrong_configuration, "not restarted with a wrong configuration"), (stop, "stopped"),
                        (remove, "removed")):
        step()
        say(words)


try:
    main()
except Exception as error:
    print(run("journalctl", "-u", "swimlane", "--no-pager", "-n", "25", code=None), flush=True)
    print(run("systemctl", "status", "swimlane", "--no-pager", code=None), flush=True)
    say(f"failed: {error}")
    time.sleep(3)  # the console is slow
