"""Requests made from a route's pattern: such as it must match, and neighbours that it must not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from model.rollout.synapse.routes import SynapseRoute

# What stands where a pattern takes a segment of any text. No server looks it up: it need not exist.
_WORDS = {
    "room_id": "!sample:example.org",
    "room_identifier": "!sample:example.org",
    "user_id": "@sample:example.org",
    "event_id": "$sample",
    "room_alias": "%23sample:example.org",
}
_USUAL = "sample"


def samples(route: SynapseRoute) -> tuple[str, ...]:
    """Return a path for each alternative of the pattern, with and without what is optional."""
    text = route.pattern.removeprefix("^").removesuffix("$")
    reader = _Reader(text)
    found = reader.alternatives()
    reader.end()
    return tuple(dict.fromkeys(found))


def neighbours(route: SynapseRoute) -> tuple[str, ...]:
    """Return paths that look like the route's and are another's, or nobody's."""
    first = samples(route)[0]
    before = "/neighbour" + first
    behind = first + "/neighbour/of/none"
    return (before,) if route.pattern.endswith(".*)$") else (before, behind)


@dataclass
class _Reader:
    """Reads the few things that Synapse's patterns are made of; raises `ValueError` for any other."""

    text: str
    place: int = 0

    def alternatives(self) -> list[str]:
        found = self._sequence()
        while self._next("|"):
            found += self._sequence()
        return found

    def end(self) -> None:
        if self.place < len(self.text):
            raise ValueError(f"{self.text}: what stands at {self.place} is not known: {self.text[self.place :]}")

    def _sequence(self) -> list[str]:
        parts: list[list[str]] = []
        while self.place < len(self.text) and self.text[self.place] not in "|)":
            parts.append(self._repeated(self._part()))
        return ["".join(part) for part in product(*parts)]

    def _part(self) -> list[str]:
        letter = self.text[self.place]
        self.place += 1
        if letter == "(":
            return self._group()
        if letter == "[":
            self.place = self.text.index("]", self.place) + 1
            return [_USUAL]
        if letter == "\\":
            self.place += 1
            return [self.text[self.place - 1]]
        if letter in "{}^$*+?":
            raise ValueError(f"{self.text}: {letter} at {self.place - 1} is not known")
        if letter == "." and self.text[self.place : self.place + 1] in ("*", "+"):
            return [_USUAL]
        return [letter]

    def _group(self) -> list[str]:
        name = ""
        if self._next("?P<"):
            end = self.text.index(">", self.place)
            name, self.place = self.text[self.place : end], end + 1
        start = self.place
        found = self.alternatives()
        inside = self.text[start : self.place]
        if not self._next(")"):
            raise ValueError(f"{self.text}: a group has no end")
        return [_WORDS.get(name, _USUAL)] if inside.startswith("[") else found

    def _repeated(self, part: list[str]) -> list[str]:
        if self._next("?"):
            return [*part, ""]
        self._next("*") or self._next("+")
        return part

    def _next(self, text: str) -> bool:
        if not self.text.startswith(text, self.place):
            return False
        self.place += len(text)
        return True


def every_sample(routes: tuple[SynapseRoute, ...]) -> Iterator[tuple[SynapseRoute, str]]:
    """Yield each route with each of its paths."""
    for route in routes:
        for path in samples(route):
            yield route, path
