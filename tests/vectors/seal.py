#!/usr/bin/env python3
"""Writes the test vectors of sealing: seal.txt beside this file.

Written from docs/wire.md, section Sealing, with Python's hmac and the package cryptography (Debian's
python3-cryptography), sharing nothing with lib/seal. Tests read the committed file and never run this.

  tests/vectors/seal.py            write the file
  tests/vectors/seal.py --check    exit 1 if it differs
"""
import hashlib
import hmac
import pathlib
import struct
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FILE = pathlib.Path(__file__).resolve().parent / "seal.txt"
CLUSTER = 0x4391ba71  # XXH3-64("fleet-7"), low half


def hkdf_sha256(key, salt, info, length):
    """RFC 5869."""
    prk = hmac.new(salt, key, hashlib.sha256).digest()
    out, block = b"", b""
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([len(out) // 32 + 1]), hashlib.sha256).digest()
        out += block
    return out[:length]


def packet(name, cluster_key, key_id, lane, sender, epoch, instance, counter, body):
    info = b"swimlane packet\0" + struct.pack(">IQIQ", CLUSTER, sender, epoch, instance)
    key = hkdf_sha256(cluster_key, b"swimlane seal 1", info, 16)
    header = b"SW" + struct.pack(">BBBBHIQIQQ", 1, key_id, lane, 0, len(body), CLUSTER, sender, epoch, instance, counter)
    sealed = header + AESGCM(key).encrypt(struct.pack(">IQ", lane, counter), body, header)
    lines = [f"packet {name}"]
    for field, value in (("cluster_key", cluster_key.hex()), ("key_id", key_id), ("lane", lane),
                         ("sender_id", hex(sender)), ("sender_epoch", epoch), ("instance", hex(instance)),
                         ("counter", counter), ("packet_key", key.hex()), ("body", body.hex()),
                         ("sealed", sealed.hex())):
        lines.append(f"{field} = {value}")
    return "\n".join(lines + ["end"])


def ping():
    prelude = struct.pack(">QQQ", 0xb2, 17, 5)
    probe = struct.pack(">IQQQ", 7, 0x0102030405060708, 0x1112131415161718, 0x2122232425262728)
    return prelude + bytes([1, 0]) + struct.pack(">H", len(probe)) + probe


def whole():
    one = bytes(range(0x20, 0x40))
    two = hashlib.sha256(b"another cluster key").digest()
    longest = hashlib.shake_256(b"body").digest(1392)
    yield packet("ping", one, 1, 0, 0xa1, 3, 0x1122334455667788, 1, ping())
    yield packet("shortest", one, 1, 1, 0xa1, 3, 0x1122334455667788, 1, bytes(24))
    yield packet("longest", one, 1, 0, 0xa1, 3, 0x1122334455667788, 2, longest)
    yield packet("odd_length", one, 1, 0, 0xa1, 3, 0x1122334455667788, 3, longest[:777])
    yield packet("last_counter", one, 1, 0, 0xa1, 3, 0x1122334455667788, 2 ** 48, ping())
    yield packet("other_key", two, 255, 0, 0xa1, 3, 0x1122334455667788, 4, ping())
    yield packet("other_epoch", one, 1, 0, 0xa1, 4, 0x1122334455667788, 1, ping())
    yield packet("other_instance", one, 1, 0, 0xa1, 3, 0xffffffffffffffff, 1, ping())
    yield packet("other_sender", one, 1, 0, 0xfffffffffffffffe, 0xffffffff, 0x1122334455667788, 1, ping())


TEXT = "# Written by seal.py from docs/wire.md, section Sealing; the cluster is fleet-7.\n\n" + \
       "\n\n".join(whole()) + "\n"

if sys.argv[1:] == ["--check"]:
    sys.exit(0 if FILE.read_text() == TEXT else f"{FILE.name} differs: run tests/vectors/seal.py")
FILE.write_text(TEXT)
