"""What a check of preflight looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from model.bundle.bundle import Bundle
from model.check.check import Check
from model.host.machine_facts import MachineFacts
from model.site.hosts import Machine
from model.site.site import Site


@dataclass(frozen=True, slots=True)
class PreflightView:
    """The site, facts of every host that answered, the bundle where there is one, and the day."""

    site: Site
    facts: Mapping[str, MachineFacts]
    today: date
    bundle: Bundle | None = None

    def sharing(self, host: str, value: Callable[[MachineFacts], str]) -> tuple[str, ...]:
        """Return the other hosts with the same value; none where it is empty."""
        own = value(self.facts[host])
        return tuple(name for name, facts in self.facts.items() if own and name != host and value(facts) == own)


PreflightCheck = Check[[PreflightView, Machine, MachineFacts]]
