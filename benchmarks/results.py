"""The figures of results.json, also those that this run did not measure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_OF_A_RUN = ("machine", "commit", "date")


def merged(kept: Mapping[str, Any], run: Mapping[str, str], figures: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Return the results of a run (`machine`, `commit`, `date`) with those that were kept of figures it did not measure.

    A kept figure says by itself of which run it is, wherever that is another than the file's.
    """
    new = {figure["name"]: dict(figure) for figure in figures}
    run_of_kept = {key: kept[key] for key in _OF_A_RUN if key in kept}
    old = {figure["name"]: run_of_kept | figure for figure in kept.get("figures", ())}
    old = {name: {key: value for key, value in old[name].items() if value != run.get(key)} for name in old}
    return {**run, "figures": list((old | new).values())}
