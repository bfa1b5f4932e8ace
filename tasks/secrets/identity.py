"""The keys that open a site's store: where they lie, and the public keys that belong to them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key
from pyrage import IdentityError, ssh, x25519

from model.errors import SiteError
from model.site.site import Site

VARIABLE = "MATRIX_FLEET_IDENTITY"
# Where somebody who never chose one has one: the age key that `recipients --init` makes, or the user's SSH key.
OWN = Path(".config/matrix-fleet/identity")
USUAL = (OWN, Path(".ssh/id_ed25519"), Path(".ssh/id_rsa"))
_AGE = "AGE-SECRET-KEY-"
_MAKE = "make one with `python -m flows.secrets recipients --init`"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeIdentity:
    """A private key that opens age files, the file it lies in, and the recipient it stands for."""

    path: Path
    recipient: str
    key: Any = field(repr=False)


def identities(site: Site) -> tuple[AgeIdentity, ...]:
    """
    Return the keys this controller may open the store with: the one that is named, else those in the usual places.

    Raises `SiteError` where the one that is named cannot be used, or where there is none.
    """
    named = named_identity(site)
    if named is not None:
        return (read_identity(named),)
    found = [path for path in map(_at_home, USUAL) if path.exists()]
    usable, complaints = [], []
    for path in found:
        try:
            usable.append(read_identity(path))
        except SiteError as error:
            complaints.append(str(error))
    if usable:
        return tuple(usable)
    places = ", ".join(str(_at_home(path)) for path in USUAL)
    why = f"; {'; '.join(complaints)}" if complaints else ""
    raise SiteError(
        f"no key opens the site's secrets: neither {VARIABLE} nor `secrets.identity` in site.yaml names one, and there "
        f"is none that can be used in {places}{why}",
        next_step=f"name the file of an age identity or an SSH key, or {_MAKE}",
    )


def named_identity(site: Site) -> Path | None:
    """Return the file that the environment or the site names, the environment's first."""
    if given := os.environ.get(VARIABLE):
        return Path(given).expanduser()
    declared = site.settings.secrets.identity
    return site.folder / Path(declared).expanduser() if declared else None


def read_identity(path: Path) -> AgeIdentity:
    """Read a private key. Raises `SiteError`, never naming anything of the content."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SiteError(
            f"{path}: the key that opens the site's secrets cannot be read: {error.strerror}",
            next_step=f"{VARIABLE} or `secrets.identity` in site.yaml names another, or {_MAKE}",
        ) from None
    if path.stat().st_mode & 0o077:
        raise SiteError(f"{path}: others may read this key", next_step=f"chmod 600 {path}")
    if _AGE.encode() in content:
        return _age_identity(path, content)
    return _ssh_identity(path, content)


def make_identity(path: Path) -> AgeIdentity:
    """Make an age identity (0600). Raises `SiteError` where the file is there already."""
    key = x25519.Identity.generate()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise SiteError(f"{path} is there already, and a key is never overwritten") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"# public key: {key.to_public()}\n{key}\n")
        file.flush()
        os.fsync(file.fileno())
    return AgeIdentity(path=path, recipient=str(key.to_public()), key=key)


def home_identity() -> Path:
    """Return where a new identity is made."""
    return _at_home(OWN)


def _age_identity(path: Path, content: bytes) -> AgeIdentity:
    lines = [line.strip() for line in content.decode("ascii", "replace").splitlines()]
    keys = [line for line in lines if line.startswith(_AGE)]
    if len(keys) != 1:
        raise SiteError(f"{path}: holds {len(keys)} age identities", next_step="keep one of them in a file of its own")
    try:
        key = x25519.Identity.from_str(keys[0])
    except IdentityError:
        raise SiteError(f"{path}: its age identity is damaged", "bring the file back from your copy") from None
    return AgeIdentity(path=path, recipient=str(key.to_public()), key=key)


def _ssh_identity(path: Path, content: bytes) -> AgeIdentity:
    try:
        public = load_ssh_private_key(content, password=None).public_key()
        recipient = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        return AgeIdentity(path=path, recipient=recipient, key=ssh.Identity.from_buffer(content))
    except TypeError:
        why = "this SSH key has a passphrase, which age cannot ask for"
    except (ValueError, UnsupportedAlgorithm, IdentityError):
        why = "is neither an age identity nor an SSH key of the kinds ed25519 and rsa"
    raise SiteError(f"{path}: {why}", next_step=f"name another by {VARIABLE}, or {_MAKE}")


def _at_home(path: Path) -> Path:
    return Path.home() / path
