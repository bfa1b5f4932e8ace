"""The plan that leads ufw on one host from what it holds to what it should hold, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.site.hosts import Machine
from model.site.site import Site
from model.ufw.change import UfwChange, change, undo
from model.ufw.diff import difference
from model.ufw.facts import FirewallFacts
from model.ufw.others import OthersChain, others_chains
from model.ufw.state import CONF, DEFAULTS, USER, UfwState, desired_state, read_state
from model.ufw.text import render

# As the package brings them: what a plan reckons with where ufw is not installed yet.
_FRESH = {
    USER[4]: render((), 4, "low"),
    USER[6]: render((), 6, "low"),
    DEFAULTS: 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\nDEFAULT_OUTPUT_POLICY="ACCEPT"\n'
    'DEFAULT_FORWARD_POLICY="DROP"\nMANAGE_BUILTINS=no\n',
    CONF: "ENABLED=no\nLOGLEVEL=low\n",
}


@dataclass(frozen=True, kw_only=True)
class UfwPlan:
    """
    The way from `now` to `then` on one host, and back.

    `start`: ufw does not run yet and is started by its own script, which changes the chains `others`, too. `install`:
    ufw is not even there, and the plan is made again once it is. `diff` is what a person reads.
    """

    host: str
    now: UfwState
    then: UfwState
    change: UfwChange
    undo: UfwChange
    diff: str
    start: bool
    install: bool
    others: Mapping[int, tuple[OthersChain, ...]] = field(default_factory=dict)


def plan(site: Site, machine: Machine, facts: FirewallFacts) -> UfwPlan:
    """Compare what the matrix wants with what is there."""
    now = observed_state(facts)
    files = facts.files if facts.installed else _FRESH
    if not facts.installed:
        now = UfwState(now.kernel, _FRESH, False)
    own = facts.boot.own if facts.boot else {}
    then = desired_state(site, machine, files, facts.ipv6, own)
    return between(machine.name, now, then, files=facts.files, install=not facts.installed)


def between(
    host: str, now: UfwState, then: UfwState, *, files: Mapping[str, str] | None = None, install: bool = False
) -> UfwPlan:
    """Return the plan that leads from one state of a host to another; `files` are ufw's there (texts by path)."""
    diff = difference(host, now, then)
    start = then.running and not now.running
    return UfwPlan(
        host=host,
        now=now,
        then=then,
        change=change(now, then),
        undo=undo(now, then),
        diff=diff,
        start=start,
        install=install,
        others={version: others_chains(files or {}, version) for version in (4, 6)} if start else {},
    )


def observed_state(facts: FirewallFacts) -> UfwState:
    """Return what ufw holds on the host."""
    return read_state(facts.rulesets.saved, facts.files, facts.unit_enabled)
