"""What a person wrote wrong, where, and what should stand there instead."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from model import base
from model.document.scalars import OlderWord
from model.errors import FieldError
from model.site import answers, installation, rows, schedule, settings

M = TypeVar("M")

SHOWN = 120
_OLDER_KINDS = {"bool_type": bool, "int_type": int}
_SECRET = re.compile(r"pass|secret|token|private_key")
_SERVER = "such as 10.0.1.11, 10.0.1.11,fd00::11 or cp-1=10.0.1.11"
_PATTERNS = {
    answers.SERVER: _SERVER,
    base.NAME: "lower-case letters, digits and hyphens, such as db-1",
    base.ROLE: "lower-case letters, digits and underscores, such as control_plane",
    base.DESTINATION: "a name or an address, such as db-1.example.org or 10.20.1.31",
    base.USER_NAME: "an account's name, such as deploy: letters, digits, `_`, `.`, `@`, `+` and hyphens",
    base.DOMAIN: "a domain in lower case, such as example.org",
    rows.ROW_NAME: "lower-case letters, digits and hyphens, such as kubelet-li",
    rows.PORTS: "a port such as 443, or a range such as 30000-32767",
    settings.VERSION: 'a version in quotes, such as "1.36" or "1.36.4"',
    settings.EMAIL: "an e-mail address",
    f"{installation.URL}|{installation.URL_V6}": "a URL such as https://mirror.example.org/debian",
    installation.SUITE: "a suite such as {codename}, or a path that ends in /",
    installation.PACKAGE: "the name of a Debian package, such as containerd.io",
    installation.RUNTIME_VERSION: 'a version from 2 on, in quotes, such as "2" or "2.2"',
    installation.REPOSITORY: "a folder of a registry in small letters, such as matrix or organisation/matrix",
    installation.USER: "a user's name without spaces and colons",
    installation.REGISTRY: "a registry as references begin with it, such as registry.k8s.io",
    schedule.CALENDAR: 'a calendar event of systemd, such as "*-*-* 05:00"; `systemd-analyze calendar` explains one',
    schedule.USER: "an account's name in lower case, such as matrix-fleet",
    schedule.MAIL: "one e-mail address",
    schedule.HOMESERVER: "the URL of a homeserver, such as https://matrix.example.org",
    schedule.ROOM: "a room's id, such as !abc:example.org, and not its alias",
    schedule.PROGRAM: "the whole path of a program",
    installation.REFERENCE: "registry, name and tag or digest, such as registry.k8s.io/pause:3.10.2",
}
_FIXES = {
    "missing": "write a value for it",
    "server_address": _SERVER,
    "destination_number": "four numbers without leading zeros, such as 10.20.1.31, or a name",
    "reserved_name": "another name, such as one with a number: db-1",
    "int_type": "a whole number such as 443, without quotes, colons and letters",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false, without quotes",
    "string_type": "a text; put it in quotes",
    "tuple_type": "a list, such as [a, b]",
    "dict_type": "a mapping: lines of `name: value`",
    "model_type": "a mapping: lines of `name: value`",
    "too_short": "at least one",
    "string_too_short": "a text",
    "date_from_datetime_parsing": "a day such as 2030-12-31",
    "date_type": "a day such as 2030-12-31",
    "date_parsing": "a day such as 2030-12-31",
}
_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is no field of this place",
    "too_short": "is empty",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "has the wrong form",
    "int_type": "is no whole number",
    "int_parsing": "is no whole number",
    "bool_type": "is neither true nor false",
    "string_type": "is no text",
    "tuple_type": "is no list",
    "dict_type": "is no mapping",
    "model_type": "is no mapping",
    "literal_error": "is none of the words known here",
}


def validated(adapter: TypeAdapter[M], value: Any) -> M:
    """
    Return what a document says, strictly, in the text forms of addresses and dates that JSON has and no others.

    A word that only YAML 1.1 takes for a number or a truth value is one where the field can be nothing else: `yes` for
    `true` in a site that was written before. Raises `ValidationError`.
    """
    try:
        return adapter.validate_json(json.dumps(value))
    except ValidationError as failure:
        if not _read_as_before(value, failure):
            raise
    return adapter.validate_json(json.dumps(value))


def _read_as_before(value: Any, failure: ValidationError) -> bool:
    """Put what YAML 1.1 meant in the place of its words; return whether there was any."""
    replaced = False
    for error in failure.errors(include_url=False):
        kind = _OLDER_KINDS.get(error["type"])
        place = tuple(_real(value, error["loc"], str(error["type"]))) if kind else ()
        container = value
        for part in place[:-1]:
            container = container[part]
        word = container[place[-1]] if place else None
        if isinstance(word, OlderWord) and type(word.meant) is kind:
            container[place[-1]] = word.meant
            replaced = True
    return replaced


def wrong_fields(file: str, adapter: TypeAdapter[Any], value: object, failure: ValidationError) -> list[FieldError]:
    """
    Return one error a place, in the order of the file. Members of a union and what follows from another error are
    folded.
    """
    errors: dict[str, FieldError] = {}
    for error in failure.errors(include_url=False):
        if error["type"] == "too_short" and error["input"]:
            continue
        place = tuple(_real(value, error["loc"], str(error["type"])))
        path = _dotted(value, place)
        errors.setdefault(path, _wrong_field(file, path, place, adapter, dict(error)))
    return list(errors.values())


def _wrong_field(
    file: str, path: str, place: tuple[Any, ...], adapter: TypeAdapter[Any], error: Mapping[str, Any]
) -> FieldError:
    kind, given = str(error["type"]), error["input"]
    field = str(place[-1]) if place else ""
    shown = "" if kind == "missing" or isinstance(given, Mapping) else repr(given)[:SHOWN]
    if _SECRET.search(field):
        shown = "(not shown)" if shown else ""
    message = _MESSAGES.get(kind) or str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if kind == "extra_forbidden":
        return FieldError(file, path, shown, message, _known(field, adapter))
    member = str(error["loc"][-1]) if error["loc"] else ""
    if "IPv4Network" in member or "IPv6Network" in member:
        return FieldError(file, path, shown, "is no network", _network(given))
    if "IPv4Address" in member or "IPv6Address" in member:
        return FieldError(file, path, shown, "is no IP address", "such as 10.20.1.11 or fd20:1::11, no prefix length")
    if member.startswith("constrained-"):
        return FieldError(file, path, shown, "is no port within 1-65535", _PATTERNS[rows.PORTS])
    if kind == "string_pattern_mismatch" and error["ctx"]["pattern"] == base.NAME and _is_address(given):
        return FieldError(file, path, shown, "is an address", "host names, not addresses, such as w-1")
    return FieldError(file, path, shown, message, _fix(kind, error))


def _is_address(given: object) -> bool:
    try:
        ip_address(str(given))
    except ValueError:
        return False
    return True


def _fix(kind: str, error: Mapping[str, Any]) -> str:
    context = error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(str(context["pattern"]), f"what matches {context['pattern']}")
    if kind == "literal_error":
        return f"one of {context['expected']}".replace(" or ", ", ")
    limits = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}
    if kind in limits:
        word, text = limits[kind]
        return f"{text} {context[word]}"
    return _FIXES.get(kind, "see `python -m flows.site schema`")


def _known(field: str, adapter: TypeAdapter[Any]) -> str:
    """Suggest the field that was probably meant."""
    if _SECRET.search(field):
        return "secrets have no place in the site's files; they are asked for, or come from the environment"
    schema = adapter.json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    names = {name for part in parts for name in part.get("properties", {})}
    near = get_close_matches(field, sorted(names), 1)
    return f"did you mean `{near[0]}`?" if near else "remove it, or see `python -m flows.site schema`"


def _network(given: object) -> str:
    try:
        return f"the network itself: {ip_network(str(given), strict=False)}"
    except ValueError:
        return "such as 10.20.1.0/24 or fd20:1::/64"


def _real(value: Any, location: tuple[Any, ...], kind: str) -> Iterator[Any]:
    """Keep the parts of a location that lead somewhere in the file: pydantic also names the members of unions."""
    for number, part in enumerate(location):
        if _leads(value, part):
            value = value[part]
            yield part
        elif kind == "missing" and number == len(location) - 1:
            yield part


def _leads(value: Any, part: Any) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, Mapping) and part in value


def _dotted(value: Any, place: tuple[Any, ...]) -> str:
    """Join a location with dots; an item of a list that has a name is shown with it."""
    words = []
    for part in place:
        value = value[part] if _leads(value, part) else None
        name = value.get("name") if isinstance(part, int) and isinstance(value, Mapping) else None
        words.append(f"{part} ({name})" if isinstance(name, str) else str(part))
    return ".".join(words) or "(file)"
