"""A token or password that lies alone in a file which its owner alone may read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG

from model.errors import FleetError

_LONGEST = 4096


def read_private(path: Path, what: str, refused: Callable[[str], FleetError]) -> str:
    """
    Read `what` (such as `access token`) from a file: printable ASCII without spaces.

    Raises what `refused` makes of the words where others may read the file, where it is not there, and where it holds
    nothing of the kind; no words have any of its content.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            seen = os.fstat(file.fileno())
            if not S_ISREG(seen.st_mode) or seen.st_mode & 0o077:
                raise refused(f"{path} must be a file that only its owner may read: chmod 600")
            text = file.read(_LONGEST).decode("ascii").strip()
    except OSError as error:
        raise refused(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise refused(f"{path} holds no {what}") from None
    if not text or not text.isprintable() or " " in text:
        raise refused(f"{path} holds no {what}")
    return text
