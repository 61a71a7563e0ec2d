"""A whole lab: made in a folder of its own, taken down to the last namespace."""
import dataclasses
import os
import pathlib
import shutil
import time

from . import host
from .fleet import Fleet
from .ledger import Ledger
from .net import Network
from .origins import Origins
from .rpc import Feed

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass
class Options:
    build: pathlib.Path
    servers: int = 5
    origins: int = 6
    prefix: str = "swimlane"
    folder: pathlib.Path = None
    kind: str = None  # af_xdp as root, af_packet otherwise
    profile: str = "lan"
    hugepages: bool = None  # None: if the machine can spare them
    megabytes: int = 64
    ceiling_us: int = 1000
    stable_ms: int = 2000
    records_max: int = 20000
    map_megabytes: int = 64
    map_lines: tuple = ()  # more keys of the configuration's `map`
    zones: tuple = ()  # of each server: ranks are zone-aware then
    more_lines: tuple = ()  # … and of its top
    idle: str = "sleep"
    ports: list = None  # of each server: the lines of its section `port`, if they are not alike
    logs: pathlib.Path = None
    sealed: bool = True  # with a key made for this lab

    @property
    def binary(self):
        return self.build / "app/swimlane/swimlane"

    @property
    def ctl(self):
        return self.build / "app/ctl/swimlanectl"


class Lab:
    """Use as a context: what was made is undone at the end, unless keep() was called."""

    def __init__(self, options):
        self.options = options
        if options.kind is None:
            options.kind = "af_xdp" if host.is_root() else "af_packet"
        self.ledger = None
        self.feed = None
        self.kept = False

    def __enter__(self):
        options = self.options
        self.ledger = Ledger.create(options.folder)
        options.logs = self.ledger.folder / "logs"
        try:
            options.logs.mkdir()
            if options.hugepages is None:
                options.hugepages = host.reserve_hugepages(
                    self.ledger, options.servers * (options.megabytes + 16))
            self.network = Network(self.ledger, options.prefix, options.servers, options.origins)
            self.network.build()
            self.feed = Feed()
            self.origins = Origins(self.ledger, self.network, options.logs)
            self.fleet = Fleet(self.ledger, self.network, self.feed, options)
            self.origins.start()
        except BaseException:
            self.take_down()
            raise
        return self

    def __exit__(self, kind, *_):
        if not self.kept:
            self.take_down()

    def keep(self):
        self.kept = True

    def take_down(self):
        """Undoes everything; what is left over, in words."""
        if self.feed:
            self.feed.close()
            self.feed = None
        left = self.ledger.undo()
        for line in left:
            print(f"not cleaned up: {line}", flush=True)
        return left

    def save_logs(self, name):
        """Copies logs and configs to where they outlive the lab; the place."""
        place = self.options.build / "lab-logs" / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        shutil.copytree(self.options.logs, place)
        for config in self.ledger.folder.glob("*.yaml"):
            shutil.copy(config, place)
        for log in ("access.log", "error.log"):
            if (self.ledger.folder / "origins" / log).exists():
                shutil.copy(self.ledger.folder / "origins" / log, place / f"nginx-{log}")
        return place
