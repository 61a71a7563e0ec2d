"""How long an origin went unchecked, by the origins' own access log."""
from typing import NamedTuple


class Gap(NamedTuple):
    ms: float
    origin: str
    from_ms: float


def longest(checks, origins, from_ms, to_ms):
    """The longest time without a check of one origin, by anybody, that overlaps these moments."""
    worst = Gap(0.0, "", from_ms)
    for origin in origins:
        times = sorted(c.at_ms for c in checks if c.origin == origin and c.at_ms <= to_ms)
        before = [t for t in times if t <= from_ms]
        moments = before[-1:] + [t for t in times if t > from_ms] + [to_ms]
        for a, b in zip(moments, moments[1:]):
            if b - a > worst.ms:
                worst = Gap(b - a, origin, a)
    return worst


def of_side(checks, clients, cut_ms, healed_ms):
    """What one side of a cut knows of: all checks before it and after its heal, and its own in between."""
    return [c for c in checks if not cut_ms < c.at_ms < healed_ms or c.client in clients]


def beside(checks, origins, from_ms, to_ms, interval_ms):
    """Checks that came from two servers within half an interval: how many, and the most servers at once."""
    count, most = 0, 1
    for origin in origins:
        own = [c for c in checks if c.origin == origin and from_ms <= c.at_ms <= to_ms]
        for position, check in enumerate(own):
            near = {c.client for c in own[max(0, position - 8):position] if c.at_ms > check.at_ms - interval_ms / 2}
            count += bool(near - {check.client})
            most = max(most, len(near | {check.client}))
    return count, most
