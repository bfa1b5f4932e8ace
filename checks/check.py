"""What a check of compliance is, which hosts it is for, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, ParamSpec

from model.check.check import Check
from model.host.certificate_chain import Chain
from model.host.host_facts import HostFacts
from model.report.gate_record import GateRecord
from model.rollout.secret_index import SecretIndex
from model.site.hosts import Machine
from model.site.secrets import Realm
from model.site.site import Site
from model.verify.proof import Proof

Phase = Literal["prerequisites", "host", "cluster", "rollout"]
PHASES: tuple[Phase, ...] = ("prerequisites", "host", "cluster", "rollout")
BOOTSTRAP = "comes with bootstrap"


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


@dataclass(frozen=True)
class KeptSecrets:
    """
    What lies in the store of secrets, as far as it can be told without its key: an index a realm, what is wrong with
    its files, or why it cannot be looked at (`hidden`).
    """

    indexes: Mapping[Realm, SecretIndex] = field(default_factory=dict)
    exposed: tuple[str, ...] = ()
    hidden: str = ""


@dataclass(frozen=True, kw_only=True)
class ComplianceView:
    """
    Everything that was looked at: the site, hosts that answered, the latest proof of the ports, declared files, and
    gates as they last came out; `now` in UTC.

    `silent` says of each host that was asked and gave no answer why. `scheduled`: digests that the scheduled identity's
    files should have, by path; None where nothing runs on schedule.
    """

    site: Site
    now: datetime
    facts: Mapping[str, HostFacts] = field(default_factory=dict)
    proof: Proof | None = None
    files: DeclaredFiles = DeclaredFiles()
    gates: Mapping[str, GateRecord] = field(default_factory=dict)
    secrets: KeptSecrets = KeptSecrets()
    silent: Mapping[str, str] = field(default_factory=dict)
    scheduled: Mapping[str, str] | None = None


ObservedT = ParamSpec("ObservedT")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplianceCheck(Check[ObservedT]):
    """
    A check that answers for an item of the checklist. `id` is `subject/what`, `by` the command or file that a person
    would look at.

    `owner` is the flow whose work a finding undoes: what --fix hands it to.
    """

    title: str
    phase: Phase
    looks_at: str
    by: str
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCheck(ComplianceCheck[[ComplianceView, Machine, HostFacts]]):
    """
    A check of each host that `applies` names.

    `part`: what of something larger is missing with a host that is silent, such as a member.
    """

    applies: Trait
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCheck(ComplianceCheck[[ComplianceView]]):
    """A check of the site as a whole, judged once."""
