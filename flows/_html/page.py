"""Stub until the page is drawn."""

from collections.abc import Mapping


def render(document: Mapping[str, object]) -> str:
    """Return the page."""
    return f"<!doctype html><title>{document['flow']}</title>\n"
