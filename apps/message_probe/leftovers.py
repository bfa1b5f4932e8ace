"""What probes that were killed left behind: looked for, and taken away once no probe can be using it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import quote

from apps.message_probe.administration import PREFIX, USER_TYPE, Administration
from apps.message_probe.user import ProbeError, Refused

# Seconds after which a user that a probe made, and that nobody uses, is taken for abandoned.
ABANDONED = 3600.0
PAGE = 100
# A list that goes on after so many pages has no end.
PAGES = 1000
_NAME = re.compile(rf"@{re.escape(PREFIX)}[0-9a-f]{{12}}:.+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A user that another probe made and that is there. `quiet`: seconds since it was made or last seen."""

    user: str
    administrator: bool
    quiet: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """
    `taken` are users and rooms that were taken away; `left` says in sentences what could not be.

    `media` are the addresses (`mxc://`) of media that Synapse has no longer, whether all of their user is gone or not:
    it never deletes their objects from the object storage, and nobody else can name them.
    """

    taken: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    media: tuple[str, ...] = ()


def leftovers(administration: Administration) -> tuple[Leftover, ...]:
    """
    Return the users of other probes: killed ones, and those that run now. Raises `ProbeError`.

    They are known by their name and by their type, which only an administrator can give. All times are the server's:
    now is when the administrator that asks was made.
    """
    entries = [entry for entry in _listed(administration) if _is_ours(entry)]
    try:
        made = {entry["name"]: float(entry["creation_ts"]) for entry in entries}
        now = made[administration.own]
    except (KeyError, TypeError):
        raise ProbeError("look for former probes: the server does not say when each user was made") from None
    return tuple(
        Leftover(
            user=entry["name"], administrator=bool(entry.get("admin")),
            quiet=(now - max(made[entry["name"]], float(entry.get("last_seen_ts") or 0))) / 1000,
        )
        for entry in entries
        if entry["name"] != administration.own
    )  # fmt: skip


def sweep(administration: Administration) -> Sweep:
    """
    Take away what former probes left, with rooms and media; what a probe may be using is not touched.

    An administrator says nothing from a series' begin to its end: it stays as long as anybody of a probe is in use. The
    administrator that was made for this stays for what follows.
    """
    try:
        found = leftovers(administration)
    except ProbeError as error:
        return Sweep(left=(f"what former probes left cannot be looked for: {error}",))
    old = [each for each in found if each.quiet > ABANDONED]
    if len(old) < len(found):
        old = [each for each in old if not each.administrator]
    parts = [_taken_away(administration, each.user) for each in old]
    return Sweep(
        taken=tuple(name for part in parts for name in part.taken),
        left=tuple(words for part in parts for words in part.left),
        media=tuple(uri for part in parts for uri in part.media),
    )


def _taken_away(administration: Administration, user: str) -> Sweep:
    """Take one away with all it made; `taken` is empty where not all of it is gone."""
    try:
        rooms, media = _rooms(administration, user), _media(administration, user)
    except ProbeError as error:
        return Sweep(left=(_told(user, error),))
    errors = {uri: administration.remove((), (), (uri,)) for uri in media}
    gone = tuple(uri for uri in media if not errors[uri])
    left = [*chain.from_iterable(errors.values()), *administration.remove((), rooms, ())]
    # As long as something of it stays, it stays too: the next sweep finds the one by the other.
    left = left or [*administration.remove((user,), (), ())]
    if left:
        return Sweep(left=tuple(_told(user, error) for error in left), media=gone)
    return Sweep(taken=(user, *rooms), media=gone)


def _told(user: str, error: object) -> str:
    return f"left by a former probe: {user}: {error}"


def _rooms(administration: Administration, user: str) -> tuple[str, ...]:
    """Return the rooms it is in that a probe made; no other is purged, whoever joined it."""
    joined = _seen(administration, f"/v1/users/{quote(user, safe='')}/joined_rooms").get("joined_rooms", ())
    makers = {room: _seen(administration, f"/v1/rooms/{quote(room, safe='')}").get("creator") for room in joined}
    return tuple(room for room, maker in makers.items() if _NAME.fullmatch(str(maker)))


def _media(administration: Administration, user: str) -> tuple[str, ...]:
    uploads = _paged(administration, f"/v1/users/{quote(user, safe='')}/media?order_by=media_id", "media")
    return tuple(f"mxc://{user.partition(':')[2]}/{upload['media_id']}" for upload in uploads)


def _listed(administration: Administration) -> Iterator[Mapping[str, Any]]:
    return _paged(administration, f"/v2/users?name={PREFIX}&deactivated=false", "users")


def _paged(administration: Administration, path: str, key: str) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of a list, page by page. Raises `ProbeError`, also for a list without an end."""
    start = "0"
    for _ in range(PAGES):
        document = _seen(administration, f"{path}&limit={PAGE}&from={start}")
        yield from document.get(key, ())
        start = str(document.get("next_token") or "")
        if not start:
            return
    raise ProbeError(f"ask the admin API: {path.partition('?')[0]} has no end after {PAGES} pages")


def _seen(administration: Administration, path: str) -> dict[str, Any]:
    """Ask for something that another gate may be taking away right now; empty once it is gone."""
    try:
        return administration.look(path)
    except Refused as error:
        if error.not_there:
            return {}
        raise


def _is_ours(entry: Mapping[str, Any]) -> bool:
    return bool(_NAME.fullmatch(str(entry.get("name")))) and entry.get("user_type") == USER_TYPE
