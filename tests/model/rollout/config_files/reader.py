"""Who reads a configuration file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tests.model.rollout.config_files.mounted import ConfigFile

# All files of one component of one site.
Files = tuple[ConfigFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """
    A program that reads files of these names (`component/object/key`, with `*`).

    `complaints` lets it read what each of several sites has of a component, in a folder of its own, and yields what it
    says of those that it does not accept.
    """

    files: tuple[str, ...]
    complaints: Callable[[Sequence[Files], Path], Iterator[str]]

    def reads(self, name: str) -> bool:
        """Return whether a file is its to read."""
        return any(fnmatchcase(name, pattern) for pattern in self.files)
