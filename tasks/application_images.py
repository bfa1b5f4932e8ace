"""The application's images on a node: brought from the bundle or pulled, under the names that kubelet asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model.bundle.bundle import Bundle
from model.checkout import HOST_SCRIPTS
from model.errors import CommandTimeout, HostError, Unreachable
from tasks import images, staging
from tasks.staging import Piece, Tell

if TYPE_CHECKING:
    from nornir.core.inventory import Host

NAMES = HOST_SCRIPTS / "image-names.sh"
SECONDS = 120.0
_LIST = "ctr --namespace k8s.io images ls"
_PINNED = "io.cri-containerd.pinned=pinned"


class ImagesLacking(HostError):
    """A node cannot have some images; `reasons` says of each why, `brought` which others came, a line each."""

    def __init__(self, host: str, errors: Mapping[str, HostError], brought: tuple[str, ...] = ()) -> None:
        first = next(iter(errors.values()))
        super().__init__(host, "; ".join(error.message for error in errors.values()), first.next_step)
        self.reasons = {reference: error.message for reference, error in errors.items()}
        self.brought = brought


@dataclass(frozen=True, slots=True)
class PinnedReference:
    """`name:tag@digest` as a pod says it. containerd looks for `by_digest`, and people for `by_tag`."""

    whole: str

    @property
    def by_tag(self) -> str:
        """Name and tag."""
        return self.whole.partition("@")[0]

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return self.whole.partition("@")[2]

    @property
    def by_digest(self) -> str:
        """Name and digest, without the tag."""
        name, _, tag = self.by_tag.rpartition(":")
        return f"{name if name and '/' not in tag else self.by_tag}@{self.digest}"


@dataclass(frozen=True, slots=True)
class NodeImages:
    """What containerd has: the digest of each name, and which names kubelet's clean-up spares."""

    digests: dict[str, str]
    pinned: frozenset[str]

    def source(self, reference: PinnedReference) -> str:
        """Return a name under which the very image is there; empty when it is not."""
        names = (reference.by_digest, reference.by_tag, reference.whole)
        return next((name for name in names if self.digests.get(name) == reference.digest), "")

    def lacks(self, reference: PinnedReference) -> tuple[str, ...]:
        """Return the names that it has not, or not as they must be."""
        names = (reference.by_tag, reference.by_digest)
        return tuple(name for name in names if self.digests.get(name) != reference.digest or name not in self.pinned)


def missing(host: Host, references: Sequence[str]) -> tuple[str, ...]:
    """Return those of `name:tag@digest` that the node cannot start pods of, or that its clean-up could remove."""
    there = _look(host)
    return tuple(reference for reference in references if there.lacks(PinnedReference(reference)))


def stage(
    host: Host, bundle: Bundle | None, folder: Path | None, references: Sequence[str], tell: Tell = lambda _count: None
) -> tuple[str, ...]:
    """
    Bring the images that the node lacks, and return a line for each: from the bundle in `folder` where that has the
    very image, else from where its containerd pulls.

    What is there is neither sent nor pulled again. Raises `ImagesLacking` for those that cannot be pulled, once all the
    others are there; any other `HostError` ends it at once.
    """
    wanted = [PinnedReference(reference) for reference in dict.fromkeys(references)]
    there = _look(host)
    refused: dict[str, HostError] = {}
    lines = list(_bring(host, bundle, folder, [image for image in wanted if not there.source(image)], tell, refused))
    unnamed = [reference for reference in wanted if there.lacks(reference) and reference.whole not in refused]
    named = _named(host, there, unnamed, lines) if unnamed else ()
    if refused:
        raise ImagesLacking(host.name, refused, named)
    return named


def _named(host: Host, there: NodeImages, unnamed: Sequence[PinnedReference], lines: list[str]) -> tuple[str, ...]:
    """Give images the names they lack; return `lines` of those that were brought, and one of each other."""
    there = _look(host) if lines else there
    brought = {line.partition(" ")[0] for line in lines}
    lines += [f"{image.by_tag} named as pods ask for it" for image in unnamed if image.by_tag not in brought]
    _name(host, there, unnamed)
    there = _look(host)
    if left := [reference.whole for reference in unnamed if there.lacks(reference)]:
        raise HostError(
            host.name,
            f"has taken {', '.join(left)}, and its containerd does not have it so",
            "look at the journal of containerd there, and at its disk: `df -h /var/lib/containerd`",
        )
    return tuple(lines)


def _bring(
    host: Host,
    bundle: Bundle | None,
    folder: Path | None,
    lacking: Iterable[PinnedReference],
    tell: Tell,
    refused: dict[str, HostError],
) -> Iterator[str]:
    """Yield a line for each image that comes; `refused` gathers why others cannot be pulled."""
    pieces: list[Piece] = []
    pulled: list[PinnedReference] = []
    for reference in lacking:
        piece = _piece(bundle, reference) if bundle is not None and folder is not None else None
        pieces += [piece] if piece else []
        pulled += [] if piece else [reference]
    if pieces and folder is not None:
        staging.send(host, folder, pieces, tell)
        yield from (f"{piece.target} brought from the bundle, {piece.item.size / 1e6:.1f} MB" for piece in pieces)
    for reference in pulled:
        try:
            images.pull(host, [reference.whole])
        except (Unreachable, CommandTimeout):
            raise
        except HostError as error:
            refused[reference.whole] = error
        else:
            yield f"{reference.by_tag} pulled"


def _piece(bundle: Bundle, reference: PinnedReference) -> Piece | None:
    found = (item for item in bundle.images if item.digest == reference.digest and item.reference == reference.by_tag)
    item = next(found, None)
    return Piece(item, item.reference, item.digest) if item else None


def _name(host: Host, there: NodeImages, references: Sequence[PinnedReference]) -> None:
    """Give each image the names it lacks."""
    from remote.shell import run

    pairs = [(there.source(reference), name) for reference in references for name in there.lacks(reference)]
    known = [word for source, name in pairs if source for word in (source, name)]
    run(host, ("sh", "-c", NAMES.read_text("utf-8"), "sh", *known), root=True, timeout=SECONDS).check(host)


def _look(host: Host) -> NodeImages:
    from remote.shell import run

    answer = run(host, ("sh", "-c", _LIST), root=True).check(host).stdout.decode("utf-8", "replace")
    rows = [line.split() for line in answer.splitlines()[1:]]
    rows = [row for row in rows if len(row) > 2]
    pinned = frozenset(row[0] for row in rows if _PINNED in row[-1].split(","))
    return NodeImages({row[0]: row[2] for row in rows}, pinned)
