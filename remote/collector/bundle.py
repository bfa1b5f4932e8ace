"""The modules that are the collector, and how it gets onto a host."""

from __future__ import annotations

import hashlib
from functools import cache

from remote import amalgamate

MODULES = (
    *("wishes", "ask", "api", "system", "packages", "firewall", "hardware", "certificates", "node", "cluster", "etcd"),
    *("ports", "names", "main"),
)
_PACKAGE = "remote.collector.program"


@cache
def program() -> str:
    """Return the whole program, as it can lie on a host as one file."""
    return amalgamate.program(
        "collector: reads wishes (JSON) on standard input, prints facts (JSON), changes nothing.",
        [f"{_PACKAGE}.{name}" for name in MODULES],
        f"sys.modules['{_PACKAGE}.main'].run()",
    )


def sha256() -> str:
    """Return the program's digest, by which a sudo rule may name it."""
    return hashlib.sha256(program().encode()).hexdigest()


def argv() -> tuple[str, ...]:
    """
    Return the command that becomes the collector once `script` and then the wishes are written to it; it must run as
    root.
    """
    return amalgamate.argv("matrix-fleet-collector")


@cache
def script() -> bytes:
    """Return what to write to that command."""
    return amalgamate.script(program())
