"""Who may become root by sudo, and by which rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from model.host.host_facts import Users
from model.host.scheduled import SUDOERS, is_own_rule

MAIN = "/etc/sudoers"
_FOLDER = "/etc/sudoers.d"
_ALIAS = re.compile(r"^(User|Runas|Host|Cmnd|Cmd)_Alias\s+(.*)$")
_INCLUDE = re.compile(r"^[@#](include|includedir)\s+(\S+)$")


@dataclass(frozen=True, slots=True)
class Grant:
    """One rule: `who` is sudo's own word (a user, %group, #uid, ALL), `line` the rule, `path` the file."""

    who: str
    line: str
    path: str


def grants(texts: Mapping[str, str]) -> tuple[Grant, ...]:
    """
    Return every rule of the files that sudo reads. A line that is not understood, or leads to a file not looked at, is
    a rule for `?`.
    """
    aliases: dict[str, list[str]] = {}
    rules: list[Grant] = []
    for path, line in _lines(texts):
        alias, include = _ALIAS.match(line), _INCLUDE.match(line)
        if alias:
            if alias[1] == "User":
                aliases |= _aliases(alias[2])
        elif include:
            if include[2].rstrip("/") != _FOLDER:
                rules.append(Grant("?", line, path))
        elif not line.startswith("Defaults"):
            rules += [Grant(who, line, path) for who in _whom(line)]
    return tuple(
        Grant(who, grant.line, grant.path) for grant in rules for who in _resolved(grant.who, aliases, frozenset())
    )


def _lines(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    main = texts.get(MAIN, "")
    included = any(
        (include := _INCLUDE.match(line.strip())) and include[2].rstrip("/") == _FOLDER for line in main.splitlines()
    )
    for path in (MAIN, *(sorted(path for path in texts if path != MAIN) if included else ())):
        for line in texts.get(path, "").replace("\\\n", " ").splitlines():
            # A number sign begins a comment, unless a user's number or one of sudo's older words follows.
            plain = re.sub(r"(^|\s)#(?!\d|include(dir)?\s).*$", "", line).strip()
            if plain:
                yield path, plain


def _aliases(text: str) -> dict[str, list[str]]:
    pairs = (part.partition("=") for part in text.split(":"))
    return {name.strip(): [word.strip() for word in members.split(",")] for name, _, members in pairs}


def _whom(line: str) -> list[str]:
    left = re.sub(r"\s*,\s*", ",", line.partition("=")[0].strip()).split()
    if "=" not in line or len(left) != 2:
        return ["?"]
    return left[0].split(",")


def _resolved(who: str, aliases: Mapping[str, list[str]], seen: frozenset[str]) -> Iterator[str]:
    if who.startswith("!"):
        return
    if who in aliases and who not in seen:
        for member in aliases[who]:
            yield from _resolved(member, aliases, seen | {who})
    else:
        yield who


def powerful(users: Users, scheduled: str | None = None) -> dict[str, str]:
    """
    Return everybody but root who may run something as root, with the reason; a rule for nobody known keeps sudo's own
    word.

    Rules by which the `scheduled` account starts the programs of `model.host.scheduled`, and nothing else, count for
    nothing.
    """
    reasons: dict[str, str] = {}
    for account in users.accounts:
        if account.uid == 0 and account.name != "root":
            reasons[account.name] = "has root's number 0"
    for grant in grants(users.sudoers):
        if scheduled and grant.path == SUDOERS and is_own_rule(scheduled, grant.line):
            continue
        for name in _people(grant.who, users):
            reasons.setdefault(name, f"{grant.path}: {grant.line}")
    reasons.pop("root", None)
    return reasons


def _people(who: str, users: Users) -> Iterable[str]:
    if who.startswith("%"):
        group = who[1:]
        number = int(group[1:]) if group[:1] == "#" and group[1:].isdigit() else users.groups.get(group, (-1, ()))[0]
        members = {name for gid, names in users.groups.values() if gid == number for name in names}
        return sorted(members | {account.name for account in users.accounts if account.gid == number})
    if who.startswith("#") and who[1:].isdigit():
        return [account.name for account in users.accounts if account.uid == int(who[1:])] or [who]
    return [who]
