"""Checks of what the scheduled identity may start: it lies there as it was put, and only root can change it."""

from __future__ import annotations

import stat

from checks.check import REACHED, ComplianceView, HostCheck
from model.check.finding import Verdict, settled
from model.host.host_facts import HostFacts, Placed, Scheduled
from model.site.hosts import Machine

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def files(view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find files of the identity that are missing, are others, or that somebody but root may change."""
    if view.scheduled is None:
        return Verdict(pending="nothing runs on schedule: site.yaml has no `compliance.schedule`")
    known = facts.of(Scheduled).known
    wrong = []
    for path, digest in view.scheduled.items():
        seen = known.get(path)
        if seen is None:
            wrong.append(f"{path} is not there")
        elif seen.sha256 != digest:
            wrong.append(f"{path} is another file than the one that was put there")
    open_to = [path for path, seen in known.items() if seen is not None and _others_may_write(seen)]
    wrong += [f"{path} can be changed by others than root" for path in open_to]
    seen_files = {path: seen.sha256 for path, seen in known.items() if seen is not None and seen.sha256}
    return settled(wrong, f"{len(view.scheduled)} files are those that were put there", seen_files)


def _others_may_write(seen: Placed) -> bool:
    return seen.owner != 0 or bool(seen.mode & _WRITABLE_BY_OTHERS)


CHECKS = (
    HostCheck(
        id="schedule/files",
        title="The scheduled identity can start what was put there for it, and nothing else",
        phase="host",
        looks_at="digests, modes and owners of the programs, the key and sudo's rule, against this program's own",
        by="sha256sum /usr/local/lib/matrix-fleet/* /etc/sudoers.d/matrix-fleet",
        remedy="find out who changed it; python -m flows.schedule hosts puts everything there anew",
        applies=REACHED,
        judge=files,
    ),
)
