#!/usr/bin/env python3
"""swimlanectl capture between three servers: of one peer, of some types, at a rate, with what was missed; each read back
by tshark with the dissector. In the clear, so that all of a packet is shown; tests/live/lanes.py does the sealed ones."""
import pathlib
import re
import subprocess
import sys

from live import ROOT, main

DISSECTOR = ROOT / "scripts/wireshark/swimlane.lua"
FIELDS = ("swimlane.sender_id", "swimlane.dst_id", "swimlane.type", "swimlane.key", "_ws.malformed")


def capture(the_lab, server, name, *options, seconds=2):
    """(exit code, words, packets: a dictionary of lists each)"""
    file = pathlib.Path(the_lab.ledger.folder) / f"{name}.pcap"
    run = subprocess.run([str(the_lab.options.ctl), "--socket", str(server.socket), "capture", "--clear", "--for",
                          f"{seconds}s", *options, str(file)], capture_output=True, text=True, timeout=30)
    packets = []
    if run.returncode == 0:
        shown = subprocess.run(["tshark", "-r", str(file), "-X", f"lua_script:{DISSECTOR}", "-T", "fields"]
                               + [word for field in FIELDS for word in ("-e", field)],
                               capture_output=True, text=True, timeout=60)
        packets = [dict(zip(FIELDS, ([x for x in column.split(",") if x] for column in line.split("\t"))))
                   for line in shown.stdout.splitlines()]
    return run.returncode, "; ".join(run.stderr.strip().splitlines()), packets


def ids(packet):
    return {int(packet["swimlane.sender_id"][0], 16), int(packet["swimlane.dst_id"][0], 16)}


def types(packets):
    return {int(t, 16) for packet in packets for t in packet["swimlane.type"]}


def body(test, the_lab):
    fleet = the_lab.fleet
    one, two, three = fleet.servers
    known = {m["name"]: int(m["id"], 16) for m in one.call("members")["members"]}
    code, words, packets = capture(the_lab, one, "all", "--rate", "100000")
    test.note(words)
    test.check(code == 0 and len(packets) > 20 and not any(p["_ws.malformed"] for p in packets),
               f"all packets are read without a complaint: {len(packets)}")
    test.check({known["s2"], known["s3"]} <= set().union(*map(ids, packets)), "those of both peers are there")
    test.check(words.endswith(" 0 missed"), "nothing is missed at so high a rate")
    code, words, packets = capture(the_lab, one, "peer", "--rate", "100000", "--peer", "s2")
    senders = {int(p["swimlane.sender_id"][0], 16) for p in packets}
    test.check(code == 0 and packets and all(ids(p) == {known["s1"], known["s2"]} for p in packets),
               f"--peer: only what comes from and goes to it, {len(packets)}")
    test.check(senders == {known["s1"], known["s2"]}, "--peer: both directions")
    code, words, packets = capture(the_lab, one, "types", "--rate", "100000", "--type", "PING,ACK", "--peer", "s3")
    test.check(code == 0 and packets and all({1, 2} & types([p]) for p in packets)
               and all(known["s3"] in ids(p) for p in packets), f"--type and --peer together: {len(packets)}")
    writes = subprocess.Popen([sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1])\n"
                               "from lab import rpc\nimport time\n"
                               "for n in range(40):\n rpc.call(sys.argv[2], 'map.put', key=f'captured/{n}', value='x')\n"
                               " time.sleep(0.05)", str(ROOT / "scripts"), str(two.socket)])
    code, words, packets = capture(the_lab, one, "records", "--rate", "100000", "--type", "RECORD", seconds=3)
    writes.wait(20)
    keys = {bytes.fromhex(k.replace(":", "")).decode() for p in packets for k in p["swimlane.key"]}
    test.check(code == 0 and keys and all(0x20 in types([p]) for p in packets)
               and all(k.startswith("captured/") for k in keys), f"--type RECORD: {len(keys)} keys in {len(packets)} packets")
    code, words, packets = capture(the_lab, one, "slow", "--rate", "5")
    missed = re.search(r"(\d+) missed", words)
    test.note(words)
    test.check(code == 0 and 0 < len(packets) <= 20 and missed and int(missed[1]) > 20,
               "what is above the rate is missed, and counted")
    code, words, _ = capture(the_lab, one, "nobody", "--peer", "s9")
    test.check(code != 0 and "s9" in words, f"a peer that is none is refused: {words}")
    code, words, _ = capture(the_lab, one, "none", "--type", "NONSENSE")
    test.check(code != 0 and "NONSENSE" in words, f"a type that is none is refused: {words}")


if __name__ == "__main__":
    sys.exit(main("capture", body, servers=3, origins=1, sealed=False))
