"""The flow that remediates each finding of compliance, once it has shown what it would do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping

from checks.check import ComplianceCheck
from flows._cluster.bootstrap import bootstrap
from flows._cluster.plan import choose
from flows._firewall.apply import apply_firewall
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from flows._run.screen import Screen
from model.errors import SelectionError
from model.report.outcome import DRIFTED, GOOD, Outcome, Status
from model.site.load import load_site


def owners(checks: Iterable[ComplianceCheck[...]], outcomes: Iterable[Outcome]) -> dict[str, tuple[str, ...]]:
    """
    Return the hosts that each owner has something to remediate on, in the order in which owners work; what nobody owns
    is left out.
    """
    owner = {check.id: check.owner for check in checks if check.owner}
    by_owner: dict[str, dict[str, None]] = {name: {} for name in _RUNS}
    for outcome in outcomes:
        if outcome.status is Status.DRIFT and outcome.subject in owner:
            by_owner[owner[outcome.subject]][outcome.host] = None
    return {name: tuple(hosts) for name, hosts in by_owner.items() if hosts}


def fix(options: Options, todo: Mapping[str, tuple[str, ...]]) -> bool:
    """
    Let every owner show its plan, and carry all plans out once a person (or --yes) agrees; return whether anything was
    done.

    Raises `SelectionError` where nobody is there to agree.
    """
    screen = Screen(options)
    if not todo:
        screen.say("nothing that a flow mends by itself")
        return False
    limits = {name: (*hosts, *_planes(options)) if name in _OF_THE_API else hosts for name, hosts in todo.items()}
    for name, hosts in limits.items():
        screen.say(f"--- what `{_COMMANDS[name]} --limit {','.join(hosts)}` would do")
        _RUNS[name](_for_owner(options, ",".join(hosts), dry_run=True))
    if not _agreed(options):
        return False
    codes = [_RUNS[name](_for_owner(options, ",".join(hosts), dry_run=False)) for name, hosts in limits.items()]
    return any(code in (GOOD, DRIFTED) for code in codes)


def _planes(options: Options) -> tuple[str, ...]:
    """Return the hosts through which the API is reached."""
    return tuple(machine.name for machine in load_site(options.inventory).control_planes)


def _agreed(options: Options) -> bool:
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise SelectionError("--fix needs --yes without a terminal; nothing was changed")
    return input("Carry this out? [y/N] ").strip().lower() in ("y", "yes")


def _firewall(options: Options) -> int:
    return run_flow("firewall", options, lambda context: apply_firewall(context, purge=False, hold=0.0), changes=True)


def _phase(name: str) -> Callable[[Options], int]:
    def run(options: Options) -> int:
        phases = choose(None, None, name)
        return run_flow("bootstrap", options, lambda context: bootstrap(context, phases, purge=False), changes=True)

    return run


def _for_owner(options: Options, limit: str, *, dry_run: bool) -> Options:
    """Standard output may belong to the report of the look afterwards."""
    quiet = options.quiet or options.json_on_stdout
    return Options(inventory=options.inventory, limit=limit, dry_run=dry_run, verbose=options.verbose, quiet=quiet)


# The operating system first: the firewall needs its packages.
_RUNS: Mapping[str, Callable[[Options], int]] = {
    "os": _phase("os"),
    "runtime": _phase("runtime"),
    "labels": _phase("labels"),
    "firewall": _firewall,
}
# What these change lies in the API, not on the hosts.
_OF_THE_API = {"labels"}
_COMMANDS = {
    "os": "python -m flows.bootstrap --only os",
    "runtime": "python -m flows.bootstrap --only runtime",
    "labels": "python -m flows.bootstrap --only labels",
    "firewall": "python -m flows.firewall",
}
