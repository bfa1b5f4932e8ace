"""Secrets' values put where their markers stand, and nowhere but in Secrets."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable

from model.errors import SiteError
from model.kubernetes.manifests import Manifest, name_of
from model.rollout.rendered import MARKER, SecretRef, secrets_in

ValueOf = Callable[[SecretRef], bytes]


def fill(manifest: Manifest, value_of: ValueOf) -> Manifest:
    """
    Return the object as the API gets it: a Secret with all its values under `data`, any other as it is.

    Raises `SiteError` for a marker outside of a Secret's `stringData`.
    """
    refuse_markers(manifest)
    if manifest["kind"] != "Secret":
        return manifest
    filled = copy.deepcopy({key: value for key, value in manifest.items() if key != "stringData"})
    data = filled.setdefault("data", {})
    for key, text in (manifest.get("stringData") or {}).items():
        data[key] = base64.b64encode(_filled(str(text), value_of)).decode()
    return filled


def refuse_markers(manifest: Manifest) -> None:
    """Raise `SiteError` where a secret would stand in an object that is no Secret, or in a place that is not hidden."""
    rest = {key: value for key, value in manifest.items() if manifest["kind"] != "Secret" or key != "stringData"}
    if stray := sorted(set(secrets_in(rest))):
        names = ", ".join(f"{ref.name}/{ref.key}" for ref in stray)
        raise SiteError(
            f"{name_of(manifest)} would hold the secret {names} in clear",
            next_step="only a Secret's `stringData` may hold `secret(...)`: mount the value as a file",
        )


def _filled(text: str, value_of: ValueOf) -> bytes:
    whole = MARKER.fullmatch(text)
    if whole:
        return value_of(SecretRef(*whole.groups()))
    parts = MARKER.split(text)
    filled = [parts[0].encode()]
    for name, key, plain in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        filled += [value_of(SecretRef(name, key)), plain.encode()]
    return b"".join(filled)
