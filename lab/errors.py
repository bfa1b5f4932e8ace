"""What goes wrong in the lab, with the next step in its text."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot do what was asked; the text says what, where and what next."""
