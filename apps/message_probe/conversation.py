"""What two users do as clients do it: said, typed, read, sent to a device, uploaded; all of it must arrive."""

from __future__ import annotations

import secrets
import time
from functools import partial

from apps.message_probe import media
from apps.message_probe.encryption import Device
from apps.message_probe.inbox import Sighting
from apps.message_probe.meeting import Pair
from apps.message_probe.talk import Step, Talk
from apps.message_probe.user import ProbeError

TEXT = "m.room.message"
# Encrypted messages that are sent until one reaches the two through different processes: a proxy may move a user on.
CROSSINGS = 6


def say(chat: Talk, pair: Pair, text: str = "") -> None:
    """Send a message that the other receives by its long poll."""
    body = {"msgtype": "m.text", "body": text or f"probe {secrets.token_hex(8)}"}
    started = time.monotonic()
    sent = chat.timed("send", lambda: pair.sender.put_event(pair.room, TEXT, secrets.token_hex(8), body))
    event = sent.document["event_id"] if sent else ""
    came = pair.to_receiver.wait("message", lambda seen: seen.event.get("event_id") == event)
    if came.content.get("body") != body["body"]:
        raise ProbeError("message: another text came than was sent")
    chat.steps.append(Step("message", came.at - started, came.server))
    _read(chat, pair, event)


def _read(chat: Talk, pair: Pair, event: str) -> None:
    """Have the receiver read an event, and the sender see that."""
    started = time.monotonic()
    path, user = pair.receiver.in_room(pair.room, f"receipt/m.read/{event}"), pair.receiver.account.user
    pair.receiver.ask("receipt", "POST", path, {})
    read = pair.from_receiver.wait(
        "receipt", lambda seen: seen.kind == "m.receipt" and user in seen.content.get(event, {}).get("m.read", {})
    )
    chat.steps.append(Step("receipt", read.at - started))


def signal(chat: Talk, pair: Pair) -> None:
    """Type, and send something to the other's device: both arrive without being kept anywhere."""
    _type(chat, pair)
    started, word = time.monotonic(), secrets.token_hex(8)
    pair.sender.to_device(pair.receiver.account, "io.matrix_fleet.probe", word, {"word": word})
    came = pair.to_receiver.wait(
        "to-device", lambda seen: seen.place == "to_device" and seen.content.get("word") == word
    )
    chat.steps.append(Step("to-device", came.at - started))


def _type(chat: Talk, pair: Pair) -> None:
    """Begin to type, which is told of only where the sender did not type before: over another way, say."""
    sender = pair.sender.account.user
    path = pair.sender.in_room(pair.room, f"typing/{sender}")
    pair.sender.ask("typing", "PUT", path, {"typing": False})
    started = time.monotonic()
    pair.sender.ask("typing", "PUT", path, {"typing": True, "timeout": 20000})
    typing = pair.to_receiver.wait(
        "typing",
        lambda seen: seen.at >= started and seen.kind == "m.typing" and sender in seen.content.get("user_ids", ()),
    )
    chat.steps.append(Step("typing", typing.at - started))


def show(chat: Talk, pair: Pair) -> media.Medium:
    """Upload a picture."""
    started = time.monotonic()
    medium, answer = media.upload(pair.sender)
    chat.media.append(medium)
    chat.steps.append(Step("upload", time.monotonic() - started, answer.pool))
    return medium


def fetch(chat: Talk, pair: Pair, medium: media.Medium) -> None:
    """Have the other download a picture, and ask for it made smaller."""
    chat.timed("download", lambda: media.download(pair.receiver, medium))
    chat.timed("thumbnail", lambda: media.thumbnail(pair.receiver, medium))


def whisper(chat: Talk, pair: Pair) -> tuple[str, str]:
    """
    Say something that only the other's device can read: keys published, claimed, handed over; sent and opened.

    Return through which processes it reached the sender's own sync and the receiver's. Where several serve the two, it
    is said again until these differ, a few times at most.
    """
    mine, theirs = chat.device(pair.sender), chat.device(pair.receiver)
    chat.timed("publish keys", mine.publish)
    chat.timed("publish keys", theirs.publish)
    sender, started = pair.sender.account, time.monotonic()
    mine.share(pair.receiver.account, pair.room)
    pair.to_receiver.wait(
        "the room's key",
        lambda seen: _is_key(seen) and theirs.take_key(seen.content, sender) and theirs.has(mine.session),
    )
    chat.steps.append(Step("key handed over", time.monotonic() - started))
    through = _whisper(chat, pair, mine, theirs)
    for _ in range(CROSSINGS - 1):
        if len(set(through)) > 1 or not pair.several:
            break
        through = _whisper(chat, pair, mine, theirs)
    return through


def _whisper(chat: Talk, pair: Pair, mine: Device, theirs: Device) -> tuple[str, str]:
    started, secret = time.monotonic(), secrets.token_hex(8)
    sealed = mine.seal(pair.room, TEXT, {"msgtype": "m.text", "body": secret})
    sent = chat.timed(
        "send encrypted",
        lambda: pair.sender.put_event(pair.room, "m.room.encrypted", secrets.token_hex(8), sealed),
    )
    event = sent.document["event_id"] if sent else ""
    came = pair.to_receiver.wait("encrypted message", lambda seen: seen.event.get("event_id") == event)
    if secret in str(came.event):
        raise ProbeError("encrypted message: the server saw what it says")
    if theirs.open(came.content, pair.room).get("content", {}).get("body") != secret:
        raise ProbeError("encrypted message: it says something else than was sent")
    chat.steps.append(Step("encrypted message", came.at - started, came.server))
    own = pair.from_receiver.wait("own encrypted message", lambda seen: seen.event.get("event_id") == event)
    return own.server, came.server


def leave(chat: Talk, pair: Pair) -> None:
    """Leave and forget the room, as the administrator's purge wants it."""
    for user in (pair.receiver, pair.sender):
        for word in ("leave", "forget"):
            path = user.in_room(pair.room, word)
            chat.timed(word, partial(user.ask, word, "POST", path, {}, 20.0))


def _is_key(seen: Sighting) -> bool:
    return seen.place == "to_device" and seen.kind == "m.room.encrypted"
