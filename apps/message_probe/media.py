"""A small picture of the probe's own: uploaded, fetched by the other, and made smaller by the server."""

from __future__ import annotations

import secrets
import struct
import zlib
from dataclasses import dataclass

from apps.message_probe.user import ProbeError, User
from apps.message_probe.wire import Answer

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_END = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
# Segments that say how large a JPEG is: of every way to code it, without what lies between them (tables).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SIDE = 96
SMALL = 32


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
    """Have the server make it smaller: a whole picture comes back, no larger than was asked for, of fewer bytes."""
    path = f"/_matrix/client/v1/media/thumbnail/{medium.path}?width={SMALL}&height={SMALL}&method=crop"
    answer = user.ask("a thumbnail", "GET", path, None, 30.0)
    width, height = dimensions(answer.body)
    if not width or not height:
        raise ProbeError(f"a thumbnail: what came back is no whole PNG or JPEG ({len(answer.body)} bytes)")
    if max(width, height) > SMALL:
        raise ProbeError(f"a thumbnail: {width}x{height} came back, {SMALL}x{SMALL} was asked for")
    if len(answer.body) >= len(medium.content):
        raise ProbeError(f"a thumbnail: it has {len(answer.body)} bytes, the picture {len(medium.content)}")
    return answer


def dimensions(content: bytes) -> tuple[int, int]:
    """Return a PNG's or JPEG's width and height in pixels; 0, 0 where it is none, or not all of one."""
    if content.startswith(_SIGNATURE) and content.endswith(_PNG_END) and content[12:16] == b"IHDR":
        width, height = struct.unpack_from(">2I", content, 16)
        return width, height
    if content.startswith(_JPEG) and content.endswith(_JPEG_END):
        return _frame(content)
    return 0, 0


def _frame(content: bytes) -> tuple[int, int]:
    """Return width and height as the first frame of a JPEG has them."""
    at = len(_JPEG)
    while at + 9 <= len(content) and content[at] == 0xFF:
        if content[at + 1] in _FRAMES:
            height, width = struct.unpack_from(">2H", content, at + 5)
            return width, height
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return 0, 0


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
