"""Sites that differ from the reference one in exactly one way."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from model.rollout.secret_document import RotationStage, ref_of
from model.rollout.secret_index import IndexEntry, SecretIndex, dump_index, index_path
from model.site.load import APPLICATION_FILES, FILES, load_site
from model.site.site import Site

REFERENCE = Path(__file__).parents[1] / "inventory"
CASES = Path(__file__).parent / "data" / "sites"

# Edits that leave something which is waived.
WAIVED: Mapping[str, Any] = {
    "site:cni.policies": "own",
    "site:waivers": [{"id": "cni-enforces-nothing", "reason": "a test", "owner": "tests", "expires": "2030-12-31"}],
}


@cache
def loaded(folder: Path = REFERENCE) -> Site:
    """Return the site of a folder as it stands there, read once."""
    return load_site(folder)


def same(one: Site, other: Site) -> bool:
    """Tell whether two sites declare the same."""

    def declared(site: Site) -> tuple[object, ...]:
        machines = tuple((machine.name, machine.roles, machine.data) for machine in site.machines)
        return site.settings, machines, site.roles, site.rows, site.folder, site.application

    return declared(one) == declared(other)


@cache
def _reference(folder: Path) -> Mapping[str, Any]:
    return {name: _read(folder / name) for name in FILES}


@cache
def _project() -> Mapping[str, Any]:
    return {name: _read(REFERENCE / name) for name in APPLICATION_FILES}


def _read(path: Path) -> Any:
    return yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)


def write(folder: Path, case: Mapping[str, Any], base: Path = REFERENCE) -> Path:
    """
    Write the base site with the case's edits into `folder` and return it.

    `set` maps `file:dotted.path` to a value (a list item by number or by its `name`; `+` appends), `delete` lists such
    places, `text` maps a file to its whole text, `missing` lists files not to write. `kept` maps secrets
    (`NAME/KEY`) of the store's index to the day since when they are used, what tells their values, and, where their
    rotation has not ended, its stage.
    """
    files = deepcopy(dict(_reference(base)))
    edited = {place.partition(":")[0] for place in (*case.get("set", ()), *case.get("delete", ()))}
    files |= {name: deepcopy(value) for name, value in _project().items() if name.removesuffix(".yaml") in edited}
    for place, value in case.get("set", {}).items():
        _edit(files, place, lambda container, key, value=value: _put(container, key, value))
    for place in case.get("delete", ()):
        _edit(files, place, lambda container, key: container.pop(key))
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        if name.removesuffix(".yaml") in case.get("missing", ()):
            continue
        if value == _reference(base).get(name):
            shutil.copyfile(base / name, folder / name)
        else:
            text = yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
            (folder / name).write_text(text, "utf-8")
    for name, text in case.get("text", {}).items():
        data = text if isinstance(text, bytes) else text.encode("utf-8")
        (folder / (name if name == "known_hosts" else f"{name}.yaml")).write_bytes(data)
    if kept := case.get("kept"):
        _keep(folder, kept)
    return folder


def _keep(folder: Path, kept: Mapping[str, tuple[Any, ...]]) -> None:
    """Write the index of a store, and something in the store's place."""
    entries = {ref_of(name): _entry(*about) for name, about in kept.items()}
    path, encrypted = index_path(folder, "main"), b"age-encryption.org/"
    path.parent.mkdir()
    path.with_name("main.age").write_bytes(encrypted)
    digest = hashlib.sha256(encrypted).hexdigest()
    path.write_bytes(dump_index(SecretIndex(realm="main", sha256=digest, recipients=(), entries=entries)))


def _entry(day: date, mark: str, stage: str = "") -> IndexEntry:
    made = datetime(day.year, day.month, day.day, tzinfo=UTC)
    begun = {"stage": RotationStage(stage), "stage_since": made} if stage else {}
    return IndexEntry(made=made, origin="generated", fingerprint=mark, **begun)  # type: ignore[arg-type]


def site(folder: Path, base: Path = REFERENCE, **case: Any) -> Site:
    """Return the base site with edits, loaded."""
    return load_site(write(folder, case, base))


def cases(name: str) -> list[dict[str, Any]]:
    """Return the cases of a file under tests/data/sites."""
    return list(_read(CASES / name))


def _edit(files: dict[str, Any], place: str, act: Any) -> None:
    file, _, path = place.partition(":")
    container, words = files, [f"{file}.yaml", *path.split(".")] if path else [f"{file}.yaml"]
    for word in words[:-1]:
        container = (
            container[_key(container, word)]
            if word in container or isinstance(container, list)
            else _new(container, word)
        )
    act(container, _key(container, words[-1]))


def _new(container: dict[str, Any], word: str) -> Any:
    return container.setdefault(word, {})


def _put(container: Any, key: Any, value: Any) -> None:
    if key == "+":
        container.append(value)
    else:
        container[key] = value


def _key(container: Any, word: str) -> Any:
    if not isinstance(container, list) or word == "+":
        return word
    if word.isdigit():
        return int(word)
    return next(number for number, item in enumerate(container) if item["name"] == word)
