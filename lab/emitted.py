"""Files of the emitted site: written so that what a person changed is known from what the lab wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from lab.instance import Instance
from lab.whole_file import write_whole
from model import document


def revise(instance: Instance, said: Mapping[str, Any]) -> None:
    """
    Say something else in the emitted site.yaml: maps are joined with what stands there, nothing (None) is taken out.
    """
    file = "site.yaml"
    rewrite(instance, file, joined(cast("dict[str, Any]", document.read(instance.inventory / file)), said))


def rewrite(instance: Instance, file: str, value: object) -> None:
    """Write another content; a file that a person had changed still counts as changed."""
    if changed_by_a_person(instance, file):
        write_whole(instance.inventory / file, as_yaml(value))
    else:
        publish(instance, file, as_yaml(value))


def joined(settings: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with what is said of them; maps within are joined likewise."""
    merged = dict(settings)
    for key, value in said.items():
        former = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(former, Mapping):
            merged[key] = joined(former, value)
        else:
            merged[key] = value
    return merged


def as_yaml(value: object) -> str:
    """Return the text of a file of the site."""
    return document.dump(value, sort_keys=False, allow_unicode=True, width=140)


def marks(instance: Instance) -> Path:
    """Return the folder of what the lab wrote last: digests, a file for each file of the site."""
    return instance.home / "emitted"


def publish(instance: Instance, file: str, text: str) -> None:
    """
    Write a file as the lab has it.

    Both what stands there and what will stand there are the lab's own until it is done: whoever is killed in between
    leaves nothing that looks as if a person had changed it.
    """
    path, mark = instance.inventory / file, marks(instance) / file
    digest = _digest(text.encode("utf-8"))
    former = _digest(path.read_bytes()) if path.exists() else digest
    write_whole(mark, f"{former}\n{digest}\n")
    write_whole(path, text)
    write_whole(mark, f"{digest}\n")


def changed_by_a_person(instance: Instance, file: str) -> bool:
    """Return whether a file is another than the lab wrote."""
    path, mark = instance.inventory / file, marks(instance) / file
    if not path.exists() or not mark.exists():
        return False
    return _digest(path.read_bytes()) not in mark.read_text("utf-8").split()


def same(path: Path, text: str) -> bool:
    """Return whether a file has this text."""
    return path.exists() and path.read_text("utf-8") == text


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
