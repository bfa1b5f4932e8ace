"""What must be done to one host's firewall, and may it be done at all?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.packets.netfilter import Packet, judge
from model.packets.netfilter import parse as parse_chains
from model.report.outcome import Outcome, Status
from model.site.hosts import Machine
from model.site.site import Site
from model.ufw.builtin import undeclared
from model.ufw.change import UfwChange, change, undo
from model.ufw.diff import difference
from model.ufw.facts import FirewallFacts
from model.ufw.foreign_rules import deciding
from model.ufw.rule import MARK, UfwRule, parse
from model.ufw.state import CONF, DEFAULTS, USER, UfwState, admits, desired_rules, desired_state, seen_state
from model.ufw.text import render

SUBJECT = "firewall"
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

    `start`: ufw does not run yet and is started by its own script. `install`: ufw is not even there, and the plan is
    made again once it is. `diff` is what a person reads.
    """

    host: str
    now: UfwState
    then: UfwState
    change: UfwChange
    undo: UfwChange
    diff: str
    start: bool
    install: bool


def plan(site: Site, machine: Machine, facts: FirewallFacts) -> UfwPlan:
    """Compare what the matrix wants with what is there."""
    now = state(facts)
    files = facts.files if facts.installed else _FRESH
    if not facts.installed:
        now = UfwState(now.kernel, _FRESH, False)
    then = desired_state(site, machine, files, facts.ipv6)
    return between(machine.name, now, then, install=not facts.installed)


def between(host: str, now: UfwState, then: UfwState, *, install: bool = False) -> UfwPlan:
    """Return the plan that leads from one state of a host to another."""
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
    )


def state(facts: FirewallFacts) -> UfwState:
    """Return ufw's state on the host."""
    return seen_state(facts.rulesets.saved, facts.files, facts.unit_enabled)


def lockout(site: Site, machine: Machine, facts: FirewallFacts) -> str | None:
    """
    Say why carrying out the matrix would lock this session's own peer out; None where it would not.

    What counts is the peer that the host itself sees, so NAT and jump hosts count, and the port its sshd really answers
    on.
    """
    peer = facts.peer
    if peer is None:
        return f"{machine.name}: cannot tell from where the host sees this session come; connect through its OpenSSH server"
    if admits(desired_rules(site, machine, peer.client.version), peer.client, peer.server, peer.server_port):
        return None
    return (
        f"{machine.name}: the host sees this session come from {peer.client}, and the matrix does not admit that address "
        f"to {peer.server_port}/tcp, where its sshd answers"
    )


def lockout_by(host: str, saved: Mapping[int, str], facts: FirewallFacts) -> str | None:
    """Say why a ruleset (iptables-save by IP version) would lock this session's peer out; None where it would not."""
    peer = facts.peer
    if peer is None:
        return f"{host}: cannot tell from where the host sees this session come"
    if peer.client.is_loopback or peer.client == peer.server:
        return None
    packet = Packet(peer.client, peer.server, "tcp")
    if judge(parse_chains(saved[peer.client.version]), "INPUT", packet).admitted >> peer.server_port & 1:
        return None
    return f"{host}: the rules to bring back would not surely admit {peer.client} to {peer.server_port}/tcp"


def unmanaged_rules(facts: FirewallFacts) -> tuple[UfwRule, ...]:
    """
    Return a person's ufw rules on a host that this project never managed; nothing on one that it did.

    Raises ValueError for a rules file that ufw itself did not write.
    """
    texts = [facts.files.get(path, "") for path in USER.values()]
    if any(f" comment={MARK.encode().hex()}" in text for text in texts):
        return ()
    return tuple(rule for text in texts for rule in parse(text))


def findings(site: Site, host: str, facts: FirewallFacts) -> tuple[Outcome, ...]:
    """Return what is wrong with the host's firewall and is not ours to change."""
    found = []
    if facts.rollback:
        what = f"a rollback is {facts.rollback}: an earlier change was not confirmed"
        step = "run without --dry-run, which finishes it first"
        found.append(Outcome(host, "rollback", Status.DRIFT, what, next=step))
    if foreign := deciding(facts.rulesets):
        found.append(
            Outcome(
                host,
                "foreign-rules",
                Status.DRIFT,
                f"{len(foreign)} rule{'s' if len(foreign) > 1 else ''} of others decide in ufw's stead: {foreign[0]}",
                next="find out who sets them and remove them there",
                evidence="\n".join(foreign),
            )
        )
    if openings := undeclared(site, facts.files):
        found.append(
            Outcome(
                host,
                "builtin-openings",
                Status.DRIFT,
                f"ufw's own rules open what no row declares: {openings[0]}",
                next="declare it in ports.yaml by a row with `builtin:`, or take it out of that file",
                evidence="\n".join(openings),
            )
        )
    return tuple(found)
