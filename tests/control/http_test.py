#!/usr/bin/env python3
"""Control over HTTP: tokens and bind rules, /metrics for two strict parsers, /healthz, and hostile clients."""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from control import BUILD, Alone, main, rss_kib
from stopped_thread import FIRST_LANE, KEEPER, stopped_thread
from swimlane_client import HttpClient, RpcError

TOKEN = "0123456789abcdef0123456789abcdef"

STRICT = """\
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
print(len(families), sum(len(f.samples) for f in families))
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.token = self.folder / "token"
        self.write_token(TOKEN)

    def write_token(self, text, mode=0o600):
        self.token.unlink(missing_ok=True)
        self.token.write_text(text + "\n")
        self.token.chmod(mode)

    def check(self, http):
        """Exit code and words of `swimlane --check`."""
        config = self.folder / "check.yaml"
        config.write_text("name: a\ncluster: c\ninsecure: true\n"
                          "port: {kind: vdev, interface: net_null0, address: 10.0.0.1}\n"
                          f"control:\n  socket: {self.folder}/s\n  http: {http}\n")
        done = subprocess.run([BUILD / "app/swimlane/swimlane", "--check", config], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


class BindRules(Folder):
    def test_tcp_without_a_token_is_refused(self):
        code, words = self.check("{listen: 127.0.0.1:9946}")
        self.assertEqual(code, 3)
        self.assertIn("check.yaml:7: control.http.listen", words)
        self.assertIn("token_file", words)

    def test_only_a_numeric_address_that_was_named_is_taken(self):
        for wrong in ("0.0.0.0:9946", "'[::]:9946'", "localhost:9946", "127.0.0.1", "127.0.0.1:0", "9946", "'*:9946'"):
            with self.subTest(wrong):
                code, words = self.check(f"{{listen: {wrong}, token_file: /t}}")
                self.assertEqual(code, 3, words)
                self.assertIn("control.http.listen", words)
        for right in ("127.0.0.1:9946", "'[::1]:9946'", "10.1.2.3:1"):
            with self.subTest(right):
                self.assertEqual(self.check(f"{{listen: {right}, token_file: /t}}")[0], 0)
        self.assertEqual(self.check("{listen: /run/swimlane/http.sock}")[0], 0)

    def refused(self):
        control = f"  http: {{listen: 127.0.0.1:{free_port()}, token_file: {self.token}}}\n"
        server = Alone(BUILD, control=control)
        self.addCleanup(server.__exit__)
        with self.assertRaises(RuntimeError) as ended:
            server.start()
        return str(ended.exception)

    def test_a_token_that_others_may_read_is_refused(self):
        self.write_token(TOKEN, 0o640)
        self.assertIn("chmod 600", self.refused())

    def test_a_short_token_is_refused(self):
        self.write_token("short")
        self.assertIn("16 to 256", self.refused())

    def test_a_token_that_is_no_file_is_refused(self):
        self.token.unlink()
        os.mkfifo(self.token, 0o600)
        self.assertIn("plain file", self.refused())


class Served(Folder):
    """One server on TCP with a token."""

    def setUp(self):
        super().setUp()
        self.port = free_port()
        control = (f"  http: {{listen: 127.0.0.1:{self.port}, token_file: {self.token}, "
                   f"without_token: {self.open_pages()}}}\n")
        self.server = Alone(BUILD, control=control)
        self.addCleanup(self.server.__exit__)
        self.server.start()
        self.http = self.client(TOKEN)

    def open_pages(self):
        return "nothing"

    def client(self, token):
        client = HttpClient(f"http://127.0.0.1:{self.port}", token=token, timeout_s=20)
        self.addCleanup(client.close)
        return client

    def raw(self, text=b""):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        self.addCleanup(s.close)
        if text:
            s.sendall(text)
        return s


class Tokens(Served):
    def test_nothing_is_told_without_the_token(self):
        for token in (None, "", "x", TOKEN[:-1], TOKEN + "0", TOKEN.upper() + "x" * 300):
            with self.subTest(token):
                client = self.client(token)
                for verb, path in (("POST", "/rpc"), ("GET", "/metrics"), ("GET", "/healthz"), ("GET", "/")):
                    status, headers, body = client.fetch(verb, path, b"{}" if verb == "POST" else None)
                    self.assertEqual(status, 401)
                    self.assertEqual(headers["WWW-Authenticate"], "Bearer")
                    self.assertNotIn(b"swimlane_", body)
        self.assertEqual(self.http.call("status")["state"], "running")

    def test_other_schemes_and_places_are_no_token(self):
        for headers in ({"Authorization": f"Basic {TOKEN}"}, {"Authorization": TOKEN}, {"X-Token": TOKEN}):
            self.assertEqual(self.client(None).fetch("GET", "/metrics", headers=headers)[0], 401)
        self.assertEqual(self.client(None).fetch("GET", f"/metrics?token={TOKEN}")[0], 401)

    def test_a_new_token_holds_from_the_next_reload_on(self):
        other = TOKEN[::-1]
        self.write_token(other)
        self.assertEqual(self.http.call("status")["state"], "running")
        self.http.call("reload")
        with self.assertRaises(ConnectionError):
            self.http.call("status")
        self.assertEqual(self.client(other).call("status")["state"], "running")

    def test_a_token_that_became_readable_to_others_is_not_taken(self):
        self.write_token(TOKEN[::-1], 0o644)
        self.http.call("reload")
        self.assertEqual(self.http.call("status")["state"], "running")
        self.assertIn("token is as it was", self.server.last_words())


class Rpc(Served):
    def open_pages(self):
        return "metrics"

    def test_errors_are_those_of_json_rpc(self):
        with self.assertRaises(RpcError) as refused:
            self.http.call("map.get", key="none")
        self.assertEqual(refused.exception.code, -32001)
        for body, code in ((b"[1", b"-32700"), (b"", b"-32700"), (b"[]", b"-32600"),
                           (b'{"jsonrpc":"2.0","id":1,"method":"none"}', b"-32601")):
            status, _, answer = self.http.fetch("POST", "/rpc", body)
            self.assertEqual(status, 200)
            self.assertIn(code, answer)

    def test_a_notification_gets_no_content(self):
        status, _, body = self.http.fetch("POST", "/rpc", b'{"jsonrpc":"2.0","method":"status"}')
        self.assertEqual((status, body), (204, b""))

    def test_a_write_is_answered_once_it_is_written(self):
        self.http.call("map.put", key="over http", value="x")
        self.assertEqual(self.http.call("map.get", key="over http")["value"], "x")

    def test_verbs_and_paths(self):
        self.assertEqual(self.http.fetch("GET", "/rpc")[0], 405)
        self.assertEqual(self.http.fetch("POST", "/metrics", b"x")[0], 405)
        self.assertEqual(self.http.fetch("GET", "/none")[0], 404)
        self.assertEqual(self.http.fetch("GET", "/metrics?x=1")[0], 200)
        self.assertNotEqual(self.http.fetch("DELETE", "/metrics")[0], 200)

    def test_pages_that_need_no_token_give_nothing_else_away(self):
        client = self.client(None)
        self.assertEqual(client.fetch("GET", "/metrics")[0], 200)
        self.assertEqual(client.fetch("GET", "/healthz")[0], 200)
        self.assertEqual(client.fetch("POST", "/rpc", b"{}")[0], 401)

    def test_pipelined_requests_are_answered_in_order(self):
        one = b'{"jsonrpc":"2.0","id":%d,"method":"status"}'
        text = b""
        for number in range(50):
            body = one % number
            text += (b"POST /rpc HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
                     % (TOKEN.encode(), len(body), body))
        s = self.raw(text)
        answers = b""
        while more := s.recv(1 << 16):
            answers += more
            if answers.count(b'"result":') == 50:
                break
        places = [answers.find(b'"id":%d,' % n) for n in range(50)]
        self.assertEqual(places, sorted(places))
        self.assertNotIn(-1, places)


    def test_who_has_shut_its_sending_side_down_gets_its_answer(self):
        """As docs/operations.md says: the first of them for certain, whether it is answered at once or later."""
        for method in ("log.level", "map.put"):
            text = b""
            for number in range(20):
                body = json.dumps({"jsonrpc": "2.0", "id": number, "method": method,
                                   "params": {"key": "k", "value": "v"} if method == "map.put" else {}}).encode()
                text += (b"POST /rpc HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
                         % (TOKEN.encode(), len(body), body))
                if number not in (0, 19):
                    continue
                s = self.raw(text)
                s.shutdown(socket.SHUT_WR)
                answers = b""
                while more := s.recv(1 << 16):
                    answers += more
                ids = [int(n) for n in re.findall(rb'"id":(\d+),"result"', answers)]
                self.assertEqual(ids, list(range(len(ids))))
                self.assertEqual(len(re.findall(rb"HTTP/1.1 200", answers)), len(ids))
                self.assertGreaterEqual(len(ids), 1, method)
        self.assertEqual(self.http.call("map.get", key="k")["value"], "v")


class Metrics(Served):
    def page(self, accept=None):
        status, headers, body = self.http.fetch("GET", "/metrics", headers={"Accept": accept} if accept else {})
        self.assertEqual(status, 200)
        return headers["Content-Type"], body.decode()

    def test_promtool_finds_no_fault(self):
        kind, text = self.page()
        self.assertIn("version=0.0.4", kind)
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        bad = text.replace("# TYPE swimlane_ready gauge", "# TYPE swimlane_ready counter")
        done = subprocess.run(["promtool", "check", "metrics"], input=bad, capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0, "promtool takes anything")

    def test_a_strict_parser_of_openmetrics_takes_every_family(self):
        kind, text = self.page("application/openmetrics-text; version=1.0.0")
        self.assertTrue(kind.startswith("application/openmetrics-text; version=1.0.0"))
        done = subprocess.run(["/usr/bin/python3", "-c", STRICT], input=text, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(int(done.stdout.split()[0]), text.count("# TYPE "))
        self.assertTrue(text.endswith("# EOF\n"))
        done = subprocess.run(["/usr/bin/python3", "-c", STRICT], input=text.replace("# EOF\n", ""),
                              capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0, "the parser takes anything")

    def test_every_counter_of_stats_is_a_metric(self):
        _, text = self.page()
        samples = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
        stats = self.http.call("stats")
        groups = [("rpc", stats["rpc"]), ("health", stats["health"])]
        for core in stats["cores"]:
            groups.append(("lane|membership|path" if core["role"] == "lane" else "keeper|map", core["counters"]))
        for prefixes, counts in groups:
            for name in counts:
                name = {"answered_by_port": "rx_answered"}.get(name, name)
                wanted = {f"swimlane_{p}_{name}{suffix}" for p in prefixes.split("|") for suffix in ("", "_total")}
                self.assertTrue(wanted & samples, f"{name} of {prefixes} is in stats and not in /metrics")

    def test_numbers_move_with_what_happens(self):
        def value(name):
            return float(next(l for l in self.page()[1].splitlines() if l.startswith(name + " ")).split()[-1])
        before = value("swimlane_map_puts_total")
        self.http.call("map.put", key="counted", value="x")
        self.assertEqual(value("swimlane_map_puts_total"), before + 1)
        self.assertEqual(value("swimlane_map_records"), 1)
        self.assertEqual(value("swimlane_ready"), 1)


class Healthz(Served):
    def open_pages(self):
        return "healthz"

    def until(self, condition, timeout_s=10):
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.assertLess(time.monotonic(), deadline, self.server.last_words())
            time.sleep(0.02)

    def test_well_is_200_and_leaving_is_503_with_the_reason(self):
        self.assertEqual(self.client(None).healthz(), (True, []))
        self.assertEqual(self.client(None).fetch("GET", "/metrics")[0], 401)

    def test_a_server_that_has_not_joined_is_503(self):
        port = free_port()
        control = f"  http: {{listen: 127.0.0.1:{port}, token_file: {self.token}, without_token: healthz}}\n"
        # Nobody answers there, and this profile waits for seconds.
        server = Alone(BUILD, control=control, more="seeds: [10.0.0.9]\n", name="other", profile="virtual")
        self.addCleanup(server.__exit__)
        server.spawn()
        deadline = time.monotonic() + 20
        seen = None
        while time.monotonic() < deadline and seen is None:
            try:
                client = HttpClient(f"http://127.0.0.1:{port}")
                seen = client.healthz()
                client.close()
            except OSError:
                time.sleep(0.01)
        self.assertEqual(seen[0], False)
        self.assertRegex(seen[1][0], "^(joining|starting): ")


    def test_a_core_that_stands_still_is_503_and_named_until_it_goes_on(self):
        client = self.client(None)
        for thread, who in ((FIRST_LANE, "lane 0"), (KEEPER, "the keeper")):
            with stopped_thread(self.server.process.pid, thread):
                self.until(lambda: not client.healthz()[0])
                self.assertEqual(client.healthz()[1], [f"stuck: {who} has not turned for 1000 ms"])
                self.until(lambda: f"error: stuck: {who}" in self.server.last_words())
            self.until(lambda: client.healthz() == (True, []))
            self.until(lambda: self.server.last_words(1).endswith("warning: lanes and keeper turn again"))


class Hostile(Served):
    """A client that behaves is served all the while; what the others cost stays bounded."""

    def good(self):
        start = time.monotonic()
        client = HttpClient(f"http://127.0.0.1:{self.port}", token=TOKEN, timeout_s=5)
        self.assertEqual(client.call("status")["state"], "running")
        client.close()
        return time.monotonic() - start

    def test_headers_and_bodies_that_come_byte_by_byte_are_cut(self):
        slow = [self.raw(b"GET /metrics HTTP/1.1\r\n") for _ in range(20)]
        slow += [self.raw(b"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{") for _ in range(20)]
        start = time.monotonic()
        alive = len(slow)
        while alive and time.monotonic() - start < 25:
            alive = 0
            for s in slow:
                try:
                    s.sendall(b"x")
                    alive += 1
                except OSError:
                    pass
            self.assertLess(self.good(), 2)
            time.sleep(0.3)
        self.assertEqual(alive, 0, "slow requests live on")
        self.assertGreater(time.monotonic() - start, 5, "cut before their time")

    def test_large_headers_are_refused(self):
        s = self.raw(b"GET /metrics HTTP/1.1\r\nX: ")
        try:
            for _ in range(1000):
                s.sendall(b"y" * 1000)
        except OSError:
            pass
        try:
            answer = s.recv(1000)
        except OSError:
            answer = b""
        self.assertNotIn(b"200 OK", answer)
        self.assertLess(self.good(), 2)

    def test_large_bodies_are_refused(self):
        s = self.raw(b"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        self.assertIn(b"413", s.recv(1000))
        chunked = self.raw(b"POST /rpc HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        before = rss_kib(self.server.process.pid)
        try:
            for _ in range(3000):
                chunked.sendall(b"2710\r\n" + b"z" * 10000 + b"\r\n")
        except OSError:
            pass
        self.assertLess(rss_kib(self.server.process.pid) - before, 4096)
        self.assertLess(self.good(), 2)

    def test_more_connections_than_there_may_be_do_not_lock_others_out(self):
        before = rss_kib(self.server.process.pid)
        many = []
        for _ in range(1000):
            many.append(self.raw(b"GET /metr"))
        self.assertLess(self.good(), 5)
        self.assertLess(rss_kib(self.server.process.pid) - before, 16384)
        clients = next(l for l in self.http.metrics().splitlines() if l.startswith("swimlane_http_clients "))
        self.assertLessEqual(int(clients.split()[1]), 128)
        for s in many:
            s.close()

    def test_a_client_that_never_reads_is_cut(self):
        s = self.raw()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + TOKEN.encode() + b"\r\n\r\n"
        before = rss_kib(self.server.process.pid)
        s.settimeout(1)
        try:
            for _ in range(20000):
                s.sendall(one)
        except OSError:
            pass
        self.assertLess(self.good(), 2)
        self.assertLess(rss_kib(self.server.process.pid) - before, 16384)


if __name__ == "__main__":
    if shutil.which("promtool") is None:
        raise SystemExit("promtool is missing: scripts/packages has it (package prometheus)")
    main()
