"""A feed that gathers the notifications of a fleet; the client itself is scripts/swimlane_client.py."""
import json
import selectors
import socket
import threading
import time
from typing import NamedTuple

from swimlane_client import BUSY, NOT_FOUND, NOT_READY, RpcError, call  # noqa: F401
from swimlane_client import Client as Rpc  # noqa: F401


class Note(NamedTuple):
    """A notification and when it was here, in wall-clock milliseconds."""
    at_ms: float
    server: str
    method: str
    params: dict


class Feed:
    """Gathers `events` and `map.watch` of many servers in one thread, with times of arrival."""

    def __init__(self):
        self.notes = []
        self.changed = threading.Condition()
        self.selector = selectors.DefaultSelector()
        self.wake, self.woken = socket.socketpair()
        self.selector.register(self.woken, selectors.EVENT_READ, None)
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def add(self, server, path, map_prefix=None):
        """Subscribes to a server's events, and with a prefix to its map's changes; first answers are in."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5)
        connection.connect(str(path))
        requests = [("events", {})]
        if map_prefix is not None:
            requests.append(("map.watch", {"prefix": map_prefix}))
        for number, (method, params) in enumerate(requests, 1):
            line = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            connection.sendall(line.encode() + b"\n")
        rest = self._await_answers(connection, server, len(requests))
        connection.setblocking(False)
        self.selector.register(connection, selectors.EVENT_READ, [server, rest])
        self.wake.send(b"x")

    def _await_answers(self, connection, server, count):
        data = b""
        while count:
            more = connection.recv(65536)
            if not more:
                raise ConnectionError(f"{server}: closed while subscribing")
            data += more
            *lines, data = data.split(b"\n")
            for line in lines:
                message = json.loads(line)
                if "error" in message:
                    raise RpcError("subscribe", message["error"]["code"], message["error"]["message"])
                if "result" in message:
                    count -= 1
                else:
                    self._note(server, message)
        return data

    def _note(self, server, message):
        note = Note(time.time() * 1000, server, message.get("method", ""), message.get("params") or {})
        with self.changed:
            self.notes.append(note)
            self.changed.notify_all()

    def _run(self):
        while self.running:
            for key, _ in self.selector.select():
                if key.data is None:
                    self.woken.recv(64)
                else:
                    self._read(key)

    def _read(self, key):
        server, rest = key.data
        try:
            more = key.fileobj.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        *lines, key.data[1] = (rest + more).split(b"\n")
        for line in lines:
            self._note(server, json.loads(line))
        if not more:
            self.selector.unregister(key.fileobj)
            key.fileobj.close()
            self._note(server, {"method": "gone"})

    def mark(self):
        """A place in the stream, for since()."""
        with self.changed:
            return len(self.notes)

    def since(self, mark):
        with self.changed:
            return self.notes[mark:]

    def events(self, mark, kind=None):
        return [n for n in self.since(mark) if n.method == "event" and kind in (None, n.params.get("kind"))]

    def until(self, condition, timeout_s):
        """Waits until condition() is true, asking again at each notification; its last value."""
        deadline = time.monotonic() + timeout_s
        while True:
            mark = self.mark()
            value = condition()
            if value or time.monotonic() >= deadline:
                return value
            with self.changed:
                self.changed.wait_for(lambda: len(self.notes) != mark,
                                      min(0.1, max(0.0, deadline - time.monotonic())))

    def close(self):
        self.running = False
        self.wake.send(b"x")
        self.thread.join(5)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.wake.close()
