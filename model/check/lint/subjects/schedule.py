"""Rules of the schedule: what runs by itself can do no harm, and reaches those who are to be told."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from model.check.check import Check
from model.check.finding import Finding
from model.check.lint.flaw import LintView, flaw
from model.site.schedule import TellCommand, TellMatrix

_PLACE = "compliance.notify.{number}.{word}"


def identity(view: LintView) -> Iterator[Finding]:
    """Find a schedule that runs as somebody who may change hosts."""
    schedule = view.site.settings.compliance.schedule
    powerful = {"root", *view.site.settings.servers.administrators}
    if schedule and schedule.user in powerful:
        message = "this user may become root, and the scheduled look must not be able to change anything"
        fix = "a name that nothing else uses, such as matrix-fleet"
        yield flaw("site.yaml", "compliance.schedule.user", value=schedule.user, message=message, fix=fix)


def plain(view: LintView) -> Iterator[Finding]:
    """Find homeservers to which an access token would go in the clear."""
    for number, way in enumerate(view.site.settings.compliance.notify):
        if isinstance(way, TellMatrix) and way.homeserver.startswith("http:") and not _on_this_machine(way.homeserver):
            place = _PLACE.format(number=number, word="homeserver")
            message = "the access token and the findings would cross the network in the clear"
            yield flaw(
                "site.yaml",
                place,
                value=way.homeserver,
                message=message,
                fix="its https:// address; `authority` names its own authority",
            )


def _on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def program(view: LintView) -> Iterator[Finding]:
    """Find commands that are looked for in whatever folders a run happens to have."""
    for number, way in enumerate(view.site.settings.compliance.notify):
        if isinstance(way, TellCommand) and not way.command[0].startswith("/"):
            place = _PLACE.format(number=number, word="command")
            yield flaw(
                "site.yaml",
                place,
                value=way.command[0],
                message="the timer's run has no PATH of yours",
                fix="the program's whole path",
            )


def twice(view: LintView) -> Iterator[Finding]:
    """Find notifiers that are the same: what each was told is remembered by its name."""
    seen: set[str] = set()
    for number, way in enumerate(view.site.settings.compliance.notify):
        if way.id in seen:
            place = f"compliance.notify.{number}"
            yield flaw("site.yaml", place, value=way.id, message="is there twice", fix="remove one of them")
        seen.add(way.id)


CHECKS = (
    Check(
        id="schedule-user",
        why="What runs by itself every day must not be able to change a host.",
        judge=identity,
    ),
    Check(
        id="notify-plain-http",
        why="Whoever listens on the way could write and read as the token's owner.",
        judge=plain,
    ),
    Check(
        id="notify-command",
        why="A program that depends on PATH is another one, or none, when the timer runs.",
        judge=program,
    ),
    Check(
        id="notify-twice",
        why="The second one would be told nothing, or everything twice.",
        judge=twice,
    ),
)
