"""The values of kernel settings after the next boot, by the files that are read there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

_COMMENTS = "#;"
_WILD = "*?["


@dataclass(frozen=True, slots=True)
class Set:
    """A value, white space joined, and the file that says it last."""

    value: str
    path: str


@dataclass(slots=True)
class _Settings:
    plain: dict[str, Set] = field(default_factory=dict)
    patterns: list[tuple[str, Set]] = field(default_factory=list)
    spared: set[str] = field(default_factory=set)

    def read(self, path: str, line: str) -> None:
        key, assigns, value = line.partition("=")
        bare = key.strip().removeprefix("-").strip()
        name = _path_of(bare)
        if not assigns:
            self.spared |= {name} if key.strip().startswith("-") else set()
        elif any(sign in name for sign in _WILD):
            self.patterns.append((name, Set(" ".join(value.split()), path)))
        else:
            self.plain[name] = Set(" ".join(value.split()), path)

    def of(self, name: str) -> Set | None:
        if name in self.plain or name in self.spared:
            return self.plain.get(name)
        return next((setting for pattern, setting in reversed(self.patterns) if _matches(name, pattern)), None)


def at_boot(files: Iterable[tuple[str, str]], names: Iterable[str]) -> dict[str, Set | None]:
    """
    Return what the files, by path and text in the order of their reading, set the named settings to; None for one they
    leave alone.

    The last line counts, a setting's own line before any pattern, and `-NAME` without a value spares it from patterns
    (sysctl.d(5)).
    """
    settings = _Settings()
    for path, text in files:
        for line in text.splitlines():
            if line.strip() and line.strip()[0] not in _COMMENTS:
                settings.read(path, line.strip())
    return {name: settings.of(_path_of(name)) for name in names}


def _path_of(name: str) -> str:
    """Return a setting's path below /proc/sys: where its first separator is a dot, dots and slashes change places."""
    first = next((sign for sign in name if sign in "./"), ".")
    return name if first == "/" else name.translate(str.maketrans("./", "/."))


def _matches(name: str, pattern: str) -> bool:
    """Match as a path does: no wildcard reaches over a slash."""
    own, parts = name.split("/"), pattern.split("/")
    return len(own) == len(parts) and all(map(fnmatchcase, own, parts))
