"""A real Kubernetes API on loopback, without nodes: etcd and one or more API servers, with certificates of its own."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3

from tests.remote.authority import Authority
from tests.remote.conftest import free_port

ENDPOINT = "api.example.test"


@dataclass(frozen=True)
class RealApi:
    """A running API: the ports of its servers, and the administrator's kubeconfig."""

    ports: tuple[int, ...]
    admin: Path
    servers: tuple[subprocess.Popen[bytes], ...]


@contextmanager
def real_api(folder: Path, binaries: Path, servers: int = 1) -> Iterator[RealApi]:
    """Run etcd and API servers until the block ends; `binaries` holds `etcd` and `kube-apiserver`."""
    authority = Authority(folder)
    certificate, key = authority.issue("apiserver", "kube-apiserver", ENDPOINT, "127.0.0.1")
    ports = tuple(free_port() for _ in range(servers))
    admin = authority.kubeconfig(folder / "admin.conf", f"https://{ENDPOINT}:{ports[0]}")
    client, peer = free_port(), free_port()
    with ExitStack() as running:
        etcd_argv = (
            str(binaries / "etcd"),
            f"--data-dir={folder}/etcd",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        )
        running.enter_context(_process(etcd_argv, folder / "etcd.log"))
        common = (
            str(binaries / "kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{client}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            f"--client-ca-file={authority.path}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
        )
        processes = tuple(
            running.enter_context(_process((*common, f"--secure-port={port}"), folder / f"api-{port}.log"))
            for port in ports
        )
        for port, process in zip(ports, processes, strict=True):
            _await_ready(folder, port, process, authority.path)
        yield RealApi(ports, admin, processes)


@contextmanager
def _process(argv: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out, subprocess.Popen(argv, stdout=out, stderr=out, env={**os.environ}) as process:
        try:
            yield process
        finally:
            process.kill()


def _await_ready(
    folder: Path, port: int, process: subprocess.Popen[bytes], authority: Path, seconds: float = 60.0
) -> None:
    client = urllib3.PoolManager(
        ca_certs=str(authority), cert_file=str(folder / "admin.crt"), key_file=str(folder / "admin.key"), retries=False
    )
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.request("GET", f"https://127.0.0.1:{port}/readyz", timeout=2.0).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        threading.Event().wait(0.05)
    raise TimeoutError(f"the API server on port {port} is not ready after {seconds:g} s: see {folder}")
