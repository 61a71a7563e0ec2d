#!/usr/bin/env python3
"""A fresh replica of two real servers over memif: how long its first session takes, and what it then occupies.

Two swimlane processes on this machine, linked by shared memory alone (no namespace, no root). The first is filled
over its RPC; then the second starts. Timed is from the moment at which the second knows of the first (its `alive`
event) until it is ready: choice of a peer, request, all packets, merging, and the vector. Checked is that it then
holds the same content. Memory is all of the server's process that is resident and its own, large pages with it, and
not the pages of program and library files, which processes share.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lab import rpc  # noqa: E402

CONFIG = """\
name: {name}
cluster: bench
profile: lan
insecure: true
seeds: [10.77.0.1, 10.77.0.2]
port:
  kind: memif
  address: 10.77.0.{number}
  prefix_len: 24
  memif: {{socket: {folder}/link.sock, role: {role}}}
cores: {{lanes: [{cpu}], keeper: {cpu}, control: {cpu}}}
memory: {{hugepages: {hugepages}, megabytes: {megabytes}}}
map: {{records_max: {records_max}, megabytes: {map_megabytes}}}
health: {{enabled: false}}
control:
  socket: {folder}/{name}.sock
"""

WINDOW = 60  # puts under way


class Server:
    def __init__(self, options, folder, number):
        self.name = f"s{number}"
        self.folder = folder
        self.socket = folder / f"{self.name}.sock"
        self.log = folder / f"{self.name}.log"
        cpus = sorted(os.sched_getaffinity(0))
        config = folder / f"{self.name}.yaml"
        config.write_text(CONFIG.format(
            name=self.name, number=number, folder=folder, role="server" if number == 1 else "client",
            cpu=cpus[(number - 1) % len(cpus)], hugepages=options.hugepages, megabytes=options.megabytes,
            records_max=max(options.records, 1000), map_megabytes=options.map_megabytes))
        self.command = [str(options.swimlane), "--config", str(config)]
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=dict(os.environ, RUNTIME_DIRECTORY=str(self.folder)))

    def until(self, condition, timeout_s, pause_s=0.02):
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                if condition():
                    return
            except (OSError, rpc.RpcError):
                pass
            time.sleep(pause_s)
        raise RuntimeError(f"{self.name}: not in {timeout_s} s; its log:\n" + self.log.read_text(errors="replace"))

    def call(self, method, **params):
        return rpc.call(self.socket, method, **params)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def resident_mib(self):
        """What of this process is in memory and its own (large pages are not counted in the resident set), and
        what is of programs' and libraries' files, which all processes share."""
        kib = {}
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(("RssAnon:", "RssShmem:", "HugetlbPages:", "RssFile:")):
                kib[line.split(":")[0]] = int(line.split()[1])
        files = kib.pop("RssFile")
        return sum(kib.values()) / 1024, files / 1024


def fill(server, records, value_len):
    """Puts over one connection, several under way; the answers are all 0 or the bench ends."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(server.socket))
        lines = connection.makefile("rb")
        sent = answered = 0
        while answered < records:
            count = min(WINDOW - (sent - answered), records - sent)
            if count > 0:
                connection.sendall(b"".join(json.dumps({
                    "jsonrpc": "2.0", "id": n, "method": "map.put",
                    "params": {"key": f"health/{n:09}", "value": (f"{n} " * 50)[:value_len]}}).encode() + b"\n"
                    for n in range(sent, sent + count)))
                sent += count
            # All that is under way before more is sent: few and large pieces either way.
            for _ in range(sent - answered):
                answer = json.loads(lines.readline())
                if "error" in answer:
                    raise RuntimeError(f"map.put: {answer['error']}")
            answered = sent


def measure(options, folder):
    first, second = Server(options, folder, 1), Server(options, folder, 2)
    try:
        first.start()
        first.until(lambda: first.call("status")["ready"], 30)
        fill(first, options.records, options.value_len)
        start = first.call("status")
        if start["records"] != options.records:
            raise RuntimeError(f"filled with {start['records']} records instead of {options.records}")
        feed = rpc.Feed()
        second.start()
        second.until(lambda: feed.add("second", second.socket) is None, 30, pause_s=0.002)
        second.until(lambda: second.call("status")["ready"], 60)
        time.sleep(0.2)
        status = second.call("status")
        events = {note.params["kind"]: note.params["at_ms"] for note in reversed(feed.notes) if note.method == "event"}
        if status["records"] != options.records or status["content_hash"] != start["content_hash"]:
            raise RuntimeError(f"the replica is not the same: {status} after {start}")
        return {"fresh_replica_s": (events["ready"] - events["alive"]) / 1000,
                "resident_mib": second.resident_mib()[0], "files_mib": second.resident_mib()[1],
                "resident_source_mib": first.resident_mib()[0]}
    finally:
        second.stop()
        first.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swimlane", required=True, type=pathlib.Path, help="the server's executable")
    parser.add_argument("--records", type=int, default=100000)
    parser.add_argument("--value-len", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--hugepages", default="auto", choices=["auto", "on", "off"])
    parser.add_argument("--megabytes", type=int, default=256, help="memory that DPDK takes")
    parser.add_argument("--map-megabytes", type=int, default=20, help="memory of records")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="keep configurations and logs")
    options = parser.parse_args()
    results = []
    for _ in range(options.rounds):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="swimlane-bench-"))
        try:
            results.append(measure(options, folder))
        finally:
            if options.keep:
                print(f"kept {folder}", file=sys.stderr)
            else:
                shutil.rmtree(folder)

    def median(key):
        return sorted(r[key] for r in results)[len(results) // 2]

    took_s, mib = median("fresh_replica_s"), median("resident_mib")
    print(f"fresh replica over memif, {options.records} records of {options.value_len} bytes; "
          f"medians of {len(results)}")
    print(f"  from knowing its peer to ready      {took_s:8.3f} s")
    print(f"  the replica's memory, whole process {mib:8.1f} MiB, and {median('files_mib'):.1f} MiB of files "
          f"(program, libraries); the other's {median('resident_source_mib'):.1f} MiB\n")
    if options.json:
        print(json.dumps({"fresh_replica_100k_s": round(took_s, 4), "memory_100k_mib": round(mib, 2)}))


if __name__ == "__main__":
    main()
