"""Modules of this project as one program that a host's own Python runs, the same bytes wherever it is made."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from model.checkout import ROOT

_PROGRAM = """\
#!/usr/bin/python3 -IS
# matrix-fleet's {what}
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
{start}
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
exec(compile(zlib.decompress(text), sys.argv[1], "exec"))
"""


def program(what: str, names: Sequence[str], start: str) -> str:
    """
    Return the text of the whole program, as it can lie on a host as one file.

    `names` are modules in the order of their imports: each only needs those before it. `start` is the line that begins
    the work, `what` says to who reads the file what it is.
    """
    modules = [(name, (ROOT / (name.replace(".", "/") + ".py")).read_text("utf-8")) for name in names]
    return _PROGRAM.format(what=what, modules=modules, start=start)


def argv(name: str) -> tuple[str, ...]:
    """
    Return the command that becomes a program once its `script` is written to it; `name` shows in the host's list of
    processes.

    `-I -S`: nothing of the login user's folders or environment is imported.
    """
    return ("python3", "-I", "-S", "-c", _LOADER, name)


def script(text: str) -> bytes:
    """Return what to write to the loader: the length in bytes, then the compressed program."""
    packed = zlib.compress(text.encode("utf-8"), 9)
    return b"%d\n" % len(packed) + packed
