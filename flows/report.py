"""Show a run's report again, or say what differs between two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from checks.discovery import every
from flows._compliance.kept import history as history_of
from flows._render.difference import difference, folded
from flows._render.summary import Line
from flows._render.words import counted
from flows._run import folder
from flows._run.cli import application, run
from flows._run.options import Options
from flows._run.publish import renderings
from flows._run.screen import Screen
from flows._run.shared import shared_flags
from model.errors import FleetError, SiteError, did_you_mean
from model.report.outcome import DRIFTED, GOOD, REFUSED

app = application(
    """Read reports of earlier runs; nothing is connected to.

    \b
    Examples:
      python -m flows.report show latest-verify_ports
      python -m flows.report diff 20261123T220005Z-firewall latest-firewall
      python -m flows.report history firewall/rules
    """
)

Which = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="A run's name, `latest-FLOW`, a run's folder or a report.json; default: the newest."
    ),
]
Render = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Write report.json, report.xml and report.html anew into this folder."),
]


@app.command()
@shared_flags("inventory", "json", "verbose", "quiet", "no_color")
def show(
    which: Which = "",
    *,
    options: Options,
    render: Render = None,
) -> int:
    """Show a report; the exit code is 0, whatever the report's own was."""
    return _guarded(options, lambda screen: _show(options, which, render, screen))


@app.command()
@shared_flags("inventory", "json", "quiet", "no_color")
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="The earlier run, named as for `show`.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The later run.")],
    *,
    options: Options,
) -> int:
    """Say what is new, gone or changed from A to B; exit code 0 when nothing is, 2 otherwise."""
    return _guarded(options, lambda screen: _diff(options, before, after, screen))


@app.command()
@shared_flags("inventory", "json", "quiet", "no_color")
def history(
    check: Annotated[str, typer.Argument(metavar="CHECK", help="A check of the checklist, such as firewall/rules.")],
    *,
    options: Options,
) -> int:
    """Say what every kept run of `flows.compliance` found of one check, oldest first."""
    return _guarded(options, lambda screen: _history(options, check, screen))


def _guarded(options: Options, answer: Callable[[Screen], int]) -> int:
    screen = Screen(options)
    try:
        folder.check_writable(options.json)
        return answer(screen)
    except FleetError as error:
        screen.error(str(error), error.next_step)
    except OSError as error:
        screen.error(f"cannot be read or written: {error}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        screen.error(f"the report lacks what every report has: {type(error).__name__}: {error}")
    return REFUSED


def _show(options: Options, which: str, render: Path | None, screen: Screen) -> int:
    path = folder.find_report(options.inventory, which or _newest(options.inventory))
    report = folder.read_report(path)
    folder.hand_over(options.json, folder.canonical(report), screen.text)
    if render is not None:
        render.mkdir(exist_ok=True)
        for name, text in renderings(report).items():
            (render / name).write_text(text, "utf-8")
    screen.summary(report, render or path.parent)
    return GOOD


def _newest(directory: Path) -> str:
    runs = [place for place in (directory / "reports").glob("[0-9]*") if place.is_dir()]
    if not runs:
        raise SiteError(f"no report yet in {directory / 'reports'}; run a flow first")
    return max(runs, key=lambda place: place.stat().st_mtime_ns).name


def _diff(options: Options, before: str, after: str, screen: Screen) -> int:
    first, second = (folder.read_report(folder.find_report(options.inventory, name)) for name in (before, after))
    changes = difference(first, second)
    compared = {"schema": "matrix-fleet/difference/1", "before": first["run"], "after": second["run"]}
    document = compared | {"equal": not changes, "changes": [change.to_json() for change in changes]}
    folder.hand_over(options.json, folder.canonical(document), screen.text)
    if not screen.calm:
        head = counted(len(changes), "difference") if changes else "no difference"
        lines = [Line(f"{head} from {first['run']} to {second['run']}", "bold")]
        if first["flow"] != second["flow"]:
            flows = f"{first['flow']} and {second['flow']}"
            unlike = f"warning: these are runs of two flows, {flows}, which look at different things"
            lines.append(Line(unlike, "yellow", 2))
        screen.lines([*lines, *(Line(line, "", 2) for line in folded(changes))])
    return DRIFTED if changes else GOOD


def _history(options: Options, check: str, screen: Screen) -> int:
    runs = [(run, outcomes) for run, outcomes in history_of(options.inventory, check) if outcomes]
    if not runs:
        known = [known_check.id for known_check in every()]
        near = "" if check in known else did_you_mean(check, known)
        raise SiteError(
            f"no kept run of compliance looked at {check}{near}; `python -m flows.compliance --list` shows the checks"
        )
    document = {
        "schema": "matrix-fleet/history/1",
        "check": check,
        "runs": [{"run": run, "outcomes": outcomes} for run, outcomes in runs],
    }
    folder.hand_over(options.json, folder.canonical(document), screen.text)
    if not screen.calm:
        lines = [Line(f"{check} in {counted(len(runs), 'run')}", "bold")]
        for run, outcomes in runs:
            counts = Counter(outcome["status"] for outcome in outcomes)
            lines.append(Line(f"{run}  {', '.join(f'{number} {status}' for status, number in counts.items())}", "", 2))
            bad = [outcome for outcome in outcomes if outcome["status"] not in ("ok", "not_run", "waived")]
            lines += [Line(f"{outcome['host']}: {outcome['message']}", "red", 4) for outcome in bad]
        screen.lines(lines)
    return GOOD


if __name__ == "__main__":
    run(app, "flows.report")
