"""Checks of what lasts: the next boot brings the firewall back, and no change of it waits to be taken back."""

from __future__ import annotations

from checks.check import SERVERS, ComplianceView, HostCheck
from model.check.check import NotYet
from model.check.finding import Finding, Verdict
from model.host.beside import Beside
from model.host.host_facts import Firewall, HostFacts, Units, Unseen
from model.site.hosts import Machine
from model.ufw import next_boot
from model.ufw.unconfirmed import ROLLBACK_SECONDS, TIMER, UnconfirmedChange


def _beside(facts: HostFacts) -> Beside:
    beside = facts.of(Beside)
    if beside.withheld:
        raise NotYet(beside.withheld)
    return beside


def boot(_view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find files that ufw cannot load when the host boots, and services that then remove its rules."""
    files, trial = facts.of(Firewall), _beside(facts).boot
    if not files.installed:
        return Verdict(pending="ufw is not installed: see firewall/rules")
    if trial is None:
        raise Unseen("the next boot was not tried")
    flaws = [*next_boot.unloadable(trial, files.files), *next_boot.wiping(trial)]
    how = "loaded" if trial.how == "loaded" else "read without a fault"
    return Verdict(
        good=f"{len(trial.trials)} files of ufw's were {how}, and no service removes its rules",
        evidence={"files": {entry.path: entry.code for entry in trial.trials}, "started": list(trial.started)},
        findings=tuple(Finding(flaw.message, flaw.remedy) for flaw in flaws),
        doubt="; ".join(next_boot.untried(trial)),
    )


def confirmed(_view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find a change of the firewall that nobody has confirmed, and that will be taken back."""
    waiting = _waiting(facts)
    if waiting is None:
        return Verdict("no change of its firewall waits to be confirmed")
    return Verdict(findings=(Finding(waiting.message, waiting.next_step),))


def _waiting(facts: HostFacts) -> UnconfirmedChange | None:
    """Return what waits; where only the collector may look, the rollback's timer tells of it."""
    timer = facts.of(Units).known.get(TIMER)
    if timer is None or not facts.of(Beside).withheld:
        return _beside(facts).unconfirmed
    runs = timer.active in ("active", "activating")
    return UnconfirmedChange(state="armed", fires_in=ROLLBACK_SECONDS) if runs else None


CHECKS = (
    HostCheck(
        id="firewall/next-boot",
        title="The next boot brings the firewall back",
        phase="host",
        looks_at="every file that ufw loads, tried in a network of its own, and services that remove its rules",
        by="iptables-restore -n --test </etc/ufw/before.rules, and so on; systemctl is-enabled nftables",
        remedy="correct that file",
        applies=SERVERS,
        judge=boot,
    ),
    HostCheck(
        id="firewall/unconfirmed",
        title="No change of the firewall waits to be confirmed",
        phase="host",
        looks_at="/var/lib/matrix-fleet/armed and fired, and the timer of the rollback",
        by="systemctl status matrix-fleet-rollback.timer",
        remedy="python -m flows.firewall",
        applies=SERVERS,
        judge=confirmed,
    ),
)
