"""The report as one page that needs nothing else."""

from flows._render.html.page import render

__all__ = ["render"]
