"""One thing to fetch, and the record of what has been fetched already."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from model.bundle.bundle import fault_of
from model.bundle.items import Item
from remote.upstream.client import Client
from remote.upstream.downloads import Downloads, Tell
from remote.upstream.registry import Registries

# Everything unfinished lies in there; it is no part of the bundle.
WORK = ".download"
RECORD = "record.json"
_ITEMS: TypeAdapter[tuple[Item, ...]] = TypeAdapter(tuple[Item, ...])


@dataclass(frozen=True, slots=True)
class Part:
    """
    One thing to fetch. `key` says exactly which content is meant, `size` in bytes as far as the publisher says so.

    `make` fetches and writes it below the bundle's folder and returns its items.
    """

    title: str
    address: str
    key: str
    size: int | None
    make: Callable[[DownloadContext, Tell], tuple[Item, ...]]


@dataclass(slots=True)
class DownloadContext:
    """The bundle's folder, the one for what is unfinished, and the ways to publishers."""

    folder: Path
    scratch: Path
    client: Client
    registries: Registries
    downloads: Downloads = field(init=False)
    record: DownloadRecord = field(init=False)

    def __post_init__(self) -> None:
        self.downloads = Downloads(self.client, self.scratch)
        self.record = DownloadRecord(self.folder / WORK / RECORD)

    def draft(self, file: str) -> Path:
        """Return where a file is written before it is whole; `keep` gives it its name."""
        return self.scratch / f"{file.replace('/', '_')}.draft"

    def keep(self, file: str) -> Path:
        """Give a whole file its place in the bundle."""
        place = self.folder / file
        place.parent.mkdir(parents=True, exist_ok=True)
        return self.draft(file).replace(place)

    def finished(self, part: Part) -> tuple[Item, ...] | None:
        """Return the items of a part that an earlier run finished, if all their files are whole."""
        items = self.record.read(part.key)
        if not items or any(fault_of(self.folder, item) for item in items):
            return None
        return items


class DownloadRecord:
    """A file that remembers which items came of which part, over runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, object] = {}
        if path.exists():
            try:
                known = json.loads(path.read_text("utf-8"))
            except ValueError:
                known = {}
            self._known = known if isinstance(known, dict) else {}

    def read(self, key: str) -> tuple[Item, ...]:
        """Return what came of a part; nothing if it is not known, or not in words of today."""
        if key not in self._known:
            return ()
        try:
            return _ITEMS.validate_json(json.dumps(self._known[key]))
        except ValidationError:
            return ()

    def write(self, key: str, items: Sequence[Item]) -> None:
        """Remember what came of a part."""
        with self._lock:
            self._known[key] = [item.model_dump(mode="json") for item in items]
            draft = self._path.with_suffix(".draft")
            draft.write_text(json.dumps(self._known), "utf-8")
            draft.replace(self._path)
