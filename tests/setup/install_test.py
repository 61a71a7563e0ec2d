#!/usr/bin/env python3
"""`meson install` into a folder of its own: everything is where people look for it and works from there, and the
unit is one that the service manager's own checker accepts."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SW_BUILD", ROOT / "build")).resolve()
sys.path.insert(0, str(ROOT / "scripts/lib"))
sys.dont_write_bytecode = True

from service_unit import Unit  # noqa: E402

PLACES = """
sbin/swimlane sbin/swimlane-doctor sbin/swimlane-hugepages sbin/swimlane-queues
bin/swimlanectl bin/swimlane-sim
share/man/man8/swimlane.8 share/man/man1/swimlanectl.1 share/man/man5/swimlane.yaml.5
share/bash-completion/completions/swimlanectl.bash share/zsh/site-functions/_swimlanectl
share/swimlane/xdp_lane.bpf.o share/swimlane/drivers/af_xdp.yaml share/swimlane/drivers/ice.yaml
share/swimlane/service/af_packet.conf share/swimlane/service/af_xdp.conf share/swimlane/service/memif.conf
share/swimlane/service/pci.conf share/swimlane/service/vdev.conf
share/doc/swimlane/swimlane.example.yaml share/doc/swimlane/rendezvous.txt
include/swimlane/rendezvous.h include/swimlane/log2_table.h
lib/systemd/system/swimlane.service lib/sysusers.d/swimlane.conf lib/tmpfiles.d/swimlane.conf
""".split()


def run(*command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, **more)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.folder.name)
        done = run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", cls.root)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        cls.prefix = next(cls.root.rglob("sbin/swimlane")).parents[1]
        cls.service = cls.prefix / "share/swimlane/service"

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_everything_is_where_people_look_for_it(self):
        found = {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*") if path.is_file()}
        man = {name[:-3] if name.endswith(".gz") else name for name in found}
        self.assertEqual([place for place in PLACES if place not in man], [])
        self.assertEqual(len([name for name in found if name.endswith("/swimlane_client.py")]), 1)

    def test_programs_run_from_there(self):
        for name in ("sbin/swimlane", "bin/swimlanectl"):
            done = run(self.prefix / name, "--version")
            self.assertEqual((done.returncode, done.stdout.split()[0]), (0, pathlib.Path(name).name), done.stderr)
        for name in ("doctor", "hugepages", "queues"):
            self.assertTrue(os.access(self.prefix / f"sbin/swimlane-{name}", os.X_OK), name)
        client = next(self.prefix.rglob("swimlane_client.py"))
        done = run("/usr/bin/python3", "-c", "import swimlane_client; swimlane_client.Client",
                   env={"PYTHONPATH": str(client.parent)})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_example_configuration_is_correct(self):
        example = self.prefix / "share/doc/swimlane/swimlane.example.yaml"
        text = example.read_text()
        self.assertIn("keyring: /etc/swimlane/keyring", text)
        keyring = self.root / "keyring"
        run(self.prefix / "bin/swimlanectl", "key", "new", keyring)
        mine = self.root / "mine.yaml"
        mine.write_text(text.replace("/etc/swimlane/keyring", str(keyring)))
        done = run(self.prefix / "sbin/swimlane", "--check", mine)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_no_text_of_it_names_the_folder_it_was_built_in(self):
        for path in self.prefix.rglob("*"):
            if path.is_file() and path.suffix in (".service", ".conf", ".py", ".yaml", ".h", ".1", ".5", ".8", ""):
                data = path.read_bytes()
                if not data.startswith(b"\x7fELF"):
                    self.assertNotIn(str(ROOT).encode(), data, path)

    def test_the_manager_accepts_unit_and_drop_ins(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not installed")
        # The checker wants the commands at their places, and the unit under its name.
        for kind in ("none", "af_packet", "af_xdp", "memif", "pci", "vdev"):
            folder = self.root / f"verify-{kind}"
            (folder / "swimlane.service.d").mkdir(parents=True)
            files = [(self.prefix / "lib/systemd/system/swimlane.service", folder / "swimlane.service")]
            if kind != "none":
                files.append((self.service / f"{kind}.conf", folder / "swimlane.service.d/port.conf"))
            for source, target in files:
                prefix = "/" + str(self.prefix.relative_to(self.root))
                text = source.read_text().replace(prefix + "/sbin", str(self.prefix / "sbin"))
                target.write_text(text.replace(prefix + "/bin", str(self.prefix / "bin")))
            done = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", folder / "swimlane.service")
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), kind)

    def test_the_manager_s_own_audit_finds_little_exposed(self):
        """From 0 (nothing) to 10; the bound is in tenths."""
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not installed")
        for kind in ("af_packet", "af_xdp", "memif", "pci"):
            folder = self.root / f"audit-{kind}"
            (folder / "swimlane.service.d").mkdir(parents=True)
            shutil.copy(self.prefix / "lib/systemd/system/swimlane.service", folder)
            shutil.copy(self.service / f"{kind}.conf", folder / "swimlane.service.d/port.conf")
            audit = ("systemd-analyze", "security", "--offline=true", "--no-pager")
            done = run(*audit, "--threshold=25", folder / "swimlane.service")
            self.assertEqual(done.returncode, 0, done.stdout[-2000:])
            self.assertNotEqual(run(*audit, "--threshold=10", folder / "swimlane.service").returncode, 0)

    def test_a_kind_that_needs_no_capability_gets_none(self):
        unit = self.prefix / "lib/systemd/system/swimlane.service"
        self.assertEqual(Unit(unit).capabilities(), [])
        for kind in ("memif", "vdev", "pci"):
            self.assertEqual(Unit(unit, self.service / f"{kind}.conf").capabilities(), [], kind)
        for kind in ("af_packet", "af_xdp"):
            both = Unit(unit, self.service / f"{kind}.conf")
            self.assertEqual(both.capabilities(), both.capabilities("CapabilityBoundingSet"))
            self.assertGreaterEqual(len(both.capabilities()), 2)

    def test_user_and_folders_are_made(self):
        for tool, name, word in (("systemd-sysusers", "sysusers.d", "swimlane"),
                                 ("systemd-tmpfiles", "tmpfiles.d", "/etc/swimlane")):
            if not shutil.which(tool):
                self.skipTest(f"{tool} is not installed")
            if os.geteuid() != 0:
                self.skipTest("needs root: it writes a passwd file below a root of its own")
        place = self.root / "image"
        (place / "etc").mkdir(parents=True)
        done = run("systemd-sysusers", "--root", place, self.prefix / "lib/sysusers.d/swimlane.conf")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("swimlane:x:", (place / "etc/passwd").read_text())
        done = run("systemd-tmpfiles", "--root", place, "--create", self.prefix / "lib/tmpfiles.d/swimlane.conf")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((place / "etc/swimlane").stat().st_mode & 0o7777, 0o750)


if __name__ == "__main__":
    unittest.main(verbosity=2)
