"""An emulated machine with one PCI NIC behind an IOMMU, and the appliance that runs in it.

The machine's root is this one's, read-only over 9p, under an overlay in its memory; its NIC's other end is a
tap on the lab's switch. Its only network is that NIC, and the appliance has it: the control RPC comes out
over virtio serial ports, each a UNIX socket here.
"""
import json
import os
import pathlib
import re
import select
import shutil
import socket
import stat
import subprocess
import threading
import time

from lab import fleet, host, net, rpc

HERE = pathlib.Path(__file__).resolve().parent
SLOT = 0x10  # of the NIC on the root bus
MAC = "52:54:00:77:00:03"
MEMORY_MIB = 1024
# The emulated vmxnet3 delivers everything to its first queue, whatever RSS was asked for; e1000e is driven with one.
SPREADING = ["virtio-net-pci"]
WAKING = ["virtio-net-pci", "vmxnet3"]  # whose drivers have receive interrupts: see drivers-config/e1000.yaml
RPC_S = 20
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console", "vfio_iommu_type1", "vfio_pci", "veth"]

# A lane that sleeps leaves the emulator time for the others.
CONFIG = """\
name: {name}
cluster: {cluster}
profile: {profile}
zone: lab
{sealing}
seeds:
{seeds}
port:
  kind: pci
  interface: {device}
  address: '{address}'
  prefix_len: {prefix_len}
  udp_port: {udp_port}
cores:
{lanes}
  lane_idle: {{policy: {idle}, ramp_us: 50, ceiling_us: 1000}}
  keeper_idle: {{policy: sleep, ramp_us: 50, ceiling_us: 1000}}
memory:
  hugepages: {hugepages}
  megabytes: 64
map:
  records_max: 20000
ownership:
  stable_ms: {stable_ms}
health:
  enabled: false # the origins are out of this machine's reach
control:
  socket: {socket}
"""


def module_name(text):
    return text.removesuffix(".ko").replace("-", "_")


def in_order(folder):
    """MODULES and what they depend on, each after its dependencies."""
    files = {module_name(p.name): p for p in folder.glob("*.ko")}
    order = []

    def need(name):
        # What is not there is built into the kernel.
        if name not in files or files[name] in order:
            return
        found = re.search(rb"\0depends=([^\0]*)\0", files[name].read_bytes())
        for other in filter(None, (found[1] if found else b"").decode().split(",")):
            need(module_name(other))
        order.append(files[name])

    for name in MODULES:
        need(name)
    return order


def newc(entries):
    """A cpio archive as the kernel unpacks it (Documentation/driver-api/early-userspace/buffer-format)."""
    archive = b""
    for number, (name, mode, data) in enumerate(entries + [("TRAILER!!!", 0, b"")], 1):
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
        archive += head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
    return archive


def initramfs(kernel_folder):
    modules = in_order(kernel_folder / "modules")
    entries = [(name, stat.S_IFDIR | 0o755, b"")
               for name in ("bin", "modules", "proc", "sys", "dev", "lower", "upper", "root")]
    busybox = pathlib.Path(shutil.which("busybox")).read_bytes()
    entries.append(("bin/busybox", stat.S_IFREG | 0o755, busybox))
    for applet in ("sh", "mount", "mkdir", "insmod", "cat", "cp", "rm", "chroot", "switch_root", "poweroff"):
        entries.append((f"bin/{applet}", stat.S_IFLNK | 0o777, b"busybox"))
    entries.append(("init", stat.S_IFREG | 0o755, (HERE / "init").read_bytes()))
    for module in modules:
        entries.append((f"modules/{module.name}", stat.S_IFREG | 0o644, module.read_bytes()))
    order = "".join(f"{module.name}\n" for module in modules)
    entries.append(("modules/order", stat.S_IFREG | 0o644, order.encode()))
    return newc(entries)


class RpcLine:
    """The RPC port as a socket that clients may come to and leave, one at a time: the machine sees one for good.

    A virtio serial port of which the host's end is closed and opened again in a moment loses what is written then.
    """

    def __init__(self, path, port_path):
        self.clients, self.ports = (socket.socket(socket.AF_UNIX) for _ in range(2))
        for listener, place in ((self.clients, path), (self.ports, port_path)):
            listener.bind(str(place))
            listener.listen(8)
        threading.Thread(target=self._carry, daemon=True).start()

    def _carry(self):
        port, _ = self.ports.accept()
        while True:
            client, _ = self.clients.accept()
            with client:
                try:
                    self._pump(client, port)
                except OSError:
                    pass  # either end is gone: the next client learns which

    @staticmethod
    def _pump(client, port):
        while True:
            for source in select.select([client, port], [], [])[0]:
                data = source.recv(65536)
                if not data:
                    return
                (port if source is client else client).sendall(data)


class PciServer(fleet.Server):
    """A server of the fleet as the others are; its process is the machine."""

    def __init__(self, the_lab, number, nic, lanes=1, hugepages=True, rss=True, idle="sleep"):
        super().__init__(the_lab.fleet, number)
        self.lab = the_lab
        self.nic = nic
        self.lanes = lanes
        self.hugepages = hugepages
        self.rss = rss
        self.idle = idle
        self.folder = the_lab.ledger.folder / f"{self.name}.machine"
        self.console = the_lab.options.logs / f"{self.name}-console.log"
        self.qemu_log = the_lab.options.logs / f"{self.name}-qemu.log"
        self.feed_socket = self.folder / "feed.sock"
        self.socket = self.folder / "rpc.sock"
        self.rpc_port = self.folder / "rpc-port.sock"
        self.device = f"0000:00:{SLOT:02x}.0"

    def write_config(self):
        options = self.lab.options
        # Control and keeper share CPU 0, each lane has one of its own.
        lanes = "" if self.lanes == 1 else (
            f"  lanes: [{', '.join(str(n + 1) for n in range(self.lanes))}]\n  keeper: 0\n  control: 0")
        inside = "/run/swimlane/control.sock"
        self.config.write_text(CONFIG.format(
            name=self.name, sealing=self.lab.fleet.sealing(), cluster=self.lab.network.prefix, profile=options.profile, device=self.device,
            seeds="\n".join(f"  - '{s.endpoint()}'" for s in self.lab.fleet.servers if s is not self),
            address=self.address, prefix_len=64 if ":" in self.address else net.PREFIX_LEN, udp_port=fleet.UDP_PORT, lanes=lanes, idle=self.idle,
            hugepages="on" if self.hugepages else "off", stable_ms=options.stable_ms, socket=inside))
        (self.folder / "facts.json").write_text(json.dumps({
            "device": self.device, "hugepages": 64 if self.hugepages else 0, "binary": str(options.binary),
            "config": str(self.config), "socket": inside, "ports": ["rpc", "feed"]}))

    def cable(self):
        """A tap from the machine to the lab's switch, with a queue for each lane."""
        queues = " multi_queue" if self.lanes > 1 and self.nic == "virtio-net-pci" else ""
        tap, switch = f"s{self.number}", self.lab.network.switch
        host.run(["ip", "-n", switch, "-batch", "-"], f"tuntap add {tap} mode tap{queues}\n"
                 f"link set {tap} addrgenmode none up\nlink set {tap} master br-a\n")
        return tap

    def command(self, tap):
        kernel = self.lab.options.build / "qemu"
        nic = f"{self.nic},netdev=net,mac={MAC},addr={SLOT:#x}"
        netdev = f"tap,id=net,ifname={tap},script=no,downscript=no"
        if self.nic == "virtio-net-pci":
            nic += ",disable-legacy=on,iommu_platform=on"
            if self.lanes > 1:
                nic += f",mq=on,rss={'on' if self.rss else 'off'},vectors={2 * self.lanes + 2}"
                netdev += f",queues={self.lanes}"
        ports = ["-chardev", f"socket,id=rpc,path={self.rpc_port}",
                 "-chardev", f"socket,id=feed,path={self.feed_socket},server=on,wait=off"]
        for name in ("rpc", "feed"):
            ports += ["-device", f"virtserialport,chardev={name},name={name}"]
        return [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-M", "q35,kernel-irqchip=split", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-smp", str(max(2, self.lanes + 1)), "-m", str(MEMORY_MIB),
            "-device", "intel-iommu,intremap=on,caching-mode=on",
            "-kernel", str(kernel / "vmlinuz"), "-initrd", str(self.folder / "initramfs"),
            "-append", f"console=ttyS0 quiet panic=-1 intel_iommu=on swimlane.guest={HERE / 'guest.py'} "
                       f"swimlane.facts={self.folder / 'facts.json'}",
            "-serial", f"file:{self.console}",
            "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=root,mount_tag=root",
            "-device", "virtio-serial-pci", *ports, "-netdev", netdev, "-device", nic]

    def start(self):
        """Boots the machine; await_said() tells how far it is."""
        self.folder.mkdir()
        self.write_config()
        (self.folder / "initramfs").write_bytes(initramfs(self.lab.options.build / "qemu"))
        RpcLine(self.socket, self.rpc_port)
        network = self.lab.network
        with open(self.qemu_log, "ab") as log:
            self.started_ms = time.time() * 1000
            self.process = subprocess.Popen(
                network.inside(network.switch, self.command(self.cable())), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
        self.lab.ledger.add_process(self.process.pid, f"machine of {self.name}")

    def call(self, method, **params):
        with rpc.Rpc(self.socket, timeout_s=RPC_S) as connection:
            return connection.call(method, **params)

    def said(self):
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def await_said(self, text, timeout_s):
        """Whether the console says this in time; at once False if the machine ended."""
        deadline = time.monotonic() + timeout_s
        while text not in self.said():
            if not self.alive() or time.monotonic() > deadline:
                return text in self.said()
            time.sleep(0.05)
        return True

    def last_words(self):
        lines = self.said().splitlines()[-25:]
        return "\n".join(lines + self.qemu_log.read_text(errors="replace").splitlines())
