"""The report as one page that needs nothing else."""

from flows._html.page import render

__all__ = ["render"]
