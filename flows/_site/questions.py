"""How is a person asked for what a site needs?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from model.errors import FieldError, SchemaErrors
from model.site.answers import Answers, lacking
from model.site.mistakes import wrong_fields
from model.site.roles import WANTED_BY, known

# Asked only where the answer before makes sense of it.
_ONLY_IF = {
    "turn_addresses": ("turn", True),
    "livekit_addresses": ("livekit", True),
    "api_address": ("api_provider", "keepalived"),
    "email": ("certificates", "letsencrypt"),
    "certificate": ("certificates", "organisation"),
    "private_key": ("certificates", "organisation"),
    **{name: ("li", True) for name in Answers.model_fields if name.startswith("li_")},
}
# What an answer may look like, where it is an address or a network.
SUCH_AS = {
    "main_network": "10.0.1.0/24",
    "main_gateway": "10.0.1.1",
    "management": "10.0.9.0/24",
    "admins": "10.0.8.0/24",
    "ingress_addresses": "203.0.113.10",
    "ingress_servers": "w-1 w-2",
    "turn_addresses": "203.0.113.11",
    "livekit_addresses": "203.0.113.12",
    "dns": "10.0.1.2",
    "ntp": "10.0.1.2",
    "api_name": "api.example.org",
    "api_address": "10.0.1.10",
    "pod_network": "10.244.0.0/16",
    "service_network": "10.96.0.0/12",
    "li_network": "10.0.2.0/24",
    "li_gateway": "10.0.2.1",
    "li_dns": "10.0.2.2",
    "li_ingress": "10.0.2.11",
    "li_clients": "10.0.2.0/24",
}


def ask() -> Answers:
    """
    Ask on the terminal for everything, each answer checked before the next question; return the whole.

    Which servers there are is asked last, when it is known which roles are wanted.
    """
    given: dict[str, Any] = {}
    typer.echo("Several values are separated by spaces; Enter takes what stands in brackets.", err=True)
    for name, field in Answers.model_fields.items():
        if name != "servers" and _applies(name, given):
            given[name] = _answer(name, field)
    given["servers"] = _servers(given)
    return checked(given, "(answers)")


def checked(given: object, source: str) -> Answers:
    """
    Return answers that fit together. Raises `SchemaErrors` that name `source`, every wrong field and every one that is
    missing.
    """
    adapter = TypeAdapter(Answers)
    try:
        return adapter.validate_json(json.dumps(given, default=str))
    except ValidationError as failure:
        errors = _told(wrong_fields(source, adapter, given, failure), given, source)
        raise SchemaErrors(errors, "`python -m flows.site schema answers` says what each answer may be") from failure


def _told(errors: list[FieldError], given: object, source: str) -> list[FieldError]:
    """Add what other answers make necessary; of it the model itself speaks only when nothing else is wrong."""
    missing = lacking(given) if isinstance(given, Mapping) else {}
    known = {error.path for error in errors}
    parts = {name.partition(".")[0] for name in missing if "." in name}
    kept = [
        replace(error, fix=error.fix.replace("flows.site schema`", "flows.site schema answers`"))
        for error in errors
        if not (error.message.startswith("also needs ")) and not (error.path in parts and error.message == "is missing")
    ]
    return kept + [
        FieldError(source, name, "", "is missing", f"write a value for it{f', or {instead}' if instead else ''}")
        for name, instead in missing.items()
        if name not in known
    ]


def _applies(name: str, given: dict[str, Any]) -> bool:
    other, wanted = _ONLY_IF.get(name, ("", None))
    if not other:
        return True
    value = given.get(other, Answers.model_fields[other].default)
    return bool(value is wanted or (isinstance(value, str) and value.startswith(str(wanted))))


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    constrained: Any = Annotated[field.annotation, field]
    return TypeAdapter(constrained)


def _answer(name: str, field: FieldInfo) -> Any:
    """Ask one question until its answer is one."""
    adapter = _adapter(field)
    kind = adapter.json_schema()
    needed = name in ("li_network", "li_dns") or (name in _ONLY_IF and not name.startswith("li_"))
    default = None if field.is_required() or needed else _shown(field.default)
    words = f"{field.description}, such as {SUCH_AS[name]}" if name in SUCH_AS else f"{field.description}"
    words += f" [{'/'.join(kind['enum'])}]" if "enum" in kind else ""
    while True:
        text = str(typer.prompt(words, default=default or "", err=True, show_default=bool(default)))
        if not text.strip() and default is None:
            typer.echo("  is required", err=True)
            continue
        value = _value(text, kind)
        if kind.get("type") == "boolean" and not isinstance(value, bool):
            typer.echo(f"  {value!r} is neither yes nor no", err=True)
            continue
        if _fits(adapter, value):
            return value


def _fits(adapter: TypeAdapter[Any], value: object) -> bool:
    """Return whether a value is an answer; if not, say which part of it is wrong, and what should stand there."""
    try:
        adapter.validate_json(json.dumps(value))
    except ValidationError as failure:
        for error in wrong_fields("", adapter, value, failure):
            typer.echo(f"  {error.value or 'this'} {error.message}; {error.fix}", err=True)
        return False
    return True


def _servers(given: dict[str, Any]) -> dict[str, list[str]]:
    typer.echo("Servers by role: addresses such as 10.0.1.11 or 10.0.1.11,fd00::11 or cp-1=10.0.1.11.", err=True)
    typer.echo("A server may stand under several roles.", err=True)
    adapter = _adapter(Answers.model_fields["servers"])
    found: dict[str, list[str]] = {}
    for role, kind in known().items():
        if not any(given.get(feature, True) for feature in WANTED_BY.get(kind.purpose, (role,))):
            continue
        while role not in found:
            value = str(typer.prompt(f"{role} servers", default="", err=True, show_default=False)).split()
            if not value:
                typer.echo("  is required", err=True)
            elif _fits(adapter, {role: value}):
                found[role] = value
    return found


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, tuple):
        return " ".join(str(item) for item in default)
    return "" if default is None else str(default)


def _value(text: str, kind: dict[str, Any]) -> Any:
    """Turn what was typed into what the field's schema asks for; what does not fit stays text, and is refused."""
    text = str(text).strip()
    if kind.get("type") == "array":
        return text.replace(",", " ").split()
    if kind.get("type") == "boolean":
        return {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}.get(text.lower(), text)
    if kind.get("type") == "integer" and text.isascii() and text.isdigit():
        return int(text)
    return None if not text and "anyOf" in kind else text
