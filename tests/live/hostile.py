#!/usr/bin/env python3
"""Well-formed packets that mean harm mislead a server in the clear, but neither stop it nor hide anything."""
import pathlib
import subprocess
import sys
import time

from live import main  # first: it finds lab
from lab.fleet import UDP_PORT
from lab.rpc import RpcError

FORGED_KEYS = 7
INVALID_PARAMS = -32602


def forge(the_lab):
    network, tool = the_lab.network, the_lab.options.build / "tests/live/forge"
    for server in the_lab.fleet.servers:
        subprocess.run(network.inside(network.origin_side, [str(tool), network.prefix, server.address, str(UDP_PORT),
                                                            server.call("status")["id"]]), check=True, timeout=10)


def every_key(server):
    """All keys, in pages of one."""
    keys, more = [], {}
    for _ in range(1000):
        page = server.call("map.ls", limit=1, **more)
        keys += [r.get("key", r.get("key_base64")) for r in page["records"]]
        more = {after: page[name] for name, after in (("next", "after"), ("next_base64", "after_base64"))
                if page.get(name) is not None}
        if not more:
            break
    return keys


def code_of(server, method, params):
    try:
        return f"answered {server.call(method, **params)}"
    except RpcError as error:
        return error.code


def body(test, the_lab):
    fleet, feed = the_lab.fleet, the_lab.feed
    pids = [s.process.pid for s in fleet.servers]
    server, mark = fleet.servers[0], feed.mark()
    fleet.put(server, "zebra", "behind all others in ASCII")
    forge(the_lab)
    time.sleep(2)
    if not test.check([s.process.pid for s in fleet.running()] == pids, "no server ends"):
        return
    named = [m.get("name") for m in server.call("members")["members"]]
    test.check(len(named) == len(fleet.servers) + 1 and all(named), "every member is listed with a name")
    for method in ("health", "origin.list", "stats", "status"):
        answer = server.call(method)
        test.check(isinstance(answer, dict) and answer, f"{method} is answered")
    test.check(len(server.call("map.ls")["records"]) >= FORGED_KEYS + 1, "map.ls lists all records")
    paged = every_key(server)
    test.check(len(paged) >= FORGED_KEYS + 1 and len(set(paged)) == len(paged),
               f"map.ls lists all records in pages of one: {len(paged)}")
    forged = [n for n in feed.since(mark) if n.method == "event" and n.params.get("id") == "0000000000000bad"]
    test.check(forged and all(n.params.get("server") for n in forged), "events about it name it")
    for method, params in (("map.ls", {"prefix": 5}), ("map.ls", {"after": []}), ("map.watch", {"prefix": {}}),
                           ("health", {"name": 7}), ("map.ls", {"after_base64": "*"}), ("owner", {"key": 1})):
        test.check(code_of(server, method, params) == INVALID_PARAMS, f"{method} {params} is refused")
    fleet.put(server, "after", "still writing")


sys.exit(main("hostile", body, servers=3, sealed=False))
