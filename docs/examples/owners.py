#!/usr/bin/env python3
"""Who owns a key: what docs/ownership.md says, in Python. The hash is the xxhash library's.

  owners.py CLUSTER KEY NAME[:WEIGHT[:ZONE]]...   the servers of a key, the owner first
  owners.py --zone-aware CLUSTER KEY NAME...      the second from another zone
  owners.py --check FILE                          compare with tests/vectors/rendezvous.txt
"""
import ctypes
import sys
from decimal import Decimal, getcontext

XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
XXHASH.XXH3_64bits_withSeed.restype = ctypes.c_uint64
MASK = 2**64 - 1
getcontext().prec = 60
TABLE = [int((2**32 * (1 - (1 + Decimal(i) / 1024).ln() / Decimal(2).ln())).to_integral_value()) for i in range(1025)]


def mix(x):
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def xxh3(text, seed=0):
    data = text.encode()
    return XXHASH.XXH3_64bits_withSeed(data, len(data), seed)


def server_id(name):
    return xxh3(name) or 1


def key_hash(cluster, key):
    return xxh3(key, xxh3(cluster))


def plain_weight(key, server):
    return mix(key ^ mix(server + 0x9E3779B97F4A7C15 & MASK))


def score(weight, server_weight):
    x = weight + 1
    zeros = 64 - x.bit_length()
    log = 0
    if x <= MASK:
        below = (x << zeros << 1) & MASK
        i, fraction = below >> 54, below >> 22 & 0xFFFFFFFF
        log = (zeros << 32) + TABLE[i] - ((TABLE[i] - TABLE[i + 1]) * fraction >> 32)
    return (server_weight << 52) // (log + 1)


def ranks(key, servers, zone_aware=False):
    """The servers, (id, weight, zone) each, in order for the key of this hash."""
    def order(server):
        weight = plain_weight(key, server[0])
        return score(weight, server[1]), weight, server[0]

    found = sorted(servers, key=order, reverse=True)
    if zone_aware:
        other = next((s for s in found if s[2] != found[0][2]), None)
        if other:
            found.remove(other)
            found.insert(1, other)
    return found


def check(path):
    seen = {}
    for line in open(path, encoding="utf-8"):
        kind, *words = line.split()
        seen[kind] = seen.get(kind, 0) + 1
        if kind == "table":
            ok = TABLE[int(words[0])] == int(words[1])
        elif kind == "score":
            ok = score(int(words[0]), int(words[1])) == int(words[2])
        elif kind == "id":
            ok = server_id(words[0]) == int(words[1])
        elif kind == "key":
            ok = key_hash(words[0], words[1]) == int(words[2])
        elif kind in ("owners", "zones"):
            cluster, key, n = words[0], words[1], int(words[2])
            given = [w.split(":") for w in words[3:3 + n]]
            servers = [(server_id(name), int(weight), zone) for name, weight, zone in given]
            names = {server_id(name): name for name, _, _ in given}
            found = ranks(key_hash(cluster, key), servers, kind == "zones")
            ok = [names[s[0]] for s in found] == words[3 + n:]
        else:
            continue
        if not ok:
            sys.exit(f"{path}: not what comes out here: {line.strip()[:120]}")
    missing = {"table", "score", "id", "key", "owners", "zones"} - set(seen)
    if missing:
        sys.exit(f"{path}: no lines of {', '.join(sorted(missing))}")
    print(", ".join(f"{n} {kind}" for kind, n in sorted(seen.items())))


def main(arguments):
    zone_aware = arguments[:1] == ["--zone-aware"]
    arguments = arguments[zone_aware:]
    if arguments[:1] == ["--check"] and len(arguments) == 2:
        return check(arguments[1])
    if len(arguments) < 3:
        sys.exit(__doc__)
    given = [(word + ":100:" if word.count(":") == 0 else word + ":").split(":") for word in arguments[2:]]
    servers = [(server_id(name), int(weight), zone) for name, weight, zone, *_ in given]
    names = {server_id(word[0]): word[0] for word in given}
    for rank, server in enumerate(ranks(key_hash(arguments[0], arguments[1]), servers, zone_aware), 1):
        print(rank, names[server[0]])


if __name__ == "__main__":
    main(sys.argv[1:])
