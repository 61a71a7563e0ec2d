"""What the tests of the control RPC share: servers of their own, and JSON Schema as `methods` gives it.

As an ordinary user: the ports are DPDK's null device or a shared-memory link, on ordinary pages.
"""
import os
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SW_BUILD", ROOT / "build")).resolve()
sys.path[:0] = [str(ROOT / "scripts/lib"), str(ROOT / "scripts")]
sys.dont_write_bytecode = True

from alone import Alone  # noqa: E402, F401

TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list,
         "null": type(None)}


def is_type(value, name):
    return isinstance(value, TYPES[name]) and not (name in ("integer", "number") and isinstance(value, bool))


def breaches(schema, value, place="result"):
    """What of a value is not as the schema says: the keywords that lib/rpc/method.h names, and no others."""
    known = {"type", "enum", "pattern", "properties", "required", "additionalProperties", "items", "minimum",
             "maximum", "description", "contentEncoding"}
    found = [f"{place}: the schema has {key}" for key in schema if key not in known]
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(is_type(value, t) for t in types):
        return found + [f"{place}: {value!r} is no {' or '.join(types)}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place}: {value!r} is not in {schema['enum']}")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{place}: {value!r} does not match {schema['pattern']}")
    if is_type(value, "integer") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{place}: {value} is out of range")
    if isinstance(value, dict) and "properties" in schema:
        found += object_breaches(schema, value, place)
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            found += breaches(schema["items"], item, f"{place}[{number}]")
    return found


def object_breaches(schema, value, place):
    found = [f"{place}.{name}: is missing" for name in schema.get("required", []) if name not in value]
    more = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in schema["properties"]:
            found += breaches(schema["properties"][name], item, f"{place}.{name}")
        elif isinstance(more, dict):
            found += breaches(more, item, f"{place}.{name}")
        elif not more:
            found.append(f"{place}.{name}: is not in the schema")
    return found


def rss_kib(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))


def main():
    unittest.main(verbosity=2)
