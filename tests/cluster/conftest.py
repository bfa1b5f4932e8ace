"""Real clusters: an API without nodes, made of the bundle's own programs, and a lab whose servers are one cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from flows._fleet.hosts import close
from flows._fleet.inventory import inventory
from lab.bundle import compiling
from lab.bundle.recipe import DEFAULT, RECIPES
from remote.api_endpoint import ApiEndpoint
from remote.kube import Cluster
from tests.cluster.apiserver import ENDPOINT, RealApi, real_api
from tests.cluster.lab_cluster import LONG, LabCluster, wrong
from tests.lab.driver import Lab, booted
from tests.remote.conftest import keygen, serve
from tests.remote.sites import write_site

_BARE = ("--profile", "small", "--bare")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever is first waits for a whole cluster."""
    for item in items:
        if "cluster" in item.path.parts and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONG * 2))


@pytest.fixture(scope="session")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds etcd, kube-apiserver, coredns and the bundle's other programs."""
    folder = tmp_path_factory.mktemp("programs")
    for component in RECIPES[DEFAULT].components:
        compiled = compiling.ensure(component, print)
        for name in compiling.programs(component):
            # The package of etcd's server is called so.
            (folder / {"server": "etcd"}.get(name, name)).symlink_to(compiled / name)
    return folder


@pytest.fixture(scope="session")
def api(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealApi]:
    """Two API servers on one etcd."""
    with real_api(tmp_path_factory.mktemp("api"), binaries, 2) as running:
        yield running


@pytest.fixture(scope="session")
def cluster(api: RealApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The API through SSH, by a control plane a server."""
    folder = tmp_path_factory.mktemp("way")
    keygen(folder / "key")
    sshd = serve(folder / "sshd", folder / "key")
    names = [f"cp-{at}" for at in range(1, len(api.ports) + 1)]
    site = write_site(folder / "site", dict.fromkeys(names, sshd.port), {sshd.port: sshd.host_key}, folder / "key")
    nr = inventory(site)
    pairs = zip(names, api.ports, strict=True)
    ways = [
        ApiEndpoint(nr.inventory.hosts[name], ip_address("127.0.0.1"), ENDPOINT, port, str(api.admin))
        for name, port in pairs
    ]
    cluster = Cluster(ways)
    yield cluster
    cluster.close()
    close(nr)
    sshd.process.kill()
    sshd.process.wait()


@pytest.fixture(scope="session")
def bootstrapped() -> Iterator[tuple[LabCluster, int, dict[str, Any]]]:
    """
    A small lab of bare hosts that one bootstrap made a cluster: with that run's exit code and report.

    A lab that MATRIX_FLEET_TEST_LAB names is used as it is, and stays.
    """
    given = os.environ.get("MATRIX_FLEET_TEST_LAB")
    with nullcontext(Lab(given)) if given else booted("cl", *_BARE) as lab:
        lab.do("up", *_BARE)
        cluster = LabCluster(lab)
        code, report = cluster.flow("bootstrap", seconds=LONG)
        yield cluster, code, report


@pytest.fixture(scope="session")
def small(bootstrapped: tuple[LabCluster, int, dict[str, Any]]) -> LabCluster:
    """That cluster, shared by all tests of a session: leave it as you found it."""
    cluster, code, report = bootstrapped
    assert code == 0, wrong(report)
    return cluster
