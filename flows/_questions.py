"""How is a person asked for what a site needs?"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from model.answers import PREFIXES, Answers
from model.errors import SchemaErrors
from model.mistakes import wrong_fields

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
_ROLE_IF = {"call": ("turn", "livekit"), "li": ("li",), "monitoring": ("monitoring",)}


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
    Return answers that fit together. Raises `SchemaErrors` that name `source` and the fields.
    """
    adapter = TypeAdapter(Answers)
    try:
        return adapter.validate_json(json.dumps(given, default=str))
    except ValidationError as failure:
        raise SchemaErrors(wrong_fields(source, adapter, given, failure)) from failure


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
    words = f"{field.description} [{'/'.join(kind['enum'])}]" if "enum" in kind else field.description
    while True:
        text = typer.prompt(f"{words}", default=default, err=True, show_default=bool(default))
        value = _value(text, kind)
        try:
            adapter.validate_json(json.dumps(value))
        except ValidationError as failure:
            for error in wrong_fields("", adapter, value, failure):
                typer.echo(f"  {error.message}; {error.fix}", err=True)
            continue
        return value


def _servers(given: dict[str, Any]) -> dict[str, list[str]]:
    typer.echo("Servers by role: addresses such as 10.0.1.11 or 10.0.1.11,fd00::11 or cp-1=10.0.1.11.", err=True)
    typer.echo("A server may stand under several roles.", err=True)
    field = Answers.model_fields["servers"]
    adapter = _adapter(field)
    found: dict[str, list[str]] = {}
    for role in PREFIXES:
        if not any(given.get(feature, True) for feature in _ROLE_IF.get(role, (role,))):
            continue
        while role not in found:
            value = str(typer.prompt(f"{role} servers", err=True)).split()
            try:
                adapter.validate_json(json.dumps({role: value}))
            except ValidationError:
                typer.echo("  these are no addresses", err=True)
                continue
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
