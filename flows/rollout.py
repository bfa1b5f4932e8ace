"""Bring the application into the cluster, in the order of its components, and prove each by what it does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows._rollout.rendering import render_to
from flows._rollout.rollout import rollout
from flows._rollout.run import RolloutRequest
from flows._run import cli
from flows._run.lifecycle import run_flow
from flows._run.options import Options
from flows._run.shared import shared_flags
from model.rollout.selection import chosen

HELP = """Bring the application into the cluster: secrets, data stores, Synapse with its workers, and the public name.

Everything is planned first, by the API server's own dry run. Components are then applied in the order of
`inventory/components.yaml`, those that do not need each other side by side; each is waited for and tried by its gates
as its user would. One that fails stops those that need it, and nothing else. A run that was cut short is simply
repeated; a second run changes nothing.

Objects that are somebody else's stop a run before its first write. What cannot be changed in place is only made anew
where `--recreate` names it; volumes, claims, Secrets, definitions, namespaces, storage classes and databases are never
deleted unless it names the object itself, as Kind/namespace/name: by its component's name it does not.

Exit codes: 0 good, 1 refused before any write, 2 something would change (dry run) or a gate found something wrong, 3 a
component failed, or a gate saw nothing.

Example: python -m flows.rollout --dry-run
"""

Components = Annotated[
    str | None,
    typer.Option("--component", metavar="NAME,...", help="These components alone; what they need must stand."),
]
Phase = Annotated[int | None, typer.Option(metavar="N", min=1, max=5, help="The components of this phase alone.")]
Prune = Annotated[bool, typer.Option("--prune", help="Delete what was brought once and is rendered no longer.")]
Recreate = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...",
        help="Make anew what cannot be changed in place: components (but no data of theirs) or Kind/namespace/name.",
    ),
]
Adopt = Annotated[bool, typer.Option("--adopt", help="Take over objects that exist and are not this rollout's.")]
Gates = Annotated[bool, typer.Option("--gates", help="Try every gate, also of components that did not change.")]
Render = Annotated[
    Path | None,
    typer.Option(
        "--render", metavar="DIR", help="Write every object and configuration file there, and stop; no cluster needed."
    ),
]


@shared_flags(without=("limit",))
def main(
    component: Components = None,
    phase: Phase = None,
    prune: Prune = False,
    recreate: Recreate = None,
    adopt: Adopt = False,
    gates: Gates = False,
    render: Render = None,
    *,
    options: Options,
) -> int:
    request = RolloutRequest(
        components=_names(component),
        phase=phase,
        prune=prune,
        recreate=frozenset(_names(recreate)),
        adopt=adopt,
        gates=gates,
    )
    if render is not None:
        return run_flow(
            "rollout",
            options,
            lambda context: render_to(context, chosen(context.site, request.components, phase), render),
        )
    return run_flow("rollout", options, lambda context: rollout(context, request), changes=True)


main.__doc__ = f"\b\n{HELP}"


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


if __name__ == "__main__":
    cli.run(main, "flows.rollout")
