"""On which line of a file the value stands that a dotted path leads to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import yaml

from model.document.document import DocumentError, compose, text_of
from model.document.scalars import value_of
from model.errors import FieldError

_NUMBER = re.compile(r"-?[0-9.]+(?:e[+-]?[0-9]+)?")
# An item of a list is `3`, or `3 (its name)`.
_ITEM = re.compile(r"(\d+)(?: \([^)]*\))?(?:\.|$)")


class Places:
    """The places of files in folders; each file is read once, and only when somebody asks."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._roots: dict[str, yaml.Node | None] = {}

    def line(self, file: str, path: str) -> int:
        """Return the line, that of the nearest place above where the path ends early; 0 where there is none."""
        return self._place(file, path)[0]

    def number(self, file: str, path: str) -> str:
        """Return a number as it is written, such as `1.30`; empty where no number stands there."""
        node = self._place(file, path)[1]
        plain = isinstance(node, yaml.ScalarNode) and not node.style and not node.tag
        word = str(node.value) if plain and node is not None else ""
        return word if word[:1] and not isinstance(value_of(word), str | bool | None) else ""

    def _place(self, file: str, path: str) -> tuple[int, yaml.Node | None]:
        if file not in self._roots:
            self._roots[file] = self._read(file)
        root = self._roots[file]
        return (0, None) if root is None else _walked(root, path)

    def _read(self, file: str) -> yaml.Node | None:
        for folder in self._folders:
            try:
                return compose(text_of(folder / file))
            except FileNotFoundError:
                continue
            except DocumentError:
                return None
        return None


def located(errors: Iterable[FieldError], *folders: Path) -> list[FieldError]:
    """Return the errors with the lines of their files in the first of these folders that has them."""
    places = Places(*folders)
    return [_located(error, places) for error in errors]


def _located(error: FieldError, places: Places) -> FieldError:
    written = places.number(error.file, error.path) if _NUMBER.fullmatch(error.value) else ""
    return replace(error, line=places.line(error.file, error.path), value=written or error.value)


def _walked(node: yaml.Node, path: str) -> tuple[int, yaml.Node | None]:
    """Return the line that the path leads to, and the node where it ends."""
    found = 0
    while path:
        if isinstance(node, yaml.MappingNode):
            pairs = [pair for pair in node.value if _begins(path, str(pair[0].value))]
            if not pairs:
                break
            # A key may hold dots: the longest one that fits is meant.
            key, node = max(pairs, key=lambda pair: len(str(pair[0].value)))
            found = key.start_mark.line + 1
            path = path[len(str(key.value)) + 1 :]
        elif isinstance(node, yaml.SequenceNode) and (item := _ITEM.match(path)) and int(item[1]) < len(node.value):
            node = node.value[int(item[1])]
            found = node.start_mark.line + 1
            path = path[item.end() :]
        else:
            break
    return found, None if path else node


def _begins(path: str, key: str) -> bool:
    return path == key or path.startswith(f"{key}.")
