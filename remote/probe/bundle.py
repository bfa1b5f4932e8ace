"""How an agent gets onto a host: a tiny loader in the command line, the agent's modules on standard input."""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path

LIFE_S = 900
ROOT = Path(__file__).resolve().parents[2]
# In the order of their imports: each module only needs those before it.
MODULES = {
    "witness": (
        *("channel", "container", "tags", "packets", "filters", "sockets", "host", "streams"),
        *("taps", "witness", "main"),
    ),
    "source": (
        *("channel", "container", "tags", "packets", "filters", "sockets", "host", "streams"),
        *("flights", "replies", "launchers", "source", "main"),
    ),
}
# Unbuffered, since what follows the script on standard input belongs to the agent.
LOADER = """\
import sys, zlib
stdin = open(0, "rb", 0, closefd=False)
size = int(stdin.readline() or 0)
text = b""
while len(text) < size:
    part = stdin.read(size - len(text))
    if not part:
        sys.exit(1)
    text += part
exec(zlib.decompress(text))
"""
STARTER = """\
#!/usr/bin/python3 -IS
# matrix-fleet's agent for probes: it is told on standard input what to send or to look for, and changes nothing.
import sys
def load(name, text):
    module = type(sys)(name)
    sys.modules[name] = module
    for parent, _, child in [name.rpartition(".")]:
        package = sys.modules.setdefault(parent, type(sys)(parent))
        setattr(package, child, module)
    exec(compile(text, name, "exec"), module.__dict__)
for name, text in {modules!r}:
    load(name, text)
agent = "remote.probe.agent."
sys.modules[agent + "main"].run(sys.modules[agent + {role!r}].serve, {life!r})
"""


def argv(role: str) -> tuple[str, ...]:
    """
    Return the command that becomes an agent once `script` is written to it; it must run as root.

    `-I -S`: nothing of the login user's folders or environment is imported.
    """
    return ("python3", "-I", "-S", "-c", LOADER, f"matrix-fleet-{role}")


@cache
def program(role: str, life: int = LIFE_S) -> str:
    """Return the whole agent, which ends after `life` seconds, as it can lie on a host as one file."""
    if role not in MODULES:
        raise ValueError(f"no agent is called {role!r}")
    names = ("model.bits", *(f"remote.probe.agent.{name}" for name in MODULES[role]))
    modules = [(name, (ROOT / (name.replace(".", "/") + ".py")).read_text("utf-8")) for name in names]
    return STARTER.format(modules=modules, role=role, life=life)


@cache
def script(role: str, life: int = LIFE_S) -> bytes:
    """
    Return what to write to the loader: the length in bytes, then the compressed agent, which ends after `life` seconds.
    """
    packed = zlib.compress(program(role, life).encode("utf-8"), 9)
    return b"%d\n" % len(packed) + packed
