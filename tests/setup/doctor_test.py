#!/usr/bin/env python3
"""scripts/setup/doctor on machines made of files: what it finds wanting, and what it says to mend it."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SW_BUILD", ROOT / "build")).resolve()
sys.dont_write_bytecode = True
SCRIPT = ROOT / "scripts/setup/doctor"

loader = importlib.machinery.SourceFileLoader("doctor", str(SCRIPT))
spec = importlib.util.spec_from_loader("doctor", loader)
doctor = importlib.util.module_from_spec(spec)
sys.modules["doctor"] = doctor
loader.exec_module(doctor)

NIC = "0000:3b:00.0"
PCI = f"/sys/bus/pci/devices/{NIC}"
UID = 777


class Doctor(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.machine = doctor.Machine(self.root)
        patch = mock.patch.object(doctor, "service_uid", lambda: UID)
        patch.start()
        self.addCleanup(patch.stop)

    def file(self, path, text=""):
        path = self.root / path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def link(self, path, target):
        path = self.root / path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    def needs(self, kind="af_xdp", lanes=1, hugepages="auto", cpus="", **more):
        values = {"port.kind": kind, "port.device": NIC if kind == "pci" else "eth0",
                  "port.interface": "eth0" if kind.startswith("af_") else "", "port.udp_port": "7946",
                  "port.first_queue": "0", "port.mtu": "1500", "lanes": str(lanes), "memory.hugepages": hugepages,
                  "memory.megabytes": "256", "state_dir": "", "keyring": "", "http_token_file": "",
                  "control.socket": "/run/swimlane/control.sock", "cpus": cpus}
        return doctor.Needs(values | more)

    def said(self, findings, state, text, mend=""):
        """One finding is just that."""
        self.assertTrue(any(f.state == state and text in f.text and mend in f.mend for f in findings), findings)

    def fine(self, findings):
        self.assertEqual({f.state for f in findings}, {"ok"}, findings)

    def interface(self, mtu=1500, flags="0x1003", queues=1):
        self.file("/sys/class/net/eth0/mtu", f"{mtu}\n")
        self.file("/sys/class/net/eth0/flags", f"{flags}\n")
        for number in range(queues):
            self.file(f"/sys/class/net/eth0/queues/rx-{number}/x")
        self.file("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")

    def memory(self, free):
        self.file("/proc/meminfo", f"MemTotal: 9 kB\nHugePages_Free: {free}\nHugepagesize: 2048 kB\n")

    def nodes(self, pages=128):
        for node, cpus in ((0, "0-3"), (1, "4,6-7")):
            self.file(f"/sys/devices/system/node/node{node}/cpulist", cpus + "\n")
            self.file(f"/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/free_hugepages",
                      f"{pages if node == 0 else 0}\n")

    # ---- hugepages ----

    def test_too_few_hugepages_stop_it_only_where_they_are_asked_for(self):
        self.memory(127)
        self.said(doctor.check_hugepages(self.machine, self.needs()), "warning", "254 MiB free, 256 wanted",
                  "swimlane-hugepages")
        self.said(doctor.check_hugepages(self.machine, self.needs(hugepages="on")), "missing", "254 MiB")
        self.memory(128)
        self.fine(doctor.check_hugepages(self.machine, self.needs(hugepages="on")))
        self.said(doctor.check_hugepages(self.machine, self.needs(hugepages="off")), "warning", "off")

    def test_a_kernel_without_hugepages_is_told(self):
        self.file("/proc/meminfo", "MemTotal: 9 kB\n")
        self.said(doctor.check_hugepages(self.machine, self.needs(hugepages="on")), "missing", "no hugepages")

    def test_hugepages_on_the_wrong_node_are_told(self):
        self.memory(128)
        self.nodes()
        self.file(f"{PCI}/numa_node", "1\n")
        self.said(doctor.check_hugepages(self.machine, self.needs("pci")), "warning", "node 1", "--node 1")

    # ---- IOMMU and driver ----

    def bound(self, driver="vfio-pci"):
        self.link(f"{PCI}/driver", f"../../../bus/pci/drivers/{driver}")
        self.link(f"{PCI}/iommu_group", "../../../kernel/iommu_groups/7")
        self.file(f"/sys/kernel/iommu_groups/7/devices/{NIC}")
        self.file(f"{PCI}/x")

    def test_a_pci_device_needs_an_iommu_and_a_group_of_its_own(self):
        needs = self.needs("pci")
        self.file(f"{PCI}/x")
        self.said(doctor.check_iommu(self.machine, needs), "missing", "no IOMMU", "intel_iommu=on")
        self.bound()
        self.fine(doctor.check_iommu(self.machine, needs))
        self.file("/sys/kernel/iommu_groups/7/devices/0000:3b:00.1")
        self.fine(doctor.check_iommu(self.machine, needs))
        self.link("/sys/bus/pci/devices/0000:3b:00.1/driver", "../ice")
        self.said(doctor.check_iommu(self.machine, needs), "missing", "0000:3b:00.1", "vfio-pci")
        self.link(f"{PCI}/iommu_group", "../7")
        (self.root / f"{PCI}/iommu_group".lstrip("/")).unlink()
        self.said(doctor.check_iommu(self.machine, needs), "missing", "no IOMMU group")

    def test_other_ports_need_no_iommu(self):
        for kind in ("af_xdp", "af_packet", "memif", "vdev"):
            self.fine(doctor.check_iommu(self.machine, self.needs(kind)))
        self.bound("mlx5_core")
        self.fine(doctor.check_iommu(self.machine, self.needs("pci")))

    def test_a_pci_device_must_be_bound_and_be_the_users(self):
        needs = self.needs("pci")
        self.said(doctor.check_driver(self.machine, needs), "missing", "no PCI device", "--status-dev")
        self.bound("ice")
        self.said(doctor.check_driver(self.machine, needs), "missing", "belongs to ice", f"-b vfio-pci {NIC}")
        self.bound()
        self.said(doctor.check_driver(self.machine, needs), "missing", "/dev/vfio/7", "udevadm")
        self.file("/dev/vfio/7")
        with mock.patch.object(doctor, "file_owner", lambda path: UID):
            self.fine(doctor.check_driver(self.machine, needs))
        self.bound("mlx5_core")
        self.fine(doctor.check_driver(self.machine, needs))

    def test_an_interface_must_be_there_up_and_have_the_queues(self):
        self.said(doctor.check_driver(self.machine, self.needs()), "missing", "no interface eth0")
        self.interface(flags="0x1002")
        self.said(doctor.check_driver(self.machine, self.needs()), "missing", "is down", "ip link set dev eth0 up")
        self.interface()
        self.fine(doctor.check_driver(self.machine, self.needs()))
        self.said(doctor.check_driver(self.machine, self.needs(lanes=2)), "missing", "1 queues, the lanes need 2",
                  "ethtool -L eth0 combined 2")
        self.fine(doctor.check_driver(self.machine, self.needs("af_packet", lanes=2)))
        self.interface(queues=4)
        self.said(doctor.check_driver(self.machine, self.needs()), "warning", "4 queues and 1 lanes",
                  "swimlane-queues take eth0 --count 1 --port 7946")

    def test_an_old_kernel_has_no_capability_for_xdp(self):
        self.interface()
        self.file("/proc/sys/kernel/osrelease", "5.4.0\n")
        self.said(doctor.check_driver(self.machine, self.needs()), "missing", "5.4.0", "af_packet")
        self.fine(doctor.check_driver(self.machine, self.needs("af_packet")))

    # ---- NUMA and MTU ----

    def test_cpus_of_another_node_than_the_port_are_told(self):
        self.nodes()
        self.file(f"{PCI}/numa_node", "0\n")
        self.said(doctor.check_numa(self.machine, self.needs("pci", cpus="5 3 4 7")), "warning", "CPUs 4 7 are not")
        self.fine(doctor.check_numa(self.machine, self.needs("pci", cpus="5 3 2 1")))
        self.fine(doctor.check_numa(self.machine, self.needs("memif", cpus="5 3 4 7")))

    def test_a_small_mtu_stops_it(self):
        self.interface(mtu=1400)
        self.said(doctor.check_mtu(self.machine, self.needs()), "missing", "1400", "mtu 1500")
        self.interface(mtu=9000)
        self.fine(doctor.check_mtu(self.machine, self.needs()))
        self.fine(doctor.check_mtu(self.machine, self.needs("pci")))
        self.said(doctor.check_mtu(self.machine, self.needs(**{"port.interface": "none"})), "missing", "no interface none")

    # ---- capabilities ----

    def unit(self, capabilities=None):
        self.file("/usr/lib/systemd/system/swimlane.service", "[Service]\nAmbientCapabilities=\n")
        if capabilities is not None:
            self.file("/etc/systemd/system/swimlane.service.d/port.conf",
                      f"[Service]\nAmbientCapabilities={capabilities}\n")

    def test_the_unit_must_have_what_the_port_needs_and_no_more(self):
        check = lambda kind: doctor.check_capabilities(self.machine, self.needs(kind))
        self.said(check("af_xdp"), "warning", "not installed")
        self.unit()
        self.said(check("af_xdp"), "missing", "lacks CAP_BPF CAP_IPC_LOCK", "af_xdp.conf")
        self.fine(check("memif"))
        self.unit("CAP_NET_ADMIN CAP_NET_RAW")
        self.said(check("af_xdp"), "missing", "lacks CAP_BPF CAP_IPC_LOCK CAP_PERFMON")
        self.fine(check("af_packet"))
        self.said(check("memif"), "warning", "has CAP_NET_ADMIN CAP_NET_RAW", "memif.conf")

    def test_its_capabilities_are_those_of_the_drop_ins(self):
        for kind, wanted in doctor.CAPABILITIES.items():
            text = (ROOT / f"service/{kind}.conf.in").read_text()
            self.assertIn(f"AmbientCapabilities={' '.join(sorted(wanted))}\n", text)

    def test_secrets_must_belong_to_the_user(self):
        self.unit("CAP_NET_ADMIN CAP_NET_RAW")
        needs = self.needs("af_packet", keyring="/etc/swimlane/keyring")
        self.said(doctor.check_capabilities(self.machine, needs), "missing", "is not there")
        self.file("/etc/swimlane/keyring")
        self.said(doctor.check_capabilities(self.machine, needs), "missing", "does not belong", "chown swimlane")
        with mock.patch.object(doctor, "file_owner", lambda path: UID):
            self.fine(doctor.check_capabilities(self.machine, needs))
        with mock.patch.object(doctor, "service_uid", lambda: None):
            self.said(doctor.check_capabilities(self.machine, needs), "missing", "no user", "systemd-sysusers")

    # ---- clock ----

    def test_the_clock(self):
        now = 1.7e9 + 1e8
        check = lambda status=0, at=now: doctor.check_clock(self.machine, self.needs(), at, status)
        self.said(check(), "warning", "does not promise")
        self.file("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu constant_tsc nonstop_tsc\n")
        source = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        self.file(source, "hpet\n")
        self.said(check(), "warning", "uses hpet", "dmesg")
        self.file(source, "tsc\n")
        self.fine(check())
        self.said(check(status=doctor.UNSYNCHRONISED), "warning", "keeps the time right", "set-ntp")
        self.said(check(at=0), "missing", "1970-01-01", "set-ntp")

    # ---- scripts/setup/hugepages, which mends ----

    def reserve(self, *options, free=100, node=None):
        """Its exit code, what it says, and the number of pages that it asked for."""
        folder = f"/sys/devices/system/node/node{node}/hugepages" if node is not None else "/sys/kernel/mm/hugepages"
        self.file(f"{folder}/hugepages-2048kB/free_hugepages", f"{free}\n")
        pages = self.file(f"{folder}/hugepages-2048kB/nr_hugepages", "100\n")
        (self.root / "etc/sysctl.d").mkdir(parents=True, exist_ok=True)
        config = self.file("/swimlane.yaml", "name: a\ncluster: c\ninsecure: true\nmemory: {megabytes: 121}\n"
                           "port: {kind: af_packet, interface: eth0}\n")
        done = subprocess.run([ROOT / "scripts/setup/hugepages", "--config", config, "--swimlane",
                               BUILD / "app/swimlane/swimlane", "--root", self.root, *options],
                              capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr, int(pages.read_text())

    def test_hugepages_that_are_there_are_kept_for_the_next_boot(self):
        self.assertEqual(self.reserve(), (0, "hugepages: 100 free of 100, 61 needed\n", 100))
        kept = self.root / "etc/sysctl.d/60-swimlane-hugepages.conf"
        self.assertEqual(kept.read_text(), "vm.nr_hugepages = 100\n")
        kept.unlink()
        self.assertEqual(self.reserve("--now-only")[0], 0)
        self.assertFalse(kept.exists())

    def test_hugepages_that_lack_are_added_to_those_of_others(self):
        code, said, asked = self.reserve(free=11)
        self.assertEqual((code, asked), (1, 150), "this machine of files gives none")
        self.assertIn("11 of 61 pages are free", said)
        self.assertEqual(self.reserve("--megabytes", "400", "--node", "1", free=0, node=1)[2], 300)
        self.assertEqual(self.reserve("--megabytes", "x")[0], 1)
        self.assertEqual(self.reserve("--what")[0], 2)

    # ---- the program ----

    def program(self, config, *options):
        path = self.file("/swimlane.yaml", config)
        return subprocess.run(["/usr/bin/python3", SCRIPT, "--config", path, "--swimlane",
                               BUILD / "app/swimlane/swimlane", "--root", self.root, *options],
                              capture_output=True, text=True, timeout=30)

    def test_the_exit_code_and_json_say_whether_something_stands_in_the_way(self):
        config = "name: a\ncluster: c\ninsecure: true\nport: {kind: af_packet, interface: eth0}\n"
        self.interface()
        done = self.program(config, "--json")
        answer = json.loads(done.stdout)
        self.assertEqual((done.returncode, answer["ok"]), (0, True), done)
        self.assertEqual({f["check"] for f in answer["checks"]}, {"configuration", "hugepages", "iommu", "driver",
                                                                  "numa", "mtu", "capabilities", "clock"})
        self.interface(mtu=1280)
        done = self.program(config)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"MISSING mtu +eth0 has 1280.*\n +mend: ip link set dev eth0 mtu 1500")

    def test_a_configuration_with_mistakes_is_told_line_by_line(self):
        done = self.program("name: a\nclutser: c\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("swimlane.yaml:2: clutser: unknown key", done.stdout)

    def test_what_a_configuration_needs_is_told_by_swimlane_itself(self):
        path = self.file("/x.yaml", "name: a\ncluster: c\ninsecure: true\nport: {kind: pci, interface: '0000:ff:1f.7', "
                         "address: 10.0.0.1}\ncores: {lanes: [2, 3], keeper: 1, control: 0}\n")
        done = subprocess.run([BUILD / "app/swimlane/swimlane", "--needs", path], capture_output=True, text=True)
        values = dict(line.split("=", 1) for line in done.stdout.splitlines())
        self.assertEqual((values["port.kind"], values["port.device"], values["lanes"], values["cpus"]),
                         ("pci", "0000:ff:1f.7", "2", "0 1 2 3"), done)


if __name__ == "__main__":
    unittest.main(verbosity=2)
