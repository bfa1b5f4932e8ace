"""Texts from `templates/`, with every value they name given."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from model.checkout import TEMPLATES

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = TEMPLATES


def render(template: str, /, **values: object) -> str:
    """Return the text of `templates/<template>.j2`; a value that the template names and nobody gave is an error."""
    text = _environment().get_template(f"{template}.j2").render(values)
    return text.rstrip("\n") + "\n"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    files = FileSystemLoader(FOLDER)
    # What is rendered is configuration of servers, not HTML.
    escape = False
    return Environment(loader=files, undefined=StrictUndefined, autoescape=escape, trim_blocks=False)  # noqa: S701
