"""Messages at a steady pace, whatever happens meanwhile: each that the server acknowledged must arrive."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from statistics import quantiles

from apps.message_probe.conversation import TEXT
from apps.message_probe.inbox import Sighting
from apps.message_probe.meeting import Pair, meet
from apps.message_probe.talk import Talk
from apps.message_probe.user import ProbeError, User

# A long poll no longer than this: a connection that died in silence is noticed soon after.
POLL = 5.0
SEND_SECONDS = 8.0
AT_ONCE = 16
GRACE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesResult:
    """
    What came of a series. `sent` were tried, `acknowledged` have an event id by the server, `delivered` arrived at the
    other's long poll; `lost_acknowledged` were acknowledged and did not. `gap_max_s` is the longest time in which
    nothing arrived, from the first send to the end. Latencies are from send to arrival. `cut_after` says after how many
    seconds somebody interrupted it; None where nobody did.
    """

    sent: int
    acknowledged: int
    delivered: int
    lost_acknowledged: int
    gap_max_s: float
    latency_p50_ms: float
    latency_p99_ms: float
    errors: Counter[str] = field(default_factory=Counter)
    lost: tuple[str, ...] = ()
    sync_servers: tuple[str, str] = ("", "")
    cut_after: float | None = None

    @property
    def figures(self) -> dict[str, float]:
        """The figures by the names that reports have."""
        names = ("sent", "delivered", "lost_acknowledged", "gap_max_s", "latency_p50_ms", "latency_p99_ms")
        return {name: getattr(self, name) for name in names}


@dataclass
class _Sent:
    number: int
    at: float
    event: str = ""
    failure: str = ""


class _Senders:
    """Users' connections, one a thread: a send that hangs does not hold up the next."""

    def __init__(self, pair: Pair) -> None:
        self._pair, self._mine = pair, threading.local()
        self._users: list[User] = []

    def send(self, mark: str, sent: _Sent) -> None:
        """Send one message; an error is written down."""
        user = self._user()
        content = {"msgtype": "m.text", "body": f"{mark} {sent.number}"}
        try:
            answer = user.put_event(self._pair.room, TEXT, f"{mark}-{sent.number}", content, SEND_SECONDS)
            sent.event = str(answer.document.get("event_id", ""))
            sent.failure = "" if sent.event else "send: acknowledged without an event id"
        except ProbeError as error:
            sent.failure = str(error)

    def close(self) -> None:
        for user in self._users:
            user.close()

    def _user(self) -> User:
        user: User | None = getattr(self._mine, "user", None)
        if user is None:
            user = self._mine.user = User(self._pair.sender.account, self._pair.sender.origin)
            self._users.append(user)
        return user


def run(chat: Talk, every: float, seconds: float, begins: Callable[[], object] = lambda: None) -> SeriesResult:
    """
    Send a message every so many seconds for so long; then wait for the last. `begins` is called before the first one,
    once both users are there.

    The pace does not depend on answers: a slow server does not get fewer messages. Ctrl-C ends the sending: what was
    sent until then is waited for and told of.
    """
    pair = meet(chat, poll=POLL)
    chat.administration.unlimited(pair.sender.account.user)
    mark = secrets.token_hex(6)
    begins()
    began = time.monotonic()
    sends = [_Sent(number, began + number * every) for number in range(max(1, round(seconds / every)))]
    senders = _Senders(pair)
    gone, cut = 0, None
    with ThreadPoolExecutor(AT_ONCE, "sender") as pool:
        try:
            for sent in sends:
                threading.Event().wait(max(0.0, sent.at - time.monotonic()))
                pool.submit(senders.send, mark, sent)
                gone += 1
        except KeyboardInterrupt:
            cut = round(time.monotonic() - began, 1)
    senders.close()
    ended = max(began + (seconds if cut is None else cut), time.monotonic())
    _await(pair, mark, sends[:gone], GRACE)
    return replace(_result(pair, mark, sends[:gone], began, ended), cut_after=cut)


def _await(pair: Pair, mark: str, sends: list[_Sent], grace: float) -> None:
    """Wait until all that was acknowledged is there, or the time is up."""
    deadline = time.monotonic() + grace
    while True:
        there = _arrivals(pair, mark)
        missing = [sent for sent in sends if sent.event and sent.number not in there]
        if not missing or time.monotonic() >= deadline:
            return
        try:
            pair.to_receiver.wait("message", partial(_is, missing[0].event), max(0.1, deadline - time.monotonic()))
        except ProbeError:
            return


def _is(event: str, seen: Sighting) -> bool:
    return seen.event.get("event_id") == event


def _arrivals(pair: Pair, mark: str) -> dict[int, float]:
    """Return when each message arrived, by its number; the first time counts."""
    there: dict[int, float] = {}
    for seen in pair.to_receiver.seen():
        word, _, number = str(seen.content.get("body", "")).partition(" ")
        if seen.place == "timeline" and seen.room == pair.room and word == mark and number.isdigit():
            there.setdefault(int(number), seen.at)
    return there


def _result(pair: Pair, mark: str, sends: list[_Sent], began: float, ended: float) -> SeriesResult:
    there = _arrivals(pair, mark)
    moments = [began, *sorted(there.values()), ended]
    latencies = sorted((there[sent.number] - sent.at) * 1000 for sent in sends if sent.number in there)
    lost = tuple(f"{sent.event} (message {sent.number})" for sent in sends if sent.event and sent.number not in there)
    errors = Counter(sent.failure for sent in sends if sent.failure)
    errors.update(pair.to_receiver.errors)
    p50, p99 = _percentiles(latencies)
    return SeriesResult(
        sent=len(sends),
        acknowledged=sum(bool(sent.event) for sent in sends),
        delivered=len(there),
        lost_acknowledged=len(lost),
        gap_max_s=round(max(after - before for before, after in pairwise(moments)), 3),
        latency_p50_ms=p50,
        latency_p99_ms=p99,
        errors=errors,
        lost=lost,
        sync_servers=pair.sync_servers,
    )


def _percentiles(latencies: list[float]) -> tuple[float, float]:
    if len(latencies) < 2:
        return (round(latencies[0], 1),) * 2 if latencies else (0.0, 0.0)
    cuts = quantiles(latencies, n=100, method="inclusive")
    return round(cuts[49], 1), round(cuts[98], 1)
