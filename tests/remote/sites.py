"""Small sites for tests: hosts that are servers on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def write_site(
    folder: Path, hosts: Mapping[str, int | dict[str, Any]], known: Mapping[int, str], key: Path, **extras: Any
) -> Path:
    """
    Write the files Nornir reads; hosts are ports of 127.0.0.1 (or whole entries), `known` the recorded key of a port.
    """
    folder.mkdir(exist_ok=True)
    entries = {
        name: {"hostname": "127.0.0.1", "groups": []}
        | (port_or_entry if isinstance(port_or_entry, dict) else {"port": port_or_entry})
        for name, port_or_entry in hosts.items()
    }
    options = {"netmiko": {"extras": {"key_file": str(key)} | extras}}
    (folder / "hosts.yaml").write_text(yaml.safe_dump(entries))
    (folder / "groups.yaml").write_text("{nobody: {}}\n")
    (folder / "defaults.yaml").write_text(yaml.safe_dump({"username": "root", "connection_options": options}))
    (folder / "known_hosts").write_text("".join(f"[127.0.0.1]:{port} {text}\n" for port, text in known.items()))
    return folder
