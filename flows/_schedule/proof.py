"""The proof that the scheduled identity can do on a host what it is there for, and nothing besides."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flows._fleet.failure import HostFailure
from flows._fleet.hosts import closing, run_on_hosts
from flows._fleet.inventory import inventory
from flows._schedule.identity import assume
from model.errors import HostError
from model.report.outcome import Outcome, Status
from remote.collector.session import collect
from remote.installed import program
from remote.probe.session import AgentSession, SourceSession, WitnessSession
from tasks.schedule_units import Setting

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from flows._run.context import Context

SUBJECT = "schedule/proof"
_SECONDS = 60.0
_AGENTS: tuple[type[AgentSession], ...] = (WitnessSession, SourceSession)
# What it must not get, as the host's shell would run it.
_OTHERS = (("id",), ("sudo", "-n", "sh", "-c", "id"), ("sudo", "-n", "python3", "-c", "print(1)"))


def prove(context: Context, setting: Setting, names: tuple[str, ...]) -> tuple[Outcome, ...]:
    """Log in to each host as the identity, have every program run, and see other commands refused."""
    if not names:
        return ()
    if not os.access(setting.key, os.R_OK):
        why = "its key can only be read by its own account and root: run as root to have it tried"
        return tuple(Outcome(name, SUBJECT, Status.NOT_RUN, why) for name in names)
    nr = inventory(context.options.inventory)
    assume(nr, setting)
    with closing(nr), context.awaiting(names, "trying the identity") as watch:
        answers = run_on_hosts(nr, _tried, names=names, watch=watch, deadline=_SECONDS)
    return tuple(
        answer.outcome(SUBJECT) if isinstance(answer, HostFailure) else _judged(name, answer)
        for name, answer in answers.items()
    )


def _tried(host: Host) -> tuple[str, ...]:
    """Return what of the forbidden was not refused; raises `HostError` where a program does not run."""
    from remote.shell import run, start

    collect(host, {})
    for agent in _AGENTS:
        argv = program(host, agent.role)
        if argv is None:
            raise HostError(host.name, f"the {agent.role} agent is not installed", "python -m flows.schedule hosts")
        agent.open(host.name, start(host, argv, root=True), installed=True).close()
    return tuple(" ".join(argv) for argv in _OTHERS if run(host, argv).exit_code == 0)


def _judged(name: str, done: tuple[str, ...]) -> Outcome:
    if done:
        message = f"the key starts more than it should: {'; '.join(done)}"
        return Outcome(
            name, SUBJECT, Status.DRIFT, message, next="look for another key or rule of the account's on the host"
        )
    return Outcome(name, SUBJECT, Status.OK, "its key starts the three programs, and nothing else")
