"""Make a site, show it, and write what others must do for it."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from flows._render.summary import Line
from flows._render.words import counted
from flows._run import cli
from flows._run import options as flags
from flows._run.screen import Screen
from flows._run.shared import shared_flags
from flows._site import request as _request
from flows._site import summary, writing
from flows._site.checking import checked
from flows._site.dialogue import ask
from flows._site.documents import texts
from flows._site.soundness import sound
from model.check import lint
from model.check.finding import Finding, Severity
from model.errors import SiteError
from model.report.outcome import GOOD
from model.site.load import FILES, adapters, load_site

HELP = """\b
Make a site, look at it, and write what others must do for it.

\b
Example: python -m flows.site init --output site
         python -m flows.site show --inventory site
"""
app = cli.application(HELP)

Answers = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Answers as YAML or JSON instead of questions; `site schema answers`."),
]
Output = Annotated[Path, typer.Option(metavar="DIR", help="A folder for the new site; nothing in it is overwritten.")]
Into = Annotated[Path | None, typer.Option(metavar="DIR", help="A folder for the request as Markdown and CSV.")]
Which = Annotated[str | None, typer.Argument(metavar="FILE", help="site, hosts, groups, defaults, ports or answers.")]


@app.command()
def init(answers: Answers = None, output: Output = Path("site")) -> int:
    """Ask for everything a site needs and write its five files, ready to lint.

    Servers come first; `back` goes to the question before, and nothing is written before you have seen everything.
    Without a terminal, --answers FILE gives the same answers. Files that exist are never overwritten.

    A short answers file; what it leaves out has a default, `python -m flows.site schema answers` says which:

    \b
      domain: example.org
      main_network: [10.0.1.0/24]
      management: [10.0.9.0/24]
      ingress_addresses: [203.0.113.10]
      dns: [10.0.1.2]
      ntp: [10.0.1.2]
      api_address: 10.0.1.10
      certificates: internal-ca
      li: false
      turn: false
      livekit: false
      monitoring: false
      servers:
        control_plane: [10.0.1.11, 10.0.1.12, 10.0.1.13]
        worker: [10.0.1.21, 10.0.1.22, 10.0.1.23]
        database: [10.0.1.31, 10.0.1.32, 10.0.1.33]
        storage: [10.0.1.41, 10.0.1.42, 10.0.1.43, 10.0.1.44]

    Example: python -m flows.site init --answers answers.yaml --output site
    """
    taken = [name for name in FILES if (output / name).exists()]
    if taken:
        raise SiteError(f"{output} has {', '.join(taken)} already; name another folder with --output")
    if answers is None and not sys.stdin.isatty():
        raise SiteError(
            "no terminal to ask on; pass --answers FILE (`python -m flows.site schema answers` says what is in it)"
        )
    if answers is None:
        given = ask(writing.foreseen, str(output))
    else:
        given = checked(writing.read(answers), answers.name, answers.parent)
    writing.write(output, writing.texts(given))
    screen = Screen(flags.Options())
    _, findings = lint.examine(output)
    screen.lines([Line(f"{finding.severity}: {lint.as_line(finding)}", indent=2) for finding in findings])
    screen.lines([Line(f"{output} is written{_counts(findings)}; next: python -m flows.lint --inventory {output}")])
    return lint.exit_code(findings)


def _counts(findings: Sequence[Finding]) -> str:
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    warnings = sum(finding.severity is Severity.WARNING for finding in findings)
    parts = [counted(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
    if not parts:
        return ", and lint finds nothing wrong in it"
    return f", and lint finds {' and '.join(parts)} in it{': correct what is named above' if errors else ''}"


@app.command()
@shared_flags("inventory", "json")
def show(*, options: flags.Options) -> int:
    """Show hosts with roles and addresses, what is on, and how many rules each host gets.

    Example: python -m flows.site show
    """
    site, json = load_site(options.inventory), options.json
    facts = summary.facts(site)
    if json is not None:
        text = jsonlib.dumps(facts, indent=1) + "\n"
        Screen(options).text(text) if json == "-" else Path(json).write_text(text, "utf-8")
    if json != "-":
        Screen(flags.Options()).lines(summary.lines(site, facts))
    return GOOD


@app.command()
def schema(file: Which = None) -> int:
    """Print the JSON Schema of one of the site's files, for editors; of all without a name.

    Example: python -m flows.site schema hosts
    """
    known = {name.removesuffix(".yaml"): name for name in (*adapters(), "answers.yaml")}
    if file is None:
        schemas = {name: jsonlib.loads(texts.schema(name)) for name in known.values()}
        Screen(flags.Options()).text(jsonlib.dumps(schemas, indent=1) + "\n")
        return GOOD
    name = known.get(file.removesuffix(".yaml"))
    if name is None:
        raise SiteError(f"no file {file} in a site; there are {', '.join(known)}")
    Screen(flags.Options()).text(texts.schema(name))
    return GOOD


@app.command()
@shared_flags("inventory")
def request(*, options: flags.Options, output: Into = None) -> int:
    """Write the request to the organisation's firewall team: only what crosses the perimeter or from one network into
    another. Errors that lint finds in the site's files stop it with exit code 1, as they stop every other flow.

    Example: python -m flows.site request --inventory site --output site
    """
    site = sound(options.inventory)
    if output is None:
        Screen(options).text(_request.as_markdown(site))
        return GOOD
    texts = {"firewall-request.md": _request.as_markdown(site), "firewall-request.csv": _request.as_csv(site)}
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (output / name).write_text(text, "utf-8")
    except OSError as error:
        raise SiteError(f"{output} cannot be written: {error.strerror}") from error
    Screen(flags.Options()).lines([Line(f"written: {output / name}") for name in texts])
    return GOOD


if __name__ == "__main__":
    cli.run(app, "flows.site")
