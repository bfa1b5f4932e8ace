"""When are two iptables rules the same rule, however they are written?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_network

Canonical = tuple[tuple[str, ...], ...]

_ICMP = {
    "echo-reply": "0",
    "destination-unreachable": "3",
    "redirect": "5",
    "echo-request": "8",
    "time-exceeded": "11",
    "parameter-problem": "12",
}
_ICMP6 = {
    "destination-unreachable": "1",
    "packet-too-big": "2",
    "time-exceeded": "3",
    "parameter-problem": "4",
    "echo-request": "128",
    "echo-reply": "129",
    "router-solicitation": "133",
    "router-advertisement": "134",
    "neighbor-solicitation": "135",
    "neighbour-solicitation": "135",
    "neighbor-advertisement": "136",
    "neighbour-advertisement": "136",
    "redirect": "137",
}
_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "ipv6-icmp", "icmpv6": "ipv6-icmp", "112": "vrrp", "0": "all"}
_UNITS = {"sec": "sec", "second": "sec", "min": "min", "minute": "min", "hour": "hour", "day": "day"}
_LONG = {
    "--protocol": "-p",
    "--proto": "-p",
    "--source": "-s",
    "--src": "-s",
    "--destination": "-d",
    "--dst": "-d",
    "--in-interface": "-i",
    "--out-interface": "-o",
    "--jump": "-j",
    "--goto": "-g",
    "--destination-port": "--dport",
    "--source-port": "--sport",
    "--match": "-m",
}
# What iptables-save says although nobody wrote it, as (option, value).
_DEFAULTS = frozenset(
    {
        ("--reject-with", "icmp-port-unreachable"),
        ("--reject-with", "icmp6-port-unreachable"),
        ("--name", "DEFAULT"),
        ("--mask", "255.255.255.255"),
        ("--mask", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("--rsource", ""),
        ("--limit-burst", "5"),
        ("-p", "all"),
    }
)


@lru_cache(maxsize=65536)
def canonical(rule: str) -> Canonical:
    """
    Return what a rule (without `-A chain`) asks for, free of order, abbreviations and defaults.

    Raises ValueError where its quotes do not close.
    """
    words = shlex.split(rule) if '"' in rule or "'" in rule or "\\" in rule else rule.split()
    parts = [part for part in _options(words) if part[1] != "-m" and part[1:] not in _DEFAULTS]
    return tuple(sorted(parts))


def _options(words: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield ("!" or "", option, value) for each option of a rule."""
    position, inverted = 0, ""
    while position < len(words):
        word = words[position]
        position += 1
        if word == "!":
            inverted = "!"
            continue
        option = _LONG.get(word, word)
        values: list[str] = []
        while position < len(words) and (not words[position].startswith("-") or option.endswith("-prefix")):
            if words[position] == "!" or (values and option.endswith(("-prefix", "--comment"))):
                break
            values.append(words[position])
            position += 1
        yield inverted, option, _value(option, " ".join(values))
        inverted = ""


def _value(option: str, value: str) -> str:
    if option in ("-s", "-d"):
        return str(ip_network(value, strict=False)) if value[:1].isalnum() or value[:1] == ":" else value
    if option == "-p":
        return _PROTOCOLS.get(value.lower(), value.lower())
    if option == "--icmp-type":
        return _ICMP.get(value, value)
    if option == "--icmpv6-type":
        return _ICMP6.get(value, value)
    if option == "--limit":
        amount, _, unit = value.partition("/")
        return f"{amount}/{_UNITS.get(unit, unit)}"
    if option in ("--ctstate", "--state", "--dports", "--sports"):
        return ",".join(sorted(value.split(",")))
    return value
