"""Write the documents that are generated from the code and the reference site, or say which are stale."""

from __future__ import annotations

from typing import Annotated

import typer

from flows._render.summary import Line
from flows._run import cli
from flows._run.options import Options
from flows._run.screen import Screen
from flows._site.documents.texts import documents
from model.checkout import ROOT
from model.report.outcome import DRIFTED, GOOD
from model.site.load import load_site

HELP = """Write the generated documents anew: the port matrix, the firewall request, sizing, lint rules, the \
checklist, JSON Schemas.

They are made from the reference site in `inventory` and from the code. --check writes nothing and exits 2 when one is
stale.

Example: python -m flows.docs --check
"""

Check = Annotated[bool, typer.Option("--check", help="Only say which documents are stale; exit 2 if any is.")]


def main(check: Check = False) -> int:
    screen = Screen(Options())
    generated = documents(load_site(ROOT / "inventory"), ROOT / "docs")
    stale = [path for path, text in generated.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(generated[path], "utf-8")
        screen.lines([Line(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")])
    if check and stale:
        screen.error(
            f"{len(stale)} of {len(generated)} documents are stale", "run `python -m flows.docs` and commit them"
        )
        return DRIFTED
    if not stale:
        screen.lines([Line(f"{len(generated)} documents are up to date")])
    return GOOD


main.__doc__ = f"\b\n{HELP}"

if __name__ == "__main__":
    cli.run(main, "flows.docs")
