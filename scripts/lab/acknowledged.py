"""A checker's own history of a map: what servers acknowledged, and what may be there in the end."""
from . import rpc


class History:
    """Each key is written through one server of an island, one operation at a time, so that the last
    acknowledged one of that island is known."""

    def __init__(self):
        self.last = {}  # key → {island: value, or None: deleted}
        self.before = {}  # key → value that all had before they were cut
        self.acknowledged = 0

    def put(self, fleet, island, server, key, value):
        fleet.put(server, key, value)
        self._note(island, key, value)

    def delete(self, island, server, key):
        """False if that server knows no such key."""
        try:
            server.call("map.del", key=key)
        except rpc.RpcError as error:
            if error.code == rpc.NOT_FOUND:
                return False
            raise
        self._note(island, key, None)
        return True

    def _note(self, island, key, value):
        self.last.setdefault(key, {})[island] = value
        self.acknowledged += 1

    def cut(self):
        """From now on the islands do not know of each other's operations."""
        self.before = {key: next(iter(by.values())) for key, by in self.last.items()}
        self.last = {}

    def allowed(self, key):
        """The values that the key may have when all are equal again; None: absent."""
        by_island = self.last.get(key)
        if by_island is None:
            return {self.before[key]}
        live = {value for value in by_island.values() if value is not None}
        # A value that somebody wrote without knowing of the delete is not lost.
        return live or {None}

    def wrong(self, dump):
        """Of one server's dump: (keys whose value was lost or is another, deleted keys that are back)."""
        lost, back = [], []
        for key in set(self.before) | set(self.last):
            record = dump.get(key)
            value = None if record is None or record["tombstone"] else record["value"]
            allowed = self.allowed(key)
            if value not in allowed:
                (back if allowed == {None} else lost).append((key, value, allowed))
        return sorted(lost), sorted(back)
