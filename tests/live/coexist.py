#!/usr/bin/env python3
"""Beside the kernel: tcpdump sees swimlane, ping works on its interface; it stops cleanly, or at once."""
import pathlib
import signal
import subprocess
import sys

from live import main  # first: it finds lab
from lab import host
from lab.fleet import UDP_PORT

TOOL = str(pathlib.Path(__file__).with_name("packets.py"))


def xdp_attached(the_lab, server):
    return "xdp" in host.run(["ip", "-n", server.namespace, "link", "show", "dev", "eth0"])


def told_of(feed, mark, kind, name):
    return {n.server for n in feed.events(mark, kind) if n.params.get("server") == name}


def seen_by_tcpdump(test, the_lab):
    network = the_lab.network
    if not host.is_root():
        # tcpdump insists on changing its groups, which a user namespace with one user forbids.
        done = subprocess.run(
            network.inside(network.switch, [sys.executable, TOOL, "sniff", "s1", str(UDP_PORT), "1"]),
            capture_output=True, text=True)
        test.note(f"{len(done.stdout.split())} packets of different lengths, by a packet socket {done.stderr}")
        test.check(done.stdout.split(), "a packet socket in the switch's namespace sees its packets")
        return
    done = subprocess.run(
        network.inside(network.switch, ["timeout", "10", "tcpdump", "-Z", "root", "-nn", "-i", "s1", "-c", "20",
                                        "udp", "port", str(UDP_PORT)]), capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if f".{UDP_PORT}" in line]
    test.note("\n".join(lines[:3]) or done.stderr)
    senders = {line.split(" IP ")[1].split(" > ")[0] for line in lines if " IP " in line}
    test.check(len(lines) == 20, "tcpdump in the switch's namespace sees its packets")
    test.check(f"10.77.0.1.{UDP_PORT}" in senders and len(senders) > 1, "in both directions")


def answered_ping(test, the_lab):
    network, (first, second) = the_lab.network, the_lab.fleet.servers[:2]
    done = subprocess.run(network.inside(second.namespace, ["ping", "-c", "5", "-i", "0.2", "-W", "1", first.address]),
                          capture_output=True, text=True)
    test.note("\n".join(done.stdout.splitlines()[-2:]) or done.stderr)
    test.check(" 0% packet loss" in done.stdout, "ping works on the same interface")


def stops_cleanly(test, the_lab, server):
    fleet, feed = the_lab.fleet, the_lab.feed
    others = {s.name for s in fleet.others(server)}
    xdp = the_lab.options.kind == "af_xdp"
    if xdp:
        test.check(xdp_attached(the_lab, server), "the XDP program is on the interface while it runs")
    mark = feed.mark()
    sent_ms = fleet.kill(server, signal.SIGTERM)
    code = fleet.collect(server)
    left = feed.until(lambda: told_of(feed, mark, "left", server.name) >= others, 5)
    last_ms = max((n.params["at_ms"] for n in feed.events(mark, "left")), default=sent_ms)
    test.note(f"exit code {code}; {len(told_of(feed, mark, 'left', server.name))} others heard \"left\", the last "
              f"{last_ms - sent_ms:.0f} ms after SIGTERM")
    test.check(code == 0, "SIGTERM ends it with exit code 0")
    test.check(left, "all others are told that it left")
    states = {fleet.states(s)[server.name]["state"] for s in fleet.running()}
    test.check(states == {"left"} and not told_of(feed, mark, "dead", server.name), "it is left, and not dead")
    test.check(not server.socket.exists(), "its RPC socket is gone")
    if xdp:
        test.check(not xdp_attached(the_lab, server), "the XDP program is gone from the interface")


def dies_at_second_signal(test, the_lab, server):
    fleet = the_lab.fleet
    fleet.start(server)
    test.need(fleet.await_all_alive(20), "it comes back after a clean stop")
    # Both are pending before it can act on either.
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        fleet.kill(server, number)
    code = fleet.collect(server)
    test.note(f"return code after two signals: {code}")
    test.check(code != 0, "the second signal ends it at once, and not with success")


def body(test, the_lab):
    last = the_lab.fleet.servers[-1]
    seen_by_tcpdump(test, the_lab)
    answered_ping(test, the_lab)
    stops_cleanly(test, the_lab, last)
    dies_at_second_signal(test, the_lab, last)


sys.exit(main("coexist", body, servers=3))
