"""Whose keys do hosts present, and which of them are recorded as theirs?"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from flows import _command
from flows import _options as flags
from flows._hosts import HostFailure, each, inventory
from flows._main import Context, Ingredients, conduct
from model.errors import SelectionError
from model.outcome import Outcome, Status
from remote.dial import changed, server_key
from remote.known_hosts import fingerprint, record, recorded
from remote.route import CONNECT_SECONDS, Route, route

if TYPE_CHECKING:
    from nornir.core.inventory import Host
    from paramiko import PKey

HELP = """Record the SSH keys of the site's hosts in its known_hosts, once each; every other flow connects to recorded keys only.

Shows the fingerprint of every key that is not recorded yet: compare them with those on the hosts' consoles
(`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`) before you agree. Asks on a terminal; without one, only --yes records.
A key that differs from the recorded one is refused until --replace names the host.

Example: python -m flows.trust --inventory inventory --limit db-1
"""
SUBJECT = "host key"
# Hosts are asked side by side, but through one jump host only eight at once.
_ALL_SECONDS = 6 * CONNECT_SECONDS

Replace = Annotated[
    list[str] | None,
    typer.Option(metavar="HOST", help="Take this host's new key for its own; may be given more than once."),
]


@dataclass(frozen=True, slots=True)
class Presented:
    """A host's key as it presents it, and those recorded under the name it is reached by."""

    way: Route
    key: PKey
    recorded: tuple[PKey, ...]

    @property
    def known(self) -> bool:
        """The presented key is a recorded one."""
        return self.key in self.recorded

    def evidence(self) -> dict[str, object]:
        """Return both sides, for the report."""
        return {
            "known_as": self.way.known_as,
            "presented": fingerprint(self.key),
            "recorded": [fingerprint(key) for key in self.recorded],
        }


def main(
    inventory: flags.Inventory = flags.DEFAULT_INVENTORY,
    limit: flags.Limit = None,
    replace: Replace = None,
    dry_run: flags.DryRun = False,
    json: flags.Json = None,
    yes: flags.Yes = False,
    verbose: flags.Verbose = False,
    quiet: flags.Quiet = False,
    no_color: flags.NoColor = False,
) -> int:
    options = flags.Options(inventory, limit, dry_run, json, yes, verbose, quiet, no_color)
    replaced = frozenset(replace or ())
    return conduct("trust", options, lambda context: _trust(context, replaced), changes=True)


main.__doc__ = f"\b\n{HELP}"


def _trust(context: Context, replaced: frozenset[str]) -> Ingredients:
    if strangers := replaced - set(context.hosts):
        raise SelectionError(f"--replace {', '.join(sorted(strangers))}: not among the selected hosts")
    nr = inventory(context.options.inventory)
    with context.progress(len(context.hosts), "fetching host keys") as advance:
        found = each(nr, _fetch, names=context.hosts, deadline=_ALL_SECONDS, on_done=lambda _name: advance(1))
    wanted = {
        name: answer
        for name, answer in found.items()
        if isinstance(answer, Presented) and not answer.known and (not answer.recorded or name in replaced)
    }
    agreed = bool(wanted) and _agreed(context, wanted, replaced)
    if agreed:
        keys = {answer.way.known_as: answer.key for answer in wanted.values()}
        record(context.options.inventory / "known_hosts", keys)
    return Ingredients(tuple(_outcome(name, answer, name in wanted, agreed) for name, answer in found.items()))


def _fetch(host: Host) -> Presented:
    way = route(host)
    return Presented(way, server_key(way), recorded(way.known_hosts, way.known_as))


def _agreed(context: Context, wanted: Mapping[str, Presented], replaced: frozenset[str]) -> bool:
    """Show what would be recorded and learn whether to; `--replace` is itself a consent."""
    for name, answer in wanted.items():
        context.say(f"{name} at {answer.way.known_as} presents {fingerprint(answer.key)}")
    if context.options.dry_run:
        return False
    if context.options.yes or set(wanted) <= replaced:
        return True
    if not sys.stdin.isatty() or context.options.json_on_stdout:
        return False
    return typer.confirm(f"Record {'these' if len(wanted) > 1 else 'this'} {len(wanted)}?", err=True)


def _outcome(name: str, answer: Presented | HostFailure, wanted: bool, agreed: bool) -> Outcome:
    if isinstance(answer, HostFailure):
        return answer.outcome(SUBJECT)
    shown = fingerprint(answer.key)
    if answer.known:
        return Outcome(name, SUBJECT, Status.OK, f"presents the recorded key {shown}", evidence=answer.evidence())
    if not wanted:
        error = changed(answer.way, answer.recorded, answer.key)
        return Outcome(name, SUBJECT, Status.FAILED, error.message, error.next_step, answer.evidence())
    if agreed:
        return Outcome(name, SUBJECT, Status.CHANGED, f"recorded {shown}", evidence=answer.evidence())
    step = "compare it on the host's console, then run again with --yes"
    return Outcome(name, SUBJECT, Status.DRIFT, f"{shown} is not recorded", step, answer.evidence())


if __name__ == "__main__":
    _command.run(main, "flows.trust")
