"""A real Kubernetes API for tests that need no nodes. `MATRIX_FLEET_BINARIES` is the folder of etcd, kube-apiserver and coredns."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from flows._hosts import close, inventory
from remote.api_way import Way
from remote.kube import Cluster
from tests.cluster.apiserver import ENDPOINT, Api, real_api
from tests.remote.conftest import keygen, serve
from tests.remote.sites import write_site


@pytest.fixture(scope="session")
def binaries() -> Path:
    """The folder that holds etcd, kube-apiserver and coredns."""
    folder = Path(os.environ.get("MATRIX_FLEET_BINARIES", "/usr/local/bin"))
    missing = [name for name in ("etcd", "kube-apiserver", "coredns") if not (folder / name).exists()]
    if missing:
        pytest.fail(f"no {', '.join(missing)} in {folder}: set MATRIX_FLEET_BINARIES")
    return folder


@pytest.fixture(scope="session")
def api(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Two API servers on one etcd."""
    with real_api(tmp_path_factory.mktemp("api"), binaries, 2) as running:
        yield running


@pytest.fixture(scope="session")
def cluster(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The API through SSH, by a control plane a server."""
    folder = tmp_path_factory.mktemp("way")
    keygen(folder / "key")
    sshd = serve(folder / "sshd", folder / "key")
    names = [f"cp-{at}" for at in range(1, len(api.ports) + 1)]
    site = write_site(folder / "site", dict.fromkeys(names, sshd.port), {sshd.port: sshd.host_key}, folder / "key")
    nr = inventory(site)
    pairs = zip(names, api.ports, strict=True)
    ways = [
        Way(nr.inventory.hosts[name], ip_address("127.0.0.1"), ENDPOINT, port, str(api.admin)) for name, port in pairs
    ]
    cluster = Cluster(ways)
    yield cluster
    cluster.close()
    close(nr)
    sshd.process.kill()
    sshd.process.wait()
