"""What a template or a publisher's file was made into once, kept as Python keeps what modules compile to."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path


class Kept:
    """
    Files in the folder `__pycache__` of `folder`, whose names say what they were made of.

    A folder that cannot be written to, and PYTHONDONTWRITEBYTECODE, only cost the time of making it again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "__pycache__"

    def read(self, name: str) -> bytes:
        """Return what was kept under this name, nothing where there is none."""
        with suppress(OSError):
            return (self.folder / name).read_bytes()
        return b""

    def write(self, name: str, content: bytes) -> None:
        """Keep this, whole or not at all."""
        if sys.dont_write_bytecode:
            return
        with suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=self.folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                Path(draft).replace(self.folder / name)
            except OSError:
                # A full disk gets its bytes back.
                Path(draft).unlink(missing_ok=True)
