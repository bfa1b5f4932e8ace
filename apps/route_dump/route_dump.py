"""Print which HTTP routes this Synapse serves on its main process, on a worker and on a media worker, as JSON.

Runs inside the image that will serve them, from standard input, without a database: `python3 - < route_dump.py`.
"""

from __future__ import annotations

import json
import logging
import tempfile
from importlib.metadata import version
from unittest.mock import MagicMock

from synapse.app.generic_worker import GenericWorkerServer
from synapse.app.homeserver import SynapseHomeServer
from synapse.config.homeserver import HomeServerConfig
from synapse.federation.transport.server import TransportLayerServer
from synapse.http.server import JsonResource
from synapse.rest import SERVLET_GROUPS, ClientRestResource, admin
from synapse.rest.media.media_repository_resource import MediaRepositoryResource
from synapse.rest.synapse.client import build_synapse_client_resource_tree
from synapse.server import HomeServer
from twisted.internet import reactor

WORKER = {"worker_app": "synapse.app.generic_worker", "worker_name": "worker"}
# Media last: once loaded, Synapse keeps the media servlets for every application of the interpreter.
PROCESSES: tuple[tuple[str, dict[str, str], bool], ...] = (
    ("main", {}, False),
    ("worker", WORKER, False),
    ("media", WORKER, True),
)
KEYS = "/_matrix/key"


def main() -> None:
    """Build each kind of process and print the routes that any of them serves."""
    logging.disable(logging.CRITICAL)
    served: dict[tuple[str, str, str], list[str]] = {}
    trees: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, worker, media in PROCESSES:
            SERVLET_GROUPS.pop("media", None)
            server = _server(folder, worker, media)
            for route in _routes(server, media):
                served.setdefault(route, []).append(kind)
            for prefix in (KEYS, *build_synapse_client_resource_tree(server)):
                trees.setdefault(prefix, []).append(kind)
    rows: list[list[object]] = [[*route, kinds] for route, kinds in sorted(served.items())]
    print(_document(rows, sorted(trees.items())))


def _document(routes: list[list[object]], trees: list[tuple[str, list[str]]]) -> str:
    """Write JSON with one route a line, so that two dumps can be compared."""
    rows, prefixes = (",\n".join(json.dumps(row) for row in table) for table in (routes, trees))
    return f'{{"version": "{version("matrix-synapse")}", "routes": [\n{rows}\n], "trees": [\n{prefixes}\n]}}'


def _server(folder: str, worker: dict[str, str], media: bool) -> HomeServer:
    settings = {
        "server_name": "example.org",
        "report_stats": False,
        "signing_key": "ed25519 a_dump AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "macaroon_secret_key": "dump",
        "form_secret": "dump",
        "worker_replication_secret": "dump",
        "database": {"name": "psycopg2", "args": {}},
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "enable_media_repo": media,
        "media_store_path": folder,
        "instance_map": {"main": {"host": "main", "port": 9093}},
        "experimental_features": {"msc4143_enabled": True, "msc4222_enabled": True},
        "listeners": [],
        **worker,
    }
    config = HomeServerConfig()
    config.parse_config_dict(settings, config_dir_path=folder, data_dir_path=folder)
    kind = GenericWorkerServer if worker else SynapseHomeServer
    server = kind("example.org", config, reactor)
    server.datastores = MagicMock()
    return server


def _routes(server: HomeServer, media: bool) -> set[tuple[str, str, str]]:
    """Return method, pattern and servlet of everything the process would answer, as its listeners would load it."""
    administration = JsonResource(server, canonical_json=False)
    admin.register_servlets(server, administration)
    resources = [ClientRestResource(server), administration, TransportLayerServer(server)]
    if media:
        admin.register_servlets_for_media_repo(server, administration)
        resources.append(MediaRepositoryResource(server))
    return {
        (method.decode(), pattern.pattern, entry.servlet_classname)
        for resource in resources
        for pattern, methods in resource._routes.items()
        for method, entry in methods.items()
    }


if __name__ == "__main__":
    main()
