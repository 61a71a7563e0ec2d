#!/usr/bin/env python3
"""Slow and hostile clients of the control socket: what they cost is bounded, and others are served meanwhile."""
import json
import os
import resource
import socket
import time
import unittest

from control import BUILD, Alone, main, rss_kib

CLIENTS_MAX = 256
MANY = 10_000
STATUS = b'{"jsonrpc":"2.0","id":1,"method":"status"}\n'
MORE = "map: {records_max: 120000, megabytes: 96}\n"


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Alone(BUILD, more=MORE)
        cls.addClassCleanup(cls.server.__exit__)
        cls.server.start()
        cls.client = cls.server.client()
        cls.addClassCleanup(cls.client.close)

    def setUp(self):
        self.before = rss_kib(self.server.process.pid)

    def raw(self, text=b""):
        s = socket.socket(socket.AF_UNIX)
        self.addCleanup(s.close)
        s.connect(str(self.server.socket))  # blocking: otherwise a full backlog is an error
        s.settimeout(20)
        if text:
            s.sendall(text)
        return s

    def served(self, most_s=2.0):
        """The client that was there before is answered; the longest of twenty calls."""
        longest = 0.0
        for _ in range(20):
            start = time.monotonic()
            self.assertEqual(self.client.call("status")["state"], "running")
            longest = max(longest, time.monotonic() - start)
        self.assertLess(longest, most_s)
        return longest

    def grown_kib(self):
        return rss_kib(self.server.process.pid) - self.before

    def test_half_lines_wait_and_cost_what_they_hold(self):
        halves = [self.raw(STATUS[:17] + b" " * 60000) for _ in range(100)]
        self.served()
        self.assertLess(self.grown_kib(), 100 * 64 + 8192)
        for s in halves:
            s.sendall(STATUS[17:])
        for s in halves:
            self.assertIn(b'"result":', s.recv(100))

    def test_a_line_without_end_is_refused_and_closed(self):
        s = self.raw()
        try:
            for _ in range(100):
                s.sendall(b"x" * 65536)
        except OSError:
            pass
        answer = b""
        try:
            while more := s.recv(4096):
                answer += more
        except OSError:
            pass
        self.assertIn(b"-32004", answer)
        self.served()
        self.assertLess(self.grown_kib(), 2048)

    def test_deep_and_wide_json_is_refused_or_answered(self):
        for line in (b"[" * 60000, b'{"a":' * 10000, b"{" + b'"k":1,' * 9000 + b'"z":1}', b"\xff\xfe", b"\0" * 1000,
                     b'"' + b"\\u0000" * 5000 + b'"', b"1e99999", b"9" * 60000):
            s = self.raw(line + b"\n")
            self.assertIn(b'"error":', s.recv(4096))
        self.served()

    def test_ten_thousand_connections_leave_those_who_are_served_alone(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        room = min(hard, MANY + 500)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, room), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        together = min(MANY, room - 400)
        made = refused = 0
        held = []
        while made < MANY:
            for _ in range(min(together, MANY - made)):
                s = socket.socket(socket.AF_UNIX)
                held.append(s)
                s.connect(str(self.server.socket))
                made += 1
                if made % 1000 == 0:
                    self.served()
            counted = self.client.call("stats")["rpc"]
            self.assertLessEqual(counted["clients"], CLIENTS_MAX)
            refused = counted["clients_refused"]
            for s in held:
                s.close()
            held.clear()
        self.assertGreaterEqual(refused, MANY - 2 * CLIENTS_MAX * (MANY // together + 1))
        self.assertLess(self.grown_kib(), 8192)
        deadline = time.monotonic() + 5
        while self.client.call("stats")["rpc"]["clients"] > 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        s = self.raw(STATUS)
        self.assertIn(b'"result":', s.recv(4096), "the next one is served again")

    def test_one_above_the_most_is_told_so(self):
        held = [self.raw() for _ in range(CLIENTS_MAX)]
        self.served()
        answer = held[-1].recv(4096)
        self.assertIn(b"-32006", answer)
        self.assertEqual(held[-1].recv(10), b"")

    def test_a_watcher_that_never_reads_costs_its_backlog_and_no_more(self):
        watcher = self.raw()
        watcher.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        watcher.sendall(b'{"jsonrpc":"2.0","id":1,"method":"map.watch","params":{}}\n')
        reader = self.server.client()
        self.addCleanup(reader.close)
        under_way = []
        for number in range(40000):
            under_way.append(reader.send("map.put", key=f"w/{number % 100}", value="v" * 500))
            if len(under_way) == 32:
                for one in under_way:
                    reader.answer(one)
                under_way.clear()
        for one in under_way:
            reader.answer(one)
        self.served()
        self.assertLess(self.grown_kib(), 24 * 1024)
        watcher.settimeout(2)
        text = b""
        try:
            while b'missed"' not in text and (more := watcher.recv(1 << 20)):
                text = text[-100:] + more
        except TimeoutError:
            pass
        self.assertIn(b'missed"', text, "it is told once it reads")

    def test_a_client_that_asks_and_never_reads_is_not_read_from(self):
        self.client.call("map.put", key="large", value="v" * 1000)
        asker = self.raw()
        asker.settimeout(1)
        line = b'{"jsonrpc":"2.0","id":1,"method":"map.get","params":{"key":"large"}}\n'
        sent = 0
        try:
            for _ in range(2000):
                asker.sendall(line * 100)
                sent += 100
        except TimeoutError:
            pass
        self.assertLess(sent, 200000, "everything was taken")
        self.served()
        self.assertLess(self.grown_kib(), 12 * 1024)

    def test_a_pipeline_of_many_requests_shares_the_loop(self):
        greedy = self.raw()
        greedy.setblocking(False)
        lines = STATUS * 200
        end = time.monotonic() + 2
        longest = 0.0
        while time.monotonic() < end:
            try:
                greedy.send(lines)
                while True:
                    greedy.recv(1 << 20)
            except BlockingIOError:
                pass
            start = time.monotonic()
            self.client.call("map.ls", limit=1)
            longest = max(longest, time.monotonic() - start)
        self.assertLess(longest, 0.5)

    def test_jobs_of_clients_that_went_are_dropped(self):
        with self.server.client(60) as filler:
            for start in range(0, 20000, 50):
                numbers = [filler.send("map.put", key=f"job/{n}", value="x") for n in range(start, start + 50)]
                for number in numbers:
                    filler.answer(number)
        line = b'{"jsonrpc":"2.0","id":%d,"method":"map.ls","params":{"limit":10000}}\n'
        for _ in range(30):
            s = self.raw(b"".join(line % n for n in range(60)))
            s.close()
        self.served()
        deadline = time.monotonic() + 20
        while True:
            try:
                self.client.call("map.ls", limit=10)
                break
            except Exception as error:  # busy with the jobs that were there
                self.assertIn("-32002", str(error))
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
        self.served()

    def test_as_many_long_answers_as_there_may_be_and_one_more_is_busy(self):
        line = b'{"jsonrpc":"2.0","id":%d,"method":"map.ls","params":{"limit":10000}}\n'
        both = [self.raw(b"".join(line % n for n in range(60))) for _ in range(2)]
        answers = b""
        for s in both:
            s.settimeout(30)
        for s in both:
            got = b""
            while got.count(b"\n") < 60:
                got += s.recv(1 << 20)
            answers += got
        codes = [json.loads(a).get("error", {}).get("code") for a in answers.splitlines()]
        self.assertEqual(set(codes) - {None}, {-32002})
        self.assertEqual(len(codes), 120)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
