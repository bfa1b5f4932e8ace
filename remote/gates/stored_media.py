"""A medium that was uploaded: is it in the object storage, and does every media pod serve it?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from apps.message_probe.media import Medium
from apps.message_probe.wire import Connection, Origin, Unanswered
from model.errors import FleetError
from remote.gates.object_client import complaint, objects
from remote.gates.pod import GatedPod, pods_in

if TYPE_CHECKING:
    from minio import Minio

    from remote.gates.gate import GateContext

WORKER_PORT = 8083


def look(context: GateContext, token: str, medium: Medium) -> Iterator[str]:
    """Yield what is wrong with it; the object is taken away in the end, since Synapse never deletes one."""
    yield from served(_ready(context), token, medium)
    yield from kept(context, medium)


def kept(context: GateContext, medium: Medium) -> Iterator[str]:
    """Yield what is wrong with its object alone, which is taken away."""
    try:
        client = _client(context)
    except FleetError as error:
        yield f"the object storage cannot be asked: {error}"
        return
    yield from stored(client, context.site.settings.object_storage.bucket, medium)


def cleared(context: GateContext, media: Iterable[str]) -> Iterator[str]:
    """
    Take away the objects of media (`mxc://`) that Synapse has no longer; yield what stays behind, or may.

    An object that is not there is gone.
    """
    names = [object_name(Medium(uri, b"")) for uri in media]
    if not names:
        return
    bucket = context.site.settings.object_storage.bucket
    try:
        client = _client(context)
    except FleetError as error:
        places = ", ".join(f"{bucket}/{name}" for name in names)
        yield f"left behind in the object storage, which cannot be asked: {places}: {error}"
        return
    for name in names:
        yield from _left(client, bucket, name)


def served(pods: Sequence[GatedPod], token: str, medium: Medium) -> Iterator[str]:
    """Ask each media pod itself: one took the upload, the others must have it from the object storage."""
    if len(pods) < 2:
        yield f"{len(pods)} media pods are ready: that another one serves an upload cannot be seen"
    for pod in pods:
        path = f"/_matrix/client/v1/media/download/{medium.path}"
        try:
            with Connection(Origin(name="localhost", port=80, dial=pod.own(WORKER_PORT))) as connection:
                answer = connection.ask("GET", path, headers={"Authorization": f"Bearer {token}"}, seconds=30.0)
        except Unanswered as error:
            yield f"{pod.where}: does not serve an upload: {error}"
            continue
        if answer.status != 200 or answer.body != medium.content:
            said = answer.document.get("errcode", "") if answer.status != 200 else "other bytes"
            yield f"{pod.where}: does not serve an upload: HTTP {answer.status} {said}".rstrip()


def stored(client: Minio, bucket: str, medium: Medium) -> Iterator[str]:
    """Read the object under the name that Synapse's provider gives it, compare it, and take it away."""
    name = object_name(medium)
    found: list[bytes] = []
    if said := complaint(lambda: found.append(_read(client, bucket, name))):
        yield f"an upload is not in the object storage: {bucket}/{name}: {said}"
    elif found[0] != medium.content:
        yield f"{bucket}/{name}: the object storage holds other bytes than were uploaded"
    yield from _left(client, bucket, name)


def _left(client: Minio, bucket: str, name: str) -> Iterator[str]:
    """Take an upload and its thumbnails away; yield what stays behind, or may."""
    thumbnails = name.replace("local_content/", "local_thumbnails/", 1) + "/"
    stays: list[str] = []
    for place, act in (
        (name, lambda: client.remove_object(bucket, name)),
        (thumbnails, lambda: _remove_below(client, bucket, thumbnails)),
        (name, lambda: stays.extend(_below(client, bucket, name))),
        (thumbnails, lambda: stays.extend(_below(client, bucket, thumbnails))),
    ):
        if said := complaint(act):
            yield f"left behind in the object storage: {bucket}/{place}: {said}"
            return
    yield from (f"left behind in the object storage: {bucket}/{entry} is still there" for entry in stays)


def object_name(medium: Medium) -> str:
    """Return an upload's name in the bucket."""
    return f"local_content/{medium.id[:2]}/{medium.id[2:4]}/{medium.id[4:]}"


def synapse_pods(context: GateContext, pool: str) -> tuple[GatedPod, ...]:
    """Return the pods of one pool of Synapse's processes."""
    return pods_in(context, "matrix", f"app.kubernetes.io/name=synapse-{pool}")


def instances(context: GateContext, pool: str) -> int:
    """Return how many processes of a pool are ready."""
    return sum(pod.ready for pod in synapse_pods(context, pool))


def _client(context: GateContext) -> Minio:
    """Return a client of the object storage with Synapse's keys. Raises `FleetError`."""
    pods = _ready(context)
    if not pods:
        raise FleetError("no media pod is ready", "look at the gate `synapse`")
    access, key = (context.secret("s3-synapse", word).decode() for word in ("access_key", "secret_key"))
    return objects(context, pods[0], access, key)


def _read(client: Minio, bucket: str, name: str) -> bytes:
    response = client.get_object(bucket, name)
    try:
        return bytes(response.read())
    finally:
        response.close()
        response.release_conn()


def _remove_below(client: Minio, bucket: str, prefix: str) -> None:
    for name in _below(client, bucket, prefix):
        client.remove_object(bucket, name)


def _below(client: Minio, bucket: str, prefix: str) -> tuple[str, ...]:
    entries = client.list_objects(bucket, prefix=prefix, recursive=True)
    return tuple(entry.object_name for entry in entries if entry.object_name)


def _ready(context: GateContext) -> tuple[GatedPod, ...]:
    return tuple(pod for pod in synapse_pods(context, "media") if pod.ready)
