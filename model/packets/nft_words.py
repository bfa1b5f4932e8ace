"""Rules of nftables in words that a person finds again in `nft -a list ruleset`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from model.packets.nft_ruleset import NftRule

_LONGEST = 160


def words(rule: NftRule) -> str:
    """Write a rule about as nft does; what is not known here stands as nft's JSON has it."""
    text = " ".join(part for statement in rule.statements for part in [_statement(statement)] if part)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _statement(statement: Mapping[str, Any]) -> str:
    ((kind, body),) = statement.items()
    if kind in ("counter", "comment"):
        return ""
    if kind == "match":
        operator = "" if body["op"] in ("==", "in") else f"{body['op']} "
        return f"{_expression(body['left'])} {operator}{_expression(body['right'])}"
    if kind == "vmap":
        return f"{_expression(body['key'])} vmap {_expression(body['data'])}"
    if kind in ("jump", "goto"):
        return f"{kind} {body['target']}"
    if kind in ("dnat", "redirect") and isinstance(body, dict):
        place = [_expression(body[key]) for key in ("addr", "port") if key in body]
        return f"{kind} to {':'.join(place) if 'addr' in body else f':{place[0]}'}" if place else kind
    return kind if body is None or isinstance(body, dict) else f"{kind} {body}"


def _expression(value: Any) -> str:
    if isinstance(value, list):
        return f"{{ {', '.join(map(_element, value))} }}"
    if not isinstance(value, dict):
        return str(value)
    ((kind, body),) = value.items()
    if kind == "payload" and "field" in body:
        return f"{body['protocol']} {body['field']}"
    if kind in ("meta", "ct"):
        return f"{kind} {body['key']}"
    if kind == "range":
        return f"{_expression(body[0])}-{_expression(body[1])}"
    if kind == "prefix":
        return f"{body['addr']}/{body['len']}"
    if kind == "set":
        return _expression(body if isinstance(body, list) else [body])
    if kind == "concat":
        return " . ".join(map(_expression, body))
    return json.dumps(value)


def _element(element: Any) -> str:
    if isinstance(element, list) and len(element) == 2 and isinstance(element[1], dict):
        return f"{_expression(element[0])} : {_statement(element[1])}"
    return _expression(element)
