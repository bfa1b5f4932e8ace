"""Checks of the firewall: ufw's files and the kernel hold the port matrix, and nobody else's rules come before."""

from __future__ import annotations

from dataclasses import replace

from checks.check import SERVERS, ComplianceView, HostCheck
from model.check.finding import Finding, Verdict
from model.check.judgement import rules as judgement
from model.check.judgement.links import interfaces
from model.host.beside import Beside
from model.host.host_facts import Firewall, HostFacts, Machinery, Release, Rules
from model.site.hosts import Machine
from model.ufw.diff import difference
from model.ufw.early_rules import early_rules
from model.ufw.kernel import EMPTY, UfwKernel, as_loaded, expected
from model.ufw.state import AFTER, BEFORE, CONF, DEFAULTS, USER, desired_defaults, desired_state, read_state
from model.ufw.text import option, wrong_level

_SHOWN = 5
_NO_KERNEL = {4: EMPTY, 6: EMPTY}
_POLICIES = ("DEFAULT_INPUT_POLICY", "DEFAULT_OUTPUT_POLICY", "DEFAULT_FORWARD_POLICY")


def rules(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Compare ufw's files and its start at boot with the matrix."""
    files = facts.of(Firewall)
    if not files.installed:
        return Verdict(findings=(Finding("ufw is not installed"),))
    now = replace(read_state({4: "", 6: ""}, files.files, files.enabled), kernel=_NO_KERNEL)
    then = replace(desired_state(view.site, machine, files.files, files.ipv6), kernel=_NO_KERNEL)
    diff = difference(machine.name, now, then)
    if not diff:
        return Verdict("ufw's files hold what the matrix says", {"files": sorted(now.files), "at boot": files.enabled})
    changes = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    wrong = wrong_level(files.files.get(CONF, ""))
    note = f"; {CONF} {wrong}" if wrong else ""
    message = f"ufw's files differ from the matrix: {_few(changes)}{note}"
    return Verdict(evidence={"diff": diff}, findings=(Finding(message),))


def kernel(_view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Compare the kernel's rules with what ufw's own files say; what the files should say is another check's matter."""
    files, saved = facts.of(Firewall), facts.of(Rules).saved
    now = read_state(saved, files.files, files.enabled)
    conf, defaults = files.files.get(CONF, ""), files.files.get(DEFAULTS, "")
    if (option(conf, "ENABLED") or "no") != "yes":
        if now.running:
            return Verdict(findings=(Finding("ufw's chains are in the kernel, and its files say that it is off"),))
        return Verdict(pending="ufw is off, by its own files too: see firewall/rules")
    wanted = desired_defaults(files.files)
    if any(option(defaults, key) != option(wanted, key) for key in _POLICIES):
        return Verdict(pending="ufw's own defaults are not the site's: see firewall/rules")
    diff = difference(machine.name, now, replace(now, kernel=_wanted(facts)))
    if not diff:
        return Verdict("the kernel holds what ufw's files say", {"chains": len(now.kernel[4].chains)})
    changes = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return Verdict(
        evidence={"diff": diff}, findings=(Finding(f"the kernel does not hold what ufw's files say: {_few(changes)}"),)
    )


def _wanted(facts: HostFacts) -> dict[int, UfwKernel]:
    """
    Return what ufw makes of its files: as the host's own iptables writes them, where they were tried there.
    """
    files, beside = facts.of(Firewall), facts.parts.get(Beside)
    tried = beside.boot.whole if isinstance(beside, Beside) and beside.boot else {}
    kernel = {}
    for version in (4, 6):
        before, after, user = (files.files.get(paths[version], "") for paths in (BEFORE, AFTER, USER))
        whole = tried.get(version)
        kernel[version] = as_loaded(whole, version) if whole else expected(before, after, user, version)
    return kernel if files.ipv6 else {**kernel, 6: EMPTY}


def foreign(view: ComplianceView, machine: Machine, facts: HostFacts) -> Verdict:
    """Find rules of others that admit, refuse or lead away packets in ufw's stead."""
    node, rules = facts.of(Release).member, facts.of(Rules)
    beside, sets = facts.parts.get(Beside), rules.rulesets
    if isinstance(beside, Beside) and beside.devices is not None:
        sets = replace(sets, devices=beside.devices)
    early = early_rules(view.site, machine, sets, interfaces(facts.of(Machinery).links))
    return judgement.judged(early, rules.deciding, node=node, shown=_SHOWN)


def _few(lines: list[str]) -> str:
    # The same line of both families is told once.
    lines = list(dict.fromkeys(lines))
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return "; ".join(lines[:_SHOWN]) + more


CHECKS = (
    HostCheck(
        id="firewall/rules",
        title="ufw's files hold what the port matrix says",
        phase="host",
        looks_at="/etc/ufw, /etc/default/ufw and ufw's start at boot, against ports.yaml",
        by="ufw status verbose; systemctl is-enabled ufw",
        remedy="python -m flows.firewall",
        owner="firewall",
        applies=SERVERS,
        judge=rules,
    ),
    HostCheck(
        id="firewall/kernel",
        title="The kernel holds what ufw's files say",
        phase="host",
        looks_at="ufw's chains, jumps and policies of both families, against ufw's own files",
        by="iptables-save; ip6tables-save",
        remedy="python -m flows.firewall",
        owner="firewall",
        applies=SERVERS,
        judge=kernel,
    ),
    HostCheck(
        id="firewall/foreign",
        title="No rule of others decides about packets",
        phase="host",
        looks_at="rules before and behind ufw's in every table and hook, of the older iptables, nftables' own, and "
        "programs at devices",
        by="iptables-save; ip6tables-save; iptables-legacy-save; nft -a list ruleset; ip -d link; "
        "tc filter show dev DEVICE ingress",
        remedy="find out who sets them and remove them there",
        applies=SERVERS,
        judge=foreign,
    ),
)
