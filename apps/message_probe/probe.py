"""The whole probe: a conversation in the clear, an encrypted one, or a series; always cleared up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from apps.message_probe import conversation, series
from apps.message_probe.administration import Administration
from apps.message_probe.media import Medium
from apps.message_probe.meeting import Pair, meet
from apps.message_probe.series import SeriesResult
from apps.message_probe.talk import Step, Talk, talk
from apps.message_probe.user import ProbeError
from apps.message_probe.wire import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """
    What a probe saw: `failures` are what did not work, in sentences; `left` is what could not be cleared up.

    `sync_servers` are the processes that served the sender's and the receiver's sync, empty where the proxy does not
    tell; `retries` how often a passing disturbance was waited out.
    """

    steps: tuple[Step, ...] = ()
    failures: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    sync_servers: tuple[str, str] = ("", "")
    series: SeriesResult | None = None
    retries: int = 0
    medium: Medium | None = field(default=None, repr=False)

    @property
    def acknowledged(self) -> int:
        """How many messages the server took, encrypted ones too."""
        return sum(step.name in ("send", "send encrypted") for step in self.steps)

    @property
    def message_ms(self) -> tuple[float, ...]:
        """Latencies of single messages, encrypted ones too."""
        return tuple(step.seconds * 1000 for step in self.steps if step.name in ("message", "encrypted message"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """
    What a conversation is to hold. `meanwhile` looks at an uploaded medium while it is there, and says what is wrong.
    """

    encrypted: bool = True
    media: bool = True
    messages: int = 1
    meanwhile: Callable[[Pair, Medium], Iterable[str]] | None = None


def converse(public: Origin, administration: Administration, wishes: Wishes = Wishes()) -> Findings:
    """Try everything once; what fails ends the conversation, and is said."""
    left: list[str] = []
    failures: list[str] = []
    servers, medium, chat = ("", ""), None, None
    try:
        with talk(public, administration, left=left) as chat:
            servers, medium = _all(chat, wishes, failures)
    except ProbeError as error:
        failures.append(str(error))
    steps, users = (tuple(chat.steps), chat.users) if chat else ((), [])
    return Findings(
        steps=steps, failures=tuple(failures), left=tuple(left), sync_servers=servers, medium=medium,
        retries=sum(user.retries for user in users),
    )  # fmt: skip


def _all(chat: Talk, wishes: Wishes, failures: list[str]) -> tuple[tuple[str, str], Medium | None]:
    pair, medium = meet(chat, encrypted=wishes.encrypted), None
    for _ in range(wishes.messages):
        conversation.say(chat, pair)
    conversation.signal(chat, pair)
    if wishes.encrypted:
        conversation.whisper(chat, pair)
    if wishes.media:
        medium = conversation.show(chat, pair)
        failures += wishes.meanwhile(pair, medium) if wishes.meanwhile else ()
    servers = pair.sync_servers
    conversation.leave(chat, pair)
    return servers, medium


def repeat(public: Origin, administration: Administration, every: float, seconds: float) -> Findings:
    """Send a series."""
    left: list[str] = []
    try:
        with talk(public, administration, left=left) as chat:
            result = series.run(chat, every, seconds)
    except ProbeError as error:
        return Findings(failures=(str(error),), left=tuple(left))
    return Findings(left=tuple(left), sync_servers=result.sync_servers, series=result)
