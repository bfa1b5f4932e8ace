"""The settings that a version of Synapse documents, top and nested, and what of a configuration is none of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from model.errors import did_you_mean
from model.rollout.synapse.kept_versions import kept, nearest

FOLDER = Path(__file__).parent
ANY = "*"
# A place's settings by name, `*` for names that anybody may choose; None where anything may stand.
Tree = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSettings:
    """The settings of one version, as apps/setting_dump/setting_dump.py prints them."""

    version: str
    tree: Mapping[str, Any]


@cache
def known_settings(version: str) -> KnownSettings | None:
    """Return the settings of a version, of the nearest that was kept where it was not; None for what is no version."""
    found = nearest(version, kept(FOLDER, "settings"))
    if found is None:
        return None
    document = json.loads((FOLDER / f"settings-{found}.json").read_text("utf-8"))
    return KnownSettings(version=document["version"], tree=document["settings"])


def misspelt(files: Mapping[str, object], known: KnownSettings) -> tuple[str, ...]:
    """Return a sentence for each setting of parsed files, by their names, that the version does not document."""
    return tuple(
        f"{file}: Synapse {known.version} documents no setting {words}"
        for file, config in files.items()
        for words in _strange(config, known.tree, "")
    )


def _strange(value: object, tree: Tree, path: str) -> Iterator[str]:
    """Yield each path that is not known, with the nearest key of its place; a list is held to what its entries are."""
    if tree is None:
        return
    if isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from _strange(inner, tree, f"{path}[{number}]")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            here = f"{path}.{key}" if path else str(key)
            if key in tree or ANY in tree:
                yield from _strange(inner, tree.get(key, tree.get(ANY)), here)
            else:
                yield f"{here}{did_you_mean(str(key), tree)}"
