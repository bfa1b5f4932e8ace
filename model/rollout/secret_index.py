"""The index beside a realm's encrypted file: what may be known of its values by who cannot read them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import SecretBytes

from model.rollout.rendered import SecretRef
from model.rollout.secret_document import (
    Origin,
    RotationStage,
    SecretDocument,
    origin_of,
    realm_of,
    ref_of,
    ref_text,
    time_of,
)
from model.site.secrets import REALMS, Realm

INDEX_FORMAT = "matrix-fleet/secrets-index/1"
# Of the site's folder.
FOLDER = "secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """
    What may be known of a value by who cannot read it.

    `flaw`: why it is no value of its kind, in words; `same_as`: secrets of the other realm that have the same value;
    `stage` of a rotation that has not ended, and since when it is in that.
    """

    made: datetime
    origin: Origin
    fingerprint: str
    flaw: str = ""
    same_as: tuple[str, ...] = ()
    stage: RotationStage | None = None
    stage_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretIndex:
    """
    What lies beside a realm's encrypted file: no values, but names, dates, and for whom it was encrypted.

    `compared`: whether whoever wrote it could compare its values with those of the other realm. `tells_rotations`:
    whether it says which rotations have not ended; earlier versions did not. `stale`: why what it says need not hold of
    the encrypted file beside it, empty where it does.
    """

    realm: Realm
    sha256: str
    recipients: tuple[str, ...]
    entries: Mapping[SecretRef, IndexEntry]
    compared: bool = True
    tells_rotations: bool = True
    stale: str = ""


def index_path(site_folder: Path, realm: Realm) -> Path:
    """Return where a realm's index lies."""
    return site_folder / FOLDER / f"{realm}.index.json"


def kept_indexes(site_folder: Path) -> Mapping[Realm, SecretIndex]:
    """Read the index of each realm that has one. Raises ValueError naming the file that cannot be read."""
    found: dict[Realm, SecretIndex] = {}
    for realm in REALMS:
        try:
            index = kept_index(site_folder, realm)
        except OSError as error:
            raise ValueError(f"{index_path(site_folder, realm).name} cannot be read: {error.strerror}") from None
        if index is not None:
            found[realm] = index
    return found


def kept_index(site_folder: Path, realm: Realm) -> SecretIndex | None:
    """Read one realm's index, None where there is none. Raises OSError, and ValueError naming a file that is none."""
    path = index_path(site_folder, realm)
    try:
        index = parse_index(path.read_bytes())
        return replace(index, stale=_stale(index, path))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{path.name} {error}") from None


def index_of(
    document: SecretDocument,
    encrypted: bytes,
    recipients: tuple[str, ...],
    others: Mapping[SecretRef, SecretBytes] | None = None,
    flaws: Mapping[SecretRef, str] = MappingProxyType({}),
) -> SecretIndex:
    """Return the index of a document that was encrypted; `others` are the other realm's values, None: not readable."""
    entries = {
        ref: IndexEntry(
            made=kept.current.made,
            origin=kept.current.origin,
            fingerprint=document.fingerprint(kept.current.value),
            flaw=flaws.get(ref, ""),
            same_as=tuple(ref_text(other) for other, value in (others or {}).items() if value == kept.current.value),
            stage=kept.stage,
            stage_since=kept.stage_since,
        )
        for ref, kept in document.secrets.items()
    }
    return SecretIndex(
        realm=document.realm,
        sha256=hashlib.sha256(encrypted).hexdigest(),
        recipients=recipients,
        entries=entries,
        compared=others is not None,
    )


def dump_index(index: SecretIndex) -> bytes:
    """Return the index as the text of its file."""
    entries = {
        ref_text(ref): {
            "made": entry.made.isoformat(),
            "origin": entry.origin,
            "fingerprint": entry.fingerprint,
            "flaw": entry.flaw,
            "same_as": entry.same_as,
            **_rotation_json(entry),
        }
        for ref, entry in sorted(index.entries.items())
    }
    head = {
        "format": INDEX_FORMAT,
        "realm": index.realm,
        "sha256": index.sha256,
        "compared": index.compared,
        "tells_rotations": index.tells_rotations,
    }
    return (json.dumps({**head, "recipients": index.recipients, "secrets": entries}, indent=1) + "\n").encode()


def parse_index(text: bytes) -> SecretIndex:
    """Read what `dump_index` wrote. Raises ValueError."""
    try:
        raw = json.loads(text)
        if raw["format"] != INDEX_FORMAT:
            raise ValueError
        return SecretIndex(
            realm=realm_of(raw["realm"]),
            sha256=str(raw["sha256"]),
            recipients=tuple(str(recipient) for recipient in raw["recipients"]),
            compared=raw.get("compared") is True,
            tells_rotations=raw.get("tells_rotations") is True,
            entries={
                ref_of(name): IndexEntry(
                    made=time_of(entry["made"]),
                    origin=origin_of(entry["origin"]),
                    fingerprint=str(entry["fingerprint"]),
                    flaw=str(entry.get("flaw", "")),
                    same_as=tuple(str(name) for name in entry.get("same_as", ())),
                    **_rotation(entry),
                )
                for name, entry in raw["secrets"].items()
            },
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"is no index of the form {INDEX_FORMAT}") from error


def _rotation_json(entry: IndexEntry) -> dict[str, object]:
    if entry.stage is None or entry.stage_since is None:
        return {}
    return {"rotation": {"stage": str(entry.stage), "since": entry.stage_since.isoformat()}}


def _rotation(raw: Mapping[str, Any]) -> dict[str, Any]:
    if "rotation" not in raw:
        return {}
    return {"stage": RotationStage(raw["rotation"]["stage"]), "stage_since": time_of(raw["rotation"]["since"])}


def _stale(index: SecretIndex, path: Path) -> str:
    """Compare an index with the file that it was written for: whoever was cut short wrote that alone."""
    encrypted = path.with_name(f"{index.realm}.age")
    try:
        content = encrypted.read_bytes()
    except FileNotFoundError:
        return f"{encrypted.name}, of which {path.name} tells, is not there"
    except OSError as error:
        return f"{encrypted.name}, of which {path.name} tells, cannot be read: {error.strerror}"
    same = hashlib.sha256(content).hexdigest() == index.sha256
    return "" if same else f"{path.name} was written for another {encrypted.name} than the one that is there"
