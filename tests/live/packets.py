#!/usr/bin/env python3
"""Run inside a network namespace by junk.py.

  packets.py sniff INTERFACE PORT SECONDS             payloads seen, one a line in hexadecimal
  packets.py flood SECONDS SEED PACKETS_PER_S TARGET...   junk made of the payloads on stdin; what was sent
"""
import json
import random
import socket
import sys
import time


def sniff(interface, port, seconds):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    raw.bind((interface, 0))
    raw.settimeout(0.2)
    seen, deadline = {}, time.monotonic() + float(seconds)
    while time.monotonic() < deadline:
        try:
            frame = raw.recv(2048)
        except TimeoutError:
            continue
        if frame[12:14] != b"\x08\x00" or frame[23] != 17:
            continue
        udp = 14 + (frame[14] & 15) * 4
        if int.from_bytes(frame[udp + 2:udp + 4], "big") == int(port):
            payload = frame[udp + 8:udp + int.from_bytes(frame[udp + 4:udp + 6], "big")]
            seen.setdefault(len(payload), payload)
    for payload in seen.values():
        print(payload.hex())


def junk(samples, dice):
    """One bad datagram and what kind it is."""
    kind = dice.choice(["random", "truncated", "bit-flipped", "prolonged", "empty"] if dice.random() < 0.1
                       else ["random", "truncated", "bit-flipped"])
    sample = dice.choice(samples)
    if kind == "random":
        data = dice.randbytes(dice.randrange(1, 1400))
        # Half of them begin like ours, to get further in.
        return kind, sample[:dice.randrange(0, 40)] + data if dice.random() < 0.5 else data
    if kind == "truncated":
        return kind, sample[:dice.randrange(0, len(sample))]
    if kind == "prolonged":
        return kind, sample + dice.randbytes(dice.randrange(1, 64))
    if kind == "empty":
        return kind, b""
    flipped = bytearray(sample)
    for _ in range(dice.choice([1, 1, 2, 8])):
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
    if bytes(flipped) == sample:
        flipped[0] ^= 1
    return kind, bytes(flipped)


def flood(seconds, seed, packets_per_s, *targets):
    dice = random.Random(int(seed))
    samples = [bytes.fromhex(line) for line in sys.stdin.read().split()]
    made = [junk(samples, dice) for _ in range(20000)]
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    places = [(address, int(port)) for address, _, port in (t.partition(":") for t in targets)]
    sent, by_kind, refused = 0, {}, 0
    start = time.monotonic()
    while time.monotonic() - start < float(seconds):
        if sent >= (time.monotonic() - start) * float(packets_per_s):
            time.sleep(0.0005)
            continue
        for _ in range(32):
            kind, data = made[dice.randrange(len(made))]
            try:
                out.sendto(data, places[sent % len(places)])
            except OSError:
                refused += 1
                continue
            by_kind[kind] = by_kind.get(kind, 0) + 1
            sent += 1
    print(json.dumps({"sent": sent, "refused": refused, "by_kind": by_kind}))


{"sniff": sniff, "flood": flood}[sys.argv[1]](*sys.argv[2:])
