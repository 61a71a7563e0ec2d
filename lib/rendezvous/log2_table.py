#!/usr/bin/env python3
"""Writes log2_table.h: 2^32 * (1 - log2(1 + i/1024)), rounded to the nearest integer, for i = 0 ... 1024.

  lib/rendezvous/log2_table.py > lib/rendezvous/log2_table.h

The table is part of the protocol: servers that use different ones disagree on owners. With 60 digits no
value comes near a tie, so that the rounding is the same with any correct implementation of the logarithm.
"""
from decimal import Decimal, ROUND_HALF_EVEN, getcontext

getcontext().prec = 60
SEGMENTS = 1024
ONE = Decimal(2) ** 32


def value(i):
    log2 = (1 + Decimal(i) / SEGMENTS).ln() / Decimal(2).ln()
    exact = ONE * (1 - log2)
    assert i in (0, SEGMENTS) or abs(exact % 1 - Decimal("0.5")) > Decimal("1e-6")
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


values = [value(i) for i in range(SEGMENTS + 1)]
print("""/* 2^32 * (1 - log2(1 + i/1024)), rounded, for i = 0 ... 1024. Made by log2_table.py; part of the protocol. */
#pragma once

#include <stdint.h>

/* clang-format off */
static const uint64_t rendezvous_log2_table[1025] = {""")
for i in range(0, len(values), 8):
    print("\t" + " ".join(f"{v}," for v in values[i:i + 8]))
print("};\n/* clang-format on */")
