"""Try everything that was rolled out as its users would, any time, changing nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from flows._render.summary import Line
from flows._rollout.gates import gate_of
from flows._rollout.validate import ValidateRequest, chosen, validate
from flows._run import cli
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from flows._run.screen import Screen
from flows._run.shared import shared_flags
from flows._schedule.gates import validate_scheduled
from model.errors import SelectionError
from model.report.outcome import GOOD
from model.site.load import load_site

HELP = """Try everything that was rolled out as its users would, any time, changing nothing that lasts.

A gate that cannot be tried is `not_run` and says why; one that saw nothing is `unproven`, never good. `--every` and
`--for` make a series of the gate `message`: it reports the longest gap and whatever was acknowledged and not delivered.

Exit codes: 0 good, 2 not as declared, 3 failed or unproven.

Example: python -m flows.validate --gate message --every 0.5 --for 120
"""

Gate = Annotated[str | None, typer.Option("--gate", metavar="NAME,...", help="These gates alone.")]
List = Annotated[bool, typer.Option("--list", help="List the site's gates, and stop.")]
Every = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=0.05, help="As a series: so many seconds from one to the next.")
]
Scheduled = Annotated[
    bool,
    typer.Option(
        "--scheduled",
        help="Try as the identity of flows.schedule, without secrets and the cluster's API: the rest is not_run.",
    ),
]
For = Annotated[float | None, typer.Option("--for", metavar="SECONDS", min=1, help="As a series: so long.")]


@shared_flags(without=("limit", "dry_run", "yes"))
def main(
    gate: Gate = None,
    show: List = False,
    every: Every = None,
    lasting: For = None,
    *,
    options: Options,
    scheduled: Scheduled = False,
) -> int:
    names = tuple(word.strip() for word in (gate or "").split(",") if word.strip())
    if (every is None) is not (lasting is None):
        raise SelectionError("--every and --for belong together: how often, and how long")
    if show:
        return _list(options, names)
    if scheduled and every is not None:
        raise SelectionError("--scheduled sends no messages: --every and --for are for another run")
    series = {} if every is None or lasting is None else {"every": every, "for": lasting}
    request = ValidateRequest(gates=names, options=series)
    return run_flow(
        "validate", options, lambda context: (validate_scheduled if scheduled else validate)(context, request)
    )


main.__doc__ = f"\b\n{HELP}"


def _list(options: Options, names: tuple[str, ...]) -> int:
    places = chosen(load_site(options.inventory), names)
    width = max(len(place.gate) for place in places) + 2
    lines = [
        Line(f"{place.gate:<{width}}{place.component}{'' if gate_of(place.gate) else '  (no program for it yet)'}")
        for place in places
    ]
    Screen(options).lines(lines)
    return GOOD


if __name__ == "__main__":
    cli.run(main, "flows.validate")
