"""Bring the files of a bundle to a host: each verified there, none sent twice."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model.bundle.bundle import Bundle
from model.bundle.items import BinaryItem, ImageItem, Item
from model.checkout import HOST_SCRIPTS
from model.errors import CommandFailed, CommandTimeout, ProtocolError

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.shell import CommandStream

FOLDER = "/var/lib/matrix-fleet/bundle"
SCRIPT = HOST_SCRIPTS / "bundle-stage.sh"
SECONDS = 600.0
_PIECE = 1 << 20
_LOOK = 'cat "$1/stamps" 2>/dev/null; shift; echo ---; [ $# -eq 0 ] || stat -c \'%s %Y %n\' -- "$@" 2>/dev/null; true'
_IMAGES = "ctr --namespace k8s.io images ls"
Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a bundle and what it becomes on the host: `sha256` is that of what is there in the end."""

    item: Item
    target: str
    sha256: str


def files_for(bundle: Bundle, suite: str, control_plane: bool) -> tuple[Piece, ...]:
    """Return the programs and packages that a node needs of the bundle."""
    needed = _needed(control_plane)
    chosen: list[Item] = [*bundle.binaries, *bundle.packages(suite), *bundle.index(suite)]
    return tuple(_piece(item) for item in chosen if item.needed in needed)


def images_for(bundle: Bundle, control_plane: bool) -> tuple[Piece, ...]:
    """Return the images that a node needs of the bundle."""
    return tuple(_piece(item) for item in bundle.images if item.needed in _needed(control_plane))


def _needed(control_plane: bool) -> frozenset[str]:
    return frozenset({"nodes", "control_plane"} if control_plane else {"nodes"})


def _piece(item: Item) -> Piece:
    if isinstance(item, BinaryItem):
        return Piece(item, item.target, item.content_sha256)
    if isinstance(item, ImageItem):
        return Piece(item, item.reference, item.digest)
    return Piece(item, f"{FOLDER}/packages/{item.file.rpartition('/')[2]}", item.sha256)


def missing_files(host: Host, pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return what the host lacks: a file counts while its size and time are those of when its content was verified."""
    from remote.shell import run

    argv = ("sh", "-c", _LOOK, "sh", FOLDER, *(piece.target for piece in pieces))
    answer = run(host, argv, root=True).check(host).stdout.decode("utf-8", "surrogateescape")
    stamps, checked, now = answer.partition("---\n")
    if not checked:
        raise ProtocolError(host.name, "the answer about its bundle is cut short", "is it out of memory?")
    seen = set(now.splitlines())
    whole = {line.partition(" ")[0::2] for line in stamps.splitlines() if line.partition(" ")[2] in seen}
    present = {(digest, line.split(" ", 2)[2]) for digest, line in whole}
    return tuple(piece for piece in pieces if (piece.sha256, piece.target) not in present)


def missing_images(host: Host, pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return the images that containerd does not have, or has with another digest."""
    from remote.shell import run

    answer = run(host, ("sh", "-c", _IMAGES), root=True).check(host).stdout.decode("utf-8", "replace")
    rows = [line.split() for line in answer.splitlines()[1:]]
    present = {(row[2], row[0]) for row in rows if len(row) > 2}
    return tuple(piece for piece in pieces if (piece.sha256, piece.target) not in present)


def send(host: Host, folder: Path, pieces: Sequence[Piece], tell: Tell = lambda _count: None) -> None:
    """
    Send files of the bundle in `folder` in one stream; the host verifies each and puts it in its place.

    `tell` is called with the number of bytes just sent. Raises `CommandFailed` with the host's own words.
    """
    from remote.shell import start

    script = SCRIPT.read_text("utf-8")
    stream = start(host, ("sh", "-c", script, "sh", FOLDER), root=True)
    try:
        answer = _send(stream, folder, pieces, tell)
        code = stream.exit_code(SECONDS)
        if code is None:
            raise CommandTimeout(host.name, ("stage the bundle",), SECONDS)
        if code or answer:
            raise CommandFailed(
                host.name, ("stage the bundle",), code, answer or stream.complaint(), "look at its disk"
            )
    finally:
        stream.close()


def _send(stream: CommandStream, folder: Path, pieces: Sequence[Piece], tell: Tell) -> str:
    """Write the stream; return the host's complaint where it ended before all was sent."""
    try:
        for part in _archive(folder, pieces):
            stream.write(part)
            tell(len(part))
        stream.end_input()
    except EOFError as error:
        return str(error)
    return ""


def _archive(folder: Path, pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Yield a tar archive: the list first, then each file as it lies in the bundle."""
    chosen = tuple(pieces)
    yield from _member("list", _listing(chosen).encode())
    for piece in chosen:
        yield _header(_plain(piece.item.file), piece.item.size)
        with (folder / piece.item.file).open("rb") as source:
            while part := source.read(_PIECE):
                yield part
        yield bytes(-piece.item.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _member(name: str, content: bytes) -> Iterator[bytes]:
    yield _header(name, len(content)) + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    return info.tobuf(tarfile.GNU_FORMAT)


def _listing(pieces: Collection[Piece]) -> str:
    lines = io.StringIO()
    for piece in pieces:
        item = piece.item
        mode, content = (item.mode, item.content_sha256) if isinstance(item, BinaryItem) else ("0644", "-")
        lines.write(f"{item.sha256} {item.kind} {mode} {content} {_plain(item.file)} {piece.target}\n")
    return lines.getvalue()


def _plain(file: str) -> str:
    return file.replace("/", "_")
