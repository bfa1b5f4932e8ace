"""The store's files: written whole or not at all, readable by their owner alone, former versions kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from model.errors import SiteError
from model.rollout.secret_index import FOLDER, index_path
from model.site.secrets import Realm
from tasks.private_file import write_private

FORMER = "former"
# Of each realm; the values a rotation replaced are in the store itself.
KEPT_VERSIONS = 5


class RealmFiles:
    """The files of one realm: `<realm>.age`, `<realm>.index.json`, and `former/<realm>-<UTC time>.age`."""

    def __init__(self, site_folder: Path, realm: Realm) -> None:
        self.realm = realm
        self.folder = site_folder / FOLDER
        self.encrypted = self.folder / f"{realm}.age"
        self.index = index_path(site_folder, realm)

    def read(self) -> bytes | None:
        """Return the encrypted file, None where there is none. Raises `SiteError`."""
        return _read(self.encrypted)

    def write(self, encrypted: bytes, index: bytes) -> None:
        """Replace both files, the encrypted one first; the version before is kept. Raises `SiteError`."""
        with _told(self.folder):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self.folder.chmod(0o700)
            self._keep_former()
            write_private(self.encrypted, encrypted)
            write_private(self.index, index)

    def former(self) -> list[Path]:
        """Return the former versions that are kept, oldest first."""
        return sorted((self.folder / FORMER).glob(f"{self.realm}-*.age"))

    def _keep_former(self) -> None:
        if not self.encrypted.exists():
            return
        folder = self.folder / FORMER
        folder.mkdir(mode=0o700, exist_ok=True)
        now = datetime.now(UTC)
        with suppress(FileExistsError):
            os.link(self.encrypted, folder / f"{self.realm}-{now:%Y%m%dT%H%M%S.%fZ}.age", follow_symlinks=False)
        for path in self.former()[:-KEPT_VERSIONS]:
            path.unlink(missing_ok=True)


def _read(path: Path) -> bytes | None:
    with _told(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SiteError(f"{path}: the site's secrets cannot be read or written: {error.strerror}") from None
