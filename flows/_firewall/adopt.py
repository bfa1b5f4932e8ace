"""How rules that a person made on hosts get into the port matrix."""

from __future__ import annotations

import difflib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flows._firewall.change import WORKERS, to_look
from flows._fleet.failure import HostFailure
from flows._fleet.hosts import close, run_on_hosts
from flows._fleet.inventory import inventory
from flows._run.lifecycle import Context, FlowResult
from flows._run.selection import roles, servers
from model.errors import HostError
from model.report.outcome import Outcome, Status
from model.site.load import FILES, load_site
from model.ufw.adoption import AdoptedRow, adopt, appended, own_rules
from model.ufw.review import SUBJECT
from model.ufw.rule import UfwRule
from remote.facts.firewall import observe

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from model.site.site import Site

ROWS = "ports.yaml"


def take_over(context: Context) -> FlowResult:
    """Write rows for the ufw rules of selected hosts that were never managed before; no host is changed."""
    names = servers(context)
    nr = inventory(context.options.inventory)
    try:
        limit = to_look(len(names))
        answers = run_on_hosts(
            nr,
            lambda host: _own_rules(context.site, host),
            names=names,
            workers=WORKERS,
            deadline=limit,
        )
    finally:
        close(nr)
    rules = {name: answer for name, answer in answers.items() if not isinstance(answer, HostFailure)}
    failed = tuple(answer.outcome(SUBJECT) for answer in answers.values() if isinstance(answer, HostFailure))
    rows, left = _sorted_out(context, rules)
    known = {row.name for row in context.site.rows}
    lines = [row.line(hosts) for row, hosts in rows.items() if row.name not in known]
    outcomes = tuple(_outcome(name, rows, left[name]) for name in rules)
    written = _written(context, lines) if lines else ()
    return FlowResult((*failed, *written, *outcomes), names, extra=roles(context.site))


def _own_rules(site: Site, host: Host) -> tuple[UfwRule, ...]:
    try:
        return own_rules(site, site.by_name[host.name], observe(host))
    except ValueError as error:
        step = "correct or remove that line on the host; `ufw reload` says whether ufw can read the file"
        raise HostError(host.name, f"its ufw rules cannot be read: {error}", step) from None


def _sorted_out(
    context: Context, rules: Mapping[str, Sequence[UfwRule]]
) -> tuple[dict[AdoptedRow, list[str]], dict[str, tuple[str, ...]]]:
    rows: dict[AdoptedRow, list[str]] = {}
    left: dict[str, tuple[str, ...]] = {}
    for name, own in rules.items():
        adopted, left[name] = adopt(context.site, context.site.by_name[name], own)
        for row in adopted:
            rows.setdefault(row, []).append(name)
    return rows, left


def _outcome(name: str, rows: Mapping[AdoptedRow, Sequence[str]], left: Sequence[str]) -> Outcome:
    if left:
        message = f"{len(left)} of its rules cannot be said in the matrix: {'; '.join(left)}"
        return Outcome(
            name, SUBJECT, Status.DRIFT, message, next="remove them by hand, or with --purge", evidence="\n".join(left)
        )
    count = sum(name in hosts for hosts in rows.values())
    return Outcome(
        name, SUBJECT, Status.OK, f"{count} rows speak for its rules" if count else "has no rules to take over"
    )


def _written(context: Context, lines: Sequence[str]) -> tuple[Outcome, ...]:
    path = context.options.inventory / ROWS
    before = path.read_text("utf-8")
    after = appended(before, lines)
    _check(context.options.inventory, after)
    diff = "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), ROWS, ROWS, lineterm="", n=0))
    if context.options.dry_run:
        step = "run without --dry-run"
        return (
            Outcome("controller", ROWS, Status.DRIFT, f"{len(lines)} rows would be added", next=step, evidence=diff),
        )
    draft = path.with_name(f".{ROWS}.new")
    draft.write_text(after, "utf-8")
    shutil.copymode(path, draft)
    draft.replace(path)
    step = "read the rows, then `python -m flows.firewall`"
    return (Outcome("controller", ROWS, Status.CHANGED, f"{len(lines)} rows added", next=step, evidence=diff),)


def _check(directory: Path, ports: str) -> None:
    """Load the site as it would be; raises `SchemaErrors` before anything is written."""
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            shutil.copy(directory / name, folder)
        (Path(folder) / ROWS).write_text(ports, "utf-8")
        load_site(Path(folder))
