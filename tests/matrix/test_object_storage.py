"""Any one storage host may be off: what was stored is read, and more is stored."""

from __future__ import annotations

import secrets

import pytest

from model.kubernetes.manifests import holds
from tests.cluster.lab_cluster import eventually, wrong
from tests.matrix.matrix_lab import MatrixLab
from tests.matrix.stored import put, unlike

pytestmark = pytest.mark.all
_OBJECTS, _MORE = 60, 10
# Until the cluster has noticed, a request may be led to the host that is gone.
_NOTICED, _BACK = 150, 240


@pytest.fixture(scope="module")
def before(matrix: MatrixLab) -> str:
    """The prefix of objects that were stored while every host was on."""
    prefix = f"test/{secrets.token_hex(4)}"
    assert put(matrix, prefix, _OBJECTS) == []
    return prefix


@pytest.mark.parametrize("host", ["st-1", "st-2", "st-3", "st-4"])
def test_with_one_storage_host_off_every_object_is_read_and_more_are_stored(
    matrix: MatrixLab, before: str, host: str
) -> None:
    matrix.lab.do("poweroff", host)
    try:
        eventually(f"{host} is not ready", lambda: host not in matrix.ready(), _NOTICED)
        eventually("objects are read", lambda: unlike(matrix, before, _OBJECTS) == [], _NOTICED)
        later = f"test/{secrets.token_hex(4)}"
        assert put(matrix, later, _MORE) == []
        assert unlike(matrix, later, _MORE) == []
        code, report = matrix.flow("validate", "--gate", "object-storage")
        assert (code, wrong(report)) == (0, [])
    finally:
        matrix.lab.do("poweron", host)
        eventually(f"{host} is ready again", lambda: host in matrix.ready(), _BACK)
    eventually("every pod is ready again", lambda: _whole(matrix), _BACK)
    assert unlike(matrix, before, _OBJECTS) == []


def _whole(matrix: MatrixLab) -> bool:
    pods = [pod for pod in matrix.objects("pods", "-n", "matrix") if pod["status"]["phase"] != "Succeeded"]
    return all(holds(pod, "Ready") for pod in pods)
