"""The proof that the bundle on this disk is the one that was made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from flows._bundle.part import WORK
from flows._bundle.progress import ProgressBars
from flows._run.publish import CONTROLLER
from model.bundle.audit import fault_in, lacking, surplus
from model.bundle.bundle import MANIFEST, Bundle, parse
from model.errors import BundleError
from model.report.outcome import Outcome, Status

_ANEW = "fetch it anew with `python -m flows.bundle download`, or copy it again from where it is whole"


def read(folder: Path) -> Bundle:
    """Read a table of contents as it is; raises BundleError, or SchemaErrors with every wrong field."""
    try:
        return parse((folder / MANIFEST).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(
            f"{folder / MANIFEST}: cannot be read: {error}", f"{folder} must be a bundle; {_ANEW}"
        ) from error


def verify(folder: Path, bundle: Bundle, bars: ProgressBars) -> Iterator[Outcome]:
    """Yield one outcome for each item, file without an item, and thing that bootstrap would miss."""
    with bars.bar(len(bundle.items), "verifying") as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
        for item, fault in zip(bundle.items, pool.map(partial(fault_in, folder, bundle), bundle.items), strict=True):
            subject = f"{item.kind} {item.name} {item.version}"
            yield _failed(subject, fault, _ANEW) if fault else Outcome(CONTROLLER, subject, Status.OK)
            advance(1)
    for name in surplus(folder, bundle, WORK):
        yield _failed(
            f"file {name}", f"{name} is in the folder and not in {MANIFEST}", "remove it; nobody vouches for it"
        )
    for fault in lacking(bundle):
        yield _failed("contents", fault, "name it in the sources and download again")


def _failed(subject: str, message: str, step: str) -> Outcome:
    return Outcome(CONTROLLER, subject, Status.FAILED, message, next=step)
