"""Wheels in an index of Python packages (PEP 503), each found by its sha256."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from model.bundle.wheels import is_pure
from model.errors import BundleError
from model.site.derived import PinnedWheel, normalized
from remote.upstream.client import Client

_ACCEPT = {"Accept": "text/html"}
_CHANGED = "the publisher changed the file, or somebody else answers; look into it before changing the lock file"


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file that the index names; `sha256` in hexadecimal, empty where the index does not say it."""

    name: str
    address: str
    sha256: str


@dataclass(frozen=True, slots=True)
class WheelIndex:
    """An index by its address."""

    client: Client
    address: str

    def find(self, wanted: PinnedWheel) -> IndexedFile:
        """Return the wheel of this sha256. Raises BundleError: not there, another, not pure; SourceUnreachable."""
        page = f"{self.address.rstrip('/')}/{wanted.name}/"
        text = self.client.text(page, _ACCEPT)[0].decode("utf-8", "replace")
        files = [file for file in _listed(page, text) if _is_of(file.name, wanted)]
        title = f"{wanted.name}=={wanted.version}"
        meant = [file for file in files if file.sha256 == wanted.sha256]
        # Some indexes give no digests; the file itself is compared in any case.
        meant = meant or [file for file in files if not file.sha256 and is_pure(file.name)]
        if not meant:
            seen = ", ".join(f"{file.name} sha256 {file.sha256 or 'unknown'}" for file in files) or "no wheel of it"
            raise BundleError(f"{page}: {title} expected with sha256 {wanted.sha256}, seen {seen}", _CHANGED)
        if not is_pure(meant[0].name):
            message = f"{page}: {meant[0].name} is no wheel of pure Python for every machine"
            raise BundleError(message, "name the sha256 of a wheel that ends in py3-none-any.whl in the lock file")
        return meant[0]


def _is_of(file_name: str, wanted: PinnedWheel) -> bool:
    words = file_name.split("-")
    return (
        file_name.endswith(".whl")
        and len(words) > 1
        and (normalized(words[0]), words[1]) == (wanted.name, wanted.version)
    )


def _listed(page: str, text: str) -> Iterator[IndexedFile]:
    links = _Links()
    links.feed(text)
    for link in links.found:
        address, fragment = urldefrag(urljoin(page, link))
        name = unquote(urlsplit(address).path.rpartition("/")[2])
        yield IndexedFile(name, address, fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else "")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        link = dict(attrs).get("href") if tag == "a" else None
        if link:
            self.found.append(link)
