"""Derived images of a bundle and the site's own registry: what it has, what it lacks, and how that gets there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from flows._bundle.display import readable
from flows._bundle.progress import ProgressBars
from flows._render.words import counted
from flows._run.publish import CONTROLLER
from model.bundle.archived import ArchivedImage, read_archived
from model.bundle.audit import fault_in
from model.bundle.bundle import Bundle
from model.bundle.items import ImageItem
from model.errors import BundleError, FleetError, SourceUnreachable
from model.report.outcome import Outcome, Status
from model.rollout.image_references import brought, wanted_name
from model.site.installation import Registry, RegistryPush, api_address
from model.site.site import Site
from remote.private_file import read_private
from remote.upstream.client import Client
from remote.upstream.image_repository import ImageRepository
from remote.upstream.tokens import RegistryLogin, Tokens

_DECLARE = "say `push: {folder: ...}` at the site's own registry in site.yaml (docs/images.md#push)"
_CLEAR = "let the registry, and a proxy before it, name only addresses with https (its external URL)"
_MAKE = "make it with `python -m flows.bundle download`"


@dataclass(frozen=True, slots=True)
class Target:
    """The site's own registry, and who pushes there; `push` is that of `registry`."""

    site: Site
    registry: Registry
    push: RegistryPush
    client: Client
    login: RegistryLogin | None = field(repr=False)

    def name(self, image: str) -> str:
        """Return how references name an image here: the publisher's path below the folder."""
        return f"{self.registry.registry}/{self._path(image)}"

    def repository(self, image: str) -> ImageRepository:
        """Return the place where an image is put."""
        address = f"{api_address(self.registry.mirrors[0])}/{self._path(image)}"
        return ImageRepository(self.client, address, Tokens(self.client, self.login))

    def _path(self, image: str) -> str:
        return f"{self.push.folder}/{image.partition('/')[2]}"


@dataclass(frozen=True, slots=True)
class PushPlan:
    """One image: the `parts` that the registry lacks, and what its tag means there now (empty: nothing)."""

    item: ImageItem
    image: ArchivedImage
    repository: ImageRepository
    reference: str
    parts: tuple[tuple[str, int], ...]
    tagged: str

    @property
    def done(self) -> bool:
        """Whether nothing is to be sent."""
        return not self.parts and self.tagged == self.item.digest

    @property
    def words(self) -> str:
        """What is sent, for people."""
        size = readable(sum(size for _, size in self.parts))
        moved = f"; the tag means {self.tagged} there" if self.tagged not in ("", self.item.digest) else ""
        return f"{len(self.parts)} of {counted(len(self.image.parts), 'part')} ({size}) and the manifest{moved}"


def target(site: Site) -> Target:
    """Return the registry that site.yaml names. Raises BundleError: none, or what it names cannot be used."""
    taking = [registry for registry in site.settings.kubernetes.registries if registry.push]
    if not taking or taking[0].push is None:
        raise BundleError("site.yaml: kubernetes.registries names no registry that takes derived images", _DECLARE)
    registry, push = taking[0], taking[0].push
    address = registry.mirrors[0]
    login = None
    if push.user and push.password_file:
        if not address.startswith("https:"):
            message = f"{address}: the password would go over the network in clear"
            raise BundleError(message, "name a mirror with https first, or push without a login")
        password = read_private(site.folder / push.password_file, "password", _unread)
        login = RegistryLogin(push.user, password)
    trusted = (*((registry.ca,) if registry.ca else ()), *site.settings.servers.trusted_ca)
    parts = urlsplit(address)
    plain = frozenset({parts.hostname or ""} if parts.scheme == "http" else ())
    client = Client(plain, authorities=[site.folder / path for path in trusted], clear=_CLEAR)
    return Target(site, registry, push, client, login)


def derived_items(site: Site, bundle: Bundle) -> tuple[tuple[str, ImageItem | None], ...]:
    """Return the site's derived images by name and tag, each with the bundle's item of it; raises BundleError: none."""
    if not site.derivations:
        raise BundleError("images.yaml: no image is derived, so there is nothing to push", "see docs/images.md")
    return tuple((wanted_name(site, name), brought(site, bundle, name)) for name in sorted(site.derivations))


def push(
    place: Target, folder: Path, bundle: Bundle, bars: ProgressBars, *, dry_run: bool
) -> Iterator[tuple[str, Outcome]]:
    """Yield of each derived image its reference in the registry (empty where it is not there), and what came of it."""
    for name, item in derived_items(place.site, bundle):
        subject = f"image {name}"
        if item is None:
            yield "", Outcome(CONTROLLER, subject, Status.FAILED, "the bundle does not bring it", next=_MAKE)
            continue
        try:
            plan = _look(place, folder, bundle, item)
            if not plan.done and not dry_run:
                _send(plan, bars)
        except FleetError as error:
            evidence = {"wrong": not isinstance(error, SourceUnreachable)}
            yield "", Outcome(CONTROLLER, subject, Status.FAILED, str(error), next=error.next_step, evidence=evidence)
            continue
        yield ("" if dry_run and not plan.done else plan.reference), _outcome(subject, plan, dry_run=dry_run)


def _look(place: Target, folder: Path, bundle: Bundle, item: ImageItem) -> PushPlan:
    if fault := fault_in(folder, bundle, item):
        raise BundleError(fault, "fetch it anew with `python -m flows.bundle download`; nothing of it was sent")
    image, repository = read_archived(folder / item.file, item.digest), place.repository(item.name)
    parts = tuple((digest, size) for digest, size in image.parts if not repository.has(digest, size))
    reference = f"{place.name(item.name)}:{item.version}@{item.digest}"
    return PushPlan(item, image, repository, reference, parts, repository.tagged(item.version, image.media))


def _send(plan: PushPlan, bars: ProgressBars) -> None:
    with bars.bar(len(plan.parts) + 1, f"pushing {plan.item.name}") as advance:
        for digest, size in plan.parts:
            plan.repository.send(plan.image, digest, size)
            advance(1)
        plan.repository.tag(plan.image, plan.item.version)
        advance(1)


def _outcome(subject: str, plan: PushPlan, *, dry_run: bool) -> Outcome:
    evidence = {"reference": plan.reference, "sent": 0 if plan.done or dry_run else len(plan.parts)}
    if plan.done:
        return Outcome(CONTROLLER, subject, Status.OK, f"nothing changed: {plan.reference} is there", evidence=evidence)
    if dry_run:
        step = "run it without --dry-run"
        words = f"would send {plan.words} as {plan.reference}"
        return Outcome(CONTROLLER, subject, Status.DRIFT, words, next=step, evidence=evidence)
    return Outcome(CONTROLLER, subject, Status.CHANGED, f"sent {plan.words} as {plan.reference}", evidence=evidence)


def _unread(message: str) -> BundleError:
    return BundleError(message, "put the password of `user` alone into that file, chmod 600")
