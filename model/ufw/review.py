"""Everything that is to be known of one host's firewall before it is touched, found out by one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from model.report.outcome import Outcome, Status
from model.site.hosts import Machine
from model.site.site import Site
from model.ufw import next_boot
from model.ufw.adoption import own_rules
from model.ufw.builtin import undeclared
from model.ufw.early_rules import early_rules
from model.ufw.facts import FirewallFacts
from model.ufw.foreign_rules import deciding, removal_of
from model.ufw.lockout import lockout, lockout_by
from model.ufw.plan import UfwPlan, between, observed_state, plan
from model.ufw.state import UfwState

SUBJECT = "firewall"


@dataclass(frozen=True, kw_only=True)
class UfwReview:
    """
    What is to be done to a host's firewall, and what speaks against it.

    `refusal`: why nothing may be done on any host, None where nothing stands against it. `own_rules`: in words, what a
    person opened on a host never managed before and the matrix does not want. `findings`: what is wrong with the host's
    firewall and not ours to change.
    """

    plan: UfwPlan
    refusal: str | None
    own_rules: tuple[str, ...] = ()
    findings: tuple[Outcome, ...] = ()


def review(site: Site, machine: Machine, facts: FirewallFacts) -> UfwReview:
    """Lay what the matrix wants on a host beside what is there."""
    todo = plan(site, machine, facts)
    return UfwReview(
        plan=todo,
        refusal=lockout(site, machine, facts),
        own_rules=_own_rules(site, machine, facts),
        findings=(*_findings(site, machine, facts), *_of_next_boot(todo, facts)),
    )


def review_return(host: str, kept: UfwState, rules: Mapping[int, str], facts: FirewallFacts) -> UfwReview:
    """Lay what a host has kept from before its last change (`rules`: its iptables-save texts) beside what is there."""
    todo = between(host, observed_state(facts), kept, files=facts.files)
    return UfwReview(plan=todo, refusal=lockout_by(host, rules, facts))


def _own_rules(site: Site, machine: Machine, facts: FirewallFacts) -> tuple[str, ...]:
    try:
        return tuple(rule.words() for rule in own_rules(site, machine, facts))
    except ValueError as error:
        return (str(error),)


def _findings(site: Site, machine: Machine, facts: FirewallFacts) -> tuple[Outcome, ...]:
    """Return what is wrong with the host's firewall and is not ours to change."""
    host, outcomes = machine.name, []
    if waiting := facts.unconfirmed:
        outcomes.append(Outcome(host, "rollback", Status.DRIFT, waiting.message, next=waiting.next_step))
    rulings = early_rules(site, machine, facts.rulesets, {address: name for name, address in facts.addresses})
    if foreign := (*(ruling.words for ruling in rulings), *deciding(facts.rulesets)):
        first = rulings[0].rule.removal if rulings else removal_of(foreign[0])
        step = f"find what set it on {host} and stop that, then `{first}` there"
        outcomes.append(
            Outcome(
                host,
                "foreign-rules",
                Status.DRIFT,
                f"{len(foreign)} rule{'s' if len(foreign) > 1 else ''} of others decide in ufw's stead: {foreign[0]}",
                next=step,
                evidence="\n".join(foreign),
            )
        )
    if openings := undeclared(site, facts.files):
        outcomes.append(
            Outcome(
                host,
                "builtin-openings",
                Status.DRIFT,
                f"ufw's own rules open what no row declares: {openings[0]}",
                next="declare it in ports.yaml by a row with `builtin:`, or take it out of that file",
                evidence="\n".join(openings),
            )
        )
    return tuple(outcomes)


def _of_next_boot(todo: UfwPlan, facts: FirewallFacts) -> Iterator[Outcome]:
    """Yield what will not come back at the next boot as it is now; files that the plan writes anew are left out."""
    boot = facts.boot
    if boot is None:
        return
    rewritten = tuple(path for path, text in todo.change.files.items() if text is not None)
    for flaw in next_boot.unloadable(boot, facts.files, rewritten):
        yield Outcome(todo.host, f"next-boot/{flaw.place}", Status.DRIFT, flaw.message, next=flaw.remedy)
    for flaw in next_boot.wiping(boot):
        yield Outcome(todo.host, f"next-boot/{flaw.place}", Status.DRIFT, flaw.message, next=flaw.remedy)
    for doubt in next_boot.untried(boot):
        yield Outcome(todo.host, "next-boot", Status.UNPROVEN, doubt, next="see why, then run again")
