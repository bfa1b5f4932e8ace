"""The scheduled identity on a host: an account, its one key, and programs that sudo knows by their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from model.host.hoststate import File, HostState, User
from model.host.scheduled import AUTHORIZED_KEYS, ENTRY, FOLDER, SUDOERS, programs_of
from remote.collector import bundle as collector
from remote.probe import bundle as probe
from tasks.render import render

_PACKAGES = ("python3", "sudo")


def programs() -> Mapping[str, str]:
    """Return the text of each program by its path on hosts, the same byte for byte wherever it is made."""
    texts = {"collector": collector.program(), "witness": probe.program("witness"), "source": probe.program("source")}
    return {path: texts[name] for name, path in programs_of().items()}


def account(user: str) -> User:
    """
    Return the account: on hosts nothing is its own, so that it can neither let another key in nor change what runs.
    """
    return User(user, FOLDER, "/bin/sh", "matrix-fleet's scheduled look")


def desired(user: str, public_key: str) -> HostState:
    """Return the state of every host that is looked at on schedule. `public_key`: kind and text, as in a .pub file."""
    texts = programs()
    digests = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in texts.items()}
    return HostState(
        packages=_PACKAGES,
        users=(account(user),),
        files=(
            # Their digests say all that a diff of such programs could.
            *(File(path, text, 0o755, opaque=True) for path, text in texts.items()),
            File(ENTRY, render("schedule/entry.sh", user=user, programs=tuple(texts)), 0o755),
            File(SUDOERS, render("schedule/sudoers", user=user, programs=digests), 0o440),
            File(AUTHORIZED_KEYS, f'restrict,command="{ENTRY}" {public_key}\n'),
        ),
    )


def absent(user: str) -> HostState:
    """Return the state of a host on which nothing of it is left."""
    paths = (AUTHORIZED_KEYS, SUDOERS, ENTRY, *programs_of().values(), AUTHORIZED_KEYS.rpartition("/")[0], FOLDER)
    return HostState(absent=paths, userless=(user,))
