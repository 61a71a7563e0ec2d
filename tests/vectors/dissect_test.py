#!/usr/bin/env python3
"""scripts/wireshark/swimlane.lua against tests/vectors: every packet there, through tshark, must show the very values
that its vector lists, in order, and nothing that it does not.

  dissect_test.py    TAP on standard output; skipped where there is no tshark
"""
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SCRIPT = HERE.parents[1] / "scripts/wireshark/swimlane.lua"
HEADER = ("lane", "sender_id", "sender_epoch", "instance", "counter", "dst_id", "last_seq", "floor")
# The vector's word, and what the dissector calls it where that differs.
CALLED = {"accuser_id": "accuser", "key_hex": "key", "value_hex": "value", "wanted_0": "wanted", "wanted_1": "wanted"}
DOTS = ("author", "dot", "previous", "entry")
IN_MESSAGE = {"flags": "{}_flags", "instance": "life"}
FLAGS_OF = {"MEMBER": "member", "JOIN": "member", "RECORD": "record", "VERSION_REQ": "request"}


def read_vectors(path):
    packet = None
    for line in path.read_text().splitlines():
        words = line.split("#")[0].split() if packet and packet["in_bytes"] else line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] == "packet":
            packet = {"name": words[1], "lines": [], "hex": "", "in_bytes": False}
        elif words[0] == "end":
            yield packet
            packet = None
        elif packet["in_bytes"]:
            packet["hex"] += words[0]
        elif words[0] == "bytes":
            packet["in_bytes"] = True
        else:
            packet["lines"].append(line.strip())


def pcap(payloads, path):
    """Ethernet, IPv4 and UDP to port 7946 around each."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for number, payload in enumerate(payloads):
            udp = struct.pack(">HHHH", 7946, 7946, 8 + len(payload), 0) + payload
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
            frame = bytes(12) + b"\x08\0" + ip + udp
            out.write(struct.pack("<IIII", number, 0, len(frame), len(frame)) + frame)


def dissect(path):
    run = subprocess.run(["tshark", "-r", path, "-X", f"lua_script:{SCRIPT}", "-T", "json", "--no-duplicate-keys", "-J",
                          "swimlane"], capture_output=True, text=True, timeout=120)
    if run.returncode != 0 or "Lua" in run.stderr:
        raise RuntimeError(run.stderr)
    return [packet["_source"]["layers"] for packet in json.loads(run.stdout)]


def collect(node, found):
    """All fields by name, each a list in order of the packet."""
    for name, value in node.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                collect(one, found)
            elif name.startswith("swimlane."):
                found.setdefault(name.split(".", 1)[1], []).append(one)
    return found


def number(text):
    return int(text, 16) if text.lower().startswith("0x") else int(text)


def same(name, wanted, shown):
    if name in ("key", "value"):
        return wanted == shown.replace(":", "")
    try:
        return number(wanted) == number(shown)
    except ValueError:
        return wanted == shown


def expected(packet):
    """(field, value) pairs of a vector; dots and endpoints taken apart."""
    message = ""
    for line in packet["lines"]:
        name, _, value = (part.strip() for part in line.partition("="))
        if line.startswith("message"):
            message = line.split()[1]
        elif name in ("at", "target"):
            address, _, port = value.rpartition(":")
            yield "address", address.strip("[]") if "[" in address else f"::ffff:{address}"
            yield "port", port
        elif message and name in IN_MESSAGE:
            yield IN_MESSAGE[name].format(FLAGS_OF.get(message)), value
        elif name in DOTS:
            for part, one in zip(("id", "epoch", "seq"), value.split()):
                closed = name == "entry" and part == "seq" and number(one) >> 63
                yield f"{name}_{part}", str(number(one) - (1 << 63)) if closed else one
                if name == "entry" and part == "seq":
                    yield "entry_closed", str(int(closed))
        elif name not in ("expect", "cluster_name", "decode_only") and not line.startswith("message"):
            yield CALLED.get(name, name), value


def main():
    if shutil.which("tshark") is None:
        print("1..0 # SKIP no tshark: apt-get install tshark")
        return 0
    count = failed = 0
    lines = []
    for file in sorted(HERE.glob("wire-[mprs]*.txt")):
        packets = [p for p in read_vectors(file) if "expect = ok" in p["lines"]]
        if not packets:
            continue
        with tempfile.TemporaryDirectory() as folder:
            pcap([bytes.fromhex(p["hex"]) for p in packets], f"{folder}/a.pcap")
            shown = dissect(f"{folder}/a.pcap")
        for packet, layers in zip(packets, shown, strict=True):
            fields = collect(layers.get("swimlane", {}), {})
            wrong = []
            for name, value in expected(packet):
                have = fields.get(name, [])
                if (value != "" or have) and not any(same(name, value, one) for one in have):
                    wrong.append(f"{name} = {value}, shown {have}")
            count += 1
            failed += bool(wrong)
            lines.append(f"{'not ' if wrong else ''}ok {count} - {file.stem}: {packet['name']}")
            lines += [f"# {w}" for w in wrong]
    print(f"1..{count}")
    print("\n".join(lines))
    return 1 if failed or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
