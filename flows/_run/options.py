"""The shared flags: what each is called, says of itself and means, once for all commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

ENVIRONMENT = "MATRIX_FLEET_INVENTORY"
DEFAULT_INVENTORY = Path("inventory")

Inventory = Annotated[
    Path, typer.Option(envvar=ENVIRONMENT, metavar="DIR", help="The site: the folder with site.yaml and its fellows.")
]
Limit = Annotated[
    str | None,
    typer.Option(
        metavar="EXPR",
        help="Only these: a comma list of hosts, roles and globs; `!x` takes away; "
        "`@failed`: those of the last run that were not good.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing anywhere.")]
Json = Annotated[
    str | None,
    typer.Option("--json", metavar="PATH", help="Write the canonical report there too; `-` is standard output."),
]
Events = Annotated[
    str | None,
    typer.Option("--events", metavar="PATH", help="Append what happens, as it happens, as JSON lines; `-` as above."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Agree to what destroys; needed without a terminal.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show whole diffs, every name, and tracebacks.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only; the exit code and the report tell the rest.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Print without colours (as with NO_COLOR set).")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The shared flags of one run; `json` and `events` are a path, `-` for standard output, or None."""

    inventory: Path = DEFAULT_INVENTORY
    limit: str | None = None
    dry_run: bool = False
    json: str | None = None
    events: str | None = None
    yes: bool = False
    verbose: bool = False
    quiet: bool = False
    no_color: bool = False

    @property
    def json_on_stdout(self) -> bool:
        """True when standard output belongs to the report, or to the events, alone."""
        return "-" in (self.json, self.events)
