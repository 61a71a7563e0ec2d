#!/usr/bin/env python3
"""Every method's example, as docs/rpc.md has it, on a real server: the answer is held against the method's
schema, and so is each notification that has one."""
import subprocess
import tempfile
import time
import unittest

from control import BUILD, ROOT, Alone, breaches, main
from swimlane_client import REFUSED, Client, HttpClient, RpcError

LINK = """\
seeds: [{seed}]
test: {{shim: true}}
"""

# Examples stand on one another: a key is read after it was written, and the server leaves last.
LAST = ["map.del", "origin.rm", "forget", "leave"]


def wait(condition, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Methods(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """edge-01, and edge-03 at the other end of a shared-memory link, which then dies."""
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        keyring = f"{folder.name}/keyring"
        subprocess.run([BUILD / "app/ctl/swimlanectl", "key", "new", keyring], check=True, stdout=subprocess.DEVNULL)
        cls.first = Alone(BUILD, more=LINK.format(seed="10.0.0.3"), name="edge-01",
                          control="  http: {listen: FOLDER/http.sock}\n", link="server",
                          keyring=keyring)
        cls.third = Alone(BUILD, more=LINK.format(seed="10.0.0.1"), name="edge-03", link="client",
                          link_folder=cls.first.folder, address="10.0.0.3", keyring=keyring)
        cls.addClassCleanup(cls.first.__exit__)
        cls.addClassCleanup(cls.third.__exit__)
        cls.first.start()
        cls.third.start()
        cls.client = cls.first.client()
        cls.addClassCleanup(cls.client.close)
        if not wait(lambda: cls.states().get("edge-03") == "alive"):
            raise RuntimeError(f"edge-01 and edge-03 do not meet: {cls.states()}\n{cls.first.last_words()}")
        cls.third.process.kill()
        cls.third.process.wait()
        if not wait(lambda: cls.states().get("edge-03") == "dead"):
            raise RuntimeError(f"edge-03 is not missed: {cls.states()}")
        cls.methods = {m["name"]: m for m in cls.client.call("methods")["methods"]}

    @classmethod
    def states(cls):
        return {m["name"]: m["state"] for m in cls.client.call("members")["members"]}

    def test_1_every_method_is_described(self):
        for name, method in self.methods.items():
            with self.subTest(name):
                self.assertIn("summary", method, "no row in app/swimlane/methods_*.c")
                self.assertIsInstance(method["params"], dict)
                self.assertIsInstance(method["result"], dict)
        text = (ROOT / "docs/rpc.md").read_text()
        for name in self.methods:
            self.assertIn(f"### `{name}`", text)

    def test_2_unknown_and_wrong_parameters_are_refused_everywhere(self):
        for name, method in self.methods.items():
            with self.subTest(name):
                with self.assertRaises(RpcError) as refused:
                    self.client.call(name, **{**method.get("example", {}), "no_such_parameter": 1})
                self.assertEqual(refused.exception.code, -32602)
                self.assertIn("no_such_parameter", refused.exception.message)

    def test_3_streams_are_refused_over_http(self):
        with HttpClient(path=self.first.folder / "http.sock") as http:
            for name, method in self.methods.items():
                if not method["stream"]:
                    continue
                with self.subTest(name), self.assertRaises(RpcError) as refused:
                    http.call(name, **method["example"])
                self.assertEqual(refused.exception.code, REFUSED)

    def test_4_examples_answer_as_their_schemas_say(self):
        names = [n for n in self.methods if n not in LAST] + [n for n in LAST if n in self.methods]
        names.sort(key=lambda n: (n in LAST, LAST.index(n) if n in LAST else 0, not self.methods[n]["writes"]))
        for name in names:
            method = self.methods[name]
            with self.subTest(name):
                # A connection of its own: a watch's notifications are not for the next one.
                with Client(self.first.socket) as client:
                    answer = client.call(name, **method["example"])
                self.assertEqual(breaches(method["result"], answer), [])

    def test_5_leave_ends_the_process(self):
        code = self.first.process.wait(10)
        self.assertEqual(code, 0, self.first.last_words())


class Http(unittest.TestCase):
    def test_every_method_that_only_reads_answers_the_same_over_http(self):
        with Alone(BUILD, control="  http: {listen: FOLDER/http.sock}\n") as server:
            with server.client() as client, HttpClient(path=server.folder / "http.sock") as http:
                client.call("map.put", key="greeting", value="hello")
                client.call("origin.add", name="shop", origin={"url": "http://127.0.0.1:9/"})
                for method in client.call("methods")["methods"]:
                    if method["writes"] or method["stream"]:
                        continue
                    with self.subTest(method["name"]):
                        answer = http.call(method["name"], **method["example"])
                        self.assertEqual(breaches(method["result"], answer), [])
                        self.assertEqual(sorted(answer), sorted(client.call(method["name"], **method["example"])))


if __name__ == "__main__":
    main()
