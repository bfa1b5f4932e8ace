"""The lab's site, and what one feature alone may be instead."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from lab.emission import site_files
from lab.instance import Instance
from lab.plan import fresh
from model.site.load import load_site
from model.site.settings import Features
from model.site.site import Site


@cache
def lab_site() -> Site:
    """Return the site that a lab of the profile `matrix` is, which carries the whole application."""
    with TemporaryDirectory() as name:
        for file, text in site_files(Instance("u"), fresh("matrix", True, "bookworm")).items():
            (Path(name) / file).write_text(text, "utf-8")
        return load_site(Path(name))


def switches(features: Features) -> Mapping[str, Mapping[str, object]]:
    """Return every other value that one feature alone may have, by what that is called."""
    found: dict[str, Mapping[str, object]] = {}
    for name, field in Features.model_fields.items():
        value = getattr(features, name)
        others = (not value,) if field.annotation is bool else set(get_args(field.annotation)) - {value}
        assert others, f"{name}: nobody knows what else it may be"
        for other in sorted(others):
            word = other if isinstance(other, str) else ("off", "on")[other]
            found[f"{name} {word}"] = {name: other}
    return found
