"""The worker processes that hosts are spread over: of this machine, or of a scheduler's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dask
from distributed import Client, LocalCluster
from distributed.security import Security

from flows._fleet.dask.worker_config import WorkerConfig
from model.errors import SiteError

_CONNECT_SECONDS = 10
# Dask gives a worker whose hosts still hang four seconds before it ends the process.
_CLOSE_SECONDS = 10
# Nobody is told anything over HTTP.
_SILENT: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
_NOWHERE = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}


@contextmanager
def worker_pool(wanted: WorkerConfig, threads: int) -> Iterator[Client]:
    """
    Yield a client of the wanted workers; local ones have `threads` threads each and end with the block.

    Raises `SiteError` for a scheduler that cannot be reached, or not over TLS.
    """
    # What workers that end leave in logs is told in outcomes.
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
    with _remote(wanted) if wanted.scheduler else _local(wanted, threads) as client:
        yield client


@contextmanager
def _local(wanted: WorkerConfig, threads: int) -> Iterator[Client]:
    # Whoever reaches a scheduler may run what he likes in its workers: other users of this machine must not, so this is
    # TLS too, with a key that only these processes know.
    security = Security.temporary()
    with dask.config.set(_SILENT):
        cluster = LocalCluster(
            n_workers=wanted.workers,
            threads_per_worker=threads,
            processes=True,
            security=security,
            dashboard_address=None,
            scheduler_kwargs=_NOWHERE,
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
    try:
        with Client(cluster, security=security) as client:
            yield client
    finally:
        with suppress(TimeoutError):
            cluster.close(timeout=_CLOSE_SECONDS)


@contextmanager
def _remote(wanted: WorkerConfig) -> Iterator[Client]:
    if not wanted.scheduler.startswith("tls://"):
        raise SiteError(
            f"config.yaml: runner.options.scheduler {wanted.scheduler}: hosts' data and passwords travel over TLS "
            "alone; write tls://HOST:PORT, with authority, certificate and key"
        )
    security = Security(
        tls_ca_file=wanted.authority,
        tls_client_cert=wanted.certificate,
        tls_client_key=wanted.key,
        require_encryption=True,
    )
    try:
        client = Client(wanted.scheduler, security=security, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise SiteError(
            f"config.yaml: runner.options.scheduler {wanted.scheduler} cannot be reached: {error}; "
            "is it running, with this authority?"
        ) from error
    with client:
        yield client
