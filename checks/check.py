"""What is a check, what may it look at, and what can it say?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from model.host.certificate_chain import Chain
from model.host.host_facts import HostFacts, Unseen
from model.site.hosts import Machine
from model.site.site import Site
from model.verify.proof import Proof

Phase = Literal["prerequisites", "host", "cluster", "rollout"]
Severity = Literal["error", "warning"]
PHASES: tuple[Phase, ...] = ("prerequisites", "host", "cluster", "rollout")
SEVERITIES: tuple[Severity, ...] = ("error", "warning")
BOOTSTRAP = "comes with bootstrap"


@dataclass(frozen=True, slots=True)
class ChecklistRef:
    """Where the checklist asks for it: heading and line."""

    section: str
    line: int


@dataclass(frozen=True, slots=True)
class Trait:
    """Which machines a check is for, by what they are and never by a role's name."""

    name: str
    holds: Callable[[Site, Machine], bool]


SERVERS = Trait("every server", lambda _site, machine: machine.kind == "server")
NODES = Trait("every node", lambda _site, machine: machine.node is not None)
PLANES = Trait("every control plane", lambda _site, machine: machine.node == "control_plane")
MAIN = Trait(
    "every server outside isolated networks",
    lambda site, machine: machine.kind == "server" and not site.isolated(machine),
)
ISOLATED = Trait(
    "every server of an isolated network", lambda site, machine: machine.kind == "server" and site.isolated(machine)
)
OUTSIDE = Trait(
    "every host outside isolated networks, vantage hosts too",
    lambda site, machine: machine.kind in ("server", "vantage") and not site.isolated(machine),
)
REACHED = Trait("every host that is connected to", lambda _site, machine: machine.kind != "perimeter")
VANTAGES = Trait("every vantage host", lambda _site, machine: machine.kind == "vantage")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as declared, in a sentence; `remedy` where it is not the check's own."""

    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What a check says: findings; else `pending` for what is not due yet, `doubt` for what nobody can tell; else all is
    as declared.

    `told` is one sentence for that last case, `seen` what was looked at (JSON): the evidence in every case.
    """

    told: str = ""
    seen: object = None
    findings: tuple[Finding, ...] = ()
    pending: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class DeclaredFiles:
    """
    The site's own certificates: what they hold, or why they cannot be read. `key_fits` None: there is no key, or it is
    `hidden` from the account that looks, for this reason.
    """

    certificate: Chain | str | None = None
    key_fits: bool | str | None = None
    hidden: str = ""
    authorities: Mapping[str, Chain | str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class View:
    """
    Everything that was looked at: the site, hosts that answered, the latest proof of the ports, declared files; `now`
    in UTC.

    `silent` says of each host that was asked and gave no answer why. `scheduled`: digests that the scheduled identity's
    files should have, by path; None where nothing runs on schedule.
    """

    site: Site
    now: datetime
    facts: Mapping[str, HostFacts] = field(default_factory=dict)
    proof: Proof | None = None
    files: DeclaredFiles = DeclaredFiles()
    silent: Mapping[str, str] = field(default_factory=dict)
    scheduled: Mapping[str, str] | None = None


class NotYet(Exception):
    """What a check looks at is not there yet, and need not be; the text says what brings it."""


JudgeHost = Callable[[View, Machine, HostFacts], Verdict]
JudgeSite = Callable[[View], Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """
    What every check tells of itself. `id` is `subject/what`, `by` the command or file that a person would look at.

    `owner` is the flow whose work a finding undoes: what --fix hands it to.
    """

    id: str
    title: str
    place: ChecklistRef
    phase: Phase
    severity: Severity = "error"
    looks_at: str
    by: str
    remedy: str
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCheck(Check):
    """
    A check of each host that `applies` names; `judge` is pure, and may raise `Unseen` for a part that could not be
    read, and `NotYet`.

    `part`: what of something larger is missing with a host that is silent, such as a member.
    """

    applies: Trait
    judge: JudgeHost
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCheck(Check):
    """A check of the site as a whole, told once; `judge` may raise as that of a host."""

    judge: JudgeSite


def found(*messages: str, seen: object = None) -> Verdict:
    """Return a verdict with these findings."""
    return Verdict(seen=seen, findings=tuple(Finding(message) for message in messages))


def settled(messages: list[str], told: str, seen: object = None) -> Verdict:
    """Return findings where there are any, else that all is as declared."""
    return found(*messages, seen=seen) if messages else Verdict(told, seen)


def said(judge: Callable[[], Verdict]) -> Verdict:
    """Return what a judge says, also where it could not see what it needs, or that is not there yet."""
    try:
        return judge()
    except Unseen as error:
        return Verdict(doubt=f"could not be seen: {error}")
    except NotYet as error:
        return Verdict(pending=str(error))
