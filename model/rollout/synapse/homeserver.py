"""The parts of Synapse's configuration that follow from who does which duty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model.rollout.synapse.processes import (
    HEALTH_PORT,
    MAIN,
    MAIN_PORT,
    MASTER,
    REPLICATION_PORT,
    WORKER_PORT,
    Process,
    Processes,
)
from model.site.settings import Settings

Config = dict[str, Any]
# Kept by libpq for each process: events wait for nothing else, so a pool smaller than Synapse's own 10 starves it.
CONNECTIONS = 10
SPARE_CONNECTIONS = 30


def shares(running: Processes) -> Config:
    """Return `instance_map`, `stream_writers` and the settings that name who does a duty."""
    instance_map = {
        MAIN if running.is_main(process) else process.name: {"host": process.address, "port": REPLICATION_PORT}
        for process in running.writers
    }
    writers = {duty.stream: list(running.doing(duty)) for duty in running.duties if duty.stream}
    return {"instance_map": instance_map, "stream_writers": writers, **_settings(running)}


def process_file(running: Processes, process: Process, settings: Settings) -> Config:
    """Return what is a process's own, besides its name."""
    replication = process in running.writers
    federation = ["federation"] if settings.federation else []
    if running.is_main(process):
        # Who hands out tokens of calls asks there who somebody is, whether the server federates or not.
        openid = ["openid"] if settings.features.element_call and not federation else []
        return {
            # Who holds it may make users: no other process has the file.
            "registration_shared_secret_path": "/main-secrets/registration_shared_secret",
            "listeners": _listeners(["client", *federation, *openid], MAIN_PORT, settings, replication),
        }
    media = ["media"] if process.pool.media else []
    own: Config = {
        "worker_app": "synapse.app.generic_worker",
        "worker_listeners": _listeners(["client", *federation, *media], WORKER_PORT, settings, replication),
    }
    return own | ({"enable_media_repo": True} if media else {})


def _settings(running: Processes) -> Config:
    """Return the settings of duties that some worker does; main does the others when nothing is said."""
    found: Config = {}
    for duty in running.duties:
        names = running.doing(duty)
        if duty.setting and names != (MASTER,):
            found[duty.setting] = list(names) if duty.writers == "sharded" else names[0]
    return found


def _listeners(resources: Sequence[str], port: int, settings: Settings, replication: bool) -> list[Config]:
    found = [_listener(port, resources, settings), _listener(HEALTH_PORT, ["metrics"], settings)]
    return [*found, _listener(REPLICATION_PORT, ["replication"], settings)] if replication else found


def _listener(port: int, resources: Sequence[str], settings: Settings) -> Config:
    return {
        "port": port,
        "bind_addresses": [bind_address(settings)],
        "type": "http",
        "x_forwarded": port in (MAIN_PORT, WORKER_PORT),
        "resources": [{"names": list(resources), "compress": False}],
    }


def bind_address(settings: Settings) -> str:
    """Return the address that means all: of both families where pods have IPv6."""
    return "::" if any(network.version == 6 for network in settings.kubernetes.pod_cidrs) else "0.0.0.0"  # noqa: S104
