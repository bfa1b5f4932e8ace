"""One lab with the whole application on it, for all tests of a session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from model.rollout.secret_names import kept_refs
from model.site.load import load_site
from tasks.secrets.store import open_store
from tests.cluster.lab_cluster import LONG, wrong
from tests.lab.driver import Lab, booted
from tests.matrix.leaks import CONTROL, Search, Watch, searching, watching
from tests.matrix.matrix_lab import Copy, MatrixLab, copied
from tests.matrix.resumed import Resumed, killed_and_resumed, killed_at

_HERE = Path(__file__).parent
_BARE = ("--profile", "matrix", "--bare")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    What the first rollout left is looked at first, what changes the site last; whoever is first waits for a whole
    cluster and a rollout. Before all of them goes who has a lab of its own: a machine has room for one.
    """
    items.sort(key=_turn)
    for item in items:
        if _HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONG * 3))


def _turn(item: pytest.Item) -> int:
    if item.path == _HERE / "test_minio.py":
        return -1
    if _HERE not in item.path.parents or item.path.name == "test_rollout.py":
        return 0
    if item.path.parent != _HERE:
        return 3
    return 2 if item.get_closest_marker("all") else 1


@pytest.fixture(scope="session")
def ready(real_machine: None) -> Iterator[MatrixLab]:
    """
    A lab of the profile matrix that bootstrap made a cluster, before any rollout.

    A lab that MATRIX_FLEET_TEST_LAB names is used as it is, and stays.
    """
    given = os.environ.get("MATRIX_FLEET_TEST_LAB")
    with nullcontext(Lab(given)) if given else booted("mt", *_BARE) as lab:
        lab.do("up", *_BARE)
        cluster = MatrixLab(lab)
        if not given:
            code, report = cluster.flow("bootstrap", seconds=LONG)
            assert code == 0, wrong(report)
        yield cluster


@pytest.fixture(scope="session")
def begun(ready: MatrixLab) -> tuple[int, str]:
    """How a rollout ended that was killed while the cluster had little of the application, and what it had written."""
    return killed_at(ready, "postgresql: applying")


@pytest.fixture(scope="session")
def first_watched(ready: MatrixLab, search: Search) -> tuple[int, dict[str, Any], Watch]:
    """The exit code and report of the first rollout on that cluster that was let end, and what programs showed."""
    with watching(search, 1.0) as watch:
        code, report = ready.flow("rollout", seconds=LONG)
    return code, report, watch


@pytest.fixture(scope="session")
def first_rollout(first_watched: tuple[int, dict[str, Any], Watch]) -> tuple[int, dict[str, Any]]:
    """The exit code and report of the first rollout on that cluster that was let end."""
    return first_watched[:2]


@pytest.fixture(scope="session")
def matrix(ready: MatrixLab, first_rollout: tuple[int, dict[str, Any]]) -> MatrixLab:
    """That cluster with the application on it, shared by all tests of a session: leave it as you found it."""
    code, report = first_rollout
    assert code == 0, wrong(report)
    return ready


@pytest.fixture(scope="session")
def trials(ready: MatrixLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A copy of the checkout that brings components which cannot become ready; they go with it."""
    copy = copied(ready, tmp_path_factory.mktemp("trials") / "checkout")
    try:
        yield copy
    finally:
        records = [f"matrix-fleet-inventory-{component}" for component in copy.components]
        ready.kubectl("delete", "configmap", "-n", "matrix-fleet", "--ignore-not-found", *records)
        # Nobody needs them to be gone: whoever uses this lab next finds them gone, or the lab itself is.
        ready.kubectl("delete", "namespace", "trial", "trial-quota", "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="session")
def search(ready: MatrixLab, begun: tuple[int, str]) -> Iterator[Search]:
    """A search for every value of a secret that the site keeps: whatever rollout begins first makes them all."""
    site = load_site(ready.lab.inventory)
    store = open_store(site)
    values = {
        f"{ref.name}/{ref.key}": store.value(ref.name, ref.key)
        for ref in kept_refs(site)
        if store.has(ref.name, ref.key)
    }
    assert len(values) > 10
    with searching(values, CONTROL.encode()) as found:
        yield found


@pytest.fixture(scope="session")
def resumed(matrix: MatrixLab, search: Search) -> Resumed:
    """A rollout that was killed, and the one after it, while which all programs were looked at."""
    return killed_and_resumed(matrix, search)
