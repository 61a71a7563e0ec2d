"""One swimlane server by itself: its port is DPDK's null device, so it needs no interface, no hugepages and
no root. For the bench of the control RPC and for tests of what needs no other server."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from swimlane_client import Client, RpcError  # noqa: E402

CONFIG = """\
name: {name}
cluster: alone
profile: {profile}
{seal}
port:
{port}
  address: {address}
  prefix_len: 24
memory: {{hugepages: off, megabytes: 96}}
"""


NULL = """\
  kind: vdev
  interface: net_null0,no-rx=1"""

LINK = """\
  kind: memif
  memif: {{socket: {folder}/link.sock, role: {role}}}"""


class Alone:
    """Use as a context. `more`: further sections of the configuration, as YAML; in it and in `control`, what
    belongs into that section, FOLDER is the server's own. `keyring`: its packets are
    sealed. `link`: "server" or "client" of a shared-memory link
    to another one of these, whose folder the client is given."""

    def __init__(self, build, more="", name="edge-01", control="", folder=None, environment=None, arguments=(),
                 link=None, link_folder=None, address="10.0.0.1", profile="lan", keyring=None):
        self.build = pathlib.Path(build)
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="swimlane-alone-"))
        self.made_folder = folder is None
        self.name = name
        self.socket = self.folder / "control.sock"
        self.config = self.folder / "swimlane.yaml"
        self.log = self.folder / "swimlane.log"
        self.more = more
        self.control = control
        self.environment = environment or {}
        self.arguments = arguments
        self.process = None
        self.address = address
        self.profile = profile
        self.seal = "insecure: true" if keyring is None else f"seal: {{keyring: {keyring}}}"
        self.port = NULL if link is None else LINK.format(folder=link_folder or self.folder, role=link)

    def write_config(self, more=None):
        self.more = self.more if more is None else more
        control = f"control:\n  socket: {self.socket}\n" + self.control
        text = CONFIG.format(name=self.name, profile=self.profile, seal=self.seal, port=self.port, address=self.address) + control + self.more
        self.config.write_text(text.replace("FOLDER", str(self.folder)))

    def spawn(self):
        self.write_config()
        command = [str(self.build / "app/swimlane/swimlane"), "--config", str(self.config)]
        if self.arguments:
            command += ["--", *self.arguments]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, RUNTIME_DIRECTORY=str(self.folder), **self.environment))

    def start(self, timeout_s=60):
        """Starts it, and waits until it is ready."""
        self.spawn()
        deadline = time.monotonic() + timeout_s
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"ended with {self.process.returncode}:\n{self.last_words()}")
            try:
                with Client(self.socket) as client:
                    if client.call("status")["ready"]:
                        return self
            except (OSError, RpcError):
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(f"not ready in {timeout_s} s:\n{self.last_words()}")
            time.sleep(0.02)

    def client(self, timeout_s=10.0):
        return Client(self.socket, timeout_s)

    def last_words(self, lines=15):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def stop(self, number=signal.SIGTERM):
        """The exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process = None
        text = self.log.read_text(errors="replace")
        if "Sanitizer: " in text or "runtime error: " in text:  # where it was built with one
            raise RuntimeError(text)
        return code

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.stop()
        if self.made_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
