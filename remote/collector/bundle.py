"""How do the collector's modules become one program, the same byte for byte wherever it is made?"""

from __future__ import annotations

import hashlib
import zlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# In the order of their imports: each module only needs those before it.
MODULES = (
    *("wishes", "ask", "api", "system", "packages", "firewall", "hardware", "certificates", "node", "cluster", "etcd"),
    *("ports", "names", "main"),
)
_PACKAGE = "remote.collector.program"
_STARTER = """\
#!/usr/bin/python3 -IS
# matrix-fleet's collector: reads wishes (JSON) on standard input, prints facts (JSON), changes nothing.
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
sys.modules[{main!r}].run()
"""
# Unbuffered, since what follows the program on standard input belongs to it.
_LOADER = """\
import sys, zlib
stdin = open(0, "rb", 0, closefd=False)
size = int(stdin.readline() or 0)
text = b""
while len(text) < size:
    part = stdin.read(size - len(text))
    if not part:
        sys.exit(1)
    text += part
exec(compile(zlib.decompress(text), "collector", "exec"))
"""


@cache
def program() -> str:
    """Return the whole program, as it can lie on a host as one file."""
    folder = ROOT / _PACKAGE.replace(".", "/")
    modules = [(f"{_PACKAGE}.{name}", (folder / f"{name}.py").read_text("utf-8")) for name in MODULES]
    return _STARTER.format(modules=modules, main=f"{_PACKAGE}.main")


def sha256() -> str:
    """Return the program's digest, by which a sudo rule may name it."""
    return hashlib.sha256(program().encode()).hexdigest()


def argv() -> tuple[str, ...]:
    """
    Return the command that becomes the collector once `script` and then the wishes are written to it; it must run as root.

    `-I -S`: nothing of the login user's folders or environment is imported.
    """
    return ("python3", "-I", "-S", "-c", _LOADER, "matrix-fleet-collector")


@cache
def script() -> bytes:
    """Return what to write to the loader: the length in bytes, then the compressed program."""
    packed = zlib.compress(program().encode(), 9)
    return b"%d\n" % len(packed) + packed
