"""The probe's users: made by the shared secret, kept out of directories and counts, and taken away again."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from apps.message_probe.user import Account, ProbeError, Refused, User
from apps.message_probe.wire import Answer, Connection, Origin, Unanswered

ADMIN = "/_synapse/admin"
PREFIX = "matrix-fleet-probe-"
# Synapse leaves users of this type out of the user directory and of monthly counts.
USER_TYPE = "support"


class Administration:
    """
    The homeserver's admin API, which is on no public name: `origin` reaches it from inside.

    `secret` is the registration shared secret. The one administrator that clearing up needs is made when it is needed
    and deactivates itself last.
    """

    def __init__(self, origin: Origin, secret: bytes) -> None:
        self._origin, self._secret = origin, secret
        self._administrator: User | None = None

    def register(self, public: Origin, patience: float = 0.0) -> tuple[User, str]:
        """Make a user and return it as it speaks over the public name, with its password. Raises `ProbeError`."""
        account, password = self._made(administrator=False)
        return User(account, public, patience), password

    def unlimited(self, user: str) -> None:
        """Let a user send as fast as a series does."""
        body = {"messages_per_second": 0, "burst_count": 0}
        self._ask("lift the rate limit", "POST", f"/v1/users/{quote(user, safe='')}/override_ratelimit", body)

    def look(self, path: str) -> dict[str, Any]:
        """Ask the admin API for something; nothing is changed."""
        return self._ask("ask the admin API", "GET", path).document

    @property
    def own(self) -> str:
        """The administrator that was made for this; empty as long as there is none."""
        return self._administrator.account.user if self._administrator else ""

    def clear(self, users: Iterable[Account], rooms: Iterable[str], media: Iterable[str]) -> tuple[str, ...]:
        """Take media, rooms and users away, this administrator last; return what could not be."""
        return (*self.remove((account.user for account in users), rooms, media), *self._dismissed())

    def remove(self, users: Iterable[str], rooms: Iterable[str], media: Iterable[str]) -> tuple[str, ...]:
        """Take media, rooms and users away by their names; return what could not be. What is not there is gone."""
        left = []
        steps: list[tuple[str, str, str, object]] = [
            ("delete a medium", "DELETE", f"/v1/media/{uri.removeprefix('mxc://')}", None) for uri in media
        ]
        gone = {"purge": True, "block": False, "force_purge": True}
        steps += [("purge the room", "DELETE", f"/v1/rooms/{quote(room, safe='')}", gone) for room in rooms]
        steps += [_deactivation(user) for user in users]
        for what, method, path, body in steps:
            try:
                self._ask(what, method, path, body)
            except ProbeError as error:
                if not (isinstance(error, Refused) and error.not_there):
                    left.append(str(error))
        return tuple(left)

    def _dismissed(self) -> tuple[str, ...]:
        own, self._administrator = self._administrator, None
        if own is None:
            return ()
        what, method, path, body = _deactivation(own.account.user)
        try:
            own.ask(what, method, ADMIN + path, body, 30.0)
        except ProbeError as error:
            return (f"{error} (the probe's own administrator, {own.account.user})",)
        finally:
            own.close()
        return ()

    def _ask(self, what: str, method: str, path: str, body: object = None) -> Answer:
        if self._administrator is None:
            account, _ = self._made(administrator=True)
            self._administrator = User(account, self._origin, patience=10.0)
        return self._administrator.ask(what, method, ADMIN + path, body, 30.0)

    def _made(self, *, administrator: bool) -> tuple[Account, str]:
        try:
            with Connection(self._origin) as connection:
                return _register(connection, self._secret, administrator)
        except Unanswered as error:
            raise ProbeError(f"register a user: no answer from the admin API: {error}") from None


def _register(connection: Connection, secret: bytes, administrator: bool) -> tuple[Account, str]:
    path = f"{ADMIN}/v1/register"
    answer = connection.ask("GET", path)
    if answer.status != 200 or "nonce" not in answer.document:
        raise Refused("register a user: ask for a nonce", answer)
    nonce = str(answer.document["nonce"])
    name, password = PREFIX + secrets.token_hex(6), secrets.token_urlsafe(24)
    words = (nonce, name, password, "admin" if administrator else "notadmin", USER_TYPE)
    mac = hmac.new(secret, b"\0".join(word.encode() for word in words), hashlib.sha1).hexdigest()
    body = {
        "nonce": nonce, "username": name, "password": password, "admin": administrator, "user_type": USER_TYPE,
        "mac": mac, "displayname": "matrix-fleet probe",
    }  # fmt: skip
    made = connection.ask("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"}, 30.0)
    if made.status != 200:
        raise Refused("register a user", made)
    document = made.document
    return Account(document["user_id"], document["device_id"], document["access_token"]), password


def _deactivation(user: str) -> tuple[str, str, str, object]:
    return "deactivate a user", "POST", f"/v1/deactivate/{quote(user, safe='')}", {"erase": True}
