#!/usr/bin/env python3
"""scripts/setup/queues against an ethtool that only remembers: which rules it makes, and that it takes them off again.

  tests/unit/setup_queues_test.py
"""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

QUEUES = pathlib.Path(__file__).resolve().parents[2] / "scripts/setup/queues"

ETHTOOL = """#!/usr/bin/env python3
import json, os, sys
path = os.environ["STATE"]
state = json.load(open(path))
command, args = sys.argv[1], sys.argv[3:]
if command == "-l":
    print("Channel parameters for x:\\nPre-set maximums:\\nCombined:\\t99\\nCurrent hardware settings:\\nCombined:\\t%d" % state["queues"])
elif command == "-K":
    sys.exit(0 if state["ntuple"] else 1)
elif command == "-X":
    state["rss"] = args
elif command == "-N" and args[0] == "delete":
    del state["rules"][args[1]]
elif command == "-N":
    state["rules"][str(1023 - len(state["rules"]))] = args
elif command == "-n":
    for number, rule in state["rules"].items():
        print("Filter: %s\\n\\tRule Type: UDP over IPv4\\n\\tDest port: %s mask: 0x0" % (number, rule[rule.index("dst-port") + 1]))
json.dump(state, open(path, "w"))
"""


class Queues(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.state = pathlib.Path(self.folder.name) / "state"
        self.released = pathlib.Path(self.folder.name) / "released"
        for name, text in (("ethtool", ETHTOOL), ("swimlane", f"#!/bin/sh\necho $* >>{self.released}\n")):
            program = pathlib.Path(self.folder.name) / name
            program.write_text(text)
            program.chmod(0o755)
        self.given(queues=8, ntuple=True, rules={"7": ["flow-type", "tcp4", "dst-port", "22", "action", "3"]})

    def given(self, **state):
        self.state.write_text(json.dumps(state))

    def run_it(self, *args):
        return subprocess.run([QUEUES, *args], capture_output=True, text=True, timeout=20, env={
            **os.environ, "PATH": f"{self.folder.name}:{os.environ['PATH']}", "STATE": str(self.state)})

    def now(self):
        return json.loads(self.state.read_text())

    def ours(self):
        return [" ".join(rule) for rule in self.now()["rules"].values() if "7946" in rule]

    def test_one_lane_gets_the_last_queue_and_the_others_keep_rss(self):
        done = self.run_it("take", "eth0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.now()["rss"], ["equal", "7"])
        self.assertEqual(self.ours(), ["flow-type udp4 dst-port 7946 action 7", "flow-type udp6 dst-port 7946 action 7"])
        self.assertIn("first_queue: 7", done.stdout)

    def test_several_lanes_are_chosen_by_the_sender(self):
        self.assertEqual(self.run_it("take", "eth0", "--count", "4", "--family", "4").returncode, 0)
        self.assertEqual(self.now()["rss"], ["equal", "4"])
        self.assertEqual(self.ours(), [f"flow-type udp4 src-ip 0.0.0.{n} m 255.255.255.252 dst-port 7946 action {4 + n}"
                                       for n in range(4)])

    def test_taking_twice_leaves_no_old_rules(self):
        self.run_it("take", "eth0", "--count", "2")
        self.run_it("take", "eth0", "--count", "1")
        self.assertEqual(len(self.ours()), 2)

    def test_release_takes_off_our_rules_alone(self):
        self.run_it("take", "eth0", "--count", "2")
        done = self.run_it("release", "eth0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(list(self.now()["rules"]), ["7"])
        self.assertEqual(self.now()["rss"], ["default"])
        self.assertEqual(self.released.read_text(), "--release eth0\n")

    def test_what_cannot_work_is_refused_and_changes_nothing(self):
        for state, args, says in ((dict(queues=1), (), "queue 0 must stay"),
                                  (dict(ntuple=False), (), "no ntuple rules"),
                                  (dict(), ("--count", "8"), "queue 0 must stay"),
                                  (dict(), ("--count", "3"), "no power of two")):
            self.given(**{"queues": 8, "ntuple": True, "rules": {}, **state})
            done = self.run_it("take", "eth0", *args)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(says, done.stderr)
            self.assertEqual((self.ours(), self.now().get("rss")), ([], None))


if __name__ == "__main__":
    unittest.main()
