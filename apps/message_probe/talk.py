"""One use of the probe: its users, rooms and media, and how all of them are taken away again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from apps.message_probe.administration import Administration
from apps.message_probe.encryption import Device
from apps.message_probe.inbox import Inbox
from apps.message_probe.media import Medium
from apps.message_probe.user import CLIENT, Account, User
from apps.message_probe.wire import Answer, Origin


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done: how long it took, and which process answered, where the proxy tells."""

    name: str
    seconds: float
    server: str = ""


@dataclass(kw_only=True)
class Talk:
    """What a conversation is made of, as far as it came."""

    public: Origin
    administration: Administration
    patience: float = 20.0
    steps: list[Step] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    rooms: list[str] = field(default_factory=list)
    media: list[Medium] = field(default_factory=list)
    inboxes: list[Inbox] = field(default_factory=list)
    users: list[User] = field(default_factory=list)
    devices: dict[str, Device] = field(default_factory=dict, repr=False)
    passwords: dict[str, str] = field(default_factory=dict, repr=False)

    def timed(self, name: str, act: Callable[[], Answer | None]) -> Answer | None:
        """Do something and write down how long it took."""
        started = time.monotonic()
        answer = act()
        self.steps.append(Step(name, time.monotonic() - started, answer.pool if answer else ""))
        return answer

    def user(self) -> User:
        """Make a user, which is taken away in the end."""
        user, password = self.administration.register(self.public, self.patience)
        self.accounts.append(user.account)
        self.users.append(user)
        self.passwords[user.account.user] = password
        return user

    def log_in(self, user: User) -> None:
        """Log a user in by its password over the public name, and out of that device again."""
        started = time.monotonic()
        identifier = {"type": "m.id.user", "user": user.account.user}
        password = self.passwords[user.account.user]
        body = {"type": "m.login.password", "identifier": identifier, "password": password}
        answer = user.ask("log in", "POST", f"{CLIENT}/login", body)
        self.steps.append(Step("log in", time.monotonic() - started, answer.pool))
        second = User(
            Account(user.account.user, answer.document["device_id"], answer.document["access_token"]), self.public
        )
        self.users.append(second)
        second.ask("log out", "POST", f"{CLIENT}/logout", {})

    def device(self, user: User) -> Device:
        """Give a user's device, which keeps its keys over every way and speaks over this one."""
        device = self.devices.setdefault(user.account.user, Device(user))
        device.speak_as(user)
        return device

    def over(self, public: Origin) -> Talk:
        """Give a part of this conversation that goes another way; what it makes is taken away with the whole."""
        return replace(self, public=public, steps=[])

    def inbox(self, user: User, poll: float = 20.0, since: str = "") -> Inbox:
        """Begin a user's long poll, or go on with one."""
        inbox = Inbox(user.account, self.public, poll, since)
        self.inboxes.append(inbox)
        inbox.open(self.patience)
        return inbox


@contextmanager
def talk(
    public: Origin, administration: Administration, patience: float = 20.0, left: list[str] | None = None
) -> Iterator[Talk]:
    """Give a conversation, and take away what it made; what stays behind is added to `left`."""
    began = Talk(public=public, administration=administration, patience=patience)
    try:
        yield began
    finally:
        for inbox in began.inboxes:
            inbox.close()
        for user in began.users:
            user.close()
        behind = administration.clear(began.accounts, began.rooms, [medium.uri for medium in began.media])
        if left is not None:
            left += behind
