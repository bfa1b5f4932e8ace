"""A sender and a receiver in one room, on different processes where the server has several."""

from __future__ import annotations

from dataclasses import dataclass

from apps.message_probe.inbox import Inbox, Sighting
from apps.message_probe.talk import Talk
from apps.message_probe.user import User

# Receivers tried until one syncs with another process than the sender.
CANDIDATES = 8


@dataclass(frozen=True, slots=True)
class Pair:
    """A sender and a receiver in a room that both are in, with their long polls."""

    sender: User
    receiver: User
    from_receiver: Inbox
    to_receiver: Inbox
    room: str

    @property
    def sync_servers(self) -> tuple[str, str]:
        """The process that served the sender's sync, and the one that served the receiver's."""
        first, second = self.from_receiver.servers, self.to_receiver.servers
        return first.most_common(1)[0][0], second.most_common(1)[0][0]

    @property
    def several(self) -> bool:
        """Whether more than one process served the two."""
        return len({*self.from_receiver.servers, *self.to_receiver.servers}) > 1


def meet(chat: Talk, *, encrypted: bool = False, poll: float = 20.0) -> Pair:
    """Bring a sender and a receiver together, whom different processes serve where there are two."""
    sender = chat.user()
    mine = chat.inbox(sender, poll)
    receiver, theirs = _apart(chat, mine, poll)
    chat.log_in(receiver)
    made = chat.timed("create a room", lambda: sender.create_room(receiver.account.user, encrypted))
    room = str(made.document["room_id"]) if made else ""
    chat.rooms.append(room)
    theirs.wait("invitation", lambda seen: seen.place == "invite" and seen.room == room)
    chat.timed("join", lambda: receiver.ask("join", "POST", receiver.in_room(room, "join"), {}, 30.0))
    mine.wait("join", lambda seen: _joined(seen, room, receiver.account.user))
    return Pair(sender, receiver, mine, theirs, room)


def go_on(chat: Talk, pair: Pair) -> Pair:
    """Let the same two go on over the way of `chat`, each from where it has read to. Raises `ProbeError`."""
    for former in (pair.from_receiver, pair.to_receiver):
        former.close()
    sender, receiver = (User(user.account, chat.public, chat.patience) for user in (pair.sender, pair.receiver))
    chat.users += [sender, receiver]
    mine = chat.inbox(sender, since=pair.from_receiver.since)
    theirs = chat.inbox(receiver, since=pair.to_receiver.since)
    return Pair(sender, receiver, mine, theirs, pair.room)


def _apart(chat: Talk, mine: Inbox, poll: float) -> tuple[User, Inbox]:
    """Return a receiver whose sync another process serves; the last one tried where none is found."""
    for left in reversed(range(CANDIDATES)):
        receiver = chat.user()
        theirs = chat.inbox(receiver, poll)
        served = set(theirs.servers)
        if "" in served or not served & set(mine.servers) or not left:
            return receiver, theirs
        chat.inboxes.remove(theirs)
        theirs.close()
    raise AssertionError("the last candidate is always taken")


def _joined(seen: Sighting, room: str, user: str) -> bool:
    return (
        seen.room == room
        and seen.kind == "m.room.member"
        and seen.event.get("state_key") == user
        and seen.content.get("membership") == "join"
    )
