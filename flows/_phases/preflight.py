"""The phase that finds everything that is wrong on any host before one of them is touched."""

from __future__ import annotations

from flows._phases.work import Work
from flows._preflight import preflight
from model.outcome import Outcome


def run(work: Work) -> tuple[Outcome, ...]:
    """Look at every host that answers; versions that cannot work together are refused at once."""
    return preflight(work.nr, work.context, work.hosts, work.bundle)
