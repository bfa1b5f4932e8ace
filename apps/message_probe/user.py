"""A user of the homeserver as a client is one: a token, and the requests of the client-server API."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from apps.message_probe.wire import PASSING, Answer, Connection, Origin, Unanswered

CLIENT = "/_matrix/client/v3"


class ProbeError(Exception):
    """A step of the probe that did not come out as it should; its text holds neither token nor password."""


class Refused(ProbeError):
    """The server answered with an error."""

    def __init__(self, what: str, answer: Answer) -> None:
        document = answer.document
        said = " ".join(str(document[key]) for key in ("errcode", "error") if key in document)
        server = f" by {answer.pool}" if answer.pool else ""
        super().__init__(f"{what}: HTTP {answer.status}{server}{f': {said}' if said else ''}")
        self.status = answer.status
        self.errcode = str(document.get("errcode", ""))

    @property
    def not_there(self) -> bool:
        """Whether the server knows of nothing by that name; a path that it does not serve is another 404."""
        return self.status == 404 and self.errcode == "M_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Account:
    """A user: who it is, on which device, and its token."""

    user: str
    device: str
    token: str = field(repr=False)

    @property
    def server(self) -> str:
        """The homeserver's name."""
        return self.user.partition(":")[2]


class User:
    """An account with a connection of its own; not for several threads."""

    def __init__(self, account: Account, origin: Origin, patience: float = 0.0) -> None:
        self.account, self.origin, self.patience = account, origin, patience
        self.connection = Connection(origin)
        self.retries = 0

    def ask(self, what: str, method: str, path: str, body: object = None, seconds: float = 10.0) -> Answer:
        """
        Send a request and return a good answer. `what` is the step's name in errors.

        While `patience` lasts, a request that only met with a passing disturbance is sent again. Raises `ProbeError`.
        """
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        return self.send(what, method, path, content, headers, seconds)

    def send(
        self, what: str, method: str, path: str, content: bytes, headers: Mapping[str, str], seconds: float = 10.0
    ) -> Answer:
        """Send bytes as `ask` sends an object."""
        deadline = time.monotonic() + self.patience
        known = {"Authorization": f"Bearer {self.account.token}", **headers}
        while True:
            try:
                answer = self.connection.ask(method, path, content, known, seconds)
                if answer.status < 300:
                    return answer
                error: ProbeError = Refused(what, answer)
                passing = answer.status in PASSING
            except Unanswered as reason:
                error, passing = ProbeError(f"{what}: no answer: {reason}"), True
            if not passing or time.monotonic() >= deadline:
                raise error
            self.retries += 1
            threading.Event().wait(0.5)

    def create_room(self, invite: str, encrypted: bool) -> Answer:
        """Make a private room that no directory lists."""
        body: dict[str, Any] = {"preset": "private_chat", "visibility": "private", "invite": [invite]}
        if encrypted:
            content = {"algorithm": "m.megolm.v1.aes-sha2"}
            body["initial_state"] = [{"type": "m.room.encryption", "state_key": "", "content": content}]
        return self.ask("create a room", "POST", f"{CLIENT}/createRoom", body, 30.0)

    def in_room(self, room: str, path: str) -> str:
        """Return the path of something in a room."""
        return f"{CLIENT}/rooms/{quote(room, safe='')}/{path}"

    def put_event(self, room: str, kind: str, transaction: str, content: object, seconds: float = 10.0) -> Answer:
        """Send an event; the same transaction sent twice is one event."""
        path = self.in_room(room, f"send/{quote(kind, safe='')}/{quote(transaction, safe='')}")
        return self.ask("send", "PUT", path, content, seconds)

    def to_device(self, other: Account, kind: str, transaction: str, content: object) -> Answer:
        """Send something to one device of another user."""
        path = f"{CLIENT}/sendToDevice/{quote(kind, safe='')}/{quote(transaction, safe='')}"
        return self.ask("to-device", "PUT", path, {"messages": {other.user: {other.device: content}}})

    def close(self) -> None:
        """Let go of the connection."""
        self.connection.close()
