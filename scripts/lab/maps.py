"""Complete dumps of the servers' maps and their comparison: keys, values, writers, stamps, tombstones."""
import json

from . import rpc

PAGE = 500


def dump(server):
    """Everything the server holds, tombstones too: key to record, the record as one comparable text."""
    records, after = {}, None
    with rpc.Rpc(server.socket, timeout_s=10) as connection:
        while True:
            params = {"limit": PAGE, "tombstones": True}
            if after is not None:
                params["after"] = after
            page = connection.call("map.ls", **params)
            for record in page["records"]:
                records[record["key"]] = record
            after = page["next"]
            if after is None:
                return records


def comparable(record):
    """Not the dot: a record of an epoch that was closed is replicated under a dot of whoever took it over, and several
    servers may have done so. Its stamp, which says what it is, is the same everywhere."""
    fields = ("value", "value_base64", "tombstone", "writer", "stamp")
    return json.dumps({f: record.get(f) for f in fields}, sort_keys=True)


def differences(dumps):
    """Of dumps by server name: keys that are not the same everywhere."""
    keys = set().union(*dumps.values())
    return sorted(k for k in keys
                  if len({comparable(d[k]) if k in d else None for d in dumps.values()}) > 1)


def dumps_of(servers):
    return {s.name: dump(s) for s in servers}


def stamp_order(stamp):
    """As the servers compare stamps: clock, rendezvous weight, writer, sequence."""
    return (stamp["clock"], int(stamp["weight"], 16), stamp["server"], stamp["epoch"], stamp["seq"])


def await_equal(feed, servers, timeout_s):
    """Waits until the complete dumps of these servers are equal; (dumps, keys that differ)."""
    last = {}

    def equal():
        last["dumps"] = dumps_of(servers)
        last["differ"] = differences(last["dumps"])
        return not last["differ"]

    feed.until(equal, timeout_s)
    return last["dumps"], last["differ"]


def winners(dumps):
    """What all of them must come to hold: of each key the record with the largest stamp."""
    best = {}
    for records in dumps.values():
        for key, record in records.items():
            if key not in best or stamp_order(record["stamp"]) > stamp_order(best[key]["stamp"]):
                best[key] = record
    return best


def arrivals(notes, dumps, wanted, server):
    """When `server` first held, of each wanted record, this one or a newer; ms, by its watch stream.

    What it held already in `dumps` counts as never missing and is left out. A key that has not come is
    in the second result.
    """
    missing = {}
    held = dumps[server]
    for key, record in wanted.items():
        stamp = stamp_order(record["stamp"])
        if key not in held or stamp_order(held[key]["stamp"]) < stamp:
            missing[key] = stamp
    came = {}
    for note in notes:
        if note.server != server or note.method != "map.change":
            continue
        key = note.params["key"]
        if key in missing and stamp_order(note.params["stamp"]) >= missing[key]:
            came[key] = note.at_ms
            del missing[key]
    return came, sorted(missing)
