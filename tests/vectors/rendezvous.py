#!/usr/bin/env python3
"""Writes rendezvous.txt: what lib/rendezvous must compute, from its header's text and nothing of its code.

  tests/vectors/rendezvous.py > tests/vectors/rendezvous.txt

Logarithms come bit by bit from repeated squaring of 400-bit integers, not from a series as in the table's own
script; the order of servers comes from exact arithmetic. Lines:

  table I VALUE           log H L TRUE (2^32 * -log2((H + 1) / 2^64), rounded down)
  server ID HASH          weight KEY_HASH SERVER_HASH WEIGHT
  score H W SCORE         rank KEY_HASH N ID:W ... INDEX ...
  id NAME ID              key CLUSTER KEY KEY_HASH
  owners CLUSTER KEY N NAME:WEIGHT:ZONE ... NAME ...    in the order of their ranks
  zones  CLUSTER KEY N NAME:WEIGHT:ZONE ... NAME ...    the same, zone-aware

Hashes of names and keys come from the xxhash library.
"""
import ctypes
import random

XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
XXHASH.XXH3_64bits_withSeed.restype = ctypes.c_uint64

BITS = 400
MASK = (1 << 64) - 1


def log2_bits(numerator, denominator, bits):
    """floor(2^bits * log2(numerator / denominator)) for 1 <= numerator / denominator < 2."""
    x = (numerator << BITS) // denominator
    result = 0
    for _ in range(bits):
        x = (x * x) >> BITS
        result <<= 1
        if x >> (BITS + 1):
            x >>= 1
            result |= 1
    return result


def table_value(i):
    if i == 1024:
        return 0
    guard = 40
    below = (1 << (32 + guard)) - log2_bits(1024 + i, 1024, 32 + guard)
    return (below + (1 << (guard - 1))) >> guard


TABLE = [table_value(i) for i in range(1025)]


def neg_log2(h):
    x = h + 1
    n = x.bit_length() - 1
    if n == 64:
        return 0
    rest = (x - (1 << n)) << (63 - n)  # the 63 bits below the first one
    i = rest >> 53
    fraction = (rest >> 21) & 0xFFFFFFFF
    return ((63 - n) << 32) + TABLE[i] - ((TABLE[i] - TABLE[i + 1]) * fraction >> 32)


def true_neg_log2(h):
    x = h + 1
    n = x.bit_length() - 1
    if n == 64:
        return 0
    guard = 40
    exact = (64 - n << (32 + guard)) - log2_bits(x, 1 << n, 32 + guard)
    return exact >> guard


def score(h, w):
    return (w << 52) // (neg_log2(h) + 1)


def mix64(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def server_hash(server_id):
    return mix64((server_id + 0x9E3779B97F4A7C15) & MASK)


def rank(key, servers):
    def order(i):
        server_id, w = servers[i]
        h = mix64(key ^ server_hash(server_id))
        return (-score(h, w), -h, -server_id)

    return sorted(range(len(servers)), key=order)


def xxh3(text, seed=0):
    return XXHASH.XXH3_64bits_withSeed(text.encode(), len(text.encode()), seed)


def server_id(name):
    return xxh3(name) or 1


def key_hash(cluster, key):
    return xxh3(key, xxh3(cluster))


def zone_aware(order, servers):
    other = next((i for i in order if servers[i][2] != servers[order[0]][2]), None)
    return order if other is None else [order[0], other] + [i for i in order[1:] if i != other]


def print_names(rng):
    names = [f"edge-{n:02}" for n in range(1, 65)]
    for name in names[:20] + ["s1", "x" * 63]:
        print("id", name, server_id(name))
    keys = ["k", "origin/shop", "origin/" + "long" * 40, "key-of-250-bytes-" + "y" * 233]
    for cluster in ("ams1", "paris", "x"):
        for key in keys:
            print("key", cluster, key, key_hash(cluster, key))
    for n in (1, 2, 5, 16, 64):
        for kind in range(4):
            servers = [(name, 100 if kind < 2 else rng.randint(1, 1000), f"z{rng.randint(1, 3 if n > 2 else 1)}")
                       for name in rng.sample(names, n)]
            key = f"origin/{rng.randint(1, 99999)}"
            order = rank(key_hash("ams1", key), [(server_id(name), w) for name, w, _ in servers])
            for word, found in (("owners", order), ("zones", zone_aware(order, servers))):
                print(word, "ams1", key, n, *(":".join(map(str, s)) for s in servers),
                      *(servers[i][0] for i in found))


def main():
    rng = random.Random(64)
    for i, value in enumerate(TABLE):
        print("table", i, value)
    logs = {0, 1, 2, 3, MASK, MASK - 1, MASK - 2, MASK >> 1, (MASK >> 1) + 1}
    for bit in range(64):
        logs |= {(1 << bit) - 1, 1 << bit, max(0, (1 << bit) - 2)}
    logs |= {rng.getrandbits(rng.randint(1, 64)) for _ in range(400)}
    for h in sorted(logs):
        print("log", h, neg_log2(h), true_neg_log2(h))
    for _ in range(100):
        server_id, key = rng.getrandbits(64), rng.getrandbits(64)
        print("server", server_id, server_hash(server_id))
        print("weight", key, server_hash(server_id), mix64(key ^ server_hash(server_id)))
    for h in sorted(rng.sample(sorted(logs), 150)):
        for w in (1, 100, 1000, rng.randint(1, 1000)):
            print("score", h, w, score(h, w))
    for n in (1, 2, 3, 5, 16, 64):
        for kind in range(4):
            servers = [(rng.getrandbits(64), 100 if kind < 2 else rng.randint(1, 1000)) for _ in range(n)]
            key = rng.getrandbits(64)
            print("rank", key, n, *(f"{s}:{w}" for s, w in servers), *rank(key, servers))
    print_names(rng)


if __name__ == "__main__":
    main()
