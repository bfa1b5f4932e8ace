"""The phase that finds everything that is wrong on any host before one of them is touched."""

from __future__ import annotations

from flows._phases.work import Work
from flows._preflight import preflight
from model.outcome import Outcome


def run(work: Work) -> tuple[Outcome, ...]:
    """Look at every host that answered; where nobody becomes root is told as a finding, too."""
    reached = [name for name in work.names if name not in work.lost or work.lost[name].subject == "sudo"]
    return preflight(work.nr, work.context, reached, work.bundle, [name for name in work.beside if name in work.facts])
