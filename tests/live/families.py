#!/usr/bin/env python3
"""Five servers on IPv6, beside their kernels and without them, and then five on one VLAN, are a cluster as on IPv4.

Servers 1 and 2 on AF_XDP (af_packet without root), 3 on AF_PACKET, 4 and 5 with a port of their own, on which the
appliance itself does neighbour discovery (IPv6) or ARP (VLAN).
"""
import sys

from live import host, main, start_all

VLAN = 20


def readdress(the_lab, pattern):
    for server in the_lab.fleet.servers:
        server.address = pattern.format(server.number)


def six(the_lab):
    readdress(the_lab, "fd77::{}")
    shared = "af_xdp" if host.is_root() else "af_packet"
    ports = []
    for server in the_lab.fleet.servers:
        if server.number <= 3:
            host.run(["ip", "-n", server.namespace, "addr", "add", f"{server.address}/64", "dev", "eth0", "nodad"])
            ports.append([f"kind: {shared if server.number < 3 else 'af_packet'}", "interface: eth0",
                          f"address: {server.address}"])
        else:
            ports.append(["kind: vdev", "interface: 'net_af_packet0,iface=eth0'", f"address: '{server.address}'",
                          "prefix_len: 64", "dscp: 46"])
    return ports


def vlan(the_lab):
    readdress(the_lab, "10.78.0.{}")
    return [["kind: vdev", "interface: 'net_af_packet0,iface=eth0'", f"address: {server.address}", "prefix_len: 16",
             f"vlan: {VLAN}"] for server in the_lab.fleet.servers]


def works(test, the_lab, what):
    fleet, feed = the_lab.fleet, the_lab.feed
    states = {m["name"]: m for m in fleet.servers[0].call("members")["members"]}
    test.check(all(states[s.name]["address"].startswith((s.address, f"[{s.address}]")) for s in fleet.servers),
               f"{what}: members are shown with their addresses")
    for n, writer in enumerate(fleet.servers):
        fleet.put(writer, f"{what}/{n}", f"written by {writer.name}" * 20)

    def read():
        for n, writer in enumerate(fleet.servers):
            for reader in fleet.servers:
                if reader.call("map.get", key=f"{what}/{n}")["value"] != f"written by {writer.name}" * 20:
                    return False
        return True

    def read_all():
        try:
            return read()
        except Exception:
            return False

    test.check(feed.until(read_all, 20), f"{what}: each server reads what each has written")
    for server in fleet.servers:
        core = next(c for c in server.call("stats")["cores"] if c["role"] == "lane")
        test.check(core["counters"]["answered"] > 0 and core["rx_frames"] > 0,
                   f"{what}: {server.name} answers probes ({core['counters']['answered']})")


def body(test, the_lab):
    test.check(True, "on IPv4 before")
    for what, ports in (("ipv6", six), ("vlan", vlan)):
        for server in the_lab.fleet.servers:
            the_lab.fleet.kill(server)
            the_lab.fleet.collect(server)
        the_lab.options.ports = ports(the_lab)
        start_all(test, the_lab)
        works(test, the_lab, what)


if __name__ == "__main__":
    sys.exit(main("families", body, origins=1))
