"""Downloads of files of a known sha256, resumed where a connection breaks off midway."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, ProtocolError

from model.errors import BundleError
from remote.upstream.client import CHUNK, Client, Door, unreachable

if TYPE_CHECKING:
    from hashlib import _Hash

Tell = Callable[[int], None]
_ANEW = "run again; if it stays so, whoever answers there is not the publisher, or the publisher changed the file"


@dataclass(slots=True)
class Downloads:
    """A folder of finished files under their sha256, and of unfinished ones, which end in `.part`."""

    client: Client
    folder: Path
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, address: str, sha256: str, size: int | None, tell: Tell, door: Door | None = None) -> Path:
        """
        Return the file, fetching what of it is not here; `tell` hears of each number of bytes.

        Raises BundleError when it is another file than its sha256 says, SourceUnreachable.
        """
        # Layers are shared by images: only one thread fetches each.
        with self._guard:
            lock = self._locks.setdefault(sha256, threading.Lock())
        with lock:
            return self._fetch(address, sha256, size, tell, door)

    def _fetch(self, address: str, sha256: str, size: int | None, tell: Tell, door: Door | None) -> Path:
        done, part = self.folder / sha256, self.folder / f"{sha256}.part"
        if done.exists():
            if _hash(done).hexdigest() == sha256:
                tell(done.stat().st_size)
                return done
            done.unlink()
        resumed = part.exists()
        seen, length = self._whole(address, part, size, tell, door)
        if seen != sha256 and resumed:
            tell(-length)
            part.unlink()
            seen, length = self._whole(address, part, size, tell, door)
        if seen != sha256:
            part.unlink()
            raise BundleError(f"{address}: sha256 expected {sha256}, seen {seen} ({length} bytes)", _ANEW)
        part.replace(done)
        return done

    def _whole(self, address: str, part: Path, size: int | None, tell: Tell, door: Door | None) -> tuple[str, int]:
        """Fetch until the file ends; a try that brings anything does not count, so that bad lines get there too."""
        digest = _hash(part) if part.exists() else hashlib.sha256()
        have = part.stat().st_size if part.exists() else 0
        tell(have)
        idle = 0
        while True:
            before = have
            try:
                with self.client.open(address, {"Range": f"bytes={have}-"} if have else None, door) as response:
                    if response.status == 416:
                        return digest.hexdigest(), have
                    if have and not _continues(response, have):
                        tell(-have)
                        digest, have = hashlib.sha256(), 0
                    with part.open("r+b" if have else "wb") as sink:
                        sink.seek(have)
                        while piece := response.read(CHUNK):
                            self.client.check()
                            sink.write(piece)
                            digest.update(piece)
                            have += len(piece)
                            tell(len(piece))
                            if size is not None and have > size:
                                part.unlink()
                                raise BundleError(f"{address}: more bytes than the {size} it should have", _ANEW)
                if size is not None and have < size:
                    raise ProtocolError(f"ended after {have} of {size} bytes")
                return digest.hexdigest(), have
            except HTTPError as error:
                idle = 0 if have > before else idle + 1
                if idle >= self.client.retry.tries:
                    raise unreachable(address, error) from error
                self.client.wait(idle)


def _continues(response: BaseHTTPResponse, have: int) -> bool:
    content_range = response.headers.get("Content-Range", "")
    return response.status == 206 and content_range.startswith(f"bytes {have}-")


def _hash(path: Path) -> _Hash:
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while piece := stream.read(2**20):
            digest.update(piece)
    return digest
