"""End-to-end encryption of one device: Olm to hand over a room's key, Megolm for what is said in the room."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from vodozemac import (
    Account as OlmAccount,
)
from vodozemac import (
    AnyOlmMessage,
    Curve25519PublicKey,
    Ed25519PublicKey,
    Ed25519Signature,
    GroupSession,
    InboundGroupSession,
    MegolmMessage,
    SessionKey,
)

from apps.message_probe.user import CLIENT, Account, ProbeError, User

OLM = "m.olm.v1.curve25519-aes-sha2"
MEGOLM = "m.megolm.v1.aes-sha2"
_ONE_TIME = "signed_curve25519"


class Device:
    """The keys of one user's device; nothing of them is kept when the probe ends."""

    def __init__(self, user: User) -> None:
        self._user = user
        self._olm = OlmAccount()
        self._incoming: dict[str, InboundGroupSession] = {}
        self._outgoing = GroupSession()

    def speak_as(self, user: User) -> None:
        """Let the same device speak over another connection of its user."""
        self._user = user

    @property
    def session(self) -> str:
        """The id of the room's key that it hands over."""
        return self._outgoing.session_id

    @property
    def _own(self) -> Account:
        return self._user.account

    def publish(self) -> None:
        """Upload this device's keys, signed by itself; further ones to be used once, where it has done so before."""
        device = {
            "user_id": self._own.user,
            "device_id": self._own.device,
            "algorithms": [OLM, MEGOLM],
            "keys": {
                f"curve25519:{self._own.device}": self._olm.curve25519_key.to_base64(),
                f"ed25519:{self._own.device}": self._olm.ed25519_key.to_base64(),
            },
        }
        self._olm.generate_one_time_keys(5)
        once = {
            f"{_ONE_TIME}:{name}": self._signed({"key": key.to_base64()})
            for name, key in self._olm.one_time_keys.items()
        }
        body = {"device_keys": self._signed(device), "one_time_keys": once}
        before = self._uploaded({})
        counted = self._uploaded(body)
        self._olm.mark_keys_as_published()
        if counted != before + len(once):
            raise ProbeError("upload keys: the server does not count the one-time keys that were uploaded")

    def share(self, other: Account, room: str) -> None:
        """Hand a new key of the room to another user's device, whose keys' signatures are checked."""
        self._outgoing = GroupSession()
        keys = self._keys_of(other)
        session = self._olm.create_outbound_session(keys[0], self._one_time_key(other, keys[1]))
        content = {
            "algorithm": MEGOLM,
            "room_id": room,
            "session_id": self._outgoing.session_id,
            "session_key": self._outgoing.session_key.to_base64(),
        }
        payload = {
            "type": "m.room_key",
            "content": content,
            "sender": self._own.user,
            "recipient": other.user,
            "recipient_keys": {"ed25519": keys[1].to_base64()},
            "keys": {"ed25519": self._olm.ed25519_key.to_base64()},
        }
        kind, text = session.encrypt(_canonical(payload)).to_parts()
        sealed = {
            "algorithm": OLM,
            "sender_key": self._olm.curve25519_key.to_base64(),
            "ciphertext": {keys[0].to_base64(): {"type": kind, "body": _unpadded(text)}},
        }
        self._user.to_device(other, "m.room.encrypted", f"key-{self._outgoing.session_id[:12]}", sealed)

    def take_key(self, content: Mapping[str, Any], sender: Account) -> bool:
        """Read a key that was handed over; False where it is not for this device. Raises `ProbeError`."""
        sealed = content.get("ciphertext", {}).get(self._olm.curve25519_key.to_base64())
        if content.get("algorithm") != OLM or sealed is None:
            return False
        try:
            message = AnyOlmMessage.from_parts(sealed["type"], _bytes(sealed["body"])).to_pre_key()
            if message is None:
                raise ValueError("not the first message of a session")
            sender_key = Curve25519PublicKey.from_base64(content["sender_key"])
            payload = json.loads(self._olm.create_inbound_session(sender_key, message)[1])
        except ValueError as error:
            raise ProbeError(f"receive the key: it cannot be opened: {error}") from None
        names = {"sender": sender.user, "recipient": self._own.user, "type": "m.room_key"}
        if any(payload.get(name) != value for name, value in names.items()):
            raise ProbeError("receive the key: it is by or for somebody else")
        if payload.get("recipient_keys", {}).get("ed25519") != self._olm.ed25519_key.to_base64():
            raise ProbeError("receive the key: it is for another device")
        key = payload["content"]
        self._incoming[key["session_id"]] = InboundGroupSession(SessionKey(key["session_key"]))
        return True

    def has(self, session: str) -> bool:
        """Whether this key of a room was received."""
        return session in self._incoming

    def seal(self, room: str, kind: str, content: object) -> dict[str, Any]:
        """Return the content of the event that says this in a room."""
        text = _canonical({"type": kind, "content": content, "room_id": room})
        return {
            "algorithm": MEGOLM,
            "sender_key": self._olm.curve25519_key.to_base64(),
            "device_id": self._own.device,
            "session_id": self._outgoing.session_id,
            "ciphertext": self._outgoing.encrypt(text).to_base64(),
        }

    def open(self, content: Mapping[str, Any], room: str) -> Mapping[str, Any]:
        """Return what an event of the room says. Raises `ProbeError`."""
        session = self._incoming.get(str(content.get("session_id")))
        if session is None:
            raise ProbeError("decrypt: its key was not received")
        try:
            opened = json.loads(session.decrypt(MegolmMessage.from_base64(content["ciphertext"])).plaintext)
        except (ValueError, KeyError) as error:
            raise ProbeError(f"decrypt: {error}") from None
        if opened.get("room_id") != room:
            raise ProbeError("decrypt: it was said in another room")
        inner: Mapping[str, Any] = opened
        return inner

    def _uploaded(self, body: Mapping[str, object]) -> int:
        """Upload keys, or none, and return how many to be used once the server counts then."""
        answer = self._user.ask("upload keys", "POST", f"{CLIENT}/keys/upload", body)
        return int(answer.document.get("one_time_key_counts", {}).get(_ONE_TIME, 0))

    def _keys_of(self, other: Account) -> tuple[Curve25519PublicKey, Ed25519PublicKey]:
        body = {"device_keys": {other.user: [other.device]}}
        found = self._user.ask("query keys", "POST", f"{CLIENT}/keys/query", body, 20.0).document
        try:
            device = found["device_keys"][other.user][other.device]
            signing = Ed25519PublicKey.from_base64(device["keys"][f"ed25519:{other.device}"])
            _verify(device, other, signing)
            return Curve25519PublicKey.from_base64(device["keys"][f"curve25519:{other.device}"]), signing
        except (KeyError, ValueError) as error:
            raise ProbeError(f"query keys: the device's keys are missing or not its own: {error!r}") from None

    def _one_time_key(self, other: Account, signing: Ed25519PublicKey) -> Curve25519PublicKey:
        body = {"one_time_keys": {other.user: {other.device: _ONE_TIME}}}
        found = self._user.ask("claim a key", "POST", f"{CLIENT}/keys/claim", body, 20.0).document
        try:
            (key,) = found["one_time_keys"][other.user][other.device].values()
            _verify(key, other, signing)
            return Curve25519PublicKey.from_base64(key["key"])
        except (KeyError, ValueError) as error:
            raise ProbeError(f"claim a key: there is none, or it is not the device's own: {error!r}") from None

    def _signed(self, content: dict[str, Any]) -> dict[str, Any]:
        signature = self._olm.sign(_canonical(content)).to_base64()
        return content | {"signatures": {self._own.user: {f"ed25519:{self._own.device}": signature}}}


def _verify(content: Mapping[str, Any], other: Account, signing: Ed25519PublicKey) -> None:
    """Raise ValueError or KeyError where the device did not sign this."""
    signature = content["signatures"][other.user][f"ed25519:{other.device}"]
    bare = {key: value for key, value in content.items() if key not in ("signatures", "unsigned")}
    signing.verify_signature(_canonical(bare), Ed25519Signature.from_base64(signature))


def _canonical(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
