"""Where the rollout's own Secrets hold each value, so that a store that was lost can be filled from a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from model.rollout.rendered import MARKER, RenderedComponent, SecretRef

# What a value of a kind that this program makes may look like within a line of a configuration file.
_VALUE = r"([A-Za-z0-9+/=._-]+)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlace:
    """One key of a cluster's Secret; `line` finds the value within its lines, None: the whole text is the value."""

    namespace: str
    secret: str
    key: str
    line: re.Pattern[str] | None = None

    def value_in(self, content: bytes) -> bytes | None:
        """Return the value that the content of the key holds, None where it is another text than was rendered."""
        if self.line is None:
            return content
        found = {match[1] for match in self.line.finditer(content.decode("utf-8", "replace"))}
        return found.pop().encode() if len(found) == 1 else None


def secret_places(rendered: Sequence[RenderedComponent]) -> Mapping[SecretRef, tuple[SecretPlace, ...]]:
    """Return the places of every value, those that hold nothing else first."""
    found: dict[SecretRef, list[SecretPlace]] = {}
    for component in rendered:
        for manifest in component.objects:
            if manifest["kind"] == "Secret":
                where = (str(manifest["metadata"]["namespace"]), str(manifest["metadata"]["name"]))
                for key, text in (manifest.get("stringData") or {}).items():
                    for ref, place in _places(*where, str(key), str(text)):
                        found.setdefault(ref, []).append(place)
    return {ref: tuple(sorted(places, key=lambda place: place.line is not None)) for ref, places in found.items()}


def _places(namespace: str, secret: str, key: str, text: str) -> Iterator[tuple[SecretRef, SecretPlace]]:
    if whole := MARKER.fullmatch(text):
        yield SecretRef(whole[1], whole[2]), SecretPlace(namespace=namespace, secret=secret, key=key)
        return
    # The whole text first: lines may be alike. Where the text has changed since, a line may still be as it was.
    for line in dict.fromkeys((text, *text.splitlines())):
        refs = [SecretRef(name, key) for name, key in MARKER.findall(line)]
        for ref in dict.fromkeys(refs):
            yield ref, SecretPlace(namespace=namespace, secret=secret, key=key, line=_pattern(line, ref))


def _pattern(line: str, wanted: SecretRef) -> re.Pattern[str]:
    """Return what finds a value in lines: all else in them must be as it was rendered."""
    parts = MARKER.split(line)
    text, is_first = re.escape(parts[0]), True
    for name, key, plain in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        mine = SecretRef(name, key) == wanted
        text += (_VALUE if is_first else r"\1") if mine else r"\S+?"
        is_first = is_first and not mine
        text += re.escape(plain)
    return re.compile(f"^{text}$", re.MULTILINE)
