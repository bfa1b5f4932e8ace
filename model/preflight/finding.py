"""What does a preflight check say about a host, and what is such a check?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from model.bundle.bundle import Bundle
from model.host.machine_facts import MachineFacts
from model.site.hosts import Machine
from model.site.site import Site

# An error is for a person to mend before anything is changed; a warning is mended by the next phases, or can be lived
# with; what is pending is not wrong yet.
Severity = Literal["error", "warning", "pending"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with one host: what was seen there, and what a person does about it."""

    id: str
    host: str
    severity: Severity
    seen: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check yields; its remedy and severity are the check's own where it says no other."""

    message: str
    remedy: str = ""
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class View:
    """
    What a check looks at: the site, facts of every host that answered, the bundle where there is one, and the day.
    """

    site: Site
    facts: Mapping[str, MachineFacts]
    today: date
    bundle: Bundle | None = None

    def sharing(self, host: str, value: Callable[[MachineFacts], str]) -> tuple[str, ...]:
        """Return the other hosts with the same value; none where it is empty."""
        own = value(self.facts[host])
        return tuple(name for name, facts in self.facts.items() if own and name != host and value(facts) == own)


Find = Callable[[View, Machine, MachineFacts], Iterable[Seen]]


@dataclass(frozen=True, slots=True)
class Check:
    """A named check; `find` yields what is wrong with one host, `remedy` says what a person does about it."""

    id: str
    severity: Severity
    find: Find
    remedy: str

    def findings(self, view: View, machine: Machine) -> Iterator[Finding]:
        """Apply the check to one host."""
        for seen in self.find(view, machine, view.facts[machine.name]):
            yield Finding(
                self.id, machine.name, seen.severity or self.severity, seen.message, seen.remedy or self.remedy
            )
