#!/usr/bin/env python3
"""Tests of swimlanectl against a server that plays canned answers.

  tests/unit/ctl_test.py PATH-OF-SWIMLANECTL [unittest options]
"""
import base64
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SWIMLANECTL = None


class Refusal(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Server:
    """Answers each method from a table: a value, an exception, or a function of the parameters. After the
    answer to a method in `streams` come its notifications, and then the connection stays open or ends."""

    def __init__(self, folder):
        self.path = str(folder / "control.sock")
        self.answers, self.streams, self.requests = {}, {}, []
        self.hang_up_after_stream = False
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listening.bind(self.path)
        self.listening.listen(8)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.listening.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            try:
                self.serve(connection)
            except OSError:
                pass
            connection.close()

    def serve(self, connection):
        connection.settimeout(20)
        for line in connection.makefile("rb"):
            request = json.loads(line)
            self.requests.append((request["method"], request.get("params")))
            answer = self.answers.get(request["method"], Refusal(-32601, "unknown method"))
            if answer == "hang up":
                return
            if answer == "silence":
                continue
            reply = {"jsonrpc": "2.0", "id": request["id"]}
            try:
                if isinstance(answer, Exception):
                    raise answer
                reply["result"] = answer(request.get("params")) if callable(answer) else answer
            except Refusal as refusal:
                reply["error"] = {"code": refusal.code, "message": str(refusal)}
            connection.sendall(json.dumps(reply).encode() + b"\n")
            for method, params in self.streams.get(request["method"], []):
                message = {"jsonrpc": "2.0", "method": method, "params": params}
                connection.sendall(json.dumps(message).encode() + b"\n")
            if self.hang_up_after_stream:
                return


class CtlTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.server = Server(pathlib.Path(folder.name))
        self.addCleanup(self.server.close)

    def ctl(self, *arguments, stdin=b"", code=0, env=None, socket_option=True):
        command = [SWIMLANECTL] + (["-s", self.server.path] if socket_option else []) + list(arguments)
        environment = {"PATH": os.environ["PATH"], "TZ": "UTC", **(env or {})}
        if "LSAN_OPTIONS" in os.environ:
            environment["LSAN_OPTIONS"] = os.environ["LSAN_OPTIONS"]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=30, env=environment)
        self.assertEqual(done.returncode, code, f"{command}\n{done.stdout}\n{done.stderr}")
        self.stderr = done.stderr.decode()
        return done.stdout

    def lines(self, *arguments, **more):
        return self.ctl(*arguments, **more).decode().splitlines()


def ago_ms(ms):
    return int(time.time() * 1000) - ms


def members(_=None):
    return {"members": [
        {"name": "edge-02", "id": "00000000000000a2", "epoch": 3, "instance": "00000000000000f2", "incarnation": 4,
         "state": "suspect", "drain": True, "weight": 100, "zone": "b", "address": "10.0.0.2:7946", "self": False,
         "since_ms": ago_ms(3200), "rtt_us": 85, "why": "no answer to 3 probes"},
        {"name": "edge-01", "id": "00000000000000a1", "epoch": 12, "instance": "00000000000000f1", "incarnation": 1,
         "state": "alive", "drain": False, "weight": 50, "zone": "", "address": "10.0.0.1:7946", "self": True,
         "since_ms": ago_ms(7200000), "rtt_us": 0, "why": ""},
    ]}


def health(_=None):
    return {"origins": [
        {"name": "shop", "state": "down", "since_ms": ago_ms(270000), "checked_ms": ago_ms(900), "latency_us": 1250,
         "checks": 1234, "error": "status 503", "age_ms": 5, "writer": "edge-02", "owner": "edge-01", "checking": True}]}


DOT = {"server": "edge-01", "epoch": 12, "seq": 345}
STAMP = {"clock": 7, "weight": "00000000000000aa", "server": "edge-01", "epoch": 12, "seq": 345}


def record(key, value, **more):
    return {"key": key, "value": value, "writer": "edge-01", "dot": DOT, "stamp": STAMP, "age_ms": 3200,
            "tombstone": False, **more}


class Tables(CtlTest):
    def test_members_are_aligned_sorted_and_have_units(self):
        self.server.answers["members"] = members
        titles, first, second = self.lines("members")
        self.assertEqual(titles.split(), ["NAME", "STATE", "SINCE", "ADDRESS", "RTT", "WEIGHT", "ZONE", "WHY"])
        self.assertRegex(first, r"^edge-01 \* +alive +2\.0 h +10\.0\.0\.1:7946 +- +50 +- +-$")
        self.assertRegex(second, r"^edge-02 +suspect, draining +[3-9]\.\d s +10\.0\.0\.2:7946 +85 us +100 +b +no answer")
        self.assertEqual(titles.index("ADDRESS"), first.index("10.0.0.1"))
        self.assertEqual(titles.index("ADDRESS"), second.index("10.0.0.2"))

    def test_members_verbose_shows_ids_and_epochs(self):
        self.server.answers["members"] = members
        text = self.ctl("members", "--verbose").decode()
        for wanted in ("INCARNATION", "00000000000000a1", "00000000000000f2"):
            self.assertIn(wanted, text)

    def test_status_names_server_map_port_and_cores(self):
        self.server.answers["status"] = {
            "version": "0.1.0", "name": "edge-01", "id": "00000000000000a1", "epoch": 12,
            "instance": "00000000000000f1", "cluster": "dc1", "address": "10.0.0.1:7946", "profile": "metal",
            "state": "running", "ready": True, "drain": False, "members": 2, "alive": 1,
            "table_digest": "0000000000000001", "vector_hash": "0000000000000002", "content_hash": "0000000000000003",
            "records": 12345, "tombstones": 6, "keys": 789, "uptime_ms": 270000,
            "port": {"name": "net_af_xdp0", "driver": "net_af_xdp", "steering": "xdp", "queues": 1,
                     "mac": "02:00:00:00:00:01", "mtu": 1500, "exclusive": False},
            "cores": [{"lcore": 1, "cpu": 1, "role": "lane", "idle": "spin"}]}
        text = self.ctl("status").decode()
        for wanted in ("edge-01 (id 00000000000000a1, epoch 12, instance 00000000000000f1)", "running, ready",
                       "4.5 min", "12,345 records, 6 tombstones; 789 keys", "2, 1 of them alive",
                       "net_af_xdp0 (net_af_xdp, xdp), 1 queues, shared with the kernel", "MTU 1500",
                       "lcore 1 on CPU 1: lane, idle spin"):
            self.assertIn(wanted, text)

    def test_status_says_what_the_process_may_still_do(self):
        status = {"name": "edge-01", "capabilities": ["CAP_NET_ADMIN", "CAP_NET_RAW"], "no_new_privileges": True}
        for held, shown in ((["CAP_NET_ADMIN", "CAP_NET_RAW"], "CAP_NET_ADMIN CAP_NET_RAW, and can gain none"),
                            ([], "0 capabilities, and can gain none"),
                            ([f"CAP_{n}" for n in range(41)], "41 capabilities, and can gain none"),
                            (["CAP_" + "X" * 2000] * 5, "CAP_XXX")):
            self.server.answers["status"] = dict(status, capabilities=held)
            self.assertIn(shown, self.ctl("status").decode())
        self.server.answers["status"] = dict(status, no_new_privileges=False)
        self.assertNotIn("gain", self.ctl("status").decode())

    def test_status_of_an_older_server_has_dashes_where_nothing_was_said(self):
        self.server.answers["status"] = {"name": "edge-01"}
        self.assertIn("edge-01 (id -, epoch 0, instance -)", self.ctl("status").decode())

    def test_plan_counts_gains_and_losses_and_lists_moves(self):
        server = {"id": "00000000000000a1", "weight_before": 100, "expected": 33.3}
        self.server.answers["plan"] = {"keys": 100, "moved": 7, "servers": [
            {**server, "name": "b", "weight": 0, "before": 7, "after": 0, "gains": 0, "loses": 7, "sigmas": 0},
            {**server, "name": "c", "weight": 200, "before": 30, "after": 37, "gains": 7, "loses": 0, "sigmas": -1.25}],
            "moves": [{"key": "origin/shop", "from": "b", "to": "c"}]}
        text = self.ctl("plan", "--without", "b").decode()
        self.assertRegex(text, r"(?m)^b +100 +0 +7 +0 +0 +7 +33\.3 +\+0\.0$")
        self.assertRegex(text, r"(?m)^c +100 +200 +30 +37 +7 +0 +33\.3 +-1\.2$")
        self.assertIn("7 of 100 keys would move", text)
        self.assertRegex(text, r"(?m)^origin/shop +b +c$")

    def test_balance_and_duties_are_tables(self):
        self.server.answers["balance"] = {"keys": 100, "servers": [
            {"name": "a", "id": "00000000000000a1", "weight": 100, "owned": 55, "expected": 50.0, "sigmas": 1.0}],
            "most_over_expected": 1.1, "chi_square": 1.0, "degrees": 1}
        text = self.ctl("balance").decode()
        self.assertRegex(text, r"(?m)^a +100 +55 +50\.0 +\+1\.0$")
        self.assertIn("chi-square 1.0 with 1 degrees", text)
        self.server.answers["duties"] = {"owner": {"now": 3, "begun": 4, "checks": 50},
                                         "stand_in": {"now": 0, "begun": 1, "checks": 2}}
        lines = self.lines("duties")
        self.assertEqual(lines[1].split()[-3:], ["3", "4", "50"])
        self.assertEqual(lines[2].split()[-3:], ["0", "1", "2"])
        self.assertEqual(lines[3].split()[-3:], ["0", "0", "0"])

    def test_owner_says_ranks_and_whether_the_key_is_registered(self):
        self.server.answers["owner"] = {"key": "k", "registered": False, "owners": [
            {"name": "edge-01", "id": "a1", "rank": 1, "live": True},
            {"name": "edge-02", "id": "a2", "rank": 2, "live": False}]}
        lines = self.lines("owner", "k")
        self.assertRegex(lines[1], r"^ +1  edge-01 +a1  yes$")
        self.assertRegex(lines[2], r"^ +2  edge-02 +a2  no$")
        self.assertIn("not registered", self.stderr)

    def test_owned_prints_one_key_a_line(self):
        self.server.answers["owned"] = {"server": "edge-01", "id": "a1", "keys": ["a", "b c"], "count": 2}
        self.assertEqual(self.lines("owned", "edge-01"), ["a", "b c"])
        self.assertEqual(self.server.requests, [("owned", {"server": "edge-01"})])

    def test_health_shows_state_ages_and_error(self):
        self.server.answers["health"] = health
        line = self.lines("health", "shop")[1]
        self.assertRegex(line, r"^shop +down +4\.[5-9] min +\d+(\.\d)? m?s +1\.25 ms +- +1,234 +edge-01 \* +edge-02 +status 503$")
        self.assertEqual(self.server.requests, [("health", {"name": "shop"})])

    def test_origin_list_shows_targets_either_way(self):
        self.server.answers["origin.list"] = {"origins": [
            {"name": "shop", "owner": "edge-01", "origin": {"url": "https://shop.example/h", "interval_ms": 5000,
                                                            "timeout_ms": 500, "rise": 2, "fall": 3,
                                                            "maintenance": "new disks"}},
            {"name": "db", "owner": "edge-02", "origin": {"type": "tcp", "address": "10.1.1.1", "port": 5432,
                                                          "interval_ms": 1000, "timeout_ms": 500, "rise": 2,
                                                          "fall": 3}}]}
        _, shop, db = self.lines("origin", "list")
        self.assertRegex(shop, r"^shop +https://shop.example/h +5\.0 s +500 ms +2 +3 +edge-01 +new disks$")
        self.assertRegex(db, r"^db +tcp://10.1.1.1:5432 +1\.0 s +500 ms +2 +3 +edge-02 +-$")

    def test_stats_show_load_and_every_counter(self):
        self.server.answers["stats"] = {"cores": [
            {"lcore": 1, "role": "lane", "loops": 1000000, "busy_cycles": 25, "idle_cycles": 75, "asleep_us": 0,
             "sleeps": 0, "cycles_per_packet": 212.5, "rx_frames": 1234567, "tx_frames": 5, "rx_bytes": 2048,
             "tx_bytes": 1, "drops": {"bad_checksum": 3}, "counters": {"pings": 44},
             "cycles": {"turns": 10, "interrupted": 1, "frames": 20, "answers": 20, "stages": {"rx": 2000, "tx": 6000}}}],
            "rpc": {"clients": 1}, "health": {}, "tsc_hz": 2000000000}
        self.assertEqual([line.split() for line in self.lines("stats", "--cycles")[1:]],
                         [["1", "rx", "100", "25.0", "%"], ["1", "tx", "300", "75.0", "%"],
                          ["1", "all", "400", "100.0", "%"]])
        text = self.ctl("stats").decode()
        for wanted in ("25.0 %", "1,234,567", "2.0 KiB", "212.5"):
            self.assertIn(wanted, text)
        self.assertRegex(text, r"lcore 1 +drop +bad_checksum +3\n")
        self.assertRegex(text, r"lcore 1 +counter +pings +44\n")
        self.assertRegex(text, r"rpc +counter +clients +1\n")

    def test_names_from_others_cannot_steer_the_terminal(self):
        self.server.answers["owned"] = {"keys": ["a\x1b[2Jb"], "count": 1}
        self.assertEqual(self.lines("owned", "x"), ["a\\x1b[2Jb"])

    def test_no_colours_into_a_pipe(self):
        self.server.answers["members"] = members
        self.assertNotIn(b"\x1b", self.ctl("members", env={"TERM": "xterm"}))

    def on_terminal(self, env):
        leader, follower = os.openpty()
        done = subprocess.run([SWIMLANECTL, "-s", self.server.path, "members"], stdout=follower, timeout=30,
                              env={"PATH": os.environ["PATH"], "TERM": "xterm", **env})
        os.close(follower)
        text = os.read(leader, 65536)
        os.close(leader)
        self.assertEqual(done.returncode, 0)
        return text

    def test_colours_on_a_terminal_unless_refused(self):
        self.server.answers["members"] = members
        self.assertIn(b"\x1b[32malive\x1b[0m", self.on_terminal({}))
        self.assertNotIn(b"\x1b", self.on_terminal({"NO_COLOR": "1"}))
        self.assertNotIn(b"\x1b", self.on_terminal({"TERM": "dumb"}))


class Json(CtlTest):
    def test_json_is_the_result_on_one_line_wherever_the_option_stands(self):
        answer = self.server.answers["members"] = members()
        for arguments in (["--json", "members"], ["members", "--json"]):
            text = self.ctl(*arguments).decode()
            self.assertEqual(text.count("\n"), 1)
            self.assertEqual(json.loads(text), answer)

    def test_every_command_prints_its_result_as_json(self):
        commands = {
            "status": ["status"], "members": ["members"], "owner": ["owner", "k"], "owned": ["owned", "s"],
            "origin.add": ["origin", "add", "n", "http://h"], "origin.rm": ["origin", "rm", "n"],
            "origin.list": ["origin", "list"], "health": ["health"], "map.put": ["map", "put", "k", "v"],
            "map.get": ["map", "get", "k"], "map.del": ["map", "del", "k"], "drain": ["drain"], "leave": ["leave"],
            "plan": ["plan", "--without", "a"], "balance": ["balance"], "weight": ["weight", "5"], "duties": ["duties"],
            "stats": ["stats"], "test.shim": ["test-shim"], "anything": ["rpc", "anything"]}
        for method, arguments in commands.items():
            with self.subTest(method):
                self.server.answers[method] = {"of": method}
                self.assertEqual(json.loads(self.ctl("--json", *arguments)), {"of": method})


class Parameters(CtlTest):
    def asked(self, method, *arguments, result=None, **more):
        self.server.answers[method] = result if result is not None else {}
        self.server.requests.clear()
        self.ctl(*arguments, **more)
        self.assertEqual(len(self.server.requests), 1)
        self.assertEqual(self.server.requests[0][0], method)
        return self.server.requests[0][1]

    def test_origin_add_sends_what_was_given_and_nothing_else(self):
        self.assertEqual(self.asked("origin.add", "origin", "add", "n", "tcp://h:1"),
                         {"name": "n", "origin": {"url": "tcp://h:1"}})
        self.assertEqual(
            self.asked("origin.add", "origin", "add", "n", "https://h", "--interval", "2s", "--timeout", "500ms", "--rise",
                       "1", "--fall", "9", "--expect-status", "204", "--expect-body", "ok", "--host", "x", "--no-verify"),
            {"name": "n", "origin": {"url": "https://h", "interval_ms": 2000, "timeout_ms": 500, "rise": 1, "fall": 9,
                                     "expect_status": "204", "expect_body": "ok", "host": "x", "verify_tls": False}})

    def test_drain_and_drain_off(self):
        self.assertEqual(self.asked("drain", "drain"), {"on": True})
        self.assertEqual(self.asked("drain", "drain", "--off"), {"on": False})

    def test_drain_waits_until_others_check_everything(self):
        asked = []

        def duties(_):
            asked.append(1)
            left = max(0, 3 - len(asked))
            return {"owner": {"now": 0}, "stand_in": {"now": 0}, "hand_over": {"now": left}}
        self.server.answers.update(drain={"drain": True}, duties=duties)
        self.assertIn(b"drained", self.ctl("drain", "--wait"))
        self.assertEqual(len(asked), 3)

    def test_owner_takes_a_number(self):
        self.assertEqual(self.asked("owner", "owner", "k"), {"key": "k"})
        self.assertEqual(self.asked("owner", "owner", "-n", "5", "k"), {"key": "k", "n": 5})
        self.assertEqual(self.asked("owner", "owners", "k", "--number", "256"), {"key": "k", "n": 256})

    def test_plan_sends_who_goes_and_who_comes(self):
        self.assertEqual(self.asked("plan", "plan", "--without", "a,b", "--with", "c:200,d"),
                         {"without": ["a", "b"], "with": [{"name": "c", "weight": 200}, {"name": "d"}]})
        self.assertEqual(self.asked("plan", "plan", "--with", "c", "--moves", "0"), {"with": [{"name": "c"}], "limit": 0})
        self.assertEqual(self.asked("weight", "weight", "250"), {"weight": 250})

    def test_shim(self):
        self.assertEqual(self.asked("test.shim", "test-shim", "--drop-percent", "25", "--block", "a,b"),
                         {"drop_percent": 25, "block": ["a", "b"]})
        self.assertEqual(self.asked("test.shim", "test-shim", "--block", ""), {"block": []})

    def test_rpc_sends_the_object(self):
        self.assertEqual(self.asked("any", "rpc", "any", '{"a": [1]}'), {"a": [1]})
        self.assertIsNone(self.asked("any", "rpc", "any"))

    def test_put_text_bytes_and_standard_input(self):
        self.assertEqual(self.asked("map.put", "map", "put", "k", "v\u00e9"), {"key": "k", "value": "v\u00e9"})
        self.assertEqual(self.asked("map.put", "map", "put", "k", ""), {"key": "k", "value": ""})
        self.assertEqual(self.asked("map.put", "map", "put", "--", "k", "-5"), {"key": "k", "value": "-5"})
        self.assertEqual(self.asked("map.put", "map", "put", "k", "-", stdin=b"a\nb\n"), {"key": "k", "value": "a\nb\n"})
        for raw in (b"\xff\xfe", b"a\x00b", bytes(range(256))):
            self.assertEqual(self.asked("map.put", "map", "put", "k", "-", stdin=raw),
                             {"key": "k", "value_base64": base64.b64encode(raw).decode()})

    def test_the_socket_is_taken_from_the_environment(self):
        self.server.answers["leave"] = {"left": True}
        self.ctl("leave", socket_option=False, env={"SWIMLANE_SOCKET": self.server.path})
        self.assertEqual(self.server.requests, [("leave", None)])


class Map(CtlTest):
    def test_get_prints_exactly_the_bytes(self):
        raw = bytes(range(256))
        self.server.answers["map.get"] = record("k", "text, no newline")
        self.assertEqual(self.ctl("map", "get", "k"), b"text, no newline")
        binary = record("k", None, value_base64=base64.b64encode(raw).decode())
        self.server.answers["map.get"] = binary
        self.assertEqual(self.ctl("map", "get", "k"), raw)

    def test_get_verbose_tells_about_the_record_beside_the_value(self):
        self.server.answers["map.get"] = record("k", "v")
        self.assertEqual(self.ctl("map", "get", "--verbose", "k"), b"v")
        for wanted in ("edge-01@12:345", "clock 7, weight 00000000000000aa", "3.2 s", "1 B"):
            self.assertIn(wanted, self.stderr)

    def test_get_of_an_answer_without_a_value_is_an_error(self):
        self.server.answers["map.get"] = {"key": "k", "value_base64": "?"}
        self.ctl("map", "get", "k", code=1)

    def test_put_and_del_tell_the_dot(self):
        self.server.answers["map.put"] = self.server.answers["map.del"] = {"key": "k", "dot": DOT}
        self.assertEqual(self.lines("map", "put", "k", "v"), ["written as edge-01@12:345"])
        self.assertEqual(self.lines("map", "del", "k"), ["deleted as edge-01@12:345"])

    def pages(self, params):
        records = [record(f"k{i}", f"v{i}") for i in range(5)]
        rest = [r for r in records if r["key"] > params.get("after", "")]
        page = rest[:params.get("limit", 2)]
        return {"records": page, "next": page[-1]["key"] if len(page) < len(rest) else None}

    def test_ls_prints_a_page_and_says_that_there_is_more(self):
        self.server.answers["map.ls"] = self.pages
        lines = self.lines("map", "ls", "k")
        self.assertEqual([line.split()[0] for line in lines], ["KEY", "k0", "k1"])
        self.assertIn("--after 'k1'", self.stderr)
        self.assertEqual(self.server.requests, [("map.ls", {"prefix": "k"})])
        self.assertEqual(len(self.lines("map", "ls", "--after", "k1", "--limit", "3")), 4)
        self.assertEqual(self.stderr, "")

    def test_ls_all_follows_the_pages(self):
        self.server.answers["map.ls"] = self.pages
        self.assertEqual([line.split()[0] for line in self.lines("map", "ls", "--all")],
                         ["KEY", "k0", "k1", "k2", "k3", "k4"])
        self.assertEqual(len(self.server.requests), 3)
        whole = json.loads(self.ctl("--json", "map", "ls", "--all"))
        self.assertEqual(len(whole["records"]), 5)
        self.assertIsNone(whole["next"])

    def test_ls_all_ends_when_a_server_gives_the_same_page_for_ever(self):
        self.server.answers["map.ls"] = {"records": [record("k", "v")], "next": "k"}
        self.assertEqual(len(self.lines("map", "ls", "--all")), 3)

    def test_ls_shows_long_binary_and_deleted_values_on_one_line(self):
        self.server.answers["map.ls"] = {"next": None, "records": [
            record("long", "x" * 500), record("binary", None, value_base64="AAEC"),
            record("gone", None, tombstone=True), record("lines", "a\nb")]}
        _, long, binary, gone, lines = self.lines("map", "ls", "--tombstones", "--verbose")
        self.assertRegex(long, r"^long +x{45}\.\.\.  edge-01 +3\.2 s +edge-01@12:345 +7$")
        self.assertRegex(binary, r"^binary +\(binary, 3 B\) ")
        self.assertRegex(gone, r"^gone +\(deleted\) ")
        self.assertRegex(lines, r"^lines +a\\nb ")


class Watch(CtlTest):
    CHANGES = [("map.change", record("a", "1")), ("map.change", record("b", None, tombstone=True)),
               ("missed", {"count": 17}), ("map.missed", {}), ("map.change", record("c", "x\ny"))]

    def watch(self, *arguments, **more):
        self.server.answers["map.watch"] = {"watching": ""}
        self.server.streams["map.watch"] = self.CHANGES
        return self.lines("map", "watch", *arguments, **more)

    def test_each_change_is_a_line(self):
        lines = self.watch("--count", "5")
        self.assertEqual(len(lines), 5)
        when = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  "
        self.assertRegex(lines[0], when + r"a  1  by edge-01, edge-01@12:345$")
        self.assertRegex(lines[1], when + r"b  \(deleted\)  by")
        self.assertRegex(lines[2], when + r"missed 17  ")
        self.assertRegex(lines[3], when + r"missed  ")
        self.assertRegex(lines[4], when + r"c  x\\ny  by")

    def test_json_gives_one_notification_a_line(self):
        lines = self.watch("pre", "--count", "2", "--json")
        self.assertEqual([json.loads(line) for line in lines],
                         [{"jsonrpc": "2.0", "method": m, "params": p} for m, p in self.CHANGES[:2]])
        self.assertEqual(self.server.requests, [("map.watch", {"prefix": "pre"})])

    def test_for_ends_in_time_and_well(self):
        before = time.monotonic()
        self.assertEqual(len(self.watch("--for", "300ms")), 5)
        self.assertGreaterEqual(time.monotonic() - before, 0.29)

    def test_lost_connection_is_exit_3_after_what_came(self):
        self.server.hang_up_after_stream = True
        self.assertEqual(len(self.watch(code=3)), 5)
        self.assertIn("connection lost", self.stderr)

    def test_lines_come_at_once_and_not_when_a_buffer_is_full(self):
        self.server.answers["map.watch"] = {}
        self.server.streams["map.watch"] = self.CHANGES[:1]
        with subprocess.Popen([SWIMLANECTL, "-s", self.server.path, "map", "watch"], stdout=subprocess.PIPE) as watcher:
            self.assertIn(b"  a  1  ", watcher.stdout.readline())
            self.assertIsNone(watcher.poll())
            watcher.terminate()

    def test_events(self):
        self.server.answers["events"] = {}
        self.server.streams["events"] = [
            ("event", {"at_ms": 1714564803250, "kind": "suspect", "server": "edge-02", "id": "a2", "text": "no answer"})]
        self.assertEqual(self.lines("events", "--count", "1"),
                         ["2024-05-01 12:00:03.250  suspect     edge-02           no answer"])


class StrangeAnswers(CtlTest):
    """An older, a newer or a broken server: what comes is printed or refused, and nothing breaks."""

    COMMANDS = {
        "status": ["status"], "members": ["members", "--verbose"], "owner": ["owner", "k"], "owned": ["owned", "s"],
        "origin.add": ["origin", "add", "n", "u"], "origin.rm": ["origin", "rm", "n"], "origin.list": ["origin", "list"],
        "health": ["health"], "map.put": ["map", "put", "k", "v"], "map.get": ["map", "get", "--verbose", "k"],
        "map.del": ["map", "del", "k"], "map.ls": ["map", "ls", "--all", "--verbose"], "drain": ["drain"],
        "leave": ["leave"], "stats": ["stats"], "test.shim": ["test-shim"], "m": ["rpc", "m"]}
    FIELDS = ("name id epoch instance cluster address profile state ready drain members alive table_digest vector_hash "
              "content_hash records tombstones keys uptime_ms port cores driver steering queues mac mtu exclusive lcore "
              "cpu role idle incarnation weight zone self since_ms rtt_us why registered owners rank live origins "
              "origin url type interval_ms owner checked_ms latency_us error writer checking dot server seq value "
              "value_base64 stamp clock age_ms tombstone next loops busy_cycles idle_cycles asleep_us "
              "cycles_per_packet rx_frames rx_bytes drops counters rpc health drop_percent block left").split()
    VALUES = [None, True, -1, 2**63 - 1, -2**63, 1e300, -1e300, "", "x" * 3000, "\u00e9" * 500, "\x1b[2J\n",
              [], {}, [[]], [1, "a", None, {}], {"a": {"b": []}}]

    def run_ctl(self, method, arguments):
        done = subprocess.run([SWIMLANECTL, "-s", self.server.path, *arguments], capture_output=True, timeout=30)
        self.assertIn(done.returncode, (0, 1), f"{method}: {done.stderr}")
        self.assertNotIn(b"Sanitizer", done.stderr)
        self.assertNotIn(b"runtime error", done.stderr)
        if method != "map.get":
            self.assertNotIn(b"\x1b", done.stdout)

    def test_answers_of_any_type_and_length_break_nothing(self):
        for value in self.VALUES:
            one = {field: value for field in self.FIELDS}
            nested = {**one, **{name: [one, value] for name in ("members", "owners", "origins", "keys", "records", "cores",
                                                                   "servers", "moves")},
                      **{name: one for name in ("port", "dot", "stamp", "origin", "drops", "counters", "rpc", "health")}}
            for method, arguments in self.COMMANDS.items():
                for answer in (value, nested):
                    self.server.answers[method] = answer
                    with self.subTest(f"{method}: {str(value)[:20]}"):
                        self.run_ctl(method, arguments)

    def test_notifications_of_any_type_and_length_break_nothing(self):
        for command, method in (["map", "watch"], "map.watch"), (["events"], "events"):
            self.server.answers[method] = {}
            self.server.streams[method] = [("any", value) for value in self.VALUES] + \
                [("any", {field: value for field in self.FIELDS + ["kind", "text", "at_ms", "key"]}) for value in self.VALUES]
            self.run_ctl(method, command + ["--count", str(2 * len(self.VALUES))])


class ExitCodes(CtlTest):
    def test_the_server_says_no(self):
        for code, wanted in ((-32005, "not like this"), (-32002, "full; try again"), (-32601, "older than")):
            self.server.answers["drain"] = Refusal(code, "full" if code == -32002 else "not like this")
            self.ctl("drain", code=1)
            self.assertTrue(self.stderr.startswith("swimlanectl: drain: "))
            self.assertIn(wanted, self.stderr)

    def test_not_found(self):
        self.server.answers["map.get"] = Refusal(-32001, 'no key "k"')
        self.assertEqual(self.ctl("map", "get", "k", code=5), b"")
        self.assertEqual(self.stderr, 'swimlanectl: map get: no key "k"\n')

    def test_nobody_there(self):
        self.ctl("-s", self.server.path + ".none", "status", code=3)
        self.assertIn("is swimlane running", self.stderr)

    def test_connection_lost(self):
        self.server.answers["status"] = "hang up"
        self.ctl("status", code=3)
        self.assertIn("closed the connection", self.stderr)

    def test_timeout(self):
        self.server.answers["status"] = "silence"
        before = time.monotonic()
        self.ctl("--timeout", "0.2", "status", code=4)
        self.assertLess(time.monotonic() - before, 5)
        self.assertIn("no answer to status within 200 ms", self.stderr)
        self.ctl("status", "--timeout", "200ms", code=4)

    def test_full_disk(self):
        self.server.answers["members"] = members
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SWIMLANECTL, "-s", self.server.path, "members"], stdout=full, stderr=subprocess.PIPE,
                                  timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot write", done.stderr)

    def test_usage(self):
        for arguments in ([], ["none"], ["map"], ["map", "none"], ["--none", "status"], ["status", "--none"],
                          ["status", "more"], ["owner"], ["owner", "a", "b"], ["owner", "-n", "0", "k"], ["plan"], ["plan", "--without", "a,,b"],
                          ["plan", "--with", "a:1001"], ["plan", "--with", "a", "more"], ["weight"], ["weight", "0"], ["map", "put", "k"], ["-s"],
                          ["map", "get"], ["map", "ls", "a", "b"], ["map", "ls", "--limit", "0"],
                          ["map", "ls", "--limit", "1x"], ["map", "ls", "--limit"], ["--timeout", "never", "status"],
                          ["origin", "add", "n"], ["origin", "add", "n", "u", "--interval", "5 parsecs"],
                          ["origin", "add", "n", "u", "--rise", "0"], ["origin", "add", "n", "u", "--jitter", "51"],
                          ["events", "more"], ["events", "--count", "0"], ["test-shim", "--drop-percent", "101"],
                          ["rpc"], ["rpc", "m", "{"], ["owner", b"\xff"], ["map", "put", b"\xff", "v"],
                          ["rpc", b"\xff"]):
            with self.subTest(arguments):
                self.assertEqual(self.ctl(*arguments, code=2), b"")
                self.assertTrue(self.stderr.startswith(("swimlanectl: ", "usage: ")), self.stderr)
        self.ctl("map", "put", "k", "-", stdin=b"x" * (1 << 20) + b"y", code=2)
        self.assertEqual(self.server.requests, [])


class Keys(CtlTest):
    """Keyring files: no server is asked."""

    def keyring(self):
        return self.server.path + ".keyring"

    def ids(self, output):
        return [(k["id"], k["send"]) for k in json.loads(output)["keys"]]

    def test_new_add_use_remove(self):
        ring = self.keyring()
        self.assertEqual(self.ids(self.ctl("--json", "key", "new", ring)), [(1, True)])
        self.assertEqual(os.stat(ring).st_mode & 0o7777, 0o600)
        self.assertEqual(self.ids(self.ctl("--json", "key", "add", ring)), [(1, True), (2, False)])
        self.assertEqual(self.ids(self.ctl("--json", "key", "use", ring, "2")), [(1, False), (2, True)])
        self.assertEqual(self.ids(self.ctl("--json", "key", "remove", ring, "1")), [(2, True)])
        self.assertEqual(self.server.requests, [])

    def test_keys_are_never_printed(self):
        ring = self.keyring()
        self.ctl("key", "new", ring)
        key = next(line.split()[1] for line in pathlib.Path(ring).read_text().splitlines() if line[0] != "#")
        self.assertEqual(len(key), 64)
        for arguments in (["key", "list", ring], ["--json", "key", "list", ring], ["key", "add", ring]):
            self.assertNotIn(key[:16].encode(), self.ctl(*arguments))

    def test_what_cannot_be_is_refused_and_leaves_the_file(self):
        ring = self.keyring()
        self.ctl("key", "new", ring)
        before = pathlib.Path(ring).read_text()
        for arguments, words in ((["new", ring], "is there already"), (["use", ring, "9"], "has no key 9"),
                                 (["remove", ring, "9"], "has no key 9"), (["remove", ring, "1"], "use another one first")):
            self.ctl("key", *arguments, code=1)
            self.assertIn(words, self.stderr)
        for arguments in (["use", ring], ["use", ring, "0"], ["use", ring, "256"], ["new"]):
            self.ctl("key", *arguments, code=2)
        self.assertEqual(pathlib.Path(ring).read_text(), before)
        os.chmod(ring, 0o644)
        self.ctl("key", "add", ring, code=1)
        self.assertIn("chmod 600", self.stderr)

    def test_keys_of_a_server(self):
        self.server.answers["keys"] = {"sealed": True, "keyring": "/k", "device": "d", "senders": 1, "reloads": 0,
                                       "keys": [{"id": 7, "fingerprint": "00ff", "send": True, "heard_from": 4}],
                                       "counters": {}}
        output = self.ctl("keys").decode()
        for word in ("/k", "7", "00ff", "send", "4"):
            self.assertIn(word, output)
        self.server.answers["keys.reload"] = Refusal(-32005, "/k: has mode 0644")
        self.ctl("keys", "reload", code=1)
        self.assertIn("0644", self.stderr)
        self.server.answers["keys"] = {"sealed": False, "keyring": None, "device": None, "keys": [], "senders": 0,
                                       "reloads": 0, "counters": {}}
        self.assertIn(b"INSECURE", self.ctl("keys"))


class Help(CtlTest):
    def test_help_lists_commands_and_exit_codes_but_not_the_shim(self):
        text = self.ctl("--help").decode()
        self.assertIn("Exit codes: 0 done", text)
        self.assertNotIn("test-shim", text)
        commands = [line for line in text.splitlines() if line.startswith("  ") and not line.startswith("  -")]
        self.assertGreaterEqual(len(commands), 18)

    def test_each_command_has_help(self):
        for command in ("status", "members", "owner", "owned", "plan", "balance", "weight", "duties", "origin add", "origin rm", "origin list", "health",
                        "map put", "map get", "map del", "map ls", "map watch", "events", "drain", "leave", "stats",
                        "test-shim", "rpc"):
            with self.subTest(command):
                text = self.ctl(*command.split(), "--help").decode()
                self.assertTrue(text.startswith(f"usage: swimlanectl [OPTION]... {command}"), text)

    def test_version(self):
        self.assertRegex(self.ctl("--version").decode(), r"^swimlanectl \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    SWIMLANECTL = os.path.abspath(sys.argv.pop(1))
    unittest.main()
