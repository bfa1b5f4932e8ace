"""The settings of the whole machine that a lab needs, and how they come back."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab import mounts
from lab.instance import NAMESPACES, STATE
from lab.whole_file import write_whole

# The neighbour tables, inotify instances, processes and keys of all hosts together count against the machine's own
# limits. A host's limit of connections is the machine's, whatever its own file says.
NEEDED = {
    "net/ipv4/neigh/default/gc_thresh1": 8192,
    "net/ipv4/neigh/default/gc_thresh2": 32768,
    "net/ipv4/neigh/default/gc_thresh3": 65536,
    "net/ipv6/neigh/default/gc_thresh1": 8192,
    "net/ipv6/neigh/default/gc_thresh2": 32768,
    "net/ipv6/neigh/default/gc_thresh3": 65536,
    "fs/inotify/max_user_instances": 8192,
    "fs/inotify/max_user_watches": 1048576,
    "kernel/pid_max": 262144,
    "kernel/keys/maxkeys": 20000,
    "kernel/keys/maxbytes": 2000000,
    "net/netfilter/nf_conntrack_max": 1048576,
}
_SYSCTL = Path("/proc/sys")
_RECORD = STATE / "machine.json"


def raise_limits(user: str) -> None:
    """
    Raise what is too low for many hosts, having written down what it was before the first lab; `user` is the lab that
    needs it.
    """
    with _record() as record:
        record.setdefault("users", [])
        record.setdefault("before", {})
        record["users"] = sorted({*record["users"], user})
        record.setdefault("namespaces", mounts.mounted_below(NAMESPACES) != ())
        changes = {name: needed for name, needed in NEEDED.items() if _exists(name) and _read(name) < needed}
        record["before"] |= {name: _read(name) for name in changes if name not in record["before"]}
        # Written down first: a crash between the two must not lose the old values.
        _save(record)
        for name, value in changes.items():
            (_SYSCTL / name).write_text(str(value))


def restore_limits(user: str) -> None:
    """Put the old values back when no other lab needs the raised ones."""
    with _record() as record:
        left = [name for name in record.get("users", []) if name != user]
        if left:
            record["users"] = left
            _save(record)
            return
        for name, value in record.get("before", {}).items():
            if _exists(name) and _read(name) == NEEDED.get(name):
                (_SYSCTL / name).write_text(str(value))
        if not record.get("namespaces", True):
            _forget_namespaces()
        _RECORD.unlink(missing_ok=True)


def _forget_namespaces() -> None:
    """Take away the folder that `ip netns` mounts over itself at its first use, unless somebody uses it by now."""
    if NAMESPACES.is_dir() and not any(NAMESPACES.iterdir()):
        mounts.unmount_below(NAMESPACES)
        NAMESPACES.rmdir()


def _exists(name: str) -> bool:
    """A kernel without the feature has no such setting."""
    return (_SYSCTL / name).exists()


def _read(name: str) -> int:
    return int((_SYSCTL / name).read_text())


def _save(record: dict[str, object]) -> None:
    write_whole(_RECORD, json.dumps(record))


@contextmanager
def _record() -> Iterator[dict[str, Any]]:
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "machine.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        content: dict[str, Any] = {}
        with contextlib.suppress(FileNotFoundError, ValueError):
            content = json.loads(_RECORD.read_text("utf-8"))
        yield content
