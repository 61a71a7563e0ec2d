"""What scripts/bench/lanes puts side by side: the appliance, the traffic source, testpmd and serf, each a process of
its own on a link of its own. What is not measured just now is stopped, so that the CPUs belong to what is."""
import base64
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts/lib"), str(ROOT / "scripts")]
sys.dont_write_bytecode = True

from swimlane_client import Client, RpcError  # noqa: E402

CONFIG = """\
name: lane-1
cluster: bench
{seal}
port:
{port}
cores: {{lanes: [{lanes}], keeper: {control}, control: {control}, lane_idle: {{policy: spin}}}}
control: {{socket: {folder}/control.sock}}
memory: {{hugepages: off, megabytes: 160}}
membership: {{probe_timeout_ms: {probe_timeout_ms}}}
"""
MEMIF = """\
  kind: memif
  address: 10.0.0.1
  prefix_len: 16
  memif: {{socket: {folder}/link.sock, role: server}}"""
VDEV = """\
  kind: vdev
  interface: "{vdev}"
  address: 10.0.0.1
  prefix_len: 16"""
INTERFACE = """\
  kind: {kind}
  interface: {interface}"""
PROBE_TIMEOUT_MS = 20
SERVER_MAC = "02:53:0a:00:00:01"  # what an owned port makes of 10.0.0.1


def inside(namespace, command):
    return ["ip", "netns", "exec", namespace, *command] if namespace else command


class Part:
    """A process; use as a context. `stopped()` while others are measured."""

    process = None
    namespace = None

    def spawn(self, command, folder, **keywords):
        self.log = folder / f"{type(self).__name__.lower()}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(inside(self.namespace, command), stderr=log, cwd=folder,
                                            env=dict(os.environ, RUNTIME_DIRECTORY=str(folder)), **keywords)

    def last_words(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])

    def fail(self, what):
        raise RuntimeError(f"{type(self).__name__}: {what}\n{self.last_words()}")

    def signal(self, number):
        self.process.send_signal(number)

    def await_socket(self):
        deadline = time.monotonic() + 20
        while not (self.folder / "link.sock").exists():
            if time.monotonic() > deadline:
                self.fail("makes no socket")
            time.sleep(0.05)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def end(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.resume()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        try:
            self.start()
            return self
        except BaseException:
            self.end()
            raise

    def __exit__(self, *_):
        self.end()


class Server(Part):
    """The appliance: one lane, or several, that spin; keeper and control on another CPU."""

    def __init__(self, build, folder, cpus, port, keyring=None, lanes=1, namespace=None):
        self.build, self.folder, self.namespace = build, folder, namespace
        folder.mkdir(parents=True, exist_ok=True)
        seal = f"seal: {{keyring: {keyring}}}" if keyring else "insecure: true"
        self.config = folder / "swimlane.yaml"
        self.config.write_text(CONFIG.format(seal=seal, port=port.format(folder=folder), folder=folder,
                                             lanes=", ".join([str(cpus[-1])] * lanes), control=cpus[0],
                                             probe_timeout_ms=PROBE_TIMEOUT_MS))

    def start(self):
        self.spawn([str(self.build / "app/swimlane/swimlane"), "--config", str(self.config)], self.folder,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError, RpcError):
                if self.call("status")["ready"]:
                    return
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.fail("does not come up")
            time.sleep(0.05)

    def call(self, method):
        with Client(self.folder / "control.sock", 20) as client:
            return client.call(method)

    def lanes(self):
        return [core for core in self.call("stats")["cores"] if core["role"] == "lane"]

    def keeper(self):
        return next(core for core in self.call("stats")["cores"] if core["role"] == "keeper")

    def thread(self, lane=0):
        """The lane's thread, for strace and perf."""
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            if (task / "comm").read_text().strip() == f"rte-worker-{2 + lane}":
                return int(task.name)
        self.fail("has no such lane")


class Testpmd(Part):
    """dpdk-testpmd in 5tswap mode: the platform's limit."""

    def __init__(self, folder, cpus):
        self.folder, self.cpus = folder, cpus
        folder.mkdir(parents=True, exist_ok=True)

    def start(self):
        link = f"net_memif0,role=server,id=0,socket={self.folder}/link.sock,socket-abstract=no,rsize=10"
        self.spawn(["dpdk-testpmd", f"--lcores=0@{self.cpus[0]},1@{self.cpus[-1]}", "--no-huge", "-m", "160", "--no-pci",
                    "--no-shconf", "--iova-mode=va", "--no-telemetry", f"--vdev={link}", "--", "--forward-mode=5tswap",
                    "--nb-cores=1", "--burst=32", "--rxd=1024", "--txd=1024", "--total-num-mbufs=8192",
                    "--port-topology=loop", "--auto-start", "--disable-link-check", "--no-lsc-interrupt"],
                   self.folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.resume()
            with contextlib.suppress(OSError):
                self.process.stdin.write(b"\n")
                self.process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(3)
        super().end()


class Source(Part):
    """swimlane-bench: each run is a line to it, and a line of JSON from it."""

    def __init__(self, build, folder, cpu, vdev, keyring=None, echo=False, to_mac=SERVER_MAC, mac=None, queues=1,
                 namespace=None):
        self.folder, self.namespace = folder / "source", namespace
        self.folder.mkdir(parents=True, exist_ok=True)
        self.command = [str(build / "app/bench/lanes/swimlane-bench"), "--vdev", vdev.format(folder=folder),
                        "--from", "10.0.1.1:7946", "--to", "10.0.0.1:7946", "--to-mac", to_mac, "--cpu", str(cpu),
                        "--queues", str(queues)]
        self.command += ["--keyring", str(keyring)] if keyring else []
        self.command += ["--mac", mac] if mac else []
        self.command += ["--echo"] if echo else []

    def start(self):
        self.spawn(self.command, self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def await_ready(self):
        self.facts = self.answer(60)
        return self

    def answer(self, timeout_s):
        if not select.select([self.process.stdout], [], [], timeout_s)[0]:
            self.fail("says nothing")
        line = self.process.stdout.readline()
        if not line:
            self.fail("has ended")
        return json.loads(line)

    def run(self, ms, **options):
        words = " ".join(f"{name}={value}" for name, value in options.items())
        self.process.stdin.write(f"run ms={ms} {words}\n")
        self.process.stdin.flush()
        return self.answer(ms / 1000 + 60)


class Serf(Part):
    """Debian's serf agent, encryption on and compression off."""

    KEY = bytes(range(1, 33))

    def __init__(self, folder, namespace, cpu):
        self.folder, self.namespace, self.cpu = folder / "serf", namespace, cpu
        self.folder.mkdir(parents=True, exist_ok=True)

    def start(self):
        self.spawn(["taskset", "-c", str(self.cpu), "serf", "agent", "-node=n1", "-bind=10.0.0.1:7946",
                    "-rpc-addr=127.0.0.1:7373", "-disable-compression", "-log-level=err",
                    f"-encrypt={base64.b64encode(self.KEY).decode()}"],
                   self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def cpu_seconds(self):
        """Of all its threads, user and system."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, build, namespace, ms, cpu):
        before = self.cpu_seconds()
        done = subprocess.run(
            inside(namespace, ["taskset", "-c", str(cpu), str(build / "app/bench/lanes/swimlane-bench"), "serf",
                               "10.0.0.1:7946", "n1", self.KEY.hex(), str(ms), "64"]),
            capture_output=True, text=True, timeout=ms / 1000 + 30)
        if done.returncode != 0:
            self.fail(done.stderr)
        result = json.loads(done.stdout)
        result["cpu_s"] = self.cpu_seconds() - before
        result["acks_per_core_s"] = result["answered"] / max(result["cpu_s"], 0.01)
        return result


class Veth:
    """Two namespaces with a cable between them: 10.0.0.1 on the server's side. Gone at the end, whatever happens."""

    def __init__(self):
        self.server, self.source = (f"swimbench-{os.getpid()}-{side}" for side in ("a", "b"))

    @staticmethod
    def ip(*words, check=True):
        subprocess.run(["ip", *words], check=check, stderr=None if check else subprocess.DEVNULL)

    def __enter__(self):
        try:
            for name in (self.server, self.source):
                self.ip("netns", "add", name)
                self.ip("-n", name, "link", "set", "lo", "up")
            self.ip("link", "add", "swa0", "netns", self.server, "type", "veth", "peer", "name", "swb0",
                    "netns", self.source)
            self.ip("-n", self.server, "address", "add", "10.0.0.1/16", "dev", "swa0")
            for name, interface in ((self.server, "swa0"), (self.source, "swb0")):
                subprocess.run(inside(name, ["sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=1"]), check=False)
                self.ip("-n", name, "link", "set", interface, "up")
                subprocess.run(inside(name, ["ethtool", "-K", interface, "tx", "off"]), check=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return self
        except BaseException:
            self.__exit__()
            raise

    def with_address(self):
        self.ip("-n", self.source, "address", "add", "10.0.1.1/16", "dev", "swb0")
        return self

    def mac(self, side):
        name, interface = (self.server, "swa0") if side == "server" else (self.source, "swb0")
        shown = subprocess.run(["ip", "-n", name, "-j", "link", "show", "dev", interface], check=True,
                               capture_output=True, text=True).stdout
        return json.loads(shown)[0]["address"]

    def __exit__(self, *_):
        for name in (self.server, self.source):
            self.ip("netns", "delete", name, check=False)


def scratch():
    """A folder for sockets, short enough for them."""
    import tempfile
    return pathlib.Path(tempfile.mkdtemp(prefix="swb-"))


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
