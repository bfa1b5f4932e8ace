"""Do other homeservers find this one and know it by its key, and does it reach one of them?"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from apps.message_probe.wire import Answer, Connection, Origin, Unanswered
from model.report.outcome import Status
from model.rollout.secret_kinds import verify_key
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.public import Way, outside_ways

_KEYS = "/_matrix/key/v2/server"
_VERSION = "/_matrix/federation/v1/version"
_QUERY = "/_matrix/federation/v1/query/directory?room_alias="
_PASSED = "/_matrix/key/v2/query"
_SECONDS = 20.0
# Synapse itself asks another server for up to a minute.
_ASKS_SECONDS = 90.0
_NEXT = "run the gates `well-known` and `routes`; for a partner, look at what Synapse logs of `synapse.http.federation`"


def run(context: GateContext) -> GateResult:
    """
    Look from outside as another homeserver does, then have this one ask a second one, by name.

    A second homeserver takes a signed question only when it has fetched this one's key: both directions are tried.
    """
    settings = context.site.settings
    if not settings.federation:
        return GateResult(status=Status.NOT_RUN, why="the site does not federate")
    ways = outside_ways(context)
    if not ways:
        return GateResult(
            status=Status.UNPROVEN, why="nobody looked from outside", next_step="declare a vantage host in hosts.yaml"
        )
    key_id, key = verify_key(context.secret("synapse-signing-key", "signing.key"))
    shown = unpadded(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    findings = [found for way in ways for found in seen_from(way, settings.domain, {key_id: shown})]
    seen = f"{settings.domain} answers other homeservers over {', '.join(way.name for way in ways)}"
    partner = settings.federation_partners.probe
    if findings or partner is None:
        return _alone(findings, seen)
    context.say(f"asking {partner} through Synapse")
    findings = list(partner_wrongs(ways[0].origin, partner, settings.domain))
    return concluded(findings, f"{seen}, and {partner} takes its questions", next_step=_NEXT)


def seen_from(way: Way, server: str, keys: Mapping[str, str]) -> Iterator[str]:
    """Yield what another homeserver would find wrong, over one way."""
    connection = Connection(way.origin)
    try:
        answer = connection.ask("GET", _KEYS, seconds=_SECONDS)
        yield from (f"{way.name}: {_KEYS}: {wrong}" for wrong in _key_wrongs(answer, server, keys))
        version = connection.ask("GET", _VERSION, seconds=_SECONDS)
        if version.status != 200 or not _part(version.document, "server").get("version"):
            yield f"{way.name}: {_VERSION}: HTTP {version.status}, and not as a homeserver answers"
        alias = quote(f"#matrix-fleet:{server}", safe="")
        unsigned = connection.ask("GET", f"{_QUERY}{alias}", seconds=_SECONDS)
        if unsigned.status != 401:
            yield f"{way.name}: {_QUERY}: HTTP {unsigned.status} without a signature, and it must be refused (401)"
    except Unanswered as error:
        yield f"{way.name}: no answer: {error}"
    finally:
        connection.close()


def partner_wrongs(origin: Origin, partner: str, server: str) -> Iterator[str]:
    """
    Yield what keeps this homeserver and a second one apart.

    It is asked for a room that nobody has, so it must say no; and for its key, which this homeserver passes on.
    """
    connection = Connection(origin)
    alias = quote(f"#matrix-fleet-{secrets.token_hex(6)}:{partner}", safe="")
    try:
        room = connection.ask("GET", f"/_matrix/client/v3/directory/room/{alias}", seconds=_ASKS_SECONDS)
        if room.status != 404 or room.document.get("errcode") != "M_NOT_FOUND":
            words = f"HTTP {room.status} {room.document.get('errcode', '')} {room.document.get('error', '')}".rstrip()
            yield f"{partner} is not reached, or does not take this homeserver's signature: {words}"
            return
        passed = _passed_on(connection, partner)
        if not any(signed(document, partner) and signed(document, server) for document in passed):
            yield f"{partner} answers, and shows no key as a homeserver does"
    except Unanswered as error:
        yield f"asking {partner}: no answer: {error}"
    finally:
        connection.close()


def _passed_on(connection: Connection, partner: str) -> Sequence[Mapping[str, Any]]:
    """Return a server's keys as this homeserver passes them on, signed by both; for one that nobody has it asks."""
    unheard = {f"ed25519:{secrets.token_hex(6)}": {"minimum_valid_until_ts": 0}}
    body = json.dumps({"server_keys": {partner: unheard}}).encode()
    connection.ask("POST", _PASSED, body, {"Content-Type": "application/json"}, _ASKS_SECONDS)
    answer = connection.ask("GET", f"{_PASSED}/{quote(partner, safe='')}", seconds=_ASKS_SECONDS)
    found = answer.document.get("server_keys")
    return [_part(document) for document in found] if isinstance(found, list) else []


def signed(document: Mapping[str, Any], server: str) -> bool:
    """Return whether a server signed a document; by its own key where the document brings it."""
    own = document.get("server_name") == server
    known = {name: str(_part(entry).get("key", "")) for name, entry in _part(document, "verify_keys").items()}
    signatures = _part(document, "signatures", server)
    if not own:
        return bool(signatures)
    bare = {key: value for key, value in document.items() if key not in ("signatures", "unsigned")}
    text = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return any(_verifies(known[name], str(signature), text) for name, signature in signatures.items() if name in known)


def unpadded(raw: bytes) -> str:
    """Return bytes as Matrix writes them: base64 without its padding."""
    return base64.b64encode(raw).decode().rstrip("=")


def _key_wrongs(answer: Answer, server: str, keys: Mapping[str, str]) -> Iterator[str]:
    document = answer.document
    if answer.status != 200 or "verify_keys" not in document:
        yield f"HTTP {answer.status}, and not as a homeserver answers"
        return
    if document.get("server_name") != server:
        yield f"is the key of {document.get('server_name')}, and {server} is wanted"
    if not signed(document, server):
        yield "is not signed by the key that it shows"
    shown = {name: _part(entry).get("key") for name, entry in _part(document, "verify_keys").items()}
    if not shown.items() >= keys.items():
        yield f"shows {', '.join(shown) or 'no key'}, and the site's own {', '.join(keys)} is wanted"
    until = document.get("valid_until_ts")
    if not isinstance(until, int) or until < time.time() * 1000:
        yield "has ended: valid_until_ts has passed"


def _alone(findings: list[str], seen: str) -> GateResult:
    if findings:
        return concluded(findings, seen, next_step=_NEXT)
    return GateResult(
        status=Status.UNPROVEN, why=f"{seen}; whether it reaches others nobody saw: the site names no second one",
        next_step="write the name of a homeserver that federates with it as `federation_partners.probe` in site.yaml",
    )  # fmt: skip


def _verifies(key: str, signature: str, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(_decoded(key)).verify(_decoded(signature), text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _part(value: object, *path: str) -> Mapping[str, Any]:
    for word in path:
        value = value.get(word) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}
