"""The whole probe: a conversation in the clear, an encrypted one, or a series; always cleared up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from apps.message_probe import conversation, series
from apps.message_probe.administration import Administration
from apps.message_probe.media import Medium
from apps.message_probe.meeting import Pair, go_on, meet
from apps.message_probe.series import SeriesResult
from apps.message_probe.talk import Step, Talk, talk
from apps.message_probe.user import ProbeError
from apps.message_probe.wire import Origin

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """
    What a probe saw: `failures` are what did not work, in sentences; `left` is what could not be cleared up.

    `sync_servers` are the processes whose syncs brought the encrypted message to its sender and its receiver (without
    one: those that served them most), empty where the proxy does not tell; `retries` how often a passing disturbance
    was waited out.
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
    What a conversation is to hold. `signals` are what is kept nowhere: typing, and what is sent to a device.
    `meanwhile` looks at an uploaded medium while it is there, and says what is wrong.
    """

    encrypted: bool = True
    media: bool = True
    signals: bool = True
    messages: int = 1
    meanwhile: Callable[[Pair, Medium], Iterable[str]] | None = None


BRIEF = Wishes(messages=2)


def converse(public: Origin, administration: Administration, wishes: Wishes = Wishes()) -> Findings:
    """Try everything once; what fails ends the conversation, and is said."""
    (findings,) = converse_over((public,), administration, wishes)
    return findings


def converse_over(
    ways: Sequence[Origin],
    administration: Administration,
    whole: Wishes,
    brief: Wishes = BRIEF,
    begins: Callable[[int], object] = lambda _: None,
) -> tuple[Findings, ...]:
    """
    Have the same two users talk over each way in turn: as `whole` wishes over the first, as `brief` over the others.

    Return what was seen over each way. Over a way on which they cannot even meet nothing else is tried, and they meet
    on the next. `begins` is called with a way's number before it is tried.
    """
    heard: list[Findings] = []
    while len(heard) < len(ways):
        heard += _together(ways, len(heard), administration, (whole, brief), begins)
    return tuple(heard)


@dataclass(kw_only=True)
class _Course:
    """How it goes over one way, as far as it came."""

    chat: Talk
    failures: list[str] = field(default_factory=list)
    sync_servers: tuple[str, str] = ("", "")
    medium: Medium | None = None

    @property
    def findings(self) -> Findings:
        """What was seen on this way."""
        return Findings(
            steps=tuple(self.chat.steps), failures=tuple(self.failures), sync_servers=self.sync_servers,
            medium=self.medium,
        )  # fmt: skip

    def tried(self, act: Callable[[], T]) -> T | None:
        """Do something; that it failed is written down."""
        try:
            return act()
        except ProbeError as error:
            self.failures.append(str(error))
            return None

    def hold(self, pair: Pair, wishes: Wishes) -> None:
        """Have two who met say and show each other what is wished for, as far as it works."""
        self.tried(lambda: self._hold(pair, wishes))

    def gone_on(self, pair: Pair, wishes: Wishes) -> Pair:
        """Have two who met elsewhere go on here; return them as the next way finds them."""
        here = self.tried(lambda: go_on(self.chat, pair))
        if here is not None:
            self.hold(here, wishes)
        return pair if here is None else here

    def _hold(self, pair: Pair, wishes: Wishes) -> None:
        for _ in range(wishes.messages):
            conversation.say(self.chat, pair)
        if wishes.signals:
            conversation.signal(self.chat, pair)
        self.sync_servers = pair.sync_servers
        if wishes.encrypted:
            self.sync_servers = conversation.whisper(self.chat, pair)
        if wishes.media:
            medium = self.medium = conversation.show(self.chat, pair)
            # Who looks at it meanwhile may have to take it away, even where the other does not get it.
            self.tried(lambda: conversation.fetch(self.chat, pair, medium))
            self.failures += wishes.meanwhile(pair, medium) if wishes.meanwhile else ()


def _together(
    ways: Sequence[Origin],
    first: int,
    administration: Administration,
    wishes: tuple[Wishes, Wishes],
    begins: Callable[[int], object],
) -> list[Findings]:
    """Have two users meet on way number `first`; only where they do, they go on over those behind it."""
    left: list[str] = []
    begins(first)
    with talk(ways[first], administration, left=left) as chat:
        courses = [_Course(chat=chat)]
        courses += _held(courses[0], ways, first, wishes, begins)
    heard = [course.findings for course in courses]
    heard[0] = replace(heard[0], left=tuple(left), retries=sum(user.retries for user in chat.users))
    return heard


def _held(
    course: _Course,
    ways: Sequence[Origin],
    first: int,
    wishes: tuple[Wishes, Wishes],
    begins: Callable[[int], object],
) -> list[_Course]:
    whole, brief = wishes
    pair = course.tried(lambda: meet(course.chat, encrypted=whole.encrypted))
    if pair is None:
        return []
    course.hold(pair, whole)
    others, going = [], pair
    for number in range(first + 1, len(ways)):
        begins(number)
        other = _Course(chat=course.chat.over(ways[number]))
        going = other.gone_on(going, brief)
        others.append(other)
    if not course.failures:
        course.tried(lambda: conversation.leave(course.chat, pair))
    return others


def repeat(
    public: Origin,
    administration: Administration,
    every: float,
    seconds: float,
    begins: Callable[[], object] = lambda: None,
) -> Findings:
    """Send a series; `begins` is called before its first message."""
    left: list[str] = []
    try:
        with talk(public, administration, left=left) as chat:
            result = series.run(chat, every, seconds, begins)
    except ProbeError as error:
        return Findings(failures=(str(error),), left=tuple(left))
    return Findings(left=tuple(left), sync_servers=result.sync_servers, series=result)
