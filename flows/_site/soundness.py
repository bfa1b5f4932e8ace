"""A site that others are asked to act on has no error that lint can find."""

from __future__ import annotations

from pathlib import Path

from flows._render.words import counted
from model.check import lint
from model.check.finding import Severity
from model.errors import SiteError
from model.site.load import load_site
from model.site.site import Site


def sound(directory: Path) -> Site:
    """Return the site in a folder. Raises `SiteError` with every error that lint finds in its files."""
    site = load_site(directory)
    errors = [finding for finding in lint.findings(site) if finding.severity is Severity.ERROR]
    if errors:
        shown = "\n".join(f"  {lint.as_line(finding)}" for finding in errors)
        step = "correct each error that is named with its file and field; `python -m flows.lint` checks again"
        raise SiteError(f"lint finds {counted(len(errors), 'error')} in the site's files:\n{shown}", step)
    return site
