"""Programs as compressed files, the same bytes for the same program."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

# Level 9 takes twice as long and saves one byte in a hundred.
LEVEL = 6


@dataclass(frozen=True, slots=True)
class Packed:
    """Size and sha256 of a compressed file, and of what it holds."""

    size: int
    sha256: str
    content_size: int
    content_sha256: str


class Counted(io.RawIOBase):
    """Passes bytes on, and knows how many and their sha256."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self.sha256 = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(cast(bytes, data)).cast("B")
        self.sha256.update(view)
        self.size += len(view)
        self._sink.write(view)
        return len(view)


def pack(source: IO[bytes], file: Path) -> Packed:
    """Compress a program into a file, without its name and time."""
    with file.open("wb") as raw:
        packed = Counted(raw)
        with gzip.GzipFile("", "wb", LEVEL, cast(IO[bytes], packed), mtime=0) as compressor:
            content = Counted(cast(IO[bytes], compressor))
            shutil.copyfileobj(source, cast(IO[bytes], content), 2**20)
    return Packed(packed.size, packed.sha256.hexdigest(), content.size, content.sha256.hexdigest())
