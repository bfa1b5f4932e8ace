"""A Debian archive of tiny packages, signed by a key that was made for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from tests.upstream.web import Web, sha256


@dataclass(frozen=True)
class Signer:
    """A key; `keyring` is its public half."""

    home: Path

    @property
    def keyring(self) -> Path:
        return self.home / "public.gpg"

    def clearsign(self, text: str) -> bytes:
        return self._gpg("--clearsign", "--output", "-", given=text.encode())

    def make(self) -> None:
        self._gpg("--quick-generate-key", "archive@example.org", "ed25519", "sign", "never")
        self.keyring.write_bytes(self._gpg("--export"))

    def _gpg(self, *argv: str, given: bytes | None = None) -> bytes:
        command = (
            "gpg",
            "--homedir",
            str(self.home),
            "--batch",
            "--quiet",
            "--passphrase",
            "",
            "--pinentry-mode",
            "loopback",
        )
        return subprocess.run((*command, *argv), input=given, capture_output=True, check=True, timeout=60).stdout


@contextmanager
def signer() -> Iterator[Signer]:
    """Yield a new key; its agent ends with the block."""
    # An agent's socket must have a short name.
    home = Path(tempfile.mkdtemp(prefix="gpg-"))
    signing = Signer(home)
    try:
        signing.make()
        yield signing
    finally:
        subprocess.run(("gpgconf", "--homedir", str(home), "--kill", "all"), check=False, timeout=60)
        shutil.rmtree(home, ignore_errors=True)


def packages(folder: Path, wanted: Mapping[str, str]) -> Path:
    """Build a package for each name, with what it depends on; return the folder's list for apt."""
    pool = folder / "pool"
    pool.mkdir(parents=True)
    for name, depends in wanted.items():
        tree = folder / "tree" / name
        (tree / "DEBIAN").mkdir(parents=True)
        paragraph = (
            f"Package: {name}\nVersion: 1:2.0~rc1-1+b1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n"
        )
        paragraph += f"Depends: {depends}\n" if depends else ""
        (tree / "DEBIAN" / "control").write_text(f"{paragraph}Description: for tests\n of downloads\n")
        argv = ("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(pool / f"{name}_2.0_all.deb"))
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
    listed = subprocess.run(
        ("dpkg-scanpackages", "--multiversion", "pool", "/dev/null"),
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=60,
        env={**os.environ, "LC_ALL": "C"},
    )
    path = folder / "Packages"
    path.write_bytes(listed.stdout)
    return path


def release(listing: bytes, suite: str, valid: timedelta = timedelta(days=7)) -> str:
    """Return a suite's Release, good until `valid` from now."""
    now = datetime.now(UTC)
    dates = {"Date": now - timedelta(days=30), "Valid-Until": now + valid}
    text = f"Origin: tests\nSuite: {suite}\nCodename: {suite}\nArchitectures: amd64 arm64\nComponents: main\n"
    text += "".join(f"{name}: {format_datetime(when, usegmt=True)}\n" for name, when in dates.items())
    lines = [f" {sha256(listing)} {len(listing)} main/binary-{name}/Packages" for name in ("amd64", "arm64")]
    return text + "SHA256:\n" + "\n".join(lines) + "\n"


def publish(web: Web, folder: Path, suite: str, signed: bytes | None, *, listing: bytes | None = None) -> None:
    """Serve a folder that `packages` filled as /debian; without a signature there is only an unsigned Release."""
    data = (folder / "Packages").read_bytes() if listing is None else listing
    top = f"/debian/dists/{suite}"
    for name in ("amd64", "arm64"):
        web.put(f"{top}/main/binary-{name}/Packages", data)
    if signed is None:
        web.put(f"{top}/Release", release(data, suite).encode())
    else:
        web.put(f"{top}/InRelease", signed)
    for path in (folder / "pool").iterdir():
        web.put(f"/debian/pool/{path.name}", path.read_bytes())
