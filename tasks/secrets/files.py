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
# Of each realm, beside those before the last rotation of each secret; the values that were replaced are in the store.
KEPT_VERSIONS = 5
_MARK = "-before-"


class RealmFiles:
    """
    The files of one realm: `<realm>.age`, `<realm>.index.json`, and `former/<realm>-<UTC time>.age`, the name of a
    secret behind the time where that is the version before a rotation of it.
    """

    def __init__(self, site_folder: Path, realm: Realm) -> None:
        self.realm = realm
        self.folder = site_folder / FOLDER
        self.encrypted = self.folder / f"{realm}.age"
        self.index = index_path(site_folder, realm)

    def read(self) -> bytes | None:
        """Return the encrypted file, None where there is none. Raises `SiteError`."""
        return _read(self.encrypted)

    def write(self, encrypted: bytes, index: bytes, *, begins: str = "", goes_on: bool = False) -> None:
        """
        Replace both files, the encrypted one first. Raises `SiteError`.

        The version before is kept: until the next rotation of the secret whose rotation `begins` with this write, the
        newest few of all others. What a rotation that `goes_on` wrote before is no version: the one before it stays.
        """
        with _told(self.folder):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self.folder.chmod(0o700)
            self._drop_drafts()
            if not goes_on:
                self._keep_former(begins)
            write_private(self.encrypted, encrypted)
            write_private(self.index, index)

    def former(self) -> list[Path]:
        """Return the former versions that are kept, oldest first."""
        return sorted((self.folder / FORMER).glob(f"{self.realm}-*.age"))

    def _drop_drafts(self) -> None:
        """Take away what runs left that were killed while they wrote; nobody else writes now."""
        for path in (self.encrypted, self.index):
            for draft in self.folder.glob(f".{path.name}.*.draft"):
                draft.unlink(missing_ok=True)

    def _keep_former(self, begins: str) -> None:
        if not self.encrypted.exists():
            return
        folder = self.folder / FORMER
        folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{self.realm}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}{_MARK if begins else ''}{begins}.age"
        with suppress(FileExistsError):
            os.link(self.encrypted, folder / name, follow_symlinks=False)
        versions = self.former()
        before_rotations = {secret: path for path in versions if (secret := path.stem.partition(_MARK)[2])}
        for path in versions[:-KEPT_VERSIONS]:
            if path not in before_rotations.values():
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
