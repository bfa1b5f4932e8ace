"""What is wrong with a site's secrets, as far as it can be told without reading one: declared, used, apart, recent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from model.errors import did_you_mean
from model.kubernetes.manifests import name_of
from model.rollout.announced import ANNOUNCED
from model.rollout.rendered import RenderedComponent, SecretRef
from model.rollout.secret_document import ref_text
from model.rollout.secret_index import SecretIndex
from model.rollout.secret_kinds import PLACEHOLDER
from model.rollout.secret_names import kept_refs
from model.rollout.secret_plan import deadline, same_fingerprints
from model.rollout.secret_uses import misuses
from model.rollout.unfinished import brought_back, finishing, unfinished
from model.site.secrets import Realm, SecretSpec
from model.site.site import Site

Indexes = Mapping[Realm, SecretIndex]
WRITE_ANEW = "python -m flows.secrets recipients writes it anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFlaw:
    """
    One thing wrong with a secret (`name`) or a part of the application, where it is declared, and what mends it where
    that is this one's own.
    """

    name: str
    message: str
    file: str = "secrets.yaml"
    place: str = ""
    remedy: str = ""


def unknown_consumers(site: Site) -> Iterator[SecretFlaw]:
    """Find consumers that are no component: their rotation would be planned for nobody."""
    known = {component.name for component in site.components}
    for spec in site.secrets:
        for consumer in spec.consumers:
            if consumer not in known | ANNOUNCED:
                message = f"the consumer {consumer} is no component{did_you_mean(consumer, known | ANNOUNCED)}"
                yield SecretFlaw(name=spec.name, message=message, place="consumers")


def named_twice(site: Site) -> Iterator[SecretFlaw]:
    """Find secrets of one name that hold for the site at the same time."""
    names = [spec.name for spec in site.secrets]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield SecretFlaw(name=name, message=f"{names.count(name)} secrets of this name hold for the site at once")


def undeclared(site: Site, rendered: Sequence[RenderedComponent]) -> Iterator[SecretFlaw]:
    """Find secrets that templates ask for and secrets.yaml does not know, or not for this component or namespace."""
    for misuse in misuses(site, rendered):
        file = "secrets.yaml" if misuse.field else f"templates/manifests/{misuse.component}"
        name = f"{misuse.ref.name}/{misuse.ref.key}"
        yield SecretFlaw(name=name, message=misuse.message, file=file, place=misuse.field)


def unused(site: Site, rendered: Sequence[RenderedComponent]) -> Iterator[SecretFlaw]:
    """
    Find secrets with a consumer that renders objects, none of which holds any of their keys.

    What is shared with a component that is still to come is used when that comes.
    """
    built = {component.name: component.secrets for component in rendered if component.objects}
    known = {component.name for component in site.components}
    for spec in site.secrets:
        if (ANNOUNCED - known).intersection(spec.consumers):
            continue
        for consumer in (name for name in spec.consumers if name in built):
            if not any(ref.name == spec.name for ref in built[consumer]):
                message = f"{consumer} is its consumer and uses none of it"
                yield SecretFlaw(name=spec.name, message=message, place="consumers")


def placeholders(rendered: Sequence[RenderedComponent]) -> Iterator[SecretFlaw]:
    """Find what is still CHANGEME in rendered objects and configuration files."""
    for component in rendered:
        texts = {f"files/{name}": text for name, text in component.files.items()}
        texts |= {name_of(manifest): str(manifest) for manifest in component.objects}
        for name, text in texts.items():
            if PLACEHOLDER in text:
                place = f"templates/manifests/{component.name}"
                yield SecretFlaw(name=name, message=f"has a {PLACEHOLDER} in it", file=place)


def missing(site: Site, indexes: Indexes) -> Iterator[SecretFlaw]:
    """Find values that the site needs and its store has not."""
    kept = {ref for index in indexes.values() for ref in index.entries}
    for ref in kept_refs(site):
        if ref not in kept:
            yield SecretFlaw(name=f"{ref.name}/{ref.key}", message="has no value in the site's store")


def too_old(site: Site, indexes: Indexes, now: datetime) -> Iterator[SecretFlaw]:
    """Find secrets that are used for longer than they may be."""
    for spec in site.secrets:
        if made := _made(spec, indexes):
            before = deadline(spec, made)
            if before is not None and before < now:
                days = (now - made).days
                message = f"is used for {days} days, and must not be for more than {spec.max_age_days}"
                yield SecretFlaw(name=spec.name, message=message, place="max_age_days")


def shared(indexes: Indexes) -> Iterator[SecretFlaw]:
    """Find values that several secrets have, of one realm or of both."""
    for index in indexes.values():
        for group in same_fingerprints({ref: entry.fingerprint for ref, entry in index.entries.items()}):
            names = [f"{ref.name}/{ref.key}" for ref in sorted(group)]
            yield SecretFlaw(name=names[0], message=f"has the same value as {', '.join(names[1:])}")
        for ref, entry in index.entries.items():
            if entry.same_as:
                message = f"has the same value as {', '.join(entry.same_as)}"
                yield SecretFlaw(name=f"{ref.name}/{ref.key}", message=message)


def weak(indexes: Indexes) -> Iterator[SecretFlaw]:
    """Find values that are none of their kind: too short, of other characters, never replaced."""
    for index in indexes.values():
        for ref, entry in index.entries.items():
            if entry.flaw:
                yield SecretFlaw(name=f"{ref.name}/{ref.key}", message=entry.flaw)


def unfinished_rotations(site: Site, indexes: Indexes) -> Iterator[SecretFlaw]:
    """Find values whose rotation has not ended: nobody goes on with it but who is told to."""
    specs = {spec.name: spec for spec in site.secrets}
    for realm, index in indexes.items():
        for ref, entry in sorted(index.entries.items()):
            if entry.stage is None or entry.stage_since is None:
                continue
            spec = specs.get(ref.name)
            known = spec is not None and ref.key in spec.keys
            yield SecretFlaw(
                name=ref_text(ref),
                message=unfinished(spec, ref, entry.stage, entry.stage_since),
                file=f"secrets/{realm}.index.json",
                remedy=finishing([ref]) if known else brought_back(ref),
            )


def untold_rotations(indexes: Indexes) -> Iterator[SecretFlaw]:
    """Find indexes that do not say which rotations have not ended, or need not be of the file beside them."""
    for realm, index in indexes.items():
        message = index.stale
        if not message and not index.tells_rotations:
            earlier = f"{realm}.index.json was written by an earlier version"
            message = f"{earlier}: it does not say which rotations have not ended"
        if message:
            yield SecretFlaw(name=realm, message=message, file=f"secrets/{realm}.index.json", remedy=WRITE_ANEW)


def not_apart(site: Site, indexes: Indexes) -> Iterator[SecretFlaw]:
    """
    Find lawful intercept's secrets that are for the same people as the main ones, and files for others than declared.

    The store says for whom its files are encrypted; site.yaml counts where nothing is kept yet.
    """
    if not any(spec.realm == "li" for spec in site.secrets):
        return
    declared = {realm: _bare(texts) for realm, texts in site.settings.secrets.recipients.items()}
    kept = {realm: _bare(index.recipients) for realm, index in indexes.items() if index.recipients}
    readers = declared | kept
    if "main" in readers and readers["main"] == readers.get("li"):
        message = "whoever may read the main secrets may read lawful intercept's, too"
        file, place = (
            ("secrets/li.index.json", "recipients") if "li" in kept else ("site.yaml", "secrets.recipients.li")
        )
        yield SecretFlaw(name="li", message=message, file=file, place=place)
    for realm, people in kept.items():
        if realm in declared and people != declared[realm]:
            strangers = ", ".join(sorted(people - declared[realm])) or "fewer"
            message = f"the file is encrypted for others than site.yaml names: {strangers}"
            yield SecretFlaw(name=realm, message=message, file=f"secrets/{realm}.index.json", place="recipients")


def key_inside(site: Site) -> Iterator[SecretFlaw]:
    """Find a key that lies in the folder whose secrets it opens."""
    identity = site.settings.secrets.identity
    if identity and (site.folder / identity).resolve().is_relative_to(site.folder.resolve()):
        message = "this key lies in the folder whose secrets it opens: who copies one has both"
        yield SecretFlaw(name=identity, message=message, file="site.yaml", place="secrets.identity")


def _bare(recipients: Sequence[str]) -> frozenset[str]:
    """Return recipients without the comments that SSH keys may have."""
    return frozenset({" ".join(text.split()[:2]) for text in recipients})


def _made(spec: SecretSpec, indexes: Indexes) -> datetime | None:
    index = indexes.get(spec.realm)
    entries = index.entries if index else {}
    times = [entries[ref].made for key, _ in spec.kept() if (ref := SecretRef(spec.name, key)) in entries]
    return min(times, default=None)
