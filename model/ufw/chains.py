"""The form in which two iptables rules are equal when they ask for the same, however they are written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_network
from itertools import pairwise
from typing import Literal

from model.ufw.option_words import DEFAULTS, ICMP, ICMP6, KNOWN, LEVELS, LONG, PROTOCOLS, TEXTS, UNITS
from model.ufw.tokens import tokens

Canonical = tuple[tuple[str, ...], ...]


@lru_cache(maxsize=65536)
def canonical(rule: str) -> Canonical:
    """
    Return what a rule (without `-A chain`) asks for, free of order, abbreviations and defaults.

    A rule whose conditions can be spelled in ways not known here is reduced to its target.
    """
    parts = _parts(rule)
    return reduced(rule) if isinstance(parts, str) else parts


@lru_cache(maxsize=65536)
def reduced(rule: str) -> Canonical:
    """Return a rule's target, and that it has conditions."""
    target = [word for flag, word in pairwise(tokens(rule)) if flag in ("-j", "-g", "--jump", "--goto")]
    return (("", "-j", *target, "and conditions"),)


def is_known(rule: str) -> bool:
    """Return whether every spelling in a rule is known here."""
    return not isinstance(_parts(rule), str)


def same_rule(one: str, other: str, *, exact: bool) -> bool:
    """
    Return whether two rules ask for the same. `exact`: both are as the kernel's own tools write them, so that what is
    not known here has one spelling; else it is compared by target alone.
    """
    if one == other:
        return True
    parts = (_parts(one), _parts(other))
    if not any(isinstance(part, str) for part in parts):
        return parts[0] == parts[1]
    # A value may be written in a way that is known; an option that is not known stays one.
    alike = parts[0] == parts[1] or "value" in parts
    return alike and not exact and reduced(one) == reduced(other)


@lru_cache(maxsize=65536)
def _parts(rule: str) -> Canonical | Literal["value", "option"]:
    """Return a rule's conditions and target, or what of it is not known here."""
    try:
        parts = [part for part in _options(list(tokens(rule))) if part[1] != "-m"]
    except _OtherSpellingError:
        return "value"
    # What is said by default is not said, and what is not the default is another rule.
    kept = [part for part in parts if part[0] or part[1:] not in DEFAULTS]
    return tuple(sorted(kept)) if all(part[1] in KNOWN for part in kept) else "option"


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
        option = LONG.get(word, word)
        values: list[str] = []
        while position < len(words) and (not words[position].startswith("-") or option in TEXTS):
            if words[position] == "!" or (values and option in TEXTS):
                break
            values.append(words[position])
            position += 1
        yield inverted, option, _value(option, " ".join(values))
        inverted = ""


def _value(option: str, value: str) -> str:
    if option in ("-s", "-d"):
        return _network(value)
    if option == "-p":
        return PROTOCOLS.get(value.lower(), value.lower())
    if option == "--icmp-type":
        return _number(ICMP.get(value, value))
    if option == "--icmpv6-type":
        return _number(ICMP6.get(value, value))
    if option in ("--dport", "--sport"):
        low, colon, high = value.partition(":")
        return _number(f"{low or 0}:{high or 65535}" if colon else value)
    if option == "--limit":
        return _rate(value)
    if option == "--log-level":
        return _level(value.lower())
    if option in ("--ctstate", "--state", "--dports", "--sports"):
        return ",".join(sorted(value.split(",")))
    return value


def _rate(value: str) -> str:
    amount, _, unit = value.partition("/")
    # iptables takes any beginning of a unit's name, and "seconds" as well.
    names = [name for name in UNITS if unit and (name.startswith(unit) or unit.startswith(name))]
    if len(names) != 1:
        raise _OtherSpellingError(value)
    return f"{amount}/{names[0]}"


def _level(value: str) -> str:
    numbers = [str(number) for number, name in enumerate(LEVELS) if value and name.startswith(value)]
    return numbers[0] if numbers else _number(value)


def _number(value: str) -> str:
    if not value.replace(":", "").isdigit():
        raise _OtherSpellingError(value)
    return value


def _network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise _OtherSpellingError(value) from None
