"""Claims about the gate of the object storage, tried with a server that speaks S3."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.message_probe.media import Medium
from model.errors import FleetError
from model.report.outcome import Status
from model.rollout.gates import GatePlace, places
from model.site.settings import ObjectStorage
from remote.gates import object_storage, stored_media
from remote.gates.object_client import objects
from remote.gates.pod import pods_in
from tests.mutation import loaded
from tests.remote.authority import Authority
from tests.remote.gates.s3_server import SmallS3, serving
from tests.remote.gates.world import World

NAME = "app.kubernetes.io/name"


@pytest.fixture
def storage(world: World) -> Iterator[SmallS3]:
    """A storage that a gateway's pod reaches."""
    with serving() as running:
        world.pod("seaweedfs-filer-0", "matrix", {NAME: "seaweedfs-filer"}, "10.0.0.1")
        world.single["/api/v1/namespaces/matrix/services/s3"] = {"spec": {"clusterIP": "10.96.0.9"}}
        world.ports["10.96.0.9", 9000] = running.port
        world.secrets |= {("s3-synapse", "access_key"): b"synapse", ("s3-synapse", "secret_key"): b"of a test"}
        # Of the two that ask for everything, the first comes with a wrong secret.
        running.refuse = lambda _method, name, query: (
            "" if name or query.get("prefix", [""])[0] else "SignatureDoesNotMatch"
        )
        yield running


def findings(world: World) -> str:
    """Run the gate, which must find something."""
    result = object_storage.run(world.context())
    assert result.status == Status.DRIFT
    assert "of a test" not in str(result)
    return "\n".join(result.findings)


def test_what_keeps_the_contract_is_good(world: World, storage: SmallS3) -> None:
    result = object_storage.run(world.context())
    assert (result.status, result.findings) == (Status.OK, ())
    assert storage.objects == {}


def test_a_wrong_key_that_may_come_in_is_found(world: World, storage: SmallS3) -> None:
    storage.refuse = lambda _method, _name, _query: ""
    assert "a wrong secret key may list synapse-media" in findings(world)


def test_a_stranger_that_may_come_in_is_found(world: World, storage: SmallS3) -> None:
    storage.everybody = True
    storage.refuse = lambda _method, _name, _query: ""
    assert "an access key that nobody was given" in findings(world)


def test_other_bytes_are_found(world: World, storage: SmallS3) -> None:
    storage.alter = lambda name, content: b"x" + content[1:] if name.endswith("small") else content
    assert "get: synapse-media/matrix-fleet-gate/" in findings(world)


def test_lost_parts_are_found(world: World, storage: SmallS3) -> None:
    storage.alter = lambda name, content: content[:-1] if name.endswith("large") else content
    assert "get what came in parts" in findings(world)


def test_a_range_that_is_not_kept_is_found(world: World, storage: SmallS3) -> None:
    storage.alter = lambda name, content: bytes(len(content)) if name.endswith("large") else content
    assert "range: " in findings(world)


def test_objects_that_are_not_listed_are_found(world: World, storage: SmallS3) -> None:
    storage.hidden = True
    assert "list: 0 of 2 objects are told of" in findings(world)


def test_objects_that_stay_are_found(world: World, storage: SmallS3) -> None:
    storage.deletes = False
    assert "is still there" in findings(world)


def test_a_storage_that_takes_nothing_is_found(world: World, storage: SmallS3) -> None:
    storage.refuse = lambda method, _name, _query: "AccessDenied" if method in ("PUT", "POST") else ""
    assert "put: AccessDenied" in findings(world)
    assert "multipart: AccessDenied" in findings(world)


def test_a_storage_that_is_away_is_found(world: World, storage: SmallS3) -> None:
    world.ports.clear()
    assert "ConnectionRefusedError" in findings(world) or "nobody listens" in findings(world)


@pytest.fixture
def external(world: World, tmp_path: Path) -> Iterator[SmallS3]:
    """The organisation's own storage, which a media pod reaches over TLS by its name."""
    (tmp_path / "site").mkdir()
    authority = Authority(tmp_path / "site")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.issue("storage", "storage", "s3.example.test"))
    settings = ObjectStorage(
        provider="external", endpoint="https://s3.example.test:9443", ca=authority.path.name, bucket="media"
    )
    whole = world.site.settings.model_copy(update={"object_storage": settings})
    world.site = replace(world.site, settings=whole, folder=authority.folder)
    with serving(tls) as running:
        world.pod("synapse-media-0", "matrix", {NAME: "synapse-media"}, "10.0.0.1")
        world.ports["s3.example.test", 9443] = running.port
        world.secrets |= {("s3-synapse", "access_key"): b"synapse", ("s3-synapse", "secret_key"): b"of a test"}
        running.refuse = lambda _method, name, query: (
            "" if name or query.get("prefix", [""])[0] else "SignatureDoesNotMatch"
        )
        yield running


def test_the_organisations_own_storage_keeps_the_same_contract(world: World, external: SmallS3) -> None:
    assert GatePlace("object-storage", "synapse") in places(world.site)
    assert GatePlace("object-storage", "synapse") not in places(loaded())
    result = object_storage.run(world.context())
    assert (result.status, result.findings, external.objects) == (Status.OK, (), {})
    external.alter = lambda name, content: b"x" + content[1:] if name.endswith("small") else content
    assert "get: media/matrix-fleet-gate/" in findings(world)


def test_another_storage_under_its_name_is_found(world: World, external: SmallS3, tmp_path: Path) -> None:
    Authority(tmp_path).issue("other", "other", "s3.example.test")
    (tmp_path / "site" / "ca.crt").write_bytes(Authority(tmp_path).path.read_bytes())
    assert "CERTIFICATE_VERIFY_FAILED" in findings(world)


def test_without_a_pod_nobody_can_try(world: World) -> None:
    with pytest.raises(FleetError, match="no pod that the object storage admits is ready"):
        object_storage.run(world.context())


MEDIUM = Medium("mxc://example.test/abcdefgh", b"picture")


def test_an_upload_is_looked_for_under_synapses_name(world: World, storage: SmallS3) -> None:
    storage.objects["local_content/ab/cd/efgh"] = MEDIUM.content
    storage.objects["local_thumbnails/ab/cd/efgh/32-32"] = b"small"
    assert list(stored_media.stored(client(world), "synapse-media", MEDIUM)) == []
    assert storage.objects == {}


def test_an_upload_that_is_not_stored_is_found(world: World, storage: SmallS3) -> None:
    (said,) = stored_media.stored(client(world), "synapse-media", MEDIUM)
    assert "an upload is not in the object storage: synapse-media/local_content/ab/cd/efgh: NoSuchKey" in said


def test_an_upload_with_other_bytes_is_found(world: World, storage: SmallS3) -> None:
    storage.objects["local_content/ab/cd/efgh"] = b"else"
    (said,) = stored_media.stored(client(world), "synapse-media", MEDIUM)
    assert "holds other bytes" in said


def test_an_object_of_an_upload_that_stays_is_found(world: World, storage: SmallS3) -> None:
    storage.objects["local_content/ab/cd/efgh"] = MEDIUM.content
    storage.objects["local_thumbnails/ab/cd/efgh/32-32"] = b"small"
    storage.deletes = False
    assert list(stored_media.stored(client(world), "synapse-media", MEDIUM)) == [
        f"left behind in the object storage: synapse-media/{name} is still there"
        for name in ("local_content/ab/cd/efgh", "local_thumbnails/ab/cd/efgh/32-32")
    ]


@pytest.mark.parametrize("place", ["local_content/ab/cd/efgh", "local_thumbnails/ab/cd/efgh/"])
def test_an_object_of_an_upload_that_may_not_be_deleted_is_found(world: World, storage: SmallS3, place: str) -> None:
    storage.objects["local_content/ab/cd/efgh"] = MEDIUM.content
    storage.objects["local_thumbnails/ab/cd/efgh/32-32"] = b"small"
    storage.refuse = lambda method, name, _query: (
        "AccessDenied" if method == "DELETE" and name.startswith(place) else ""
    )
    (said,) = stored_media.stored(client(world), "synapse-media", MEDIUM)
    assert said.startswith(f"left behind in the object storage: synapse-media/{place}: AccessDenied")


def test_an_upload_whose_objects_cannot_be_listed_may_stay(world: World, storage: SmallS3) -> None:
    storage.objects["local_content/ab/cd/efgh"] = MEDIUM.content
    storage.refuse = lambda method, name, _query: "AccessDenied" if method == "GET" and not name else ""
    (said,) = stored_media.stored(client(world), "synapse-media", MEDIUM)
    assert said.startswith(
        "left behind in the object storage: synapse-media/local_thumbnails/ab/cd/efgh/: AccessDenied"
    )


def client(world: World) -> Any:
    """Return a client as the gate has it."""
    context = world.context()
    return objects(context, pods_in(context, "matrix")[0], "synapse", "of a test")


def test_a_bucket_that_needs_no_key_is_found(world: World, storage: SmallS3) -> None:
    storage.anonymous = True
    assert "whoever has no key may list synapse-media" in findings(world)
