#!/usr/bin/env python3
"""What an operator does to a running server: reload, log levels, permissions of the socket, DPDK's telemetry."""
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import time
import unittest

from control import BUILD, Alone, main
from swimlane_client import REFUSED, RpcError

TELEMETRY = shutil.which("dpdk-telemetry.py", path="/usr/bin:/usr/local/bin:/usr/share/dpdk/usertools")


class Daemon(unittest.TestCase):
    def start(self, more="", **options):
        server = Alone(BUILD, more=more, **options)
        self.addCleanup(server.__exit__)
        server.start()
        self.client = server.client()
        self.addCleanup(self.client.close)
        return server

    def until(self, condition, timeout_s=10):
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)


class Reload(Daemon):
    def changed(self, server, more):
        server.write_config(more)
        answer = self.client.call("reload")
        self.assertEqual(answer["file"], str(server.config))
        return {c["key"]: c["change"] for c in answer["changed"]}

    def test_what_is_live_comes_into_force_and_the_rest_is_told_until_a_restart(self):
        server = self.start("log: {level: info}\nmap: {records_max: 5000}\n")
        self.assertEqual(self.changed(server, "log: {level: info}\nmap: {records_max: 5000}\n"), {})
        self.assertEqual(self.changed(server, "log: {level: debug}\nmap: {records_max: 6000}\n"),
                         {"log.level": "in_force", "map.records_max": "restart"})
        self.assertEqual(self.client.call("log.level")["level"], "debug")
        self.assertEqual(self.changed(server, "log: {level: debug}\nmap: {records_max: 6000}\n"),
                         {"map.records_max": "restart"})
        self.assertEqual(self.changed(server, "map: {records_max: 5000}\n"), {"log.level": "in_force"})
        self.assertEqual(self.client.call("log.level")["level"], "info")

    def test_a_file_with_a_mistake_changes_nothing_and_has_its_place_told(self):
        server = self.start()
        server.write_config("log: {level: loud}\nweight: 7\n")
        with self.assertRaises(RpcError) as refused:
            self.client.call("reload")
        self.assertEqual(refused.exception.code, REFUSED)
        self.assertRegex(refused.exception.message, r"swimlane\.yaml:\d+: log\.level")
        self.assertEqual(self.client.call("members")["members"][0]["weight"], 100)
        server.config.unlink()
        with self.assertRaises(RpcError):
            self.client.call("reload")
        self.assertEqual(self.client.call("status")["state"], "running")

    def test_sighup_does_the_same_and_logs_it(self):
        server = self.start()
        server.write_config("weight: 7\nzone: b\n")
        server.process.send_signal(signal.SIGHUP)
        self.until(lambda: self.client.call("members")["members"][0]["weight"] == 7)
        words = server.last_words()
        self.assertIn("info: reload: weight is in force", words)
        self.assertIn("warning: reload: zone waits for a restart", words)
        server.config.write_text("name: [")
        server.process.send_signal(signal.SIGHUP)
        self.until(lambda: "reload: nothing has changed" in server.last_words())
        self.assertEqual(self.client.call("status")["state"], "running")

    def test_origins_of_the_file_are_put_again_where_they_changed(self):
        server = self.start("origins: [{name: a, url: 'http://127.0.0.1:9/'}]\n")
        origins = lambda: {o["name"]: o["origin"]["interval_ms"] for o in self.client.call("origin.list")["origins"]}
        self.until(lambda: origins() == {"a": 5000})
        more = "origins: [{name: a, url: 'http://127.0.0.1:9/', interval_ms: 7000}, {name: b, url: 'tcp://127.0.0.1:9'}]\n"
        self.assertEqual(self.changed(server, more), {"origins": "in_force"})
        self.until(lambda: origins() == {"a": 7000, "b": 5000})
        self.assertEqual(self.changed(server, ""), {"origins": "in_force"})
        self.assertEqual(origins(), {"a": 7000, "b": 5000}, "what is gone from the file stays")

    def test_limits_of_checks_change_at_once(self):
        server = self.start()
        self.assertEqual(self.changed(server, "health: {checks_per_s_max: 5, concurrent_max: 2, refresh_ms: 1000}\n"),
                         {k: "in_force" for k in ("health.checks_per_s_max", "health.concurrent_max", "health.refresh_ms")})

    def test_every_key_that_the_reference_calls_live_is_one(self):
        text = subprocess.run([BUILD / "app/swimlane/swimlane", "--config-reference"], capture_output=True,
                              text=True, check=True).stdout
        live = {line.split("`")[1] for line in text.splitlines() if "| reload |" in line}
        self.assertLessEqual({"log.level", "weight", "origins", "control.mode", "control.http.token_file"}, live)


class Privileges(Daemon):
    def test_a_port_of_no_privilege_keeps_none_whoever_starts_it(self):
        server = self.start()
        status = self.client.call("status")
        self.assertEqual((status["capabilities"], status["no_new_privileges"]), ([], True))
        threads = list(pathlib.Path(f"/proc/{server.process.pid}/task").iterdir())
        self.assertGreater(len(threads), 2)
        for thread in threads:
            lines = (thread / "status").read_text().splitlines()
            held = {line.split(":")[0]: int(line.split()[1], 16) for line in lines if line.startswith("Cap")}
            self.assertEqual({k: v for k, v in held.items() if k != "CapBnd"},
                             {"CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapAmb": 0}, thread)
            self.assertIn("NoNewPrivs:\t1", lines)
        self.assertRegex(server.log.read_text(), r"info: capabilities: none kept, of \d+ at the start; none of \d+ threads")


class Socket(Daemon):
    def test_mode_and_group_are_as_configured_and_follow_a_reload(self):
        group = os.getgid()
        server = self.start(control=f"  mode: \"0600\"\n  group: \"{group}\"\n")
        mode = lambda: stat.S_IMODE(server.socket.stat().st_mode)
        self.assertEqual((mode(), server.socket.stat().st_gid), (0o600, group))
        server.control = "  mode: \"0660\"\n"
        server.write_config()
        self.assertEqual({c["key"]: c["change"] for c in self.client.call("reload")["changed"]},
                         {"control.mode": "in_force", "control.group": "in_force"})
        self.assertEqual(mode(), 0o660)

    def test_a_group_of_others_is_told_as_failed(self):
        server = self.start(control="  mode: \"0660\"\n")
        before = server.socket.stat().st_gid
        server.control = f"  mode: \"0660\"\n  group: \"{max([os.getgid(), *os.getgroups()]) + 4321}\"\n"
        server.write_config()
        changed = self.client.call("reload")["changed"]
        self.assertEqual([(c["key"], c["change"]) for c in changed], [("control.group", "failed")])
        self.assertIn("a group that this process is not in", changed[0]["error"])
        self.assertEqual(server.socket.stat().st_gid, before)

    def test_an_unknown_group_is_refused_at_start(self):
        server = Alone(BUILD, control="  group: no-such-group-here\n")
        self.addCleanup(server.__exit__)
        with self.assertRaises(RuntimeError) as ended:
            server.start()
        self.assertIn("no such group", str(ended.exception))


class Log(Daemon):
    def test_levels_change_at_run_time(self):
        server = self.start()
        self.assertEqual(self.client.call("log.level"), {"level": "info", "before": "info", "configured": "info"})
        self.assertEqual(self.client.call("log.level", level="error")["level"], "error")
        mark = len(server.log.read_text())
        self.client.call("origin.add", name="a", origin={"url": "http://127.0.0.1:9/"})
        self.until(lambda: self.client.call("health")["origins"][0]["state"] == "down")
        self.assertNotIn("info:", server.log.read_text()[mark:])
        self.client.call("log.level", level="info")
        self.assertIn("log level: info, it was error", server.last_words())

    def test_the_journal_gets_priorities_and_others_get_words(self):
        """What systemd does: standard error is a socket, and JOURNAL_STREAM names it."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            st = os.fstat(theirs.fileno())
            config = Alone(BUILD, more="log: {level: info}\n")
            self.addCleanup(config.__exit__)
            config.write_config()
            process = subprocess.Popen([BUILD / "app/swimlane/swimlane", "--config", config.config], stderr=theirs,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       env=dict(os.environ, JOURNAL_STREAM=f"{st.st_dev}:{st.st_ino}",
                                                RUNTIME_DIRECTORY=str(config.folder)))
            ours.settimeout(20)
            text = b""
            try:
                while b"ready: holds" not in text:
                    text += ours.recv(4096)
            finally:
                process.terminate()
                process.wait(10)
        lines = text.decode().splitlines()
        self.assertTrue(any(line.startswith("<6>running; ") for line in lines), lines)
        self.assertFalse(any(line.startswith(("info:", "warning:")) for line in lines), lines)

    def test_a_stale_name_of_the_journal_is_no_journal(self):
        server = self.start(environment={"JOURNAL_STREAM": "1:2"})
        self.assertIn("info: running; ", server.last_words())


class Telemetry(Daemon):
    def ask(self, server, command):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(10)
            s.connect(str(server.folder / f"dpdk/swimlane-{server.name}/dpdk_telemetry.v2"))
            s.recv(1024)
            s.send(command.encode())
            return json.loads(s.recv(65536))

    def test_commands_answer_with_the_same_numbers_as_stats(self):
        server = self.start()
        listed = self.ask(server, "/")["/"]
        mine = sorted(c for c in listed if c.startswith("/swimlane/"))
        self.assertEqual(mine, ["/swimlane/keeper", "/swimlane/lane", "/swimlane/members", "/swimlane/membership",
                                "/swimlane/status"])
        for command in mine:
            text = self.ask(server, f"/help,{command}")
            self.assertIn("arameter", json.dumps(text))
        self.client.call("map.put", key="a", value="b")
        status = self.ask(server, "/swimlane/status")["/swimlane/status"]
        self.assertEqual((status["name"], status["ready"], status["records"], status["members_alive"]),
                         (server.name, 1, 1, 1))
        self.assertEqual(self.ask(server, "/swimlane/members")["/swimlane/members"], [f"{server.name} alive"])
        keeper = self.ask(server, "/swimlane/keeper")["/swimlane/keeper"]
        lane = self.ask(server, "/swimlane/lane,0")["/swimlane/lane"]
        self.assertEqual(keeper["map_puts"], 1)
        self.assertGreater(lane["loops"], 0)
        stats = {c["role"]: c for c in self.client.call("stats")["cores"]}
        for name in stats["lane"]["counters"]:
            self.assertTrue(name in lane or name == "answered_by_port" or
                            name in self.ask(server, "/swimlane/membership")["/swimlane/membership"], name)
        for name in stats["keeper"]["counters"]:
            self.assertTrue(name in keeper or f"map_{name}" in keeper, name)

    def test_wrong_parameters_get_no_answer_and_harm_nobody(self):
        server = self.start()
        for command in ("/swimlane/lane", "/swimlane/lane,9", "/swimlane/lane,x", "/swimlane/lane,-1"):
            self.assertEqual(list(self.ask(server, command).values()), [None])
        self.assertEqual(self.client.call("status")["state"], "running")

    @unittest.skipIf(TELEMETRY is None, "dpdk-telemetry.py is not installed (package dpdk or dpdk-dev)")
    def test_dpdk_telemetry_py_shows_it(self):
        server = self.start()
        done = subprocess.run(["/usr/bin/python3", TELEMETRY, "-f", f"swimlane-{server.name}"],
                              input="/swimlane/status\n", capture_output=True, text=True, timeout=20,
                              env=dict(os.environ, RUNTIME_DIRECTORY=str(server.folder)))
        self.assertIn(f'"name": "{server.name}"', done.stdout, done.stderr)


class Client(Daemon):
    def test_the_python_client_is_a_program_too(self):
        server = self.start()
        script = pathlib.Path(__file__).resolve().parents[2] / "scripts/swimlane_client.py"
        done = subprocess.run(["/usr/bin/python3", "-I", script, "--socket", server.socket, "map.put",
                               '{"key":"a","value":"b"}'], capture_output=True, text=True)
        self.assertEqual((done.returncode, json.loads(done.stdout)["key"]), (0, "a"), done.stderr)
        done = subprocess.run(["/usr/bin/python3", "-I", script, "--socket", server.socket, "map.get",
                               '{"key":"none"}'], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("-32001", done.stderr)


if __name__ == "__main__":
    main()
