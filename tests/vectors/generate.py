#!/usr/bin/env python3
"""Writes the test vectors of the packet format: wire-*.txt beside this file.

An encoder of its own, written from docs/wire.md with struct and sharing nothing with lib/wire, so that the
two check each other. Tests read the committed files and never run this. Needs Debian's python3-xxhash.

  tests/vectors/generate.py            write the files
  tests/vectors/generate.py --check    exit 1, naming each file that differs

A file holds packets. A packet says what is in it (header and prelude, then each message with its fields),
then its bytes, one field a line; '#' starts a comment. `expect` is "ok" or the error that a receiver counts.
A packet with `decode_only` is not what this version would send.
"""
import argparse
import ipaddress
import pathlib
import struct
import sys

import xxhash

HERE = pathlib.Path(__file__).resolve().parent
TYPES = {
    "PING": 0x01, "ACK": 0x02, "NACK": 0x03, "PING_REQ": 0x04, "MEMBER": 0x05, "JOIN": 0x06, "JOIN_ACK": 0x07,
    "TABLE_REQ": 0x08, "TABLE": 0x09, "RECORD": 0x20, "VERSION_REQ": 0x21, "VECTOR": 0x22,
    "SESSION_DATA": 0x23, "SESSION_GET": 0x24, "SESSION_DONE": 0x25, "SESSION_REFUSE": 0x26,
    "COLLECTED": 0x27, "RELAY": 0x28, "BUCKETS": 0x29, "SIZE_PROBE": 0x0A, "SIZE_ACK": 0x0B,
}
WIDTH = {1: ">B", 2: ">H", 4: ">I", 8: ">Q"}


def number(value, size):
    return struct.pack(WIDTH[size], value)


def address(text):
    a = ipaddress.ip_address(text)
    return b"\0" * 10 + b"\xff\xff" + a.packed if a.version == 4 else a.packed


def endpoint_text(addr, port):
    return f"[{addr}]:{port}" if ":" in addr else f"{addr}:{port}"


def dot_bytes(name, dot):
    return [(f"{name} id", number(dot[0], 8)), (f"{name} epoch", number(dot[1], 4)), (f"{name} seq", number(dot[2], 8))]


def dot_text(dot):
    return f"{dot[0]:#x} {dot[1]} {dot[2]}"


class Message:
    """Its type, what to state of it, and its payload as named pieces."""

    def __init__(self, kind, stated, pieces, type_byte=None, length=None):
        self.kind, self.stated, self.pieces = kind, stated, pieces
        self.type_byte = TYPES[kind] if type_byte is None else type_byte
        self.length = sum(len(b) for _, b in pieces) if length is None else length

    def lines(self):
        return [(f"{self.kind}: type", number(self.type_byte, 1)), ("flags", b"\0"),
                ("payload length", number(self.length, 2))] + self.pieces


def simple(kind, fields, extra=b""):
    """A message of plain numbers: (name, value, bytes of it, hexadecimal?)."""
    stated = [(n, f"{v:#x}" if hexa else str(v)) for n, v, _, hexa in fields]
    pieces = [(n, number(v, size)) for n, v, size, _ in fields]
    return Message(kind, stated, pieces + ([("of a later version", extra)] if extra else []))


def probe(kind, seq, table, vector, content, extra=b""):
    return simple(kind, [("seq", seq, 4, False), ("table_digest", table, 8, True),
                         ("vector_hash", vector, 8, True), ("content_hash", content, 8, True)], extra)


def ping_req(seq, target_id, addr, port):
    return Message("PING_REQ", [("seq", seq), ("target_id", f"{target_id:#x}"), ("target", endpoint_text(addr, port))],
                   [("seq", number(seq, 4)), ("target id", number(target_id, 8)), ("target address", address(addr)),
                    ("target port", number(port, 2))])


def member(kind="MEMBER", id=0xA1, epoch=3, instance=0x1122334455667788, incarnation=0, state=0, drain=0, weight=100,
           addr="10.7.0.1", port=7946, accuser=0, name="cache-a1", zone="rack-4"):
    n, z = name.encode(), zone.encode()
    return Message(
        kind,
        [("id", f"{id:#x}"), ("epoch", epoch), ("instance", f"{instance:#x}"), ("incarnation", incarnation),
         ("state", state), ("member_flags", drain), ("weight", weight), ("at", endpoint_text(addr, port)),
         ("accuser_id", f"{accuser:#x}"), ("name", name), ("zone", zone)],
        [("id", number(id, 8)), ("epoch", number(epoch, 4)), ("instance", number(instance, 8)),
         ("incarnation", number(incarnation, 4)), ("state", number(state, 1)), ("member flags", number(drain, 1)),
         ("weight", number(weight, 2)), ("address", address(addr)), ("port", number(port, 2)),
         ("accuser id", number(accuser, 8)), ("name length", number(len(n), 1)), ("zone length", number(len(z), 1)),
         ("name", n), ("zone", z)])


def record(key, value=b"", clock=1, author=(0xA1, 3, 1), dot=None, previous=None, tombstone=False,
           written_ms=1790000000000):
    flags = (1 if tombstone else 0) | (2 if dot else 0) | (4 if previous else 0)
    stated = [("tombstone", int(tombstone)), ("clock", clock), ("author", dot_text(author)),
              ("dot", dot_text(dot or author)), ("adopted", int(dot is not None))]
    stated += [("previous", dot_text(previous))] if previous else []
    stated += [("written_ms", written_ms), ("key_hex", key.hex()), ("value_hex", value.hex())]
    pieces = [("record flags", number(flags, 1)), ("key length", number(len(key), 1)),
              ("value length", number(len(value), 2)), ("clock", number(clock, 8))]
    pieces += dot_bytes("author", author) + [("written ms", number(written_ms, 8))]
    pieces += dot_bytes("dot", dot) if dot else []
    pieces += dot_bytes("previous", previous) if previous else []
    return Message("RECORD", stated, pieces + [("key", key), ("value", value)])


def vector(entries, kind="VECTOR"):
    pieces = []
    for e in entries:
        pieces += dot_bytes("entry", e)
    return Message(kind, [("entry", dot_text(e)) for e in entries], pieces)


def buckets(sums):
    return Message("BUCKETS", [("sum", f"{s:#x}") for s in sums], [("sum", number(s, 8)) for s in sums])


def version_req(nonce, flags, part, parts):
    return simple("VERSION_REQ", [("nonce", nonce, 8, True), ("flags", flags, 1, False),
                                  ("part", part, 1, False), ("parts", parts, 1, False)])


def session_data(nonce, snapshot, index, packets, heads=1):
    return simple("SESSION_DATA", [("nonce", nonce, 8, True), ("snapshot", snapshot, 4, False),
                                   ("index", index, 4, False), ("packets", packets, 4, False),
                                   ("heads", heads, 2, False)])


def session_get(nonce, snapshot, first, numbers):
    words = [0, 0]
    for n in numbers:
        words[(n - first) // 64] |= 1 << ((n - first) % 64)
    return simple("SESSION_GET", [("nonce", nonce, 8, True), ("snapshot", snapshot, 4, False),
                                  ("first", first, 4, False), ("wanted_0", words[0], 8, True),
                                  ("wanted_1", words[1], 8, True)])


def join_ack(epoch, instance, asker):
    return simple("JOIN_ACK", [("epoch_seen", epoch, 4, False), ("instance_seen", instance, 8, True),
                               ("asker_instance", asker, 8, True)])


def table(page, pages):
    return simple("TABLE", [("page", page, 1, False), ("pages", pages, 1, False)])


def wrapped(data, name):
    """Lines of at most 24 bytes, the first with the name."""
    if not data:
        return []
    rows = [data[i:i + 24] for i in range(0, len(data), 24)]
    return [f"  {row.hex():<48}{'  # ' + name if i == 0 else ''}".rstrip() for i, row in enumerate(rows)]


def packet(name, comment, messages, expect="ok", decode_only=False, cluster="fleet-7", lane=0, id=0xA1, epoch=3,
           instance=0x1122334455667788, counter=1, dst=0xB2, last_seq=17, floor=5, damage=None, **raw):
    tag = xxhash.xxh3_64_intdigest(cluster.encode()) & 0xFFFFFFFF
    prelude = [("prelude: destination id", number(dst, 8)), ("last seq", number(last_seq, 8)), ("floor", number(floor, 8))]
    body = prelude + [line for m in messages for line in m.lines()]
    body_len = raw.get("body_len", sum(len(b) for _, b in body))
    header = [("magic", raw.get("magic", b"SW")), ("format version", number(raw.get("version", 1), 1)),
              ("key id", number(raw.get("key_id", 0), 1)), ("lane", number(lane, 1)),
              ("flags", number(raw.get("flags", 0), 1)), ("body length", number(body_len, 2)),
              ("cluster", number(tag, 4)), ("sender id", number(id, 8)), ("sender epoch", number(epoch, 4)),
              ("instance", number(instance, 8)), ("counter", number(counter, 8))]
    data = b"".join(b for _, b in header + body)
    checksum = xxhash.xxh3_64_intdigest(data)
    if damage:
        checksum ^= damage
    lines = header + body + [("tag: checksum", number(checksum, 8)), ("zeros", raw.get("zeros", b"\0" * 8))]
    out = [f"# {line}" for line in comment] + [f"packet {name}", f"expect = {expect}"]
    if decode_only:
        out += ["decode_only = 1"]
    out += [f"cluster_name = {cluster}", f"lane = {lane}", f"sender_id = {id:#x}", f"sender_epoch = {epoch}",
            f"instance = {instance:#x}", f"counter = {counter}", f"dst_id = {dst:#x}", f"last_seq = {last_seq}",
            f"floor = {floor}"]
    for m in messages:
        out += [f"message {m.kind}"] + [f"  {k} = {v}".rstrip() for k, v in m.stated]
    out += ["bytes"] + [row for n, b in lines for row in wrapped(b, n)] + ["end", ""]
    return "\n".join(out)


def probe_file():
    return [
        packet("empty", ["No message at all: header, prelude and tag. Says the sender's last write and floor."], []),
        packet("ping", ["A probe of server b2 by server a1."],
               [probe("PING", 7, 0x0102030405060708, 0x1112131415161718, 0x2122232425262728)]),
        packet("ack_with_gossip", ["Its answer, with a member's record behind it."],
               [probe("ACK", 7, 0x0102030405060708, 0x1112131415161718, 0x2122232425262728),
                member(id=0xC3, epoch=1, instance=9, incarnation=2, state=1, addr="10.7.0.3", accuser=0xB2,
                       name="cache-c3")],
               id=0xB2, epoch=1, instance=0x99AABBCCDDEEFF00, counter=2**63, lane=1, dst=0xA1, last_seq=0, floor=0),
        packet("nack", ["The helper of an indirect probe heard nothing either."],
               [simple("NACK", [("seq", 2**32 - 1, 4, False)])]),
        packet("ping_req_ipv4", ["Asks b2 to probe c3 at an IPv4 address."], [ping_req(8, 0xC3, "10.7.0.3", 7946)]),
        packet("ping_req_ipv6", ["The same at an IPv6 address; the highest port."],
               [ping_req(0, 2**64 - 2, "2001:db8::c3", 65535)], lane=15),
        packet("size_probe", ["Does the path to b2 carry a packet of this length? Padding follows where it is a longer one."],
               [simple("SIZE_PROBE", [("seq", 9, 4, False), ("size_max", 8952, 2, False)])]),
        packet("size_probe_padded", ["One that is 200 bytes long: padding is a message of zeros that is skipped."],
               [simple("SIZE_PROBE", [("seq", 10, 4, False), ("size_max", 9928, 2, False)]),
                Message("UNKNOWN", [], [("padding", bytes(106))], type_byte=0)], decode_only=True),
        packet("size_ack", ["It came with 8,952 bytes, and more than 9,928 are never taken."],
               [simple("SIZE_ACK", [("seq", 9, 4, False), ("size", 8952, 2, False), ("size_max", 9928, 2, False)])]),
        packet("unknown_type_is_skipped", ["A message of a later version between two of this one."],
               [probe("PING", 1, 0, 0, 0), Message("UNKNOWN", [], [("payload", bytes(range(10)))], type_byte=0x7F),
                simple("NACK", [("seq", 2, 4, False)])], decode_only=True),
        packet("trailing_bytes_are_ignored", ["A later version appended a field to PING."],
               [probe("PING", 1, 2, 3, 4, extra=b"\xee\xee\xee")], decode_only=True),
        packet("header_flags_are_ignored", ["Flags of the header have no meaning yet."],
               [simple("NACK", [("seq", 2, 4, False)])], decode_only=True, flags=0xFF),
    ]


def member_file():
    return [
        packet("member_alive", ["One row of the member table."], [member()]),
        packet("member_suspect", ["Suspected by c3, at its highest incarnation, draining; IPv6; no zone."],
               [member(id=0xB2, incarnation=2**32 - 1, state=1, drain=1, weight=1, addr="2001:db8::b2", port=1,
                       accuser=0xC3, name="b", zone="")]),
        packet("member_dead_longest_names", ["63 bytes of name and 31 of zone, in UTF-8; the largest weight and epoch."],
               [member(state=2, weight=1000, epoch=2**32 - 1, name="\u00e9" * 31 + "x", zone="\u20ac" * 10 + "z")]),
        packet("member_left", ["Left of its own accord."], [member(state=3)]),
        packet("join", ["A server that starts presents itself to whoever listens at a seed's address."],
               [member(kind="JOIN")], dst=0, last_seq=0, floor=0),
        packet("join_ack", ["The answer: another life of this id has been seen."],
               [join_ack(3, 0x0F0E0D0C0B0A0908, 0x1122334455667788)]),
        packet("join_ack_of_a_stranger", ["The answer: never heard of."], [join_ack(0, 0, 0x1122334455667788)]),
        packet("table_req", ["Asks for the member table: a message without payload."],
               [Message("TABLE_REQ", [], [])]),
        packet("table_page", ["The second of two pages of the member table, with two rows."],
               [table(1, 2), member(), member(id=0xB2, epoch=1, addr="10.7.0.2", name="cache-b2")]),
    ]


def record_file():
    return [
        packet("record", ["A first write: its dot is its author's."],
               [record(b"health/origin-1", b'{"state":"up"}', author=(0xA1, 3, 17))]),
        packet("record_adopted_over_previous", ["Adopted by b2 from a closed epoch of a1, and it replaced a dot of c3."],
               [record(b"k", b"v", clock=2**64 - 1, author=(0xA1, 2, 2**63 - 1), dot=(0xB2, 1, 9),
                       previous=(0xC3, 2**32 - 1, 4))]),
        packet("tombstone", ["A delete."],
               [record(b"health/origin-1", clock=2, author=(0xA1, 3, 18), previous=(0xA1, 3, 17), tombstone=True)]),
        packet("record_empty_value", ["Present and empty is not deleted. Keys and values are any bytes."],
               [record(b"\0\n\xff", written_ms=0)]),
        packet("two_records", ["A push of two writes in one packet."],
               [record(b"a", b"\x00\x01", author=(0xA1, 3, 16)), record(b"b", b"\x02", author=(0xA1, 3, 17))]),
        packet("record_largest", ["The longest key, key and value of 1,256 bytes together, and every dot, in a packet",
                                  "of a session: the most that a record can be."],
               [session_data(1, 1, 0, 2),
                record(bytes(range(255)), bytes(i * 7 & 0xFF for i in range(1001)), dot=(0xB2, 1, 9), previous=(0xC3, 1, 4))]),
        packet("packet_largest", ["Two records that fill a packet to its last byte."],
               [record(bytes(range(255)), bytes(i * 7 & 0xFF for i in range(1001))), record(b"k", bytes(range(23)))]),
    ]


def session_file():
    vv = [(0xA1, 2, 40), (0xA1, 3, 17), (0xB2, 1, 2**63 - 1)]
    return [
        packet("version_req", ["Asks for what this vector does not cover; the vector is in one part."],
               [version_req(0xFEEDFACE01020304, 0, 0, 1), vector(vv)]),
        packet("version_req_first_session", ["Of an empty server: everything, please. Its vector is empty."],
               [version_req(0xFEEDFACE01020304, 1, 0, 1), vector([])], last_seq=0, floor=0),
        packet("version_req_reconcile", ["Joins its whole state with the answer's; one epoch is closed at 40."],
               [version_req(0xFEEDFACE01020304, 2, 0, 1), vector([(0xA1, 2, 2**63 + 40)] + vv[1:])]),
        packet("version_req_report", ["Tells its vector, and wants no answer."],
               [version_req(0xFEEDFACE01020304, 4, 0, 1), vector(vv)]),
        packet("version_req_repair", ["Equal vectors, unequal content."],
               [version_req(0xFEEDFACE01020304, 8, 0, 1), buckets([i * i * 0x0102030405 for i in range(128)])]),
        packet("version_req_last_part", ["The last part of 255."], [version_req(1, 0, 254, 255), vector(vv[:1])]),
        packet("vector_largest", ["68 entries, as many as one packet holds behind nothing else."],
               [vector([(i + 1, i % 3 + 1, i * i + 1) for i in range(68)])]),
        packet("session_data_records", ["Packet 2 of 3 of a session: records."],
               [session_data(0xFEEDFACE01020304, 1, 2, 3, 2), record(b"a", b"1"), record(b"b", b"2", author=(0xB2, 1, 4))]),
        packet("session_data_vector", ["Packet 0 of 3: the sender's vector as of the snapshot."],
               [session_data(0xFEEDFACE01020304, 1, 0, 3, 2), vector(vv)]),
        packet("session_data_collected", ["Packet 1 of 3: what the sender has collected."],
               [session_data(0xFEEDFACE01020304, 1, 1, 3, 2), vector(vv[:2], "COLLECTED")]),
        packet("push_relayed", ["A push that is to be passed on twice."],
               [simple("RELAY", [("hops", 2, 1, False)]), record(b"a", b"1")]),
        packet("session_get", ["Asks again for packets 5, 6, 70 and 132."],
               [session_get(0xFEEDFACE01020304, 1, 5, [5, 6, 70, 132])]),
        packet("session_done", ["All packets are in."], [simple("SESSION_DONE", [("nonce", 0xFEEDFACE01020304, 8, True)])]),
    ] + [
        packet(f"session_refuse_{why}", [f"Refused: {why}."],
               [simple("SESSION_REFUSE", [("nonce", 1, 8, True), ("reason", code, 1, False)])], lane=lane)
        for why, code, lane in (("starting", 1, 0), ("busy", 2, 1), ("unknown", 3, 2), ("reconcile", 4, 0))
    ]


def refused_file():
    nack = [simple("NACK", [("seq", 2, 4, False)])]
    cut = Message("NACK", [("seq", 2)], [("seq", number(2, 4))], length=5)
    return [
        packet("magic", ["Not ours."], nack, "magic", magic=b"WS"),
        packet("version", ["A format version to come."], nack, "version", version=2),
        packet("cluster", ["Of a cluster of another name; its tag is of that name, the reader's is of fleet-7."],
               nack, "cluster", cluster="fleet-8"),
        packet("length", ["The header promises one byte more than there is."], nack, "length", body_len=33),
        packet("key", ["Sealed under key 1, which this reader does not hold."], nack, "key", key_id=1),
        packet("checksum", ["One bit of the checksum is wrong."], nack, "checksum", damage=1),
        packet("checksum_zeros", ["The rest of the tag is not zero."], nack, "checksum", zeros=b"\0" * 7 + b"\1"),
        packet("lane", ["A lane that no server has."], nack, "body", lane=16),
        packet("sender_id", ["Nobody's packet."], nack, "body", id=0),
        packet("sender_epoch", ["Epochs count from 1."], nack, "body", epoch=0),
        packet("last_seq", ["Bit 63 of a seq is kept free."], nack, "body", last_seq=2**63),
        packet("message_cut_off", ["The message's length goes past the body's end."], [cut], "body"),
        packet("member_without_name", ["A field of a message is out of range."], [member(name="")], "body"),
        packet("member_without_port", ["Nobody can be reached there."], [member(port=0)], "body"),
        packet("record_too_large", ["Key and value of 1,257 bytes together."],
               [record(b"k", b"v" * 1256)], "body"),
        packet("record_closed_seq", ["Bit 63 of a seq is a vector's alone."],
               [record(b"k", b"v", author=(0xA1, 3, 2**63 + 5))], "body"),
        packet("vector_closed_at_nothing", ["A closed epoch without a cap."], [vector([(0xA1, 3, 2**63)])], "body"),
    ]


FILES = {"wire-probe.txt": probe_file, "wire-member.txt": member_file, "wire-record.txt": record_file,
         "wire-session.txt": session_file, "wire-refused.txt": refused_file}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the files and write nothing")
    check = parser.parse_args().check
    stale = 0
    for name, packets in FILES.items():
        text = "# Written by generate.py from docs/wire.md: see there for the form of this file.\n\n" + "\n".join(packets())
        path = HERE / name
        if check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                print(f"{name}: not what generate.py writes")
                stale += 1
        else:
            path.write_text(text, encoding="utf-8")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
