#!/usr/bin/env python3
"""The control RPC of swimlane (docs/rpc.md) for Python programs: this one file, the standard library only.

    from swimlane_client import Client, RpcError

    with Client("/run/swimlane/control.sock") as swimlane:
        print(swimlane.call("status")["state"])
        swimlane.call("map.put", key="greeting", value="hello")
        for method, params in swimlane.watch("map.watch", prefix="health/"):
            print(method, params)

Over TCP, where the server was given `control.http` (no watching there):

    with HttpClient("http://127.0.0.1:9946", token=open("token").read().strip()) as swimlane:
        print(swimlane.call("members"))

As a program: swimlane_client.py [--socket PATH] METHOD [JSON]
"""
import http.client
import json
import select
import socket
import sys
import time
import urllib.parse

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL = -32603
NOT_FOUND = -32001
BUSY = -32002
NOT_READY = -32003
TOO_LARGE = -32004
REFUSED = -32005
TOO_MANY = -32006

SOCKET_DEFAULT = "/run/swimlane/control.sock"


class RpcError(RuntimeError):
    """The server said no: its code and message."""

    def __init__(self, method, code, message):
        super().__init__(f"{method}: {message} ({code})")
        self.method = method
        self.code = code
        self.message = message


def _result(method, answer):
    if "error" in answer:
        raise RpcError(method, answer["error"]["code"], answer["error"]["message"])
    return answer["result"]


def _request(number, method, params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params},
                      separators=(",", ":")).encode()


class Client:
    """One connection to the UNIX socket. Not for several threads at once."""

    def __init__(self, path=SOCKET_DEFAULT, timeout_s=5.0):
        self.path = str(path)
        self.timeout_s = timeout_s
        self.next_id = 0
        self.rest = bytearray()
        self.searched = 0  # up to here the rest holds no newline
        self.notes = []  # notifications that came between answers
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout_s)
        try:
            self.socket.connect(self.path)
        except OSError:
            self.socket.close()
            raise

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _message(self, deadline, method):
        """The next line from the server; TimeoutError after the deadline (None: never)."""
        while True:
            end = self.rest.find(b"\n", self.searched)
            if end >= 0:
                line = bytes(self.rest[:end])
                del self.rest[:end + 1]
                self.searched = 0
                return json.loads(line)
            self.searched = len(self.rest)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self.socket], [], [], left)[0]:
                raise TimeoutError(f"{self.path}: no answer to {method} in time")
            more = self.socket.recv(1 << 18)
            if not more:
                raise ConnectionError(f"{self.path}: closed during {method}")
            self.rest += more

    def send(self, method, **params):
        """Sends a request without waiting; the number that its answer carries."""
        self.next_id += 1
        self.socket.sendall(_request(self.next_id, method, params) + b"\n")
        return self.next_id

    def answer(self, number, method="a request"):
        """Waits for the answer of send(); others' answers must not be outstanding."""
        deadline = time.monotonic() + self.timeout_s
        while True:
            message = self._message(deadline, method)
            if "method" in message:
                self.notes.append(message)
            elif message.get("id") == number or message.get("id") is None:
                return _result(method, message)

    def call(self, method, **params):
        return self.answer(self.send(method, **params), method)

    def next_note(self, timeout_s=None):
        """The next notification as (method, params); TimeoutError if none comes in time."""
        if self.notes:
            note = self.notes.pop(0)
        else:
            note = self._message(None if timeout_s is None else time.monotonic() + timeout_s, "a watch")
        return note["method"], note.get("params", {})

    def watch(self, method, **params):
        """Subscribes (`events`, `map.watch`), then yields (method, params) for ever."""
        self.call(method, **params)
        while True:
            yield self.next_note()

    def records(self, prefix="", limit=1000):
        """Every record of the map below a prefix, page by page."""
        after = {}
        while True:
            page = self.call("map.ls", prefix=prefix, limit=limit, **after)
            yield from page["records"]
            if page.get("next_base64") is not None:
                after = {"after_base64": page["next_base64"]}
            elif page["next"] is not None:
                after = {"after": page["next"]}
            else:
                return


class HttpClient:
    """The same methods through POST /rpc, over TCP (url) or a UNIX socket (path)."""

    def __init__(self, url="http://localhost", token=None, path=None, timeout_s=5.0):
        parts = urllib.parse.urlsplit(url)
        self.headers = {"Content-Type": "application/json"}
        if token is not None:
            self.headers["Authorization"] = f"Bearer {token}"
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
        self.path = path
        self.timeout_s = timeout_s
        self.next_id = 0

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def fetch(self, verb, target, body=None, headers=None):
        """Status, headers and body of one HTTP request."""
        if self.path is not None and self.connection.sock is None:
            self.connection.sock = socket.socket(socket.AF_UNIX)
            self.connection.sock.settimeout(self.timeout_s)
            self.connection.sock.connect(str(self.path))
        self.connection.request(verb, target, body, {**self.headers, **(headers or {})})
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()

    def call(self, method, **params):
        self.next_id += 1
        status, _, body = self.fetch("POST", "/rpc", _request(self.next_id, method, params))
        if status != 200:
            raise ConnectionError(f"POST /rpc: {status} {body.decode(errors='replace').strip()}")
        return _result(method, json.loads(body))

    def metrics(self):
        """The text of /metrics."""
        status, _, body = self.fetch("GET", "/metrics")
        if status != 200:
            raise ConnectionError(f"GET /metrics: {status}")
        return body.decode()

    def healthz(self):
        """(True, []) or (False, reasons)."""
        status, _, body = self.fetch("GET", "/healthz")
        return status == 200, json.loads(body).get("reasons", [])


def call(path, method, **params):
    """One call on a connection of its own."""
    with Client(path) as client:
        return client.call(method, **params)


def main(arguments):
    path = SOCKET_DEFAULT
    if len(arguments) > 1 and arguments[0] == "--socket":
        path, arguments = arguments[1], arguments[2:]
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        print(__doc__.strip().splitlines()[-1], file=sys.stderr)
        return 2
    try:
        print(json.dumps(call(path, arguments[0], **json.loads((arguments + ["{}"])[1])), indent=2))
    except (RpcError, OSError) as error:
        print(f"swimlane_client.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
