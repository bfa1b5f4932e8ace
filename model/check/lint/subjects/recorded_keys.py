"""Rules of the recorded keys: every line of known_hosts says something."""

from __future__ import annotations

from collections.abc import Iterator

from model.check.check import Check
from model.check.finding import Finding, Severity
from model.check.lint.flaw import LintView, flaw
from model.site.known_hosts import FILE, read


def lines(view: LintView) -> Iterator[Finding]:
    """Find lines of known_hosts that are passed over."""
    try:
        text = (view.site.folder / FILE).read_text("utf-8", errors="replace")
    except OSError:
        # Whoever connects says what is wrong with the file itself.
        return
    _, unused = read(text)
    for line in unused:
        yield flaw(FILE, f"line {line.line}", value="", message=f"is passed over: {line.why}", fix=line.fix)


CHECKS = (
    Check(
        id="known-hosts-line",
        severity=Severity.WARNING,
        why="A host whose line cannot be read is a host whose key nobody recorded.",
        judge=lines,
    ),
)
