"""What ufw opens by itself, before a person's rules, and the rows of the port matrix that declare it."""

from __future__ import annotations

from collections.abc import Mapping

from model.site.site import Site
from model.ufw.chains import Canonical, canonical
from model.ufw.kernel import PREFIX, filter_lines
from model.ufw.state import BEFORE

_KNOWN: Mapping[Canonical, str] = {
    canonical("-p udp --sport 67 --dport 68 -j ACCEPT"): "dhcp",
    canonical("-p udp -s fe80::/10 --sport 547 -d fe80::/10 --dport 546 -j ACCEPT"): "dhcpv6",
    canonical("-p udp -d 224.0.0.251 --dport 5353 -j ACCEPT"): "mdns",
    canonical("-p udp -d ff02::fb --dport 5353 -j ACCEPT"): "mdns",
    canonical("-p udp -d 239.255.255.250 --dport 1900 -j ACCEPT"): "upnp",
    canonical("-p udp -d ff02::f --dport 1900 -j ACCEPT"): "upnp",
}
_ESTABLISHED = ("", "--ctstate", "ESTABLISHED,RELATED")


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
    rules = [words[2] for words in lines if len(words) == 3 and words[1] == f"{prefix}-before-input"]
    return [rule for rule in rules if _opens(canonical(rule))]


def _opens(rule: Canonical) -> bool:
    options = {part[1]: part for part in rule}
    if options.get("-j") != ("", "-j", "ACCEPT") or options.get("-i") == ("", "-i", "lo"):
        return False
    if options.get("--ctstate") == _ESTABLISHED:
        return False
    return options.get("-p") not in (("", "-p", "icmp"), ("", "-p", "ipv6-icmp"))
