"""The form in which two iptables rules are equal when they ask for the same, however they are written."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_network
from itertools import pairwise

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
        ("--limit-burst", "5"),
        ("-p", "all"),
    }
)


# Options whose spellings are known here; of a rule with any other only its target is compared.
_KNOWN = frozenset(
    [
        "-s",
        "-d",
        "-p",
        "-i",
        "-o",
        "-j",
        "-g",
        "--dport",
        "--sport",
        "--dports",
        "--sports",
        "--ctstate",
        "--state",
        "--icmp-type",
        "--icmpv6-type",
        "--dst-type",
        "--src-type",
        "--limit",
        "--limit-burst",
        "--log-prefix",
        "--log-level",
        "--hl-eq",
        "--rt-type",
        "--reject-with",
        "--comment",
    ]
)


@lru_cache(maxsize=65536)
def canonical(rule: str) -> Canonical:
    """
    Return what a rule (without `-A chain`) asks for, free of order, abbreviations and defaults.

    A rule whose conditions can be spelled in ways not known here is reduced to its target. Raises ValueError where its
    quotes do not close.
    """
    words = shlex.split(rule) if any(mark in rule for mark in "\"'\\") else rule.split()
    try:
        parts = [part for part in _options(words) if part[1] != "-m"]
    except _OtherSpellingError:
        parts = [("", "other", "")]
    if any(part[1] not in _KNOWN for part in parts if part[1:] not in _DEFAULTS):
        target = [word for flag, word in pairwise(words) if flag in ("-j", "-g", "--jump", "--goto")]
        return (("", "-j", *target, "and conditions"),)
    return tuple(sorted(part for part in parts if part[1:] not in _DEFAULTS))


class _OtherSpellingError(Exception):
    """A value that iptables-save would write in another way than the file does."""


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
        return _network(value)
    if option == "-p":
        return _PROTOCOLS.get(value.lower(), value.lower())
    if option == "--icmp-type":
        return _number(_ICMP.get(value, value))
    if option == "--icmpv6-type":
        return _number(_ICMP6.get(value, value))
    if option in ("--dport", "--sport"):
        return _number(value)
    if option == "--limit":
        amount, _, unit = value.partition("/")
        return f"{amount}/{_UNITS.get(unit, unit)}"
    if option in ("--ctstate", "--state", "--dports", "--sports"):
        return ",".join(sorted(value.split(",")))
    return value


def _number(value: str) -> str:
    if not value.replace(":", "").isdigit():
        raise _OtherSpellingError(value)
    return value


def _network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise _OtherSpellingError(value) from None
