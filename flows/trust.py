"""Record the SSH keys that hosts present, once each."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from flows._fleet.failure import HostFailure
from flows._fleet.hosts import run_on_hosts
from flows._fleet.inventory import inventory
from flows._fleet.jump_hosts import jump_hosts
from flows._run import cli
from flows._run.lifecycle import Context, FlowResult, run_flow
from flows._run.options import Options
from flows._run.shared import SUDO, shared_flags
from model.errors import HostError, SelectionError, did_you_mean
from model.report.outcome import Outcome, Status
from remote.dial import server_key
from remote.host_keys import changed, revocation
from remote.known_hosts import fingerprint, record, recorded, revoked
from remote.route import CONNECT_SECONDS, Route, route

if TYPE_CHECKING:
    from nornir.core.inventory import Host
    from paramiko import PKey

HELP = """Record the SSH keys of the site's hosts, and of the jump hosts before them, in its known_hosts, once each; \
every other flow connects to recorded keys only.

Shows the fingerprint of every key that is not recorded yet: compare them with those on the hosts' consoles (`ssh-keygen
-lf /etc/ssh/ssh_host_ed25519_key.pub`) before you agree. Asks on a terminal; without one, only --yes records. A key
that differs from the recorded one is refused until --replace names the host. To name a host there is itself consent:
its new key is recorded without a question and without --yes, so compare the fingerprint first.

Example: python -m flows.trust --inventory inventory --limit db-1
"""
SUBJECT = "host key"
# Hosts are asked side by side, but through one jump host only eight at once.
_ALL_SECONDS = 6 * CONNECT_SECONDS

_COMPARE = "compare it with the one on the host's console (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`)"


class Consent(Enum):
    """What a person, or a flag, says to recording the keys that are shown."""

    GIVEN = "given"
    REFUSED = "refused"
    ABSENT = "absent"


# Whoever has just refused knows how to agree, and wants to be told how to find out.
_STEPS = {
    Consent.REFUSED: f"{_COMPARE}; if it differs, somebody else answers at that address",
    Consent.ABSENT: f"{_COMPARE}, then run again on a terminal, or with --yes",
}

Replace = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST", help="Take this host's new key for its own, without asking; may be given more than once."
    ),
]


@dataclass(frozen=True, slots=True)
class Presented:
    """A host's key as it presents it, and those recorded under the name it is reached by."""

    way: Route
    key: PKey
    recorded: tuple[PKey, ...]
    revoked: bool = False

    @property
    def known(self) -> bool:
        """The presented key is a recorded one."""
        return self.key in self.recorded and not self.revoked

    def evidence(self) -> dict[str, object]:
        """Return both sides, for the report."""
        return {
            "known_as": self.way.known_as,
            "presented": fingerprint(self.key),
            "recorded": [fingerprint(key) for key in self.recorded],
        }


@shared_flags(without=SUDO)
def main(
    *,
    options: Options,
    replace: Replace = None,
) -> int:
    replaced = frozenset(replace or ())
    return run_flow("trust", options, lambda context: _trust(context, replaced), changes=True)


main.__doc__ = f"\b\n{HELP}"


def _trust(context: Context, replaced: frozenset[str]) -> FlowResult:
    if unknown := sorted(replaced - set(context.hosts)):
        near = did_you_mean(unknown[0], context.hosts)
        raise SelectionError(f"--replace {', '.join(unknown)}: not among the selected hosts{near}")
    nr = inventory(context.options.inventory)
    # A host is asked through them: their keys come first, the nearest one's before all others.
    jumps = tuple(_jump_host(context, way) for way in jump_hosts(nr, context.hosts))
    with context.awaiting(context.hosts, "fetching host keys") as watch:
        answers = run_on_hosts(nr, _fetch, names=context.hosts, deadline=_ALL_SECONDS, watch=watch)
    wanted = {
        name: answer
        for name, answer in answers.items()
        if isinstance(answer, Presented) and _may_be_recorded(answer, name in replaced)
    }
    consent = _consent(context, wanted, replaced) if wanted else Consent.ABSENT
    if consent is Consent.GIVEN:
        _record(context, wanted.values())
    hosts = (_outcome(name, answer, name in wanted, consent) for name, answer in answers.items())
    return FlowResult((*jumps, *hosts))


def _record(context: Context, answers: Iterable[Presented]) -> None:
    record(context.options.inventory / "known_hosts", {answer.way.known_as: answer.key for answer in answers})


def _jump_host(context: Context, way: Route) -> Outcome:
    """Show and record the key of a jump host; it is no host of the report."""
    subject = f"host key of jump host {way.known_as}"
    try:
        answer = _presented(way)
    except HostError as error:
        return Outcome("controller", subject, Status.FAILED, error.message, next=error.next_step)
    wanted = _may_be_recorded(answer, replaced=False)
    consent = _consent(context, {"jump host": answer}, frozenset()) if wanted else Consent.ABSENT
    if consent is Consent.GIVEN:
        _record(context, [answer])
    removed = f"if it is right, `ssh-keygen -R {way.known_as} -f {way.known_hosts}`, then run again"
    outcome = _outcome("controller", answer, wanted, consent, f"{_COMPARE}; {removed}")
    return Outcome(outcome.host, subject, outcome.status, outcome.message, next=outcome.next, evidence=outcome.evidence)


def _fetch(host: Host) -> Presented:
    return _presented(route(host))


def _presented(way: Route) -> Presented:
    key = server_key(way)
    known = recorded(way.known_hosts, way.known_as)
    return Presented(way, key, known, key in revoked(way.known_hosts, way.known_as))


def _may_be_recorded(answer: Presented, replaced: bool) -> bool:
    return not answer.known and not answer.revoked and (not answer.recorded or replaced)


def _consent(context: Context, wanted: Mapping[str, Presented], replaced: frozenset[str]) -> Consent:
    """Show what would be recorded and learn whether to; `--replace` is itself a consent."""
    for name, answer in wanted.items():
        context.say(f"{name} at {answer.way.known_as} presents {fingerprint(answer.key)}")
    if context.options.dry_run:
        return Consent.ABSENT
    if context.options.yes or set(wanted) <= replaced:
        return Consent.GIVEN
    if not sys.stdin.isatty() or context.options.json_on_stdout:
        return Consent.ABSENT
    question = f"Record these {len(wanted)} keys?" if len(wanted) > 1 else "Record this key?"
    return Consent.GIVEN if typer.confirm(question, err=True) else Consent.REFUSED


def _outcome(
    name: str, answer: Presented | HostFailure, wanted: bool, consent: Consent, if_changed: str = ""
) -> Outcome:
    if isinstance(answer, HostFailure):
        return answer.outcome(SUBJECT)
    shown = fingerprint(answer.key)
    if answer.known:
        return Outcome(name, SUBJECT, Status.OK, f"presents the recorded key {shown}", evidence=answer.evidence())
    if not wanted:
        error = (
            revocation(answer.way, answer.key) if answer.revoked else changed(answer.way, answer.recorded, answer.key)
        )
        step = error.next_step if answer.revoked else if_changed or error.next_step
        return Outcome(name, SUBJECT, Status.FAILED, error.message, next=step, evidence=answer.evidence())
    if consent is Consent.GIVEN:
        return Outcome(name, SUBJECT, Status.CHANGED, f"recorded {shown}", evidence=answer.evidence())
    step = _STEPS[consent]
    return Outcome(name, SUBJECT, Status.DRIFT, f"{shown} is not recorded", next=step, evidence=answer.evidence())


if __name__ == "__main__":
    cli.run(main, "flows.trust")
