"""One repository of a registry that takes images: what it has, and how it gets what it has not."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import IO
from urllib.parse import urljoin, urlsplit

from urllib3 import HTTPHeaderDict

from model.bundle.archived import ArchivedImage
from model.errors import BundleError, SourceUnreachable
from remote.upstream.client import Answer, Body, Client, Door, Method, NotTaken

_DIGEST = "Docker-Content-Digest"
_BINARY = "application/octet-stream"
_WRONG = "whoever answers there is not the registry, or it is broken; name the image in no site"
_REFUSED = "give `user` of `push` (site.yaml, kubernetes.registries) the right to push there, and check its password"


@dataclass(frozen=True, slots=True)
class ImageRepository:
    """`address` is that of its interface, `.../v2/NAME`; `door` lets us in."""

    client: Client
    address: str
    door: Door

    def has(self, digest: str, size: int) -> bool:
        """Tell whether a part is there. Raises BundleError, also for headers of another part; SourceUnreachable."""
        answer = self._ask("HEAD", f"blobs/{digest}")
        if answer.status == 404:
            return False
        self._compare(digest, answer.headers, digest)
        if (said := answer.headers.get("Content-Length", str(size))) != str(size):
            raise BundleError(f"{self.address}: {digest}: {size} bytes expected, the registry says {said}", _WRONG)
        return True

    def tagged(self, tag: str, media: str) -> str:
        """Return the digest of the manifest that a tag, or a digest, means; empty where there is none. Raises as above.

        What is read is what counts: headers are only compared with it.
        """
        answer = self._ask("GET", f"manifests/{tag}", {"Accept": media})
        if answer.status == 404:
            return ""
        if not _is_document(answer.body):
            raise BundleError(f"{self.address}: {tag}: the answer is no manifest{_words(answer)}", _WRONG)
        seen = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        self._compare(tag, answer.headers, seen)
        return seen

    def send(self, image: ArchivedImage, digest: str, size: int) -> None:
        """Send a part whole, and again from its beginning where the line breaks. Raises as above."""
        self._again(digest, partial(self._send, partial(image.part, digest), digest, size))

    def tag(self, image: ArchivedImage, tag: str) -> None:
        """Send the manifest under a tag, and read it again; its parts must be there. Raises as above."""
        self._again(tag, partial(self._tag, image, tag))
        if (seen := self.tagged(tag, image.media)) != image.digest:
            raise BundleError(f"{self.address}:{tag}: digest pushed {image.digest}, seen {seen or 'none'}", _WRONG)

    def _send(self, body: Body, digest: str, size: int) -> None:
        begun = self._accepted(self.client.exchange("POST", f"{self.address}/blobs/uploads/", None, self.door), 202)
        if not (target := begun.headers.get("Location", "")):
            raise BundleError(f"{self.address}: does not say where to send {digest}", _WRONG)
        place = urljoin(f"{self.address}/blobs/uploads/", target)
        place += f"{'&' if '?' in place else '?'}digest={digest}"
        # What lets us in at the registry is nobody else's business.
        door = self.door if urlsplit(place)[:2] == urlsplit(self.address)[:2] else None
        headers = {"Content-Type": _BINARY, "Content-Length": str(size)}
        done = self._accepted(self.client.exchange("PUT", place, headers, door, body), 201)
        self._compare(digest, done.headers, digest)

    def _tag(self, image: ArchivedImage, tag: str) -> None:
        headers = {"Content-Type": image.media, "Content-Length": str(len(image.manifest))}
        address, body = f"{self.address}/manifests/{tag}", partial(_stream, image.manifest)
        done = self._accepted(self.client.exchange("PUT", address, headers, self.door, body), 201)
        self._compare(tag, done.headers, image.digest)

    def _again(self, what: str, attempt: partial[None]) -> None:
        failure = ""
        for tried in range(self.client.retry.tries):
            try:
                return attempt()
            except NotTaken as error:
                failure = str(error)
                self.client.wait(tried)
        message = f"{self.address}: {what} could not be sent: {failure}"
        raise SourceUnreachable(
            message, "has the registry room, does it run? Run again: what is there is not sent again"
        )

    def _ask(self, method: Method, path: str, headers: dict[str, str] | None = None) -> Answer:
        answer = self.client.exchange(method, f"{self.address}/{path}", headers, self.door)
        return answer if answer.status == 404 else self._accepted(answer, 200)

    def _accepted(self, answer: Answer, wanted: int) -> Answer:
        if answer.status == wanted:
            return answer
        said = f"{self.address}: HTTP {answer.status}{_words(answer)}"
        if answer.status < 400:
            raise BundleError(f"{said} instead of {wanted}", _WRONG)
        raise BundleError(said, _REFUSED if answer.status in (401, 403) else "see the registry's own log")

    def _compare(self, what: str, headers: HTTPHeaderDict, digest: str) -> None:
        """The header may be left out; one that says something else is a fault."""
        said = headers.get(_DIGEST, digest)
        if said != digest:
            raise BundleError(f"{self.address}: {what}: digest expected {digest}, the registry says {said}", _WRONG)


def _is_document(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data), dict)
    except ValueError:
        return False


def _stream(data: bytes) -> AbstractContextManager[IO[bytes]]:
    return io.BytesIO(data)


def _words(answer: Answer) -> str:
    """Return the beginning of what a registry says, on one line."""
    text = " ".join(answer.body[:200].decode("utf-8", "replace").split())
    return f": {text}" if text.isprintable() and text else ""
