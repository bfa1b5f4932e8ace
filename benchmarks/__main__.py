"""Figures of real lab hosts, written into benchmarks/results.json and docs/benchmarks.md by `make bench`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import agent, cluster, compliance, flood, port_faults, rollout, site
from benchmarks.figure import Figure
from benchmarks.results import merged
from flows._site.documents import benchmarks as document

HERE = Path(__file__).parent
MEASURES: dict[str, Callable[[int], list[Figure]]] = {
    "agent": agent.measure,
    "site": site.measure,
    "flood": flood.measure,
    "cluster": cluster.measure,
    "compliance": compliance.measure,
    "port_faults": port_faults.measure,
    "rollout": rollout.measure,
}


def main() -> int:
    """Run the chosen measurements and put their figures into results.json; those of other groups stay."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=sorted(MEASURES), action="append", help="run only this group")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each figure; the median counts (default 3)")
    chosen = parser.parse_args()
    # A lab of its own: whatever lab the person has up stays as it is.
    os.environ["MATRIX_FLEET_LAB"] = "bn"
    # A person's Python keeps what it has compiled.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    run = {"machine": _machine(), "commit": _commit(), "date": datetime.now(UTC).isoformat(timespec="seconds")}
    for name, measure in MEASURES.items():
        if not chosen.only or name in chosen.only:
            sys.stderr.write(f"measuring: {name}\n")
            figures = measure(chosen.rounds)
            # At once: a later group that fails costs no figure of this one.
            _write(figures, run)
            _show(figures)
    for path, text in document.written(HERE.parent).items():
        path.write_text(text, "utf-8")
    return 0


def _show(figures: list[Figure]) -> None:
    for figure in figures:
        against = f"  (against {figure.against})" if figure.against else ""
        sys.stdout.write(f"{figure.name:32} {figure.value:10.3f} {figure.unit}{against}  n={figure.n}\n")


def _write(figures: list[Figure], run: dict[str, str]) -> None:
    place = HERE / "results.json"
    kept = json.loads(place.read_text("utf-8")) if place.exists() else {}
    results = merged(kept, run, [figure.to_json() for figure in figures])
    place.write_text(json.dumps(results, indent=2) + "\n", "utf-8")


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}"


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
