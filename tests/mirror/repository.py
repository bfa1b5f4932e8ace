"""A repository of Debian packages in one folder, signed as apt wants it."""

from __future__ import annotations

import hashlib
import subprocess
from email.utils import formatdate
from pathlib import Path

from tests.openpgp import Keyring


def index(folder: Path, keyring: Keyring | None) -> None:
    """Write the lists of the folder's packages, and sign them where there is a key."""
    argv = ("dpkg-scanpackages", "--multiversion", ".")
    listing = subprocess.run(argv, cwd=folder, capture_output=True, check=True, timeout=120).stdout
    (folder / "Packages").write_bytes(listing)
    digest = hashlib.sha256(listing).hexdigest()
    release = f"Origin: test\nDate: {formatdate(usegmt=True)}\nSHA256:\n {digest} {len(listing)} Packages\n"
    if keyring is None:
        (folder / "Release").write_text(release, "utf-8")
    else:
        (folder / "InRelease").write_bytes(keyring.sign_in_line(release))
