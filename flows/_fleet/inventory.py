"""A site's hosts for Nornir: its files, its runner, and how each host is reached."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.checkout import ROOT
from model.document import DocumentError
from model.errors import SiteError
from remote.route import CONNECTION

if TYPE_CHECKING:
    from nornir.core import Nornir

CONFIG = "MATRIX_FLEET_CONFIG"
SSH_CONFIG = "MATRIX_FLEET_SSH_CONFIG"
_registering = threading.Lock()


def inventory(directory: Path) -> Nornir:
    """
    Load a site's hosts for Nornir; connections are strict about the keys in the folder's known_hosts.

    Raises `SiteError` when Nornir cannot read the folder's files.
    """
    from nornir import InitNornir
    from nornir.core.exceptions import PluginNotRegistered
    from nornir.core.plugins.connections import ConnectionPluginRegister
    from nornir.core.plugins.inventory import InventoryPluginRegister
    from nornir.core.plugins.runners import RunnersPluginRegister

    from flows._fleet.dask.runner import DaskRunner
    from flows._fleet.runner import Bounded, FleetRunner
    from flows._fleet.site_inventory import PLUGIN, SiteInventory
    from remote.connection import Connection
    from remote.dial import quiet

    quiet()
    # Nornir writes every task's arguments into its log.
    logging.getLogger("nornir").setLevel(logging.CRITICAL + 1)
    options = {"plugin": PLUGIN, "options": {"directory": str(directory)}}
    with _registering:
        # The package's own entry point of that name comes first and must find the place free.
        ConnectionPluginRegister.available.pop(CONNECTION, None)
        for plugin, runner in (("fleet", FleetRunner), ("dask", DaskRunner)):
            RunnersPluginRegister.register(plugin, runner)
        InventoryPluginRegister.register(PLUGIN, SiteInventory)
        try:
            nr = InitNornir(config_file=str(config()), inventory=options)
        except DocumentError as error:
            raise SiteError(f"{directory}: {error.path}: {error.message}; {error.fix}") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError, PluginNotRegistered) as error:
            raise SiteError(
                f"{directory}: Nornir cannot read the inventory or {config()}: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(nr.runner, Bounded):
            raise SiteError(f"{config()}: runner.plugin is {nr.config.runner.plugin}; write fleet or dask")
        ConnectionPluginRegister.available[CONNECTION] = Connection
    _describe_connections(nr, directory.absolute())
    return nr


def config() -> Path:
    """Return the file of Nornir's settings: the environment's, else the program's own."""
    return Path(os.environ.get(CONFIG) or ROOT / "config.yaml")


def _describe_connections(nr: Nornir, directory: Path) -> None:
    """Resolve each host's options once; relative paths in the site's files start at its folder."""
    from nornir.core.inventory import ConnectionOptions

    config = _ssh_config(nr, directory)
    for name, host in nr.inventory.hosts.items():
        declared = host.get_connection_parameters(CONNECTION)
        extras: dict[str, Any] = dict(declared.extras or {})
        if extras.get("key_file"):
            extras["key_file"] = str(directory / Path(extras["key_file"]).expanduser())
        extras |= {
            "name": name,
            "ssh_strict": True,
            "alt_host_keys": True,
            "alt_key_file": str(directory / "known_hosts"),
            "ssh_config_file": str(config) if config else None,
        }
        host.connection_options[CONNECTION] = ConnectionOptions(
            declared.hostname, declared.port, declared.username, declared.password, declared.platform, extras
        )


def _ssh_config(nr: Nornir, directory: Path) -> Path | None:
    """Choose the environment's file, else the site's, else the user's own if there is one."""
    named = os.environ.get(SSH_CONFIG) or (nr.inventory.defaults.data or {}).get("ssh_config")
    if named:
        return directory / Path(named).expanduser()
    own = Path(nr.config.ssh.config_file).expanduser()
    return own if own.is_file() else None
