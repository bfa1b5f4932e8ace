"""
The other side of compliance: Ansible and testinfra, installed beside us and told what must be so on the same hosts.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from checks.collector_query import collector_query
from checks.subjects.services import rows_landing
from lab.instance import selected
from model.site.hosts import Machine
from model.site.names import records
from model.site.site import Site
from model.site.sizing import needs
from model.ufw.state import USER, desired_state

HERE = Path(__file__).parent
THEIRS = HERE / "theirs"
_CACHE = HERE / ".cache"


def programs() -> Path:
    """Return the folder of their programs, installed once for each content of requirements.txt."""
    wanted = HERE / "requirements.txt"
    place = _CACHE / f"venv-{hashlib.sha256(wanted.read_bytes()).hexdigest()[:16]}"
    if not (place / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run([str(place / "bin/pip"), "install", "-q", "-r", str(wanted)], check=True)
        (place / "complete").touch()
    return place / "bin"


@contextmanager
def described(site: Site) -> Iterator[Path]:
    """
    Write an inventory, an ssh_config and what must be so on each server; connections kept open are those of this folder
    alone.
    """
    servers = [machine for machine in site.machines if machine.kind == "server"]
    with TemporaryDirectory(prefix="mf-") as name:
        folder = Path(name)
        (folder / "inventory").write_text("".join(f"{machine.name}\n" for machine in servers), "utf-8")
        (folder / "ssh_config").write_text(_ssh_config(servers), "utf-8")
        (folder / "host_vars").mkdir()
        for machine in servers:
            variables = json.dumps({"wanted": _wanted(site, machine)})
            (folder / "host_vars" / f"{machine.name}.json").write_text(variables, "utf-8")
        yield folder


def _ssh_config(servers: list[Machine]) -> str:
    instance = selected()
    hosts = "".join(f"Host {machine.name}\n  HostName {machine.hostname}\n" for machine in servers)
    return (
        f"{hosts}Host *\n  User deploy\n  IdentityFile {instance.key}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {instance.inventory}/known_hosts\n  StrictHostKeyChecking yes\n  LogLevel ERROR\n"
    )


def _wanted(site: Site, machine: Machine) -> dict[str, Any]:
    query, sizes = collector_query(site, machine), needs(site, machine)
    files = desired_state(site, machine, {}, True).files
    view = "li" if site.isolated(machine) else "main"
    answers = {name: sorted(_addresses(site, view, name)) for name in query["dns"][0]["names"]}
    ports = {
        f"{port}/{row.protocol}"
        for row in rows_landing(site, machine)
        if row.protocol in ("tcp", "udp")
        for low, high in row.intervals
        for port in range(low, min(high, low + 4096) + 1)
    }
    return {
        "sysctl": query["sysctl"],
        "modules": query["modules"],
        "units": query["units"],
        "resolvers": [resolver["server"] for resolver in query["dns"]],
        "names": query["dns"][0]["names"],
        "answers": answers,
        "cpus": sum(size.cpus for size in sizes),
        "memory_mb": int(sum(size.ram_gib for size in sizes) * 1024 * 0.9),
        "addresses": [str(address) for address in machine.own],
        "administrators": list(site.settings.servers.administrators),
        "listeners": sorted(ports),
        "ufw": (files[USER[4]] + files[USER[6]]).rstrip("\n"),
        "kernel_rules": [files[USER[4]].count("\n-A ufw-user-input "), files[USER[6]].count("\n-A ufw6-user-input ")],
        "prepared": False,
    }


def _addresses(site: Site, view: str, name: str) -> set[str]:
    return {
        str(address)
        for record in records(site)
        if record.view == view and record.name == name
        for address in record.addresses
    }
