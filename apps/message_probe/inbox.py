"""What a user receives: a long poll that goes on, whatever happens to the connection."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

from apps.message_probe.user import CLIENT, Account, ProbeError, User
from apps.message_probe.wire import Answer, Origin

Place = Literal["timeline", "ephemeral", "to_device", "invite"]
_FILTER = json.dumps({"presence": {"types": []}, "room": {"timeline": {"limit": 500}}})
_MARGIN = 4.0
ARRIVES = 30.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something that arrived: where it stood in which process's answer, and when it was read (monotonic)."""

    place: Place
    room: str
    event: Mapping[str, Any]
    at: float
    server: str = ""

    @property
    def kind(self) -> str:
        """The event's type."""
        return str(self.event.get("type", ""))

    @property
    def content(self) -> Mapping[str, Any]:
        """The event's content."""
        content: Mapping[str, Any] = self.event.get("content") or {}
        return content


class Inbox:
    """
    A user's sync in a thread of its own. `poll` is how long the server may hold an answer back, `since` where a former
    sync of this user's device had come to.

    `errors` counts what disturbed it, `servers` the processes that answered once it went on, `limited` how often the
    server left events out.
    """

    def __init__(self, account: Account, origin: Origin, poll: float = 20.0, since: str = "") -> None:
        self._user = User(account, origin)
        self._poll = poll
        self._since = since
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._seen: list[Sighting] = []
        self._thread = threading.Thread(target=self._run, name=f"inbox of {account.user}", daemon=True)
        self.errors: Counter[str] = Counter()
        self.servers: Counter[str] = Counter()
        self.limited = 0

    def open(self, patience: float = 20.0) -> None:
        """
        Sync, and go on from there. Raises `ProbeError`.

        A user's very first sync is asked of other processes than those that follow: one of these is done here, too.
        """
        self._user.patience = patience
        if not self._since:
            self._take(self._sync(0.0))
            self.servers.clear()
        self._take(self._sync(0.0))
        self._user.patience = 0.0
        self._thread.start()

    def wait(self, what: str, met: Callable[[Sighting], bool], seconds: float = 0.0) -> Sighting:
        """Return the first thing that arrived, or arrives in time, of which `met` is true. Raises `ProbeError`."""
        seconds = seconds or ARRIVES
        deadline = time.monotonic() + seconds
        looked = 0
        with self._changed:
            while True:
                for sighting in self._seen[looked:]:
                    if met(sighting):
                        return sighting
                looked = len(self._seen)
                if not self._changed.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise ProbeError(f"{what}: not received within {seconds:g} s{self._disturbed()}")

    def seen(self) -> tuple[Sighting, ...]:
        """Return everything that arrived so far."""
        with self._changed:
            return tuple(self._seen)

    @property
    def since(self) -> str:
        """Where the next sync goes on."""
        with self._changed:
            return self._since

    def close(self) -> None:
        """Stop; the poll that is under way ends."""
        self._ended.set()
        self._user.connection.interrupt()
        if self._thread.ident is not None:
            self._thread.join(self._poll + _MARGIN)
        self._user.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                answer = self._sync(self._poll)
            except ProbeError as error:
                if not self._ended.is_set():
                    self.errors[str(error)] += 1
                    self._ended.wait(0.25)
                continue
            self._take(answer)

    def _sync(self, poll: float) -> Answer:
        query = {"filter": _FILTER, "timeout": str(int(poll * 1000)), "set_presence": "offline"}
        if self._since:
            query["since"] = self._since
        answer = self._user.ask("sync", "GET", f"{CLIENT}/sync?{urlencode(query)}", None, poll + _MARGIN)
        if "next_batch" not in answer.document:
            raise ProbeError("sync: the answer has no next_batch")
        return answer

    def _take(self, answer: Answer) -> None:
        now, document = time.monotonic(), answer.document
        with self._changed:
            self._since = document["next_batch"]
            self.servers[answer.pool] += 1
            for room in document.get("rooms", {}).get("join", {}).values():
                self.limited += bool(room.get("timeline", {}).get("limited")) and bool(self._seen)
            self._seen += [Sighting(place, room, event, now, answer.pool) for place, room, event in _events(document)]
            self._changed.notify_all()

    def _disturbed(self) -> str:
        return f" (disturbed: {'; '.join(f'{n}x {what}' for what, n in self.errors.items())})" if self.errors else ""


def _events(document: Mapping[str, Any]) -> Iterator[tuple[Place, str, Mapping[str, Any]]]:
    for event in document.get("to_device", {}).get("events", ()):
        yield "to_device", "", event
    rooms = document.get("rooms", {})
    for name, room in rooms.get("join", {}).items():
        for event in room.get("timeline", {}).get("events", ()):
            yield "timeline", name, event
        for event in room.get("ephemeral", {}).get("events", ()):
            yield "ephemeral", name, event
    for name, room in rooms.get("invite", {}).items():
        for event in room.get("invite_state", {}).get("events", ()):
            yield "invite", name, event
