"""What ufw opens by itself, before a person's rules, and the rows of the port matrix that declare it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise

from model.site.site import Site
from model.ufw.chains import Canonical, canonical
from model.ufw.kernel import PREFIX, filter_lines
from model.ufw.option_words import LONG
from model.ufw.state import BEFORE
from model.ufw.tokens import tokens

_KNOWN: Mapping[Canonical, str] = {
    canonical("-p udp --sport 67 --dport 68 -j ACCEPT"): "dhcp",
    canonical("-p udp -s fe80::/10 --sport 547 -d fe80::/10 --dport 546 -j ACCEPT"): "dhcpv6",
    canonical("-p udp -d 224.0.0.251 --dport 5353 -j ACCEPT"): "mdns",
    canonical("-p udp -d ff02::fb --dport 5353 -j ACCEPT"): "mdns",
    canonical("-p udp -d 239.255.255.250 --dport 1900 -j ACCEPT"): "upnp",
    canonical("-p udp -d ff02::f --dport 1900 -j ACCEPT"): "upnp",
}
_STATES, _KNOWN_STATES = ("--ctstate", "--state"), frozenset({"ESTABLISHED", "RELATED"})
_ICMP = ("icmp", "1", "icmpv6", "ipv6-icmp", "58")
# Where a rule is put by `-I`.
_PLACE = re.compile(r"^\d+\s+")


def undeclared(site: Site, files: Mapping[str, str]) -> tuple[str, ...]:
    """
    Return the openings in before.rules and before6.rules that no row with `builtin` declares, as `file: rule`.

    Loopback, known connections and ICMP are how ufw lets a network work and are no openings.
    """
    declared = {row.builtin for row in site.active_rows if row.builtin}
    return tuple(
        f"{BEFORE[version]}: {rule}"
        for version in (4, 6)
        for rule in _openings(files.get(BEFORE[version], ""), PREFIX[version])
        if _KNOWN.get(canonical(rule)) not in declared
    )


def _openings(text: str, prefix: str) -> list[str]:
    lines = [line.split(None, 2) for line in filter_lines(text)]
    rules = [_PLACE.sub("", words[2]) for words in lines if len(words) == 3 and words[1] == f"{prefix}-before-input"]
    return [rule for rule in rules if _opens(rule)]


def _opens(rule: str) -> bool:
    """Whatever else a rule asks for, it admits what loopback, known connections and ICMP do not need."""
    words = ("", *tokens(rule))
    before = zip(words, pairwise(words[1:]), strict=False)
    pairs = {(LONG.get(option, option), value) for sign, (option, value) in before if sign != "!"}
    if ("-j", "ACCEPT") not in pairs or ("-i", "lo") in pairs:
        return False
    if any(option in _STATES and set(value.split(",")) <= _KNOWN_STATES for option, value in pairs):
        return False
    return not any(option == "-p" and value.lower() in _ICMP for option, value in pairs)
