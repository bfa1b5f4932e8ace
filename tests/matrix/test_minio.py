"""MinIO instead of SeaweedFS: one server of four may be lost and all goes on; with two lost, objects are read only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from model.kubernetes.manifests import holds
from tests.cluster.lab_cluster import LONG, eventually, wrong
from tests.lab.driver import booted
from tests.matrix.matrix_lab import MatrixLab

pytestmark = pytest.mark.all
_GROUND = "namespaces,network-policies,minio"
_SERVERS = frozenset({"st-1", "st-2", "st-3", "st-4"})
_KEPT = "site/synapse-media/kept"
# In a server's own pod, as the administrator: whoever asks it asks all.
_MC = """\
. /config/config.env
export MC_HOST_site="http://$MINIO_ROOT_USER:$MINIO_ROOT_PASSWORD@127.0.0.1:9000"
exec mc --config-dir /tmp/.mc "$@"
"""
# A node that falls silent is noticed after 40 s, on two cores that sixteen servers share now and then after twice that.
_NOTICED = 180.0
# Until a host has booted, kubelet has started what ran there, and servers have found each other.
_BACK = 600.0


@pytest.fixture(scope="module")
def minio(real_machine: None) -> Iterator[MatrixLab]:
    with booted("mm", "--profile", "matrix", "--bare") as lab:
        path = lab.inventory / "site.yaml"
        settings = yaml.safe_load(path.read_text("utf-8"))
        settings["object_storage"] = {**settings.get("object_storage", {}), "provider": "minio"}
        path.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
        cluster = MatrixLab(lab)
        for flow, flags in (("bootstrap", ()), ("rollout", ("--component", _GROUND))):
            code, report = cluster.flow(flow, *flags, seconds=LONG)
            assert code == 0, wrong(report)
        yield cluster


def test_objects_are_put_read_and_refused_to_strangers(minio: MatrixLab) -> None:
    gate = _gate(minio)
    assert (gate["status"], gate["findings"]) == ("ok", []), gate


def test_objects_lie_on_two_drives_of_each_server_half_of_them_for_parity(minio: MatrixLab) -> None:
    info = json.loads(_mc(minio, "admin", "info", "--json", "site"))["info"]
    drives = {
        server["endpoint"].split(".")[0]: [drive["state"] for drive in server["drives"]] for server in info["servers"]
    }
    assert drives == {f"minio-{number}": ["ok", "ok"] for number in range(4)}
    assert info["backend"]["standardSCParity"] == 4
    assert set(_ready(minio)) == _SERVERS


def test_with_one_server_off_all_goes_on(minio: MatrixLab) -> None:
    with _without(minio, "st-4"):
        eventually("objects are put and read", lambda: _gate(minio)["status"] == "ok", _NOTICED)
    eventually("the gate is good again", lambda: _gate(minio)["status"] == "ok", _NOTICED)


def test_with_two_servers_off_objects_are_read_and_none_is_written(minio: MatrixLab) -> None:
    _mc(minio, "pipe", "--quiet", _KEPT, stdin="kept")
    with _without(minio, "st-3", "st-4"):
        eventually("what was put before is read", lambda: _mc(minio, "cat", _KEPT) == "kept", _NOTICED)
        gate = _gate(minio)
        assert gate["status"] == "drift", gate
        refused = [finding for finding in gate["findings"] if finding.startswith(("put: ", "multipart: "))]
        assert len(refused) == 2, gate
        assert _mc(minio, "cat", _KEPT) == "kept"
    eventually("objects are put again", lambda: _gate(minio)["status"] == "ok", _NOTICED)
    assert _mc(minio, "cat", _KEPT) == "kept"


@contextmanager
def _without(minio: MatrixLab, *hosts: str) -> Iterator[None]:
    """Pull the plug of hosts, wait until the cluster has noticed, and give them their power back in the end."""
    left = _SERVERS - set(hosts)
    try:
        for host in hosts:
            minio.lab.do("poweroff", host)
        eventually(f"MinIO is left at {', '.join(sorted(left))}", lambda: set(_ready(minio)) == left, _NOTICED)
        yield
    finally:
        for host in hosts:
            minio.lab.do("poweron", host)
        eventually("MinIO is back everywhere", lambda: set(_ready(minio)) == _SERVERS, _BACK)


def _ready(minio: MatrixLab) -> dict[str, str]:
    """Return MinIO's pods that are ready, by their nodes."""
    pods = minio.objects("pods", "-n", "matrix", "-l", "app.kubernetes.io/name=minio")
    return {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in pods if holds(pod, "Ready")}


def _mc(minio: MatrixLab, *words: str, stdin: str = "") -> str:
    """Run MinIO's own client at the first server that is ready; it must succeed."""
    (_, pod), *_ = sorted(_ready(minio).items())
    return minio.kubectl("exec", "-n", "matrix", "-i", pod, "--", "sh", "-c", _MC, "sh", *words, stdin=stdin)


def _gate(minio: MatrixLab) -> dict[str, Any]:
    _, report = minio.flow("validate", "--gate", "object-storage")
    (gate,) = report["gates"]
    return dict(gate)
