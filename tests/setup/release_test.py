#!/usr/bin/env python3
"""scripts/setup/queues as the unit's stop step, with an ethtool that answers from files and writes down what it is
told: no NIC with steering rules is here."""
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SW_BUILD", ROOT / "build")).resolve()

ETHTOOL = """#!/bin/sh
case $1 in
-n) cat "$FAKE/rules" ;;
-l) cat "$FAKE/channels" ;;
*) echo "$*" >>"$FAKE/told" ;;
esac
"""
RULE = """Filter: {number}
\tRule Type: UDP over IPv4
\tDest port: {port} mask: 0x0
\tAction: Direct to queue 7
"""
CHANNELS = "Pre-set maximums:\nCombined:\t8\nCurrent hardware settings:\nCombined:\t8\n"


class StopStep(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "ethtool").write_text(ETHTOOL)
        # --needs is the program's own; what it would do to an interface is written down.
        (self.folder / "swimlane").write_text(
            "#!/bin/sh\ncase $1 in\n--needs) exec \"$SWIMLANE\" \"$@\" ;;\n"
            "*) echo \"swimlane $*\" >>\"$FAKE/told\" ;;\nesac\n")
        for name in ("ethtool", "swimlane"):
            (self.folder / name).chmod(0o755)
        (self.folder / "channels").write_text(CHANNELS)

    def release(self, rules, port="kind: af_xdp, interface: eth7, udp_port: 7947", start="name: a\ncluster: c\n"):
        """Exit code, what ethtool and swimlane were told, and what was said."""
        (self.folder / "rules").write_text("".join(RULE.format(number=n, port=p) for n, p in rules))
        (self.folder / "told").write_text("")
        config = self.folder / "swimlane.yaml"
        config.write_text(f"{start}insecure: true\nport: {{{port}}}\n")
        done = subprocess.run(
            [ROOT / "scripts/setup/queues", "release", "--config", config, "--swimlane", self.folder / "swimlane"],
            capture_output=True, text=True, timeout=30,
            env={"PATH": f"{self.folder}:{os.environ['PATH']}", "FAKE": str(self.folder),
                 "SWIMLANE": str(BUILD / "app/swimlane/swimlane")})
        return done.returncode, (self.folder / "told").read_text().splitlines(), done.stdout + done.stderr

    def test_rules_of_the_configured_port_are_taken_off_and_rss_is_spread_again(self):
        code, told, said = self.release([(15, 7947), (16, 53), (17, 7947)])
        self.assertEqual((code, told), (0, ["-N eth7 delete 15", "-N eth7 delete 17", "-X eth7 default",
                                            "swimlane --release eth7"]), said)

    def test_without_rules_of_ours_the_rss_table_stays_as_it_is(self):
        code, told, said = self.release([(16, 53)])
        self.assertEqual((code, told), (0, ["swimlane --release eth7"]), said)

    def test_a_port_that_the_kernel_has_nothing_of_is_left_alone(self):
        code, told, said = self.release([(15, 7946)], "kind: pci, interface: '0000:ff:1f.7', address: 10.0.0.1")
        self.assertEqual((code, told), (0, []), said)
        self.assertIn("nothing to release", said)

    def test_a_configuration_with_mistakes_releases_nothing_and_says_so(self):
        code, told, said = self.release([(15, 7946)], start="name: a\n")
        self.assertEqual((code, told), (1, []), said)
        self.assertIn("nothing is released", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
