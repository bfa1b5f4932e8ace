"""Does the object storage do what Synapse and its backups ask of it, and nothing for a stranger?"""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from model.errors import FleetError
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.object_client import complaint, objects
from remote.gates.pod import GatedPod, pods_in

if TYPE_CHECKING:
    from minio import Minio

_SMALL, _LARGE, _PART = 4096, 11 * 1024 * 1024, 5 * 1024 * 1024
# Who may speak to the storage, best first: a media pod stands on a worker, a gateway speaks to its neighbours.
_SOURCES = ("synapse-media", "seaweedfs-filer", "minio")
_NEXT = "look at the logs of the object storage's pods, and whether its volumes have room"


def run(context: GateContext) -> GateResult:
    """Try the contract from a pod that the storage admits, with Synapse's own keys; nothing of it stays."""
    begins = source(context)
    access, key = (context.secret("s3-synapse", word).decode() for word in ("access_key", "secret_key"))
    client = objects(context, begins, access, key)
    stranger = objects(context, begins, access, secrets.token_hex(20))
    nobody = objects(context, begins, secrets.token_hex(10), secrets.token_hex(20))
    bucket = context.site.settings.object_storage.bucket
    anonymous = objects(context, begins)
    findings = [*contract(client, bucket), *refusals(stranger, nobody, anonymous, bucket)]
    proven = f"put, get, range, multipart, list and delete work from {begins.where}; wrong keys are refused, and no key"
    return concluded(findings, proven, next_step=_NEXT)


def contract(client: Minio, bucket: str) -> Iterator[str]:
    """Yield what does not work; what was written is taken away in any case."""
    prefix = f"matrix-fleet-gate/{secrets.token_hex(8)}"
    small, large = secrets.token_bytes(_SMALL), secrets.token_bytes(_LARGE)
    names = (f"{prefix}/small", f"{prefix}/large")
    try:
        yield from _put(client, bucket, names, small, large)
        yield from _got(client, bucket, names, small, large)
    finally:
        left = [f"delete: {bucket}/{name}: {said}" for name in names if (said := _deleted(client, bucket, name))]
    yield from left
    if not left:
        yield from (f"delete: {bucket}/{name} is still there" for name in names if not _missing(client, bucket, name))


def source(context: GateContext) -> GatedPod:
    """Return a ready pod that the storage admits. Raises `FleetError`."""
    for name in _SOURCES:
        for pod in pods_in(context, "matrix", f"app.kubernetes.io/name={name}"):
            if pod.ready:
                return pod
    raise FleetError("no pod that the object storage admits is ready", f"look at the pods of {', '.join(_SOURCES)}")


def refusals(stranger: Minio, nobody: Minio, anonymous: Minio, bucket: str) -> Iterator[str]:
    """Yield what a wrong key may do."""
    tried = (
        (stranger, "a wrong secret key"),
        (nobody, "an access key that nobody was given"),
        (anonymous, "whoever has no key"),
    )
    for client, who in tried:
        said = complaint(partial(_listed, client, bucket))
        if not said:
            yield f"{who} may list {bucket}"
        elif not any(word in said for word in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")):
            yield f"{who} is refused, but not for the key: {said}"


def _put(client: Minio, bucket: str, names: tuple[str, str], small: bytes, large: bytes) -> Iterator[str]:
    if said := complaint(lambda: client.put_object(bucket, names[0], io.BytesIO(small), len(small))):
        yield f"put: {said}"
    # Of unknown length: it goes up in parts.
    if said := complaint(lambda: client.put_object(bucket, names[1], io.BytesIO(large), -1, part_size=_PART)):
        yield f"multipart: {said}"


def _got(client: Minio, bucket: str, names: tuple[str, str], small: bytes, large: bytes) -> Iterator[str]:
    wanted: tuple[tuple[str, str, bytes, Callable[[], bytes]], ...] = (
        ("get", names[0], small, lambda: _read(client, bucket, names[0])),
        ("get what came in parts", names[1], large, lambda: _read(client, bucket, names[1])),
        (
            "range",
            names[1],
            large[_PART - 100 : _PART + 100],
            lambda: _read(client, bucket, names[1], _PART - 100, 200),
        ),
    )
    for what, name, content, act in wanted:
        found: list[bytes] = []
        if said := complaint(partial(_kept, found, act)):
            yield f"{what}: {bucket}/{name}: {said}"
        elif hashlib.sha256(found[0]).digest() != hashlib.sha256(content).digest():
            yield f"{what}: {bucket}/{name}: {len(found[0])} other bytes came back"
    listed: list[str | None] = []
    prefix = names[0].rpartition("/")[0] + "/"
    if said := complaint(lambda: listed.extend(entry.object_name for entry in client.list_objects(bucket, prefix))):
        yield f"list: {said}"
    elif set(listed) != set(names):
        yield f"list: {len(listed)} of {len(names)} objects are told of"


def _read(client: Minio, bucket: str, name: str, offset: int = 0, length: int = 0) -> bytes:
    response = client.get_object(bucket, name, offset=offset, length=length)
    try:
        return bytes(response.read())
    finally:
        response.close()
        response.release_conn()


def _deleted(client: Minio, bucket: str, name: str) -> str:
    return complaint(lambda: client.remove_object(bucket, name))


def _missing(client: Minio, bucket: str, name: str) -> bool:
    return "NoSuchKey" in complaint(lambda: client.stat_object(bucket, name))


def _listed(client: Minio, bucket: str) -> object:
    return list(client.list_objects(bucket))


def _kept(found: list[bytes], act: Callable[[], bytes]) -> object:
    found.append(act())
    return None
