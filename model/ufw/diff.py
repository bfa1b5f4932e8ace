"""How two states of ufw differ, in words and lines that a person can read."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from model.ufw.chains import canonical, is_known
from model.ufw.kernel import BUILTIN, UfwKernel
from model.ufw.rule import parse
from model.ufw.state import CONF, DEFAULTS, USER, UfwState

_FAMILY = {4: "IPv4", 6: "IPv6"}
_CONTEXT = 0
_ORDER = {option: rank for rank, option in enumerate(("-s", "-d", "-i", "-o", "-p"))} | {"-j": 9, "--reject-with": 9}


def difference(host: str, now: UfwState, then: UfwState) -> str:
    """
    Return a unified diff from what is to what should be; empty where they are the same.

    Rules stand in words; chains of the kernel are shown where they do not hold what the host's own files say they hold.
    """
    parts: list[str] = []
    for version in (4, 6):
        path = USER[version]
        if now.files.get(path) == then.files.get(path):
            continue
        rules = [_words(state.files.get(path)) for state in (now, then)]
        parts += _unified(f"{host}:{path}", *rules)
        if rules[0] == rules[1]:
            parts += _unified(f"{host}:{path}", *(_lines(state.files.get(path)) for state in (now, then)))
    for path in (DEFAULTS, CONF):
        parts += _unified(f"{host}:{path}", *(_lines(state.files.get(path)) for state in (now, then)))
    flags = [[f"ufw.service {'enabled' if state.unit_enabled else 'disabled'}"] for state in (now, then)]
    parts += _unified(f"{host}:boot", *flags)
    for version in (4, 6):
        name = f"{host}:kernel {_FAMILY[version]}"
        parts += _unified(name, *(_kernel(own, other) for own, other in _both_ways(now, then, version)))
    return "\n".join(parts) + ("\n" if parts else "")


def _unified(name: str, now: Sequence[str], then: Sequence[str]) -> list[str]:
    return list(difflib.unified_diff(now, then, f"{name} (is)", f"{name} (should be)", lineterm="", n=_CONTEXT))


def _words(text: str | None) -> list[str]:
    if text is None:
        return []
    try:
        return [rule.words() for rule in parse(text)]
    except ValueError:
        return text.splitlines()


def _lines(text: str | None) -> list[str]:
    return [] if text is None else text.splitlines()


def _both_ways(
    now: UfwState, then: UfwState, version: int
) -> tuple[tuple[UfwKernel, UfwKernel], tuple[UfwKernel, UfwKernel]]:
    first, second = now.kernel[version], then.kernel[version]
    return (first, second), (second, first)


def _kernel(own: UfwKernel, other: UfwKernel) -> list[str]:
    """Return one side's policies, jumps and chains, only those that differ from the other side's."""
    if own.running != other.running:
        return ["ufw is running" if own.running else "ufw is not running"]
    lines = [
        f"policy {name} {own.policies.get(name, 'ACCEPT')}"
        for name in BUILTIN
        if own.policies.get(name, "ACCEPT") != other.policies.get(name, "ACCEPT")
    ]
    lines += [f"-A {name} {rule}" for name in own.moved(other) for rule in own.jumps.get(name, ())]
    exact = own.normal and other.normal
    for name in sorted(own.differing(other)):
        lines += [f"-A {name} {_plain(rule, exact=exact)}" for rule in own.chains[name]] or [f":{name}"]
    return lines


def _plain(rule: str, *, exact: bool) -> str:
    """Write a rule so that both spellings of it read the same, in the order iptables-save uses."""
    if exact and not is_known(rule):
        return rule
    parts = sorted(canonical(rule), key=lambda part: (_ORDER.get(part[1], len(_ORDER)), part))
    return " ".join(word for part in parts for word in part if word)
