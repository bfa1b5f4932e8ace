"""A report as one file that opens anywhere, with nothing from outside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from flows._render.html.data import embedded, page_data
from flows._render.summary import summary
from flows._render.verdict import headline
from flows._render.words import printable

_HERE = Path(__file__).parent
_STYLES = ("page.css", "matrix.css")
_SCRIPTS = ("base.js", "cells.js", "matrix.js", "pair.js", "lists.js", "components.js", "checklist.js", "page.js")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<noscript><pre>{summary}</pre></noscript>
<main id="page"></main>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def render(report: Mapping[str, Any]) -> str:
    """Return the page. Only the script and style written here may run; whatever hosts answered stays text."""
    style = _joined(_STYLES)
    script = f'"use strict";\n(() => {{\n{_joined(_SCRIPTS)}}})();\n'
    lines = (part for line in summary(report) for part in line.folded(None, printable))
    return _PAGE.format(
        title=escape(f"{report['flow']} on {report['site']}: {headline(report).lower()}"),
        style=style,
        script=script,
        policy=f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'",
        summary=escape("\n".join(lines)),
        data=embedded(page_data(report)),
    )


def _joined(names: tuple[str, ...]) -> str:
    return "".join((_HERE / name).read_text("utf-8") for name in names)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
