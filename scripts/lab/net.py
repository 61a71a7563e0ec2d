"""The topology: a switch namespace with two bridges, one namespace a server, one for the origins.

  PREFIX-1 … PREFIX-N   eth0, 10.77.0.N, cabled to port sN of the switch
  PREFIX-switch         br-a (the datacenter), br-b (where a partition's other side is plugged in)
  PREFIX-origins        lan0, a bridge with one port to br-a and one to br-b, isolated from each other:
                        both sides of a partition reach the origins, and not each other through them
"""
import os

from . import host

PREFIX_LEN = 16


def server_address(number):
    return f"10.77.0.{number}"


def origin_address(number):
    return f"10.77.1.{number}"


class Network:
    def __init__(self, ledger, prefix, servers, origins):
        self.ledger = ledger
        self.prefix = prefix
        self.servers = servers
        self.origins = origins
        self.switch = f"{prefix}-switch"
        self.origin_side = f"{prefix}-origins"

    def namespace(self, number):
        return f"{self.prefix}-{number}"

    def names(self):
        return [self.switch, self.origin_side] + [self.namespace(n) for n in range(1, self.servers + 1)]

    def build(self):
        existing = set(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else set()
        taken = existing & set(self.names())
        if taken:
            raise RuntimeError(f"network namespaces are there already: {', '.join(sorted(taken))}")
        if not os.path.ismount("/run/netns"):
            self.ledger.entries["netns_mounted"] = True
        for name in self.names():
            self.ledger.add("namespaces", name)
            host.run(["ip", "netns", "add", name])
            self._ip(name, "link set lo up")
        for bridge in ("br-a", "br-b"):
            self._bridge(self.switch, bridge)
        self._build_origin_side()
        for number in range(1, self.servers + 1):
            self._cable(f"s{number}", self.namespace(number), "eth0")
            self._ip(self.namespace(number), f"addr add {server_address(number)}/{PREFIX_LEN} dev eth0")

    def _build_origin_side(self):
        self._bridge(self.origin_side, "lan0")
        for letter in "ab":
            port = f"to-{letter}"
            self._cable(f"o-{letter}", self.origin_side, port, f"br-{letter}")
            self._ip(self.origin_side, f"link set {port} master lan0",
                     f"link set {port} type bridge_slave isolated on")
        # What the kernel sends from a bridge leaves its checksum to the veth, which never fills it in.
        host.run(self.inside(self.origin_side, ["ethtool", "-K", "lan0", "tx", "off"]))
        self._ip(self.origin_side, f"addr add 10.77.1.254/{PREFIX_LEN} dev lan0",
                 *(f"addr add {origin_address(n)}/{PREFIX_LEN} dev lan0" for n in range(1, self.origins + 1)))

    def _bridge(self, namespace, name):
        self._ip(namespace, f"link add {name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                 f"link set {name} addrgenmode none up")

    def _cable(self, port, namespace, interface, bridge="br-a"):
        """A veth from the switch's port to an interface in a namespace, both ends up."""
        host.run(["ip", "link", "add", port, "netns", self.switch, "type", "veth",
                  "peer", "name", interface, "netns", namespace])
        # AF_XDP takes frames as they are: checksums must be finished before they get there.
        for where, name in ((self.switch, port), (namespace, interface)):
            host.run(self.inside(where, ["ethtool", "-K", name, "tx", "off"]))
            self._ip(where, f"link set {name} addrgenmode none up")
        self._ip(self.switch, f"link set {port} master {bridge}")

    def _ip(self, namespace, *commands):
        host.run(["ip", "-n", namespace, "-batch", "-"], "\n".join(commands) + "\n")

    def inside(self, namespace, arguments):
        """The command that runs `arguments` in a namespace, as the same process."""
        if host.is_root():
            return ["ip", "netns", "exec", namespace] + arguments
        # A user namespace may not be allowed to mount the /sys that ip-netns-exec wants.
        return ["nsenter", f"--net=/run/netns/{namespace}"] + arguments

    def part(self, numbers):
        """Cuts these servers off from the others; all still reach the origins."""
        self._ip(self.switch, *(f"link set s{n} master br-b" for n in numbers))

    def heal(self):
        self._ip(self.switch, *(f"link set s{n} master br-a" for n in range(1, self.servers + 1)))
