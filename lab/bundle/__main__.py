"""`python -m lab.bundle`: build the lab's offline bundle, or what of it is missing; print its folder."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from lab.bundle import building
from lab.bundle.extras import EXTRAS
from lab.bundle.recipe import DEFAULT, RECIPES
from lab.errors import LabError
from model.errors import FleetError


def main(argv: Sequence[str]) -> int:
    """Build, and return the exit code: 0 done, 1 not possible, 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m lab.bundle", description=__doc__)
    parser.add_argument("--kubernetes", default=DEFAULT, choices=sorted(RECIPES), help="minor version of Kubernetes")
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--without-application", action="store_true", help="only what a cluster needs")
    parts.add_argument(
        "--with",
        dest="extras",
        metavar="NAME",
        action="append",
        default=[],
        choices=sorted(EXTRAS),
        help=f"what is not in every bundle, too; may be repeated: {', '.join(sorted(EXTRAS))}",
    )
    os.umask(0o022)
    try:
        chosen = parser.parse_args(argv)
        application, extras = not chosen.without_application, chosen.extras
        print(building.ensure(chosen.kubernetes, _say, application=application, extras=extras))
    except (LabError, FleetError) as error:
        _say(f"bundle: {error}")
        return 1
    except KeyboardInterrupt:
        _say("bundle: interrupted; the next run goes on with what is finished")
        return 130
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
