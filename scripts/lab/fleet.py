"""The servers: each a real swimlane process in its namespace, with its own config, log and RPC socket."""
import os
import signal
import subprocess
import time

from . import net, rpc

UDP_PORT = 7946

CONFIG = """\
name: {name}
cluster: {cluster}
profile: {profile}
zone: {zone}
{sealing}
state_dir: {state_dir}
seeds:
{seeds}
port:
{port}
  udp_port: {udp_port}
cores:
  lane_idle: {{policy: {idle}, ramp_us: {ramp_us}, ceiling_us: {ceiling_us}}}
  keeper_idle: {{policy: {idle}, ramp_us: {ramp_us}, ceiling_us: {ceiling_us}}}
memory:
  hugepages: {hugepages}
  megabytes: {megabytes}
map:
  records_max: {records_max}
  megabytes: {map_megabytes}
{map_lines}ownership:
  stable_ms: {stable_ms}
{ownership_lines}control:
  socket: {socket}
test:
  shim: true
"""


class Server:
    def __init__(self, fleet, number):
        self.number = number
        self.name = f"s{number}"
        self.address = net.server_address(number)
        self.namespace = fleet.network.namespace(number)
        self.socket = fleet.folder / f"{self.name}.sock"
        self.config = fleet.folder / f"{self.name}.yaml"
        self.log = fleet.logs / f"{self.name}.log"
        self.state_dir = fleet.folder / f"{self.name}.state"
        self.process = None
        self.started_ms = 0.0

    def endpoint(self):
        return f"[{self.address}]:{UDP_PORT}" if ":" in self.address else f"{self.address}:{UDP_PORT}"

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def call(self, method, **params):
        return rpc.call(self.socket, method, **params)

    def last_words(self):
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-12:])


class Fleet:
    """All servers; the feed gathers what they tell."""

    def __init__(self, ledger, network, feed, options):
        self.ledger = ledger
        self.folder = ledger.folder
        self.logs = options.logs
        self.network = network
        self.feed = feed
        self.options = options
        self.servers = [Server(self, n) for n in range(1, network.servers + 1)]
        self.by_name = {s.name: s for s in self.servers}

    @property
    def keyring(self):
        return self.folder / "keyring"

    def key(self, *arguments):
        """swimlanectl key …, on the keyring that all servers read."""
        verb, *rest = arguments
        subprocess.run([str(self.options.ctl), "key", verb, str(self.keyring), *map(str, rest)], check=True,
                       stdout=subprocess.DEVNULL, timeout=10)

    def sealing(self):
        if not self.options.sealed:
            return "insecure: true"
        if not self.keyring.exists():
            self.key("new")
        return f"seal: {{keyring: {self.keyring}}}"

    def running(self):
        return [s for s in self.servers if s.alive()]

    def others(self, server):
        return [s for s in self.running() if s is not server]

    def port_of(self, server):
        """The lines of its section `port`."""
        lines = self.options.ports[server.number - 1] if self.options.ports else [
            f"kind: {self.options.kind}", "interface: eth0"]
        return "\n".join(f"  {line}" for line in lines)

    def write_config(self, server):
        seeds = [s for s in self.servers if s is not server][:3]
        server.state_dir.mkdir(exist_ok=True)
        server.config.write_text(CONFIG.format(
            name=server.name, cluster=self.network.prefix, profile=self.options.profile,
            sealing=self.sealing(), state_dir=server.state_dir, port=self.port_of(server), idle=self.options.idle, udp_port=UDP_PORT,
            seeds="\n".join(f"  - '{s.endpoint()}'" for s in seeds),
            ramp_us=50, ceiling_us=self.options.ceiling_us,
            hugepages="auto" if self.options.hugepages else "off", megabytes=self.options.megabytes,
            stable_ms=self.options.stable_ms, socket=server.socket,
            records_max=self.options.records_max, map_megabytes=self.options.map_megabytes,
            zone=self.options.zones[server.number - 1] if self.options.zones else "lab",
            ownership_lines="  zone_aware: true\n" if self.options.zones else "",
            map_lines="".join(f"  {line}\n" for line in self.options.map_lines))
            + "".join(f"{line}\n" for line in self.options.more_lines))

    def start(self, server, timeout_s=30):
        """Starts a server and waits until its RPC answers and the feed hears it."""
        self.write_config(server)
        server.socket.unlink(missing_ok=True)
        command = [str(self.options.binary), "--config", str(server.config)]
        with open(server.log, "ab") as log:
            server.started_ms = time.time() * 1000
            server.process = subprocess.Popen(
                self.network.inside(server.namespace, command), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, env=dict(os.environ, RUNTIME_DIRECTORY=str(self.folder)))
        self.ledger.add_process(server.process.pid, server.name)
        deadline = time.monotonic() + timeout_s
        while True:
            if not server.alive():
                raise RuntimeError(f"{server.name} ended at its start (exit code "
                                   f"{server.process.returncode}):\n{server.last_words()}")
            try:
                self.feed.add(server.name, server.socket, map_prefix="")
                return
            except (OSError, rpc.RpcError) as error:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{server.name} does not answer on {server.socket}: {error}\n"
                                       f"{server.last_words()}") from error
            time.sleep(0.02)

    def kill(self, server, number=signal.SIGKILL):
        """Sends a signal; the wall clock just before, in ms."""
        before_ms = time.time() * 1000
        os.kill(server.process.pid, number)
        return before_ms

    def collect(self, server, timeout_s=10):
        """Waits for the end of a server's process; its return code as of subprocess."""
        code = server.process.wait(timeout_s)
        self.ledger.forget_process(server.process.pid)
        return code

    def states(self, server):
        """The member table of one server: name to row."""
        return {m["name"]: m for m in server.call("members")["members"]}

    def all_see(self, expected, of=None):
        """Whether every running server (or those of `of`) is ready and sees exactly these states: {name: state}."""
        for server in of or self.running():
            try:
                status = server.call("status")
                table = self.states(server)
            except (OSError, rpc.RpcError):
                return False
            if not status["ready"] or any(table.get(n, {}).get("state") not in s.split("|")
                                          for n, s in expected.items()):
                return False
        return True

    def await_all_alive(self, timeout_s=30, of=None):
        names = {s.name: "alive" for s in (of or self.running())}
        return self.feed.until(lambda: self.all_see(names, of), timeout_s)

    def put(self, server, key, value, timeout_s=5):
        """map.put, tried again while the server says busy or not ready."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return server.call("map.put", key=key, value=value)
            except rpc.RpcError as error:
                if error.code not in (rpc.BUSY, rpc.NOT_READY) or time.monotonic() > deadline:
                    raise
            time.sleep(0.002)
