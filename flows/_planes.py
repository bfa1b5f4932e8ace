"""What do flows that work on the control planes of a running cluster share?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flows._context import Context
from flows._firewall.change import who
from flows._hosts import closing, inventory
from flows._journal import Journal
from flows._phases.work import Work
from model.errors import SelectionError


def planes(context: Context) -> tuple[str, ...]:
    """Return the selected control planes; raises `SelectionError` where none is."""
    names = tuple(name for name in context.hosts if context.site.by_name[name].node == "control_plane")
    if not names:
        raise SelectionError(f"--limit {context.options.limit}: none of these is a control plane")
    return names


@contextmanager
def at_work(
    context: Context, flow: str, names: tuple[str, ...], *, lock: bool, beside: tuple[str, ...] = ()
) -> Iterator[Work]:
    """Look at hosts, hold their locks unless it is a dry run, and let go of everything in the end."""
    nr = inventory(context.options.inventory)
    journal = Journal(context.options.inventory, flow, dry_run=context.options.dry_run)
    work = Work(nr, context, journal, names, beside=beside)
    with closing(nr):
        try:
            work.look()
            if lock and not work.dry_run:
                work.lock(who())
            yield work
        finally:
            work.release()
