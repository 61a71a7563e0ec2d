#!/usr/bin/env python3
"""The appliance on a PCI NIC, bound to vfio-pci behind an IOMMU, is a server as those outside are.

  tests/qemu/pci.py --nic e1000e [--lanes N] [--no-huge] [--no-rss] [--ipv6] [--interrupt] [--kind KIND] [--build DIR]

Emulated: it shows that ports, queues and DMA are right, not how fast they are.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "live"))
from live import main, start_all  # first: it finds lab  # noqa: E402
from lab import host, maps, rpc  # noqa: E402
import machine  # noqa: E402

# Emulation on a machine that does other things besides: none of these times says anything about swimlane.
BOOT_S, BIND_S, ANSWER_S, MEET_S, OWN_S, READ_S, STOP_S = 120, 90, 180, 120, 60, 40, 60
OURS = "SWIMLANE_QEMU_OPTIONS"  # an ordinary user's test starts itself again, and finds them here
ORIGINS = 40  # that one of three servers owns none of them is no accident
PINGS, SINGLE_KEYS, KEYS = 20, 10, 200
SENDERS = 16  # addresses that RSS has to spread


def options_of_ours():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--nic", choices=["e1000e", "virtio-net-pci", "vmxnet3"], default="e1000e")
    parser.add_argument("--lanes", type=int, choices=range(1, 5), default=1)
    parser.add_argument("--no-huge", action="store_true")
    parser.add_argument("--no-rss", action="store_true")
    parser.add_argument("--ipv6", action="store_true")
    parser.add_argument("--interrupt", action="store_true")
    if OURS not in os.environ:
        ours, sys.argv[1:] = parser.parse_known_args()
        os.environ[OURS] = json.dumps(vars(ours))
    return types.SimpleNamespace(**json.loads(os.environ[OURS]))


def median_and_worst(values_ms):
    return f"median {statistics.median(values_ms):.1f} ms, worst {max(values_ms):.1f} ms"


def boots(test, guest):
    guest.start()
    for text, timeout_s, what in (
            ("booted", BOOT_S, "the machine boots on this one's root"),
            (f"{guest.device} is bound to vfio-pci", BIND_S, "its NIC is bound to vfio-pci"),
            ("swimlane answers", ANSWER_S, "swimlane starts on it")):
        ok = guest.await_said(f"guest: {text}", timeout_s)
        if not ok:
            test.note(guest.last_words())
        test.need(ok, what)
    test.note(f"from power-on to swimlane's first answer: {time.time() - guest.started_ms / 1000:.1f} s")


def meets(test, the_lab, guest):
    fleet = the_lab.fleet
    start = time.monotonic()
    fleet.feed.add(guest.name, guest.feed_socket, map_prefix="")
    ok = fleet.await_all_alive(MEET_S)
    if not ok:
        test.note(guest.last_words())
    test.need(ok, "all three servers see all three alive, and are ready")
    test.note(f"from swimlane's first answer to that: {time.monotonic() - start:.1f} s")
    port = guest.call("status")["port"]
    test.note(f"port: {port['name']}, {port['driver']}, {port['queues']} queues, mac {port['mac']}; {port['steering']}")
    test.check(port["mac"] == machine.MAC and port["exclusive"] and port["queues"] == guest.lanes,
               "its port is the machine's NIC, whole, with a queue for each lane")


def answers_arp_and_ping(test, the_lab, guest):
    network, first = the_lab.network, the_lab.fleet.servers[0]
    host.run(["ip", "-n", first.namespace, "neigh", "flush", "dev", "eth0"])
    for size in (56, 1452 if ":" in guest.address else 1472):
        done = subprocess.run(network.inside(first.namespace, [
            "ping", "-c", str(PINGS), "-i", "0.1", "-W", "2", "-M", "do", "-s", str(size), guest.address]),
            capture_output=True, text=True, timeout=PINGS * 3)
        test.note(f"{size} bytes: " + ("; ".join(done.stdout.splitlines()[-2:]) or done.stderr))
        test.check(" 0% packet loss" in done.stdout, f"it answers ping itself, {size} bytes")
    neighbour = host.run(["ip", "-n", first.namespace, "neigh", "show", guest.address])
    test.check(machine.MAC in neighbour, "it answers ARP, or neighbour discovery, with its own address")
    rtts = {s.name: fleet_rtt(s, guest) for s in the_lab.fleet.servers}
    test.note("round trips as swimlane measures them, us: " + json.dumps(rtts))


def fleet_rtt(server, guest):
    """To the machine; of the machine itself, to the others."""
    return {name: row["rtt_us"] for name, row in server_states(server).items()
            if not row["self"] and guest.name in (name, server.name)}


def server_states(server):
    return {m["name"]: m for m in server.call("members")["members"]}


def spreads_senders(test, the_lab, guest):
    """Echo requests from many addresses: RSS spreads what is no UDP, too."""
    network, first = the_lab.network, the_lab.fleet.servers[0]
    answered = 0
    for n in range(1, SENDERS + 1):
        host.run(["ip", "-n", first.namespace, "addr", "add", f"10.77.9.{n}/32", "dev", "eth0"])
        done = subprocess.run(network.inside(first.namespace, [
            "ping", "-c", "2", "-i", "0.1", "-W", "2", "-I", f"10.77.9.{n}", guest.address]),
            capture_output=True, text=True, timeout=20)
        answered += " 0% packet loss" in done.stdout
    test.check(answered == SENDERS, f"{SENDERS} senders get their answers, whichever lane they reach")


def frames_by_lane(guest):
    return [core["rx_frames"] for core in guest.call("stats")["cores"] if core["role"].startswith("lane")]


def sleeps_until_interrupted(test, the_lab, guest):
    """A lane that no interrupt wakes looks every 100 ms, and answers ping after half of that on average."""
    said = guest.said()
    if guest.nic not in machine.WAKING:
        test.check("no receive interrupts" in said, "its driver has no receive interrupts, and a warning says so")
        return
    test.check("sleeps until it is woken" in said and "no receive interrupts" not in said,
               "its lanes wait for the NIC's interrupts")
    done = subprocess.run(the_lab.network.inside(the_lab.fleet.servers[0].namespace, [
        "ping", "-c", "20", "-i", "0.2", "-W", "2", guest.address]), capture_output=True, text=True, timeout=60)
    answer_ms = float(re.search(r"= [\d.]+/([\d.]+)/", done.stdout + "= 0/1e9/").group(1))
    test.check(answer_ms < 25, f"and are woken by them: ping is answered after {answer_ms} ms on average")
    stats = guest.call("stats")
    for core in stats["cores"]:
        if core["role"].startswith("lane"):
            asleep = core["asleep_us"] / 1e6 * stats["tsc_hz"]
            share = asleep / (asleep + core["busy_cycles"] + core["idle_cycles"])
            test.note(f"lcore {core['lcore']}: asleep {share:.1%} in {core['sleeps']} sleeps")
            test.check(core["sleeps"] > 0, f"lcore {core['lcore']} slept")


def agrees_on_owners(test, the_lab, guest):
    fleet = the_lab.fleet
    url = the_lab.origins.url(the_lab.origins.names[0])
    for n in range(ORIGINS):
        fleet.servers[n % 2].call("origin.add", name=f"shop-{n}", origin={"url": url, "interval_ms": 60000})

    def same():
        views = [{o["name"]: o["owner"] for o in s.call("origin.list")["origins"]} for s in fleet.servers]
        agreed = len(views[0]) == ORIGINS and all(v == views[0] for v in views)
        return views[0] if agreed and set(views[0].values()) == {s.name for s in fleet.servers} else None

    owners = fleet.feed.until(same, OWN_S)
    test.check(owners, f"{ORIGINS} origins told to the servers outside have the same owners on all three")
    if owners:
        shares = {s.name: sum(o == s.name for o in owners.values()) for s in fleet.servers}
        test.note(f"owned: {json.dumps(shares)}")


def carries_keys(test, the_lab, guest):
    """Single keys both ways, then many, full-sized ones among them."""
    fleet, feed = the_lab.fleet, the_lab.feed
    first = fleet.servers[0]
    for writer, reader, way in ((first, guest, "into the machine"), (guest, first, "out of the machine")):
        times_ms = []
        for n in range(SINGLE_KEYS):
            key, mark = f"single/{writer.name}/{n}", feed.mark()
            start_ms = time.time() * 1000
            fleet.put(writer, key, f"value {n}")
            came = feed.until(lambda: [note.at_ms for note in feed.since(mark) if note.server == reader.name
                                       and note.params.get("key") == key], READ_S)
            if came:
                times_ms.append(came[0] - start_ms)
        read = all(holds(reader, f"single/{writer.name}/{n}", f"value {n}") for n in range(SINGLE_KEYS))
        test.check(read and len(times_ms) == SINGLE_KEYS, f"keys written on {writer.name} are read on {reader.name}")
        if times_ms:
            test.note(f"a write and its way {way}: {median_and_worst(times_ms)}")
    start = time.monotonic()
    for n in range(KEYS):
        fleet.put(fleet.servers[n % 3], f"many/{n:03}", f"{n} " * (20 if n % 4 else 200))
    dumps, differ = maps.await_equal(feed, fleet.servers, READ_S)
    test.note(f"{KEYS} keys written and equal after {time.monotonic() - start:.1f} s")
    many = {f"many/{n:03}" for n in range(KEYS)}
    test.check(all(many <= set(d) for d in dumps.values()), f"{KEYS} keys from all sides are on all three")
    test.check(not differ, "complete dumps are equal: keys, values, dots, stamps")


def holds(server, key, value):
    try:
        return server.call("map.get", key=key)["value"] == value
    except rpc.RpcError:
        return False


def leaves(test, the_lab, guest):
    others = {s.name: "alive" for s in the_lab.fleet.servers if s is not guest}
    guest.call("leave")
    ok = the_lab.feed.until(lambda: the_lab.fleet.all_see(others | {guest.name: "left"}, [
        s for s in the_lab.fleet.servers if s is not guest]), STOP_S)
    test.check(ok, "it leaves, and the others say so")
    test.check(guest.await_said("swimlane ended: exit code 0", STOP_S), "swimlane gives the NIC back and ends cleanly")
    try:
        code = guest.process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        code = None
    test.check(code == 0, "the machine powers off")


def go_on_with_ipv6(test, the_lab):
    """The servers outside start again, on IPv6 addresses beside their IPv4 ones."""
    fleet = the_lab.fleet
    for server in fleet.servers:
        fleet.kill(server)
        fleet.collect(server)
        server.address = f"fd77::{server.number}"
        host.run(["ip", "-n", server.namespace, "addr", "add", f"{server.address}/64", "dev", "eth0", "nodad"])
    the_lab.options.ports = [[f"kind: {the_lab.options.kind}", "interface: eth0", f"address: '{s.address}'"]
                             for s in fleet.servers]
    start_all(test, the_lab)


def body(test, the_lab):
    ours = options_of_ours()
    if ours.ipv6:
        go_on_with_ipv6(test, the_lab)
    guest = machine.PciServer(the_lab, 3, ours.nic, ours.lanes, not ours.no_huge, not ours.no_rss,
                              "interrupt" if ours.interrupt else "sleep")
    if ours.ipv6:
        guest.address = "fd77::3"
    the_lab.fleet.servers.append(guest)
    the_lab.fleet.by_name[guest.name] = guest
    test.note(f"{ours.nic}, {ours.lanes} lanes, {'ordinary pages' if ours.no_huge else 'hugepages'}")
    try:
        boots(test, guest)
        meets(test, the_lab, guest)
        answers_arp_and_ping(test, the_lab, guest)
        agrees_on_owners(test, the_lab, guest)
        carries_keys(test, the_lab, guest)
        if guest.lanes > 1 and not ours.ipv6:
            spreads_senders(test, the_lab, guest)
        if ours.interrupt:
            sleeps_until_interrupted(test, the_lab, guest)
        frames = frames_by_lane(guest)
        test.note(f"frames received by lane: {frames}")
        if guest.nic in machine.SPREADING:
            test.check(all(frames), "each lane received frames")
        else:
            test.check(frames[0] > 0, "lane 0 received frames (the emulated NIC has no others for the rest)")
        leaves(test, the_lab, guest)
    finally:
        test.note(f"console and logs: {the_lab.save_logs('qemu-' + ours.nic)}")


if __name__ == "__main__":
    options_of_ours()
    sys.exit(main("pci", body, servers=2, origins=1, profile="virtual"))
