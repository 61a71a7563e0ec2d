#!/usr/bin/env python3
"""Who has no key is not listened to: forged packets, a server with another key, and one in the clear."""
import subprocess
import sys
import time

from live import main  # first: it finds lab
from lab.fleet import UDP_PORT


def forge(the_lab):
    """Members and records that a cluster in the clear would take (hostile.py)."""
    network, tool = the_lab.network, the_lab.options.build / "tests/live/forge"
    for server in the_lab.fleet.servers[:-1]:
        subprocess.run(network.inside(network.origin_side, [str(tool), network.prefix, server.address, str(UDP_PORT),
                                                            server.call("status")["id"]]), check=True, timeout=10)


def drops_of(server, reason):
    return sum(core.get("drops", {}).get(reason, 0) for core in server.call("stats")["cores"])


def names_of(server):
    return {m["name"] for m in server.call("members")["members"] if m["state"] in ("alive", "suspect")}


def run_stranger(the_lab, server, sealing):
    """Starts the last server with other keys than the rest, for three seconds: what it and they see."""
    fleet = the_lab.fleet
    own = fleet.sealing
    fleet.sealing = lambda: sealing
    try:
        fleet.start(server)
    finally:
        fleet.sealing = own
    time.sleep(3)
    seen = names_of(server)
    status = server.call("status")
    fleet.kill(server)
    fleet.collect(server)
    return seen, status


def check_files(test, the_lab):
    """The server does not start with a keyring that others may read, and says how to mend it."""
    fleet = the_lab.fleet
    server = fleet.servers[0]
    fleet.keyring.chmod(0o640)
    done = subprocess.run([str(the_lab.options.binary), "--check", str(server.config)], capture_output=True, text=True,
                          timeout=10)
    fleet.keyring.chmod(0o600)
    test.check(done.returncode == 3 and "chmod 600" in done.stderr,
               f"a keyring with loose permissions is refused: {done.stderr.strip()[-120:]}")
    done = subprocess.run([str(the_lab.options.binary), "--check", str(server.config)], capture_output=True, text=True,
                          timeout=10)
    test.check(done.returncode == 0, "and taken once they are mended")


def body(test, the_lab):
    fleet = the_lab.fleet
    others, stranger = fleet.servers[:-1], fleet.servers[-1]
    fleet.kill(stranger)
    fleet.collect(stranger)
    test.need(the_lab.feed.until(lambda: all(stranger.name not in names_of(s) for s in others), 20),
              "the last server is gone")
    key = [drops_of(s, "key") for s in others]
    forge(the_lab)
    time.sleep(1)
    test.check(all(drops_of(s, "key") >= k + 2 for s, k in zip(others, key)), "forged packets are counted as without a key")
    expected = {s.name for s in others}
    test.check(all(names_of(s) == expected for s in others), "no forged member")
    test.check(all(not [r for r in s.call("map.ls")["records"] if not r.get("key", "").startswith(("origin/", "health/"))]
                   for s in others), "no forged record")

    other = fleet.folder / "other-keyring"
    subprocess.run([str(the_lab.options.ctl), "key", "new", str(other)], check=True, stdout=subprocess.DEVNULL, timeout=10)
    seen, _ = run_stranger(the_lab, stranger, f"seal: {{keyring: {other}}}")
    forged = [s.call("keys")["counters"]["forged"] for s in others]
    test.check(seen == {stranger.name}, f"with another key it sees nobody: {seen}")
    test.check(all(names_of(s) == expected for s in others), "and nobody sees it")
    test.check(sum(forged) > 0, f"its packets are counted as forged: {forged}")

    seen, status = run_stranger(the_lab, stranger, "insecure: true")
    test.check(seen == {stranger.name}, f"in the clear it sees nobody: {seen}")
    test.check(all(names_of(s) == expected for s in others), "and nobody sees it")
    test.check(status["sealed"] is False, "it says that it is in the clear")
    log = stranger.log.read_text(errors="replace")
    test.check("INSECURE" in log and "neither encrypted nor authenticated" in log, "its log says so, loudly")

    fleet.start(stranger)
    test.check(fleet.await_all_alive(20), "with the cluster's key it is a member again")
    check_files(test, the_lab)


sys.exit(main("sealed", body, servers=3))
