"""What was a host's firewall before its last change, as the host itself has kept it?"""

from __future__ import annotations

from collections.abc import Mapping

from model.ufw import FILES, State
from model.ufw_kernel import read
from remote.facts.firewall import FirewallFacts


def kept_rules(last: Mapping[str, str]) -> Mapping[int, str]:
    """
    Return the kernel's filter tables from before, as iptables-save wrote them, by IP version.
    """
    return {version: last[f"saved{version}"] for version in (4, 6)}


def kept_state(facts: FirewallFacts, last: Mapping[str, str]) -> State:
    """
    Return the state to bring back. `last`: what a session's `last` returned; a host without IPv6 has nothing kept for it.
    """
    rules = kept_rules(last)
    kernel = {version: read(rules[version] if version == 4 or facts.ipv6 else "", version) for version in (4, 6)}
    files = {path: last[f"file {path}"] for path in FILES if f"file {path}" in last}
    return State(kernel, files, "enabled" in last["was"])
