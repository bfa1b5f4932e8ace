"""The plain data of a YAML file that is small, flat and unambiguous; others are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from model.document.scalars import CORE, LIST_TAG, MAPPING_TAG, TEXT_TAG, OlderWord, knows, means_itself, short, tagged

# A site of a thousand hosts has files of half a megabyte, 60,000 values, eight levels deep.
MAX_BYTES = 4 * 2**20
MAX_VALUES = 400_000
MAX_DEPTH = 32


class DocumentError(Exception):
    """
    The file holds no such data.

    `place` is a line and column, or `(file)`, `field` the dotted path to what is wrong where it has one, `fix` what to
    write instead.
    """

    def __init__(
        self, place: str, message: str, fix: str = "write the file as plain YAML in UTF-8", field: str = ""
    ) -> None:
        super().__init__(message)
        self.place = place
        self.message = message
        self.fix = fix
        self.field = field

    @property
    def path(self) -> str:
        """Where to look: the line and column, and the field."""
        return f"{self.place} ({self.field})" if self.field else self.place


class _Nodes(yaml.CSafeLoader):
    """Nodes with the tags that a person wrote, and an empty one where nobody wrote any."""

    def resolve(self, _kind: Any, _value: Any, _implicit: Any) -> str:
        return ""


class _Writer(yaml.SafeDumper):
    """Writes texts so that both readings of YAML take them for texts."""


def _text(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if isinstance(text, OlderWord):
        # As it was read: without quotes.
        return writer.represent_scalar(f"{CORE}{'bool' if isinstance(text.meant, bool) else 'int'}", str(text))
    return writer.represent_scalar(TEXT_TAG, text, style=None if means_itself(text) else "'")


_Writer.add_representer(str, _text)
_Writer.add_multi_representer(str, _text)


def dump(value: object, **form: Any) -> str:
    """Return a value as YAML that `parse` reads back; `form` is PyYAML's."""
    text: str = yaml.dump(value, Dumper=_Writer, **form)
    return text


def read(path: Path) -> object:
    """
    Return the one document of a file.

    Raises `FileNotFoundError`, and `DocumentError` for everything else that is wrong with it.
    """
    return parse(text_of(path))


def text_of(path: Path) -> str:
    """Return a file's text; raises as `read`."""
    try:
        if path.exists() and not path.is_file():
            raise DocumentError("(file)", "is no ordinary file")
        if path.stat().st_size > MAX_BYTES:
            raise DocumentError("(file)", f"is larger than {MAX_BYTES // 2**20} MiB")
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(
            "(file)", f"is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}"
        ) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DocumentError("(file)", f"cannot be read: {error.strerror}") from error


def parse(text: str) -> object:
    """Return the one document of a text, its scalars as YAML 1.2 has them and its keys as texts; None for an empty."""
    root = compose(text)
    return None if root is None else _data(root, (), ())


def compose(text: str) -> yaml.Node | None:
    """Return the nodes of a text's one document; raises `DocumentError` where it has another form."""
    try:
        _measure(text)
        return _Nodes(text).get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(f"line {line}", f"holds a control character ({error.reason})") from error
    except yaml.MarkedYAMLError as error:
        if _tabbed(text, error.problem_mark):
            raise DocumentError(_place(error.problem_mark), "is indented by a tab", "indent with spaces") from error
        raise DocumentError(_place(error.problem_mark), error.problem or "is no YAML") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DocumentError("(file)", f"holds a value that cannot be read: {error}") from error


def _data(node: yaml.Node, path: tuple[str, ...], above: tuple[int, ...]) -> object:
    if id(node) in above:
        raise _refused(node, path, "holds itself", "write the values out")
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, path)
    wanted = MAPPING_TAG if isinstance(node, yaml.MappingNode) else LIST_TAG
    if node.tag not in ("", wanted):
        raise _tag(node, path)
    above = (*above, id(node))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, above)
    return [_data(item, (*path, str(number)), above) for number, item in enumerate(node.value)]


def _mapping(node: yaml.MappingNode, path: tuple[str, ...], above: tuple[int, ...]) -> dict[str, object]:
    data: dict[str, object] = {}
    for key_node, item in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise _refused(key_node, path, "a key must be a plain word", "put a word before the colon")
        key = str(key_node.value)
        if not knows(key_node.tag) and key_node.tag:
            raise _tag(key_node, (*path, key))
        if key == "<<" and not key_node.style:
            raise _refused(key_node, path, "a merge key (<<) hides what a host really has", "write the values out")
        if key in data:
            raise _refused(key_node, (), f"`{key}` is written twice", "keep one of them")
        data[key] = _data(item, (*path, key), above)
    return data


def _scalar(node: yaml.ScalarNode, path: tuple[str, ...]) -> object:
    if node.tag and not knows(node.tag):
        raise _tag(node, path)
    try:
        return tagged(node.tag, node.value, plain=not node.style)
    except ValueError as error:
        raise _refused(node, path, f"cannot be read: {str(error)[:100]}", "write the value without a tag") from error


def _tag(node: yaml.Node, path: tuple[str, ...]) -> DocumentError:
    fix = "write the value without it: a text, a number, true or false, a list or a mapping"
    return _refused(node, path, f"the tag {short(node.tag)} has no meaning here", fix)


def _refused(node: yaml.Node, path: tuple[str, ...], message: str, fix: str) -> DocumentError:
    return DocumentError(_place(node.start_mark), message, fix, ".".join(path))


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
