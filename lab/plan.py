"""What this lab is supposed to be, written down before the first host boots: a crash leaves it readable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.instance import Instance
from lab.recipe import Recipe, RootKind
from lab.topology import ROUTER, LabHost, Leg, hosts_of
from lab.whole_file import write_whole


@dataclass(frozen=True, slots=True)
class LabPlan:
    """Profile, kind and suite decide what a lab is; hosts may have been added since."""

    profile: str
    bare: bool
    suite: str
    hosts: tuple[LabHost, ...]

    @property
    def recipe(self) -> Recipe:
        """What the hosts' root file systems hold."""
        return Recipe(self.suite)

    @property
    def user(self) -> str:
        """The account that the deployer's key opens."""
        return "root" if self.bare else "deploy"

    @property
    def has_application(self) -> bool:
        """Whether its hosts are meant for the whole application."""
        return self.profile == "matrix"

    def layer(self, host: LabHost) -> RootKind:
        """Return the kind of root a host has; the organisation's router and the host outside are never bare."""
        if host.name == ROUTER:
            return "router"
        return "bare" if self.bare and host.serves_the_site else "full"

    def same_kind(self, other: LabPlan) -> bool:
        """Return whether both are labs of one profile, kind and suite."""
        return (self.profile, self.bare, self.suite) == (other.profile, other.bare, other.suite)

    def host(self, name: str) -> LabHost:
        """Return a host by its name; raises LabError with the names there are."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"the lab has no host {name!r}; it has {', '.join(host.name for host in self.hosts)}")

    def with_host(self, host: LabHost) -> LabPlan:
        """Return the plan with one more host."""
        return replace(self, hosts=(*self.hosts, host))

    def __str__(self) -> str:
        return f"{self.profile}, {'bare' if self.bare else 'full'}, {self.suite}"


def fresh(profile: str, bare: bool, suite: str) -> LabPlan:
    """Return the plan of a lab nobody has changed yet."""
    return LabPlan(profile, bare, suite, hosts_of(profile))


def save(instance: Instance, plan: LabPlan) -> None:
    """Write the plan down, in one step."""
    _write(instance.home / "lab.json", plan)


def load(instance: Instance) -> LabPlan | None:
    """Return the plan of the lab that is up or was cut short; None when there is none."""
    return _read(instance.home / "lab.json")


def remove(instance: Instance) -> None:
    """Forget the plan of a lab that is down."""
    (instance.home / "lab.json").unlink(missing_ok=True)


def required(instance: Instance) -> LabPlan:
    """Return the lab's plan; raises LabError when no lab is up."""
    plan = load(instance)
    if plan is None:
        raise LabError("no lab is up: `python -m lab up`")
    return plan


def emitted(instance: Instance) -> LabPlan | None:
    """Return the plan whose site lies in the inventory folder; None when there is none."""
    return _read(instance.home / "emitted.json")


def mark_emitted(instance: Instance, plan: LabPlan) -> None:
    """Write down whose site lies in the inventory folder."""
    _write(instance.home / "emitted.json", plan)


def _write(path: Path, plan: LabPlan) -> None:
    write_whole(path, json.dumps(asdict(plan)))


def _read(path: Path) -> LabPlan | None:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise LabError(f"{path} is damaged ({error}): `python -m lab down` clears everything away") from error
    hosts = tuple(_host(entry) for entry in content["hosts"])
    return LabPlan(content["profile"], content["bare"], content["suite"], hosts)


def _host(entry: Mapping[str, Any]) -> LabHost:
    legs = tuple(Leg(leg["network"], leg["number"]) for leg in entry["legs"])
    return LabHost(entry["name"], tuple(entry["roles"]), legs, entry["reached"])
