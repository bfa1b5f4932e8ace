"""A small picture of the probe's own: uploaded, fetched by the other, and made smaller by the server."""

from __future__ import annotations

import secrets
import struct
import zlib
from dataclasses import dataclass

from apps.message_probe.user import ProbeError, User
from apps.message_probe.wire import Answer

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IMAGES = (_SIGNATURE, b"\xff\xd8\xff", b"RIFF")
SIDE = 96


@dataclass(frozen=True, slots=True)
class Medium:
    """Something uploaded: its address and bytes."""

    uri: str
    content: bytes

    @property
    def path(self) -> str:
        """`server/id`, as paths of the API name it."""
        return self.uri.removeprefix("mxc://")

    @property
    def id(self) -> str:
        """The id without the server."""
        return self.uri.rpartition("/")[2]


def picture(side: int = SIDE) -> bytes:
    """Return a PNG that nobody has uploaded before."""
    rows = b"".join(b"\0" + secrets.token_bytes(side * 3) for _ in range(side))
    head = struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0)
    return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def upload(user: User) -> tuple[Medium, Answer]:
    """Upload a picture."""
    content = picture()
    path = "/_matrix/media/v3/upload?filename=probe.png"
    answer = user.send("upload a medium", "POST", path, content, {"Content-Type": "image/png"}, 30.0)
    uri = str(answer.document.get("content_uri", ""))
    if not uri.startswith("mxc://"):
        raise ProbeError("upload a medium: the answer has no address")
    return Medium(uri, content), answer


def download(user: User, medium: Medium) -> Answer:
    """Fetch it, and compare it byte by byte."""
    answer = user.ask("download a medium", "GET", f"/_matrix/client/v1/media/download/{medium.path}", None, 30.0)
    if answer.body != medium.content:
        raise ProbeError(f"download a medium: other bytes came back ({len(answer.body)} of {len(medium.content)})")
    return answer


def thumbnail(user: User, medium: Medium) -> Answer:
    """Have the server make it smaller."""
    path = f"/_matrix/client/v1/media/thumbnail/{medium.path}?width=32&height=32&method=crop"
    answer = user.ask("a thumbnail", "GET", path, None, 30.0)
    if not answer.body.startswith(_IMAGES) or answer.body == medium.content:
        raise ProbeError("a thumbnail: what came back is no smaller picture")
    return answer


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
