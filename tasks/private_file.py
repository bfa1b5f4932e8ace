"""Files that their owner alone may read, unless more is said: written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

_PRIVATE = 0o600


def write_private(path: Path, content: bytes, *, mode: int = _PRIVATE, owner: int | None = None) -> None:
    """
    Write a file of mode 0600, whole or not at all, and on disk when this returns. Raises OSError.

    Another `mode` or `owner` (user id) holds before anything is in it.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    draft.unlink(missing_ok=True)
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE)
        with os.fdopen(handle, "wb") as file:
            if owner is not None:
                os.fchown(file.fileno(), owner, -1)
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
