"""MinIO instead of SeaweedFS: one server of four may be lost and all goes on; with two lost, objects are read only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.cluster.lab_cluster import LONG, wrong
from tests.lab.driver import booted
from tests.matrix.matrix_lab import MatrixLab

pytestmark = pytest.mark.all
_GROUND = "namespaces,network-policies,minio"


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
    assert _gate(minio)["status"] == "ok"


def test_with_one_server_off_all_goes_on_and_with_two_nothing_is_written(minio: MatrixLab) -> None:
    minio.lab.do("poweroff", "st-4")
    assert _gate(minio)["status"] == "ok"
    minio.lab.do("poweroff", "st-3")
    gate = _gate(minio)
    assert gate["status"] == "drift"
    assert "put" in f"{gate['why']} {gate['findings']}"
    for host in ("st-3", "st-4"):
        minio.lab.do("poweron", host)


def _gate(minio: MatrixLab) -> dict[str, Any]:
    _, report = minio.flow("validate", "--gate", "object-storage")
    (gate,) = report["gates"]
    return dict(gate)
