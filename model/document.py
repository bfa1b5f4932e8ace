"""The plain data of a YAML file that is small, flat and unambiguous; others are refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import yaml

# A site of a thousand hosts has files of half a megabyte, 60,000 values, eight levels deep.
MAX_BYTES = 4 * 2**20
MAX_VALUES = 400_000
MAX_DEPTH = 32


class DocumentError(Exception):
    """The file holds no such data; `place` is a line and column, or `(file)`, `fix` what to write instead."""

    def __init__(self, place: str, message: str, fix: str = "write the file as plain YAML in UTF-8") -> None:
        super().__init__(message)
        self.place = place
        self.message = message
        self.fix = fix


class _Refused(yaml.constructor.ConstructorError):
    """What YAML admits and a site's files do not."""

    def __init__(self, message: str, fix: str, node: yaml.Node) -> None:
        super().__init__(None, None, message, node.start_mark)
        self.fix = fix


class _UniqueKeys(yaml.CSafeLoader):
    """YAML's safe loader, except that a key written twice is an error instead of a silent loss."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            # PyYAML's constructors trust explicit tags: `!!int ""` indexes an empty text.
            raise _at(f"cannot be read: {str(error)[:100]}", node) from error


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            raise _Refused("a merge key (<<) hides what a host really has", "write the values out", key_node)
        key = loader.construct_object(key_node)
        if not isinstance(key, (str, int, float, bool, date, type(None))):
            raise _Refused("a key must be a plain word", "put a word before the colon", key_node)
        if key in seen:
            raise _Refused(f"`{key}` is written twice", "keep one of them", key_node)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


def _at(message: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, message, node.start_mark)


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read(path: Path) -> object:
    """
    Return the one document of a file.

    Raises `FileNotFoundError`, and `DocumentError` for everything else that is wrong with it.
    """
    try:
        if path.exists() and not path.is_file():
            raise DocumentError("(file)", "is no ordinary file")
        if path.stat().st_size > MAX_BYTES:
            raise DocumentError("(file)", f"is larger than {MAX_BYTES // 2**20} MiB")
        return parse(path.read_text("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DocumentError(
            "(file)", f"is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}"
        ) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DocumentError("(file)", f"cannot be read: {error.strerror}") from error


def parse(text: str) -> object:
    """Return the one document of a text; None for an empty one."""
    try:
        _measure(text)
        return _UniqueKeys(text).get_single_data()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(f"line {line}", f"holds a control character ({error.reason})") from error
    except _Refused as error:
        raise DocumentError(_place(error.problem_mark), error.problem or "", error.fix) from error
    except yaml.MarkedYAMLError as error:
        if _tabbed(text, error.problem_mark):
            raise DocumentError(_place(error.problem_mark), "is indented by a tab", "indent with spaces") from error
        raise DocumentError(_place(error.problem_mark), error.problem or "is no YAML") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DocumentError("(file)", f"holds a value that cannot be read: {error}") from error


def _measure(text: str) -> None:
    """
    Refuse what would grow or nest beyond measure, before anything is built from it: aliases count as what they stand
    for.
    """
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    values = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            values += sizes.get(event.anchor or "", 1)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            open_nodes.append((event.anchor, values))
            values += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = values - before
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
        if len(open_nodes) > MAX_DEPTH:
            raise DocumentError(_place(event.start_mark), f"is nested more than {MAX_DEPTH} levels deep")
        if values > MAX_VALUES:
            raise DocumentError(_place(event.start_mark), f"holds more than {MAX_VALUES} values, aliases resolved")


def _tabbed(text: str, mark: Any) -> bool:
    """Return whether a tab stands before the first word of the line that could not be read."""
    line = next(iter(text.split("\n")[mark.line : mark.line + 1]), "") if mark else ""
    return "\t" in line[: len(line) - len(line.lstrip())]


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "(file)"
