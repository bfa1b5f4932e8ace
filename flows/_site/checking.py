"""Answers, one alone or the whole: every wrong one, and every missing one, at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from model.document.places import located
from model.errors import FieldError, SchemaErrors
from model.site.answers import Answers, lacking
from model.site.mistakes import validated, wrong_fields


class WrongAnswerError(Exception):
    """What was typed is no answer; its text says what is expected."""


def fitting(adapter: TypeAdapter[Any], value: Any) -> Any:
    """Return a value that is an answer. Raises `WrongAnswerError` for each part that is wrong, and what is expected."""
    try:
        adapter.validate_json(json.dumps(value))
    except ValidationError as failure:
        errors = wrong_fields("", adapter, value, failure)
        lines = (f"{error.value or 'this'} {error.message}; {error.fix}" for error in errors)
        raise WrongAnswerError("\n  ".join(lines)) from failure
    return value


def checked(given: object, source: str, folder: Path | None = None) -> Answers:
    """
    Return answers that fit together; `source` is the name of their file in `folder`, if they come from one.

    Raises `SchemaErrors` that name it, every wrong field and every one that is missing.
    """
    adapter = TypeAdapter(Answers)
    try:
        return validated(adapter, given)
    except ValidationError as failure:
        errors = _completed(wrong_fields(source, adapter, given, failure), given, source)
        errors = located(errors, folder) if folder else errors
        raise SchemaErrors(errors, "`python -m flows.site schema answers` says what each answer may be") from failure


def _completed(errors: list[FieldError], given: object, source: str) -> list[FieldError]:
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
