"""Two people, each at a homeserver of their own, as their clients speak to it from outside."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from model.site.load import load_site
from tasks.secrets.store import open_store
from tests.matrix.outward.conftest import OUTSIDE, Outward, asked

PARTNER = "partner.test"
_CLIENT = "/_matrix/client/v3"
# Of the site, as the second homeserver has it.
_AUTHORITY = "/opt/outside/homeserver/site-ca.pem"
_CALL = """
import json, ssl, sys, urllib.error, urllib.request
said = json.load(sys.stdin)
data = None if said["body"] is None else json.dumps(said["body"]).encode()
request = urllib.request.Request(said["url"], data, {"Content-Type": "application/json"}, method=said["method"])
if said["token"]:
    request.add_header("Authorization", "Bearer " + said["token"])
if said["host"]:
    request.add_header("Host", said["host"])
trusted = ssl.create_default_context(cafile=said["authority"] or None)
try:
    with urllib.request.urlopen(request, timeout=120, context=trusted) as answer:
        print(json.dumps([answer.status, json.load(answer)]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, json.loads(error.read() or b"{}")]))
"""


@dataclass(frozen=True)
class Person:
    """Somebody with an account; what they ask is asked from the vantage host."""

    outward: Outward
    url: str
    name: str
    token: str = field(default="", repr=False)
    authority: str = ""

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Ask this person's homeserver, which must answer well."""
        said = _request(f"{self.url}{path}", method, body, token=self.token, authority=self.authority)
        status, answer = asked(self.outward.lab, OUTSIDE, _CALL, said)
        assert status == 200, f"{self.name}: {method} {path}: HTTP {status} {answer}"
        return dict(answer)

    def invites(self, other: Person) -> str:
        """Make a room, invite the other, and return the room."""
        room = {"invite": [other.name], "preset": "private_chat", "name": "a trial"}
        return str(self.ask("POST", f"{_CLIENT}/createRoom", room)["room_id"])

    def joins(self, room: str, via: str) -> None:
        """Join a room by a homeserver that is in it."""
        self.ask("POST", f"{_CLIENT}/join/{quote(room)}?server_name={via}", {})

    def says(self, room: str, text: str) -> None:
        """Send a message."""
        path = f"{_CLIENT}/rooms/{quote(room)}/send/m.room.message/{secrets.token_hex(8)}"
        self.ask("PUT", path, {"msgtype": "m.text", "body": text})

    def has_seen(self, room: str, speaker: Person, text: str) -> bool:
        """Return whether a message of somebody's has come."""
        events = self.ask("GET", f"{_CLIENT}/rooms/{quote(room)}/messages?dir=b&limit=50")["chunk"]
        return any((event["sender"], event["content"].get("body")) == (speaker.name, text) for event in events)

    def leaves(self, room: str) -> None:
        """Leave a room and forget it."""
        for word in ("leave", "forget"):
            self.ask("POST", f"{_CLIENT}/rooms/{quote(room)}/{word}", {})


def partners_person(outward: Outward) -> Person:
    """Return somebody new at the second homeserver."""
    nobody = Person(outward, "http://127.0.0.1:8008", PARTNER)
    body = {"username": _word(), "password": secrets.token_hex(16), "auth": {"type": "m.login.dummy"}}
    made = nobody.ask("POST", f"{_CLIENT}/register", body)
    return Person(outward, nobody.url, made["user_id"], made["access_token"])


def own_person(outward: Outward) -> Person:
    """Return somebody new at the site's homeserver, made as its administrator makes users: by a secret, from inside."""
    proxy = outward.cluster.objects("pods", "-n", "matrix", "-l", "matrix-fleet.io/pod=haproxy")[0]
    address, node = proxy["status"]["podIP"], proxy["spec"]["nodeName"]
    url = f"http://[{address}]:8009" if ":" in address else f"http://{address}:8009"
    site = load_site(outward.lab.inventory)
    public = f"matrix.{site.settings.domain}"
    path = f"{url}/_synapse/admin/v1/register"
    _, answer = asked(outward.lab, node, _CALL, _request(path, "GET", host=public))
    user = {"nonce": answer["nonce"], "username": _word(), "password": secrets.token_hex(16), "admin": False}
    key = open_store(site).value("synapse", "registration_shared_secret")
    text = "\0".join((user["nonce"], user["username"], user["password"], "notadmin"))
    user["mac"] = hmac.new(key, text.encode(), hashlib.sha1).hexdigest()
    status, made = asked(outward.lab, node, _CALL, _request(path, "POST", user, host=public))
    assert status == 200, made
    return Person(outward, f"https://{public}", made["user_id"], made["access_token"], _AUTHORITY)


def _request(
    url: str, method: str, body: Any = None, *, token: str = "", authority: str = "", host: str = ""
) -> dict[str, Any]:
    return {"url": url, "method": method, "body": body, "token": token, "authority": authority, "host": host}


def _word() -> str:
    return f"trial-{secrets.token_hex(6)}"
