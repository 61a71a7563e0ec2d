"""The origin servers: one nginx of our own, one address an origin, each broken and mended by a file.

nginx answers 503 as long as the file broken/oN exists, so breaking an origin takes effect with the very next
request. Its access log says who checked which origin when, independently of what swimlane says.
"""
import pathlib
import re
import subprocess
import time
from typing import NamedTuple

from . import net

HEAD = """\
user root root; daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
	client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
	uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
	server_tokens off; default_type text/plain;
	log_format check '$msec $server_addr $remote_addr $status';
	access_log {folder}/access.log check;
"""
SERVER = """\
	server {{
		listen {address}:80;
		location = /health {{
			if (-f {folder}/broken/{name}) {{ return 503 "broken\\n"; }}
			return 200 "{name} is well\\n";
		}}
	}}
"""


class Check(NamedTuple):
    at_ms: float
    origin: str
    client: str
    status: int


class Origins:
    def __init__(self, ledger, network, log_folder):
        self.ledger = ledger
        self.network = network
        self.folder = ledger.folder / "origins"
        self.log = pathlib.Path(log_folder) / "nginx.log"
        self.names = [f"o{n}" for n in range(1, network.origins + 1)]
        self.by_address = {net.origin_address(n): f"o{n}" for n in range(1, network.origins + 1)}
        self.process = None

    def url(self, name):
        return f"http://{net.origin_address(int(name[1:]))}/health"

    def start(self):
        (self.folder / "broken").mkdir(parents=True)
        text = HEAD.format(folder=self.folder)
        for name in self.names:
            text += SERVER.format(address=net.origin_address(int(name[1:])), folder=self.folder, name=name)
        (self.folder / "nginx.conf").write_text(text + "}\n")
        command = ["nginx", "-e", str(self.folder / "error.log"), "-p", str(self.folder),
                   "-c", str(self.folder / "nginx.conf")]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.network.inside(self.network.origin_side, command),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        self.ledger.add_process(self.process.pid, "nginx")
        self._await_port()

    def _await_port(self):
        probe = self.network.inside(self.network.origin_side,
                                    ["bash", "-c", f": </dev/tcp/{net.origin_address(1)}/80"])
        deadline = time.monotonic() + 10
        while subprocess.run(probe, capture_output=True).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                words = self.log.read_text() + (self.folder / "error.log").read_text()
                raise RuntimeError(f"nginx does not serve the origins: {words.strip()}")
            time.sleep(0.02)

    def break_(self, name):
        (self.folder / "broken" / name).touch()

    def mend(self, name):
        (self.folder / "broken" / name).unlink()

    def checks(self, since_ms=0.0):
        """What nginx saw: every check answered since then, in order."""
        found = []
        for line in (self.folder / "access.log").read_text().splitlines():
            parts = re.fullmatch(r"([\d.]+) (\S+) (\S+) (\d+)", line)
            if parts and float(parts[1]) * 1000 >= since_ms:
                origin = self.by_address.get(parts[2], parts[2])
                found.append(Check(float(parts[1]) * 1000, origin, parts[3], int(parts[4])))
        return found
