"""Are the application's secrets there, strong, apart from each other, recent, and nowhere in clear?"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from checks.check import ComplianceView, SiteCheck
from model.check.check import NotYet
from model.check.finding import Finding, Verdict, settled
from model.check.judgement import secrets as judged
from model.check.judgement.secrets import Indexes, SecretFlaw
from model.errors import SiteError
from model.host.host_facts import Unseen
from model.rollout.invariants import secrecy
from model.rollout.invariants.stack import Stack
from model.rollout.own_objects import own_objects
from model.rollout.rendered import RenderedComponent

_GENERATE = "comes with `python -m flows.secrets generate`"
_STORE = "secrets/*.index.json in the site's folder"


def kept(view: ComplianceView) -> Verdict:
    """Find values that the site needs and its store has not."""
    indexes = _indexes(view)
    count = sum(len(index.entries) for index in indexes.values())
    return settled(_texts(judged.missing(view.site, indexes)), f"{count} values are kept", {"values": count})


def strength(view: ComplianceView) -> Verdict:
    """Find values that are none of their kind."""
    return settled(_texts(judged.weak(_indexes(view))), "every value is of its kind: alphabet, length, no placeholder")


def age(view: ComplianceView) -> Verdict:
    """Find secrets that are used for too long."""
    indexes = _indexes(view)
    made = {f"{ref.name}/{ref.key}": entry.made for index in indexes.values() for ref, entry in index.entries.items()}
    oldest = min(made.values(), default=view.now)
    days = (view.now - oldest).days
    found = _texts(judged.too_old(view.site, indexes, view.now))
    return settled(found, f"the oldest value is used for {days} days", {"oldest": oldest.isoformat()})


def rotations(view: ComplianceView) -> Verdict:
    """Find rotations that have not ended; an index of an earlier version does not tell."""
    indexes = _readable(view)
    findings = tuple(
        Finding(f"{flaw.name}: {flaw.message}", flaw.remedy) for flaw in judged.unfinished_rotations(view.site, indexes)
    )
    doubts = [f"{flaw.message}; {flaw.remedy}" for flaw in judged.untold_rotations(indexes)]
    return Verdict("every rotation that began has ended", findings=findings, doubt="; ".join(doubts))


def shared(view: ComplianceView) -> Verdict:
    """Find values that are used twice; what could not be compared is not known to be another."""
    indexes = _indexes(view)
    found = settled(_texts(judged.shared(indexes)), "no value is used twice")
    if not found.findings and any(not index.compared for index in indexes.values()):
        raise Unseen("whoever wrote the store could not compare the main secrets with lawful intercept's")
    return found


def files(view: ComplianceView) -> Verdict:
    """Find files of the store that others may read, that are not encrypted, or a key beside them."""
    _readable(view)
    wrong = [*view.secrets.exposed, *_texts(judged.key_inside(view.site))]
    return settled(wrong, "encrypted by age, for their owner alone")


def recipients(view: ComplianceView) -> Verdict:
    """Find lawful intercept's secrets that the store keeps for the same people as the main ones."""
    indexes = _indexes(view)
    wrong = _texts(judged.not_apart(view.site, indexes))
    readers = {realm: len(index.recipients) for realm, index in indexes.items()}
    return settled(wrong, "each realm is a file of its own, for recipients of its own", {"recipients": readers})


def declared(view: ComplianceView) -> Verdict:
    """Find secrets that are used otherwise than secrets.yaml says."""
    flaws = [*judged.unknown_consumers(view.site), *judged.named_twice(view.site)]
    flaws += judged.undeclared(view.site, _rendered(view))
    return settled(_texts(flaws), "secrets.yaml names every secret, where it is, and who uses it")


def placeholders(view: ComplianceView) -> Verdict:
    """Find what was never replaced."""
    return settled(_texts(judged.placeholders(_rendered(view))), "nothing that is rendered has a CHANGEME in it")


def clear(view: ComplianceView) -> Verdict:
    """Find secrets outside of Secrets, and programs that get one in their environment."""
    stack = Stack(view.site, _rendered(view))
    wrong = [text for rule in (secrecy.markers, secrecy.environment, secrecy.clear) for text in rule(stack)]
    return settled(wrong, "values stand in Secrets alone, sent over TLS and mounted as files")


def _indexes(view: ComplianceView) -> Indexes:
    """Return the indexes that hold of the files beside them."""
    indexes = _readable(view)
    if stale := [index.stale for index in indexes.values() if index.stale]:
        raise Unseen(f"{stale[0]}; {judged.WRITE_ANEW}")
    return indexes


def _readable(view: ComplianceView) -> Indexes:
    if view.secrets.hidden:
        raise Unseen(view.secrets.hidden)
    if not view.secrets.indexes:
        raise NotYet(_GENERATE)
    return view.secrets.indexes


def _rendered(view: ComplianceView) -> tuple[RenderedComponent, ...]:
    try:
        return own_objects(view.site)
    except SiteError as error:
        message = f"the application cannot be rendered: {error}"
        # Before the first secret is made nobody has begun to roll out.
        raise (Unseen if view.secrets.indexes or view.secrets.hidden else NotYet)(message) from None


def _texts(flaws: Iterable[SecretFlaw]) -> list[str]:
    return [f"{flaw.name}: {flaw.message}" for flaw in flaws]


def _check(
    name: str, title: str, judge: Callable[[ComplianceView], Verdict], remedy: str, looks_at: str = _STORE
) -> SiteCheck:
    return SiteCheck(
        id=f"secrets/{name}",
        title=title,
        phase="rollout",
        looks_at=looks_at,
        by="python -m flows.secrets status",
        remedy=remedy,
        judge=judge,
    )


_TEMPLATES = "templates/manifests, rendered for the site"
CHECKS = (
    _check("kept", "Every secret has a value", kept, "python -m flows.secrets generate"),
    _check("strength", "Every value is as strong as its kind", strength, "python -m flows.secrets rotate NAME"),
    _check("age", "No secret is used for too long", age, "python -m flows.secrets rotate NAME"),
    _check("rotations", "Every rotation has ended", rotations, "python -m flows.secrets rotate NAME/KEY"),
    _check("shared", "No value is used twice", shared, "python -m flows.secrets rotate NAME"),
    _check(
        "files",
        "Secrets are kept encrypted, and their key elsewhere",
        files,
        "chmod -R go= secrets; keep the key outside of the site's folder",
        "the files in secrets/ of the site's folder",
    ),
    _check(
        "recipients",
        "Lawful intercept's secrets have recipients of their own",
        recipients,
        "name them in `secrets.recipients.li` of site.yaml, then python -m flows.secrets recipients",
    ),
    _check("declared", "It is written down who uses which secret", declared, "correct secrets.yaml", _TEMPLATES),
    _check("placeholders", "Every placeholder was replaced", placeholders, "write the value itself", _TEMPLATES),
    _check("clear", "No secret stands in clear", clear, "mount it as a file out of a Secret", _TEMPLATES),
)
