"""Programs in a publisher's archive that is trusted to hold nothing else."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from gzip import BadGzipFile
from pathlib import Path
from typing import IO

from model.errors import BundleError


@contextmanager
def members(archive: Path, address: str, names: Sequence[str]) -> Iterator[dict[str, IO[bytes]]]:
    """
    Yield the named members of a tar archive as streams; nothing is written anywhere, so no name of it can lead astray.

    Raises BundleError, by `address`, for an archive that cannot be read, lacks a member, has one twice or not as a
    plain file, or names anything outside itself.
    """
    step = "correct `member` of this file in the sources"
    try:
        with tarfile.open(archive) as tar:
            listed: dict[str, tarfile.TarInfo] = {}
            for info in tar:
                name = info.name.removeprefix("./")
                if info.name.startswith("/") or ".." in Path(info.name).parts:
                    raise BundleError(
                        f"{address}: names `{info.name}`, which leads out of the archive", "tell its publisher"
                    )
                if name in names and name in listed:
                    raise BundleError(f"{address}: has `{name}` twice", "tell its publisher")
                listed[name] = info
            missing = [name for name in names if name not in listed or not listed[name].isreg()]
            if missing:
                raise BundleError(f"{address}: has no file {', '.join(missing)}", step)
            streams = {name: tar.extractfile(listed[name]) for name in names}
            yield {name: stream for name, stream in streams.items() if stream}
    except (tarfile.TarError, EOFError, BadGzipFile, zlib.error) as error:
        raise BundleError(f"{address}: cannot be unpacked: {error}", step) from error
