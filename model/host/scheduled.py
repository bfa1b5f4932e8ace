"""Where the files of the scheduled identity lie on a host, and which of sudo's rules are its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

FOLDER = "/usr/local/lib/matrix-fleet"
ENTRY = f"{FOLDER}/entry"
SUDOERS = "/etc/sudoers.d/matrix-fleet"
AUTHORIZED_KEYS = f"{FOLDER}/.ssh/authorized_keys"
_PROGRAMS = ("collector", "witness", "source")


def programs_of() -> Mapping[str, str]:
    """Return the path of each program by its name."""
    return {name: f"{FOLDER}/{name}" for name in _PROGRAMS}


def is_own_rule(user: str, line: str) -> bool:
    """
    Return whether a rule of sudo gives the account no more than one of the programs, without arguments, by its digest.
    """
    paths = "|".join(map(re.escape, programs_of().values()))
    return bool(re.fullmatch(rf'{re.escape(user)} ALL=\(root\) NOPASSWD: sha256:[0-9a-f]{{64}} ({paths}) ""', line))
