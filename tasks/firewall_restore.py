"""What a host's firewall was before its last change, as the host itself has kept it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from model.errors import CommandFailed
from model.ufw.facts import FirewallFacts
from model.ufw.kernel import read
from model.ufw.state import FILES, UfwState
from remote.facts.firewall import observe
from remote.facts.sections import new_mark, sections
from remote.shell import run
from tasks.firewall_session import NOTHING_KEPT, functions

if TYPE_CHECKING:
    from nornir.core.inventory import Host


def look(host: Host) -> tuple[FirewallFacts, Mapping[str, str]]:
    """Return a host as it is, and what it has kept, without a lock and without changing anything."""
    facts, mark = observe(host), new_mark()
    done = run(host, ("sh", "-s"), stdin=f"{functions()}\nmf_last {mark}\n".encode(), root=True)
    if done.exit_code:
        raise CommandFailed(host.name, ("mf_last",), done.exit_code, NOTHING_KEPT)
    return facts, sections(mark, done.stdout.decode("utf-8", "surrogateescape"))


def kept_rules(last: Mapping[str, str]) -> Mapping[int, str]:
    """Return the kernel's filter tables from before, as iptables-save wrote them, by IP version."""
    return {version: last[f"saved{version}"] for version in (4, 6)}


def kept_state(facts: FirewallFacts, last: Mapping[str, str]) -> UfwState:
    """
    Return the state to bring back. `last`: what a session's `last` returned; a host without IPv6 has nothing kept for
    it.
    """
    rules = kept_rules(last)
    # An iptables of before may have spelled them.
    kernel = {
        version: replace(read(rules[version] if version == 4 or facts.ipv6 else "", version), normal=False)
        for version in (4, 6)
    }
    files = {path: last[f"file {path}"] for path in FILES if f"file {path}" in last}
    return UfwState(kernel, files, "enabled" in last["was"])
