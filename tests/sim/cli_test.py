#!/usr/bin/env python3
"""swimlane-sim by its command line: results, exit codes, errors. Usage: cli_test.py PATH-OF-SWIMLANE-SIM"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

SIM = sys.argv.pop(1)


def sim(*args, text=""):
    return subprocess.run([SIM, *args], input=text, capture_output=True, text=True, timeout=100)


class Run(unittest.TestCase):
    def test_json_says_how_it_went(self):
        done = sim("run", "--servers", "8", "--for", "2s", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual(result["running"], 8)
        self.assertTrue(result["members_agree"])
        self.assertEqual(result["false_positives"], 0)
        self.assertGreater(result["packets_per_server_period"], 1.5)
        self.assertEqual(result["events"]["alive"], 8 * 7)

    def test_the_same_seed_gives_the_same_run(self):
        args = ("run", "--servers", "6", "--for", "3s", "--loss", "20%", "--json", "--seed")
        runs = [json.loads(sim(*args, seed).stdout) for seed in ("5", "5", "6")]
        self.assertEqual(runs[0]["events_handled"], runs[1]["events_handled"])
        self.assertNotEqual(runs[0]["events_handled"], runs[2]["events_handled"])

    def test_a_crash_is_known_to_all_and_no_false_positive(self):
        done = sim("run", "--servers", "16", "--for", "3s", "--script", "-", "--json", text="at 2s crash 3\n")
        result = json.loads(done.stdout)
        self.assertEqual(result["crashes"], 1)
        self.assertEqual(result["events"]["dead"], 15)
        self.assertEqual(result["false_positives"], 0)
        self.assertLess(result["crash_known_ms_max"], 500)

    def test_a_pause_counts_as_false_positive_but_not_of_a_healthy_server(self):
        done = sim("run", "--servers", "5", "--for", "3s", "--script", "-", "--settle", "--json", text="at 2s pause 3\n")
        result = json.loads(done.stdout)
        self.assertEqual(result["false_positives"], 4)
        self.assertEqual(result["false_positives_healthy"], 0)
        self.assertTrue(result["members_agree"])

    def test_maps_and_groups_and_zones(self):
        done = sim("run", "--servers", "9", "--group-size", "3", "--zones", "3", "--profile", "lan", "--records", "10",
                   "--for", "4s", "--script", "-", "--json", text="at 3s put 4 k v\nat 3.5s zone 1\nat 3.6s heal\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(json.loads(done.stdout)["maps_agree"])

    def test_table_is_for_people(self):
        done = sim("run", "--servers", "3", "--for", "1s")
        self.assertIn("tables equal and right", done.stdout)
        self.assertIn("times faster", done.stdout)

    def test_features_can_be_taken_away(self):
        def packets(features):
            done = sim("run", "--servers", "8", "--for", "3s", "--features", features, "--script", "-", "--json",
                       text="at 2s crash 3\n")
            return json.loads(done.stdout)["packets"]
        self.assertLess(packets("all,-direct"), packets("all"))
        self.assertLess(packets("plain"), packets("plain,direct"))

    def test_errors_name_what_is_wrong(self):
        for args, text, words in (
                (("run", "--script", "-"), "heal\nat 1s explode 3\n", "-:2: there is no step 'explode'"),
                (("run", "--servers", "0"), "", "--servers is 1 to"),
                (("run", "--servers", "7", "--group-size", "3"), "", "whole groups"),
                (("run", "--profile", "warp"), "", "--profile is metal, lan, virtual or paper"),
                (("run", "--features", "all,-luck"), "", "there is no '-luck'"),
                (("run", "--loss", "1"), "", "--loss wants a share such as 1%, not 1"),
                (("run", "--nonsense"), "", "there is no option --nonsense"),
                (("run", "--script", "/nowhere"), "", "/nowhere: No such file"),
                (("dance",), "", "there is no command dance"),
                ((), "", "swimlane-sim COMMAND")):
            done = sim(*args, text=text)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(words, done.stderr)

    def test_help_and_version(self):
        for args in (("--help",), ("run", "--help"), ("swarm", "--help"), ("--version",)):
            done = sim(*args)
            self.assertEqual(done.returncode, 0)
            self.assertIn("s", done.stdout)

    def test_a_plot_without_gnuplot_is_said_and_harms_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            os.symlink("/bin/sh", os.path.join(folder, "sh"))
            done = subprocess.run([SIM, "run", "--for", "1s", "--plot", os.path.join(folder, "x.png")],
                                  capture_output=True, text=True, timeout=100, env={"PATH": folder})
            self.assertEqual(done.returncode, 0)
            self.assertIn("gnuplot is not installed", done.stderr)
            self.assertFalse(os.path.exists(os.path.join(folder, "x.png")))


class Swarm(unittest.TestCase):
    def test_json_counts_runs_and_marks(self):
        done = sim("swarm", "--runs", "20", "--jobs", "2", "--json")
        self.assertEqual(done.returncode, 0, done.stdout)
        result = json.loads(done.stdout)
        self.assertEqual((result["runs"], result["failed"]), (20, 0))
        self.assertGreater(result["marks"]["suspect refuted"], 0)

    def test_a_branch_that_no_run_came_to_fails_where_marks_are_required(self):
        done = sim("swarm", "--runs", "1", "--seed", "2", "--require-marks")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no run came to this branch", done.stderr)

    def test_replay_shows_the_script_and_every_event(self):
        done = sim("replay", "--seed", "2")
        self.assertEqual(done.returncode, 0)
        self.assertIn("# seed 2:", done.stdout)
        self.assertIn("everything is made whole", done.stdout)
        self.assertIn("seed 2 passed", done.stdout)

    def test_there_is_nothing_to_shrink_in_a_run_that_passes(self):
        done = sim("shrink", "--seed", "2")
        self.assertEqual(done.returncode, 2)
        self.assertIn("passes", done.stderr)


if __name__ == "__main__":
    unittest.main()
