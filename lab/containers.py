"""A host as a systemd-nspawn container in its own network namespace: booted, and known to be up."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab import cgroups, disks, node, processes, seccomp
from lab.commands import environment
from lab.instance import VARIABLE, Instance
from lab.readiness import BootProcess
from lab.topology import LabHost
from model.checkout import ROOT

# systemd-nspawn ends with 133 when its host asked for a reboot: it comes back as after `lab reboot`, its kernel's rules
# gone.
# As if they had a processor of their own: etcd and API servers that answer late make everybody else ask again.
_WEIGHT_OF_CONTROL = 8
_SUPERVISOR = """
restart=$1; shift
"$@"
[ $? -eq 133 ] || exit
exec "$restart" -m lab poweron "$HOST"
"""


def machine_argument(instance: Instance, host: str) -> str:
    """Return the argument that tells this host's systemd-nspawn from every other process."""
    return f"--machine={instance.namespace(host)}"


def leader(instance: Instance, host: str) -> int:
    """Return the id of a host's init process, 0 when the host is down."""
    for supervisor in processes.with_argument(machine_argument(instance, host)):
        for child in processes.children(supervisor):
            if _is_init(child):
                return child
    return 0


def leaders(instance: Instance, hosts: Sequence[str]) -> dict[str, int]:
    """Return the init process of every host that runs, looking at the machine's processes once."""
    wanted = {machine_argument(instance, host): host for host in hosts}
    inits = {}
    for pid in processes.everyone():
        host = next((wanted[argument] for argument in processes.arguments(pid) if argument in wanted), None)
        init = next((child for child in processes.children(pid) if _is_init(child)), 0) if host else 0
        if host and init:
            inits[host] = init
    return inits


def _is_init(pid: int) -> bool:
    with contextlib.suppress(OSError):
        lines = (Path("/proc") / str(pid) / "status").read_text().splitlines()
        numbers = next(line for line in lines if line.startswith("NSpid:")).split()[1:]
        return len(numbers) > 1 and numbers[-1] == "1"
    return False


def start(instance: Instance, host: LabHost) -> BootProcess:
    """Start a host that has its disk mounted and its namespace made; it outlives this process."""
    notices = _socket(instance, host.name)
    groups = cgroups.create(instance.namespace(host.name), _WEIGHT_OF_CONTROL if "control_plane" in host.roles else 1)
    entries = [os.open(entry, os.O_WRONLY) for entry in groups]
    console = disks.disk_of(instance, host.name).console
    try:
        with console.open("ab") as output:
            process = subprocess.Popen(
                _argv(instance, host),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
                env=environment(_environment(instance, host)),
                preexec_fn=_Entrance(entries, confined=host.serves_the_site),
            )
    finally:
        for entry in entries:
            os.close(entry)
    return BootProcess(host.name, process, notices)


@dataclass(frozen=True, slots=True)
class _Entrance:
    """Between fork and exec: enter the host's control groups, and give up what its many capabilities would allow."""

    entries: Sequence[int] = field(default_factory=tuple)
    confined: bool = False

    def __call__(self) -> None:
        for entry in self.entries:
            os.write(entry, b"0")
        if self.confined:
            seccomp.forbid()


def _argv(instance: Instance, host: LabHost) -> tuple[str, ...]:
    disk = disks.disk_of(instance, host.name)
    return (
        *("/bin/sh", "-c", _SUPERVISOR, "supervisor", sys.executable),
        "systemd-nspawn",
        "--quiet",
        f"--directory={disk.root}",
        machine_argument(instance, host.name),
        f"--hostname={host.name}",
        f"--network-namespace-path={instance.namespace_path(host.name)}",
        *(node.arguments(disk.data) if host.serves_the_site else ("--capability=CAP_NET_ADMIN,CAP_NET_RAW",)),
        "--register=no",
        "--keep-unit",
        "--notify-ready=yes",
        "--kill-signal=SIGRTMIN+3",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=pipe",
        "--boot",
    )


def _environment(instance: Instance, host: LabHost) -> Mapping[str, str]:
    modern = cgroups.version_2() or _needs_version_2(disks.disk_of(instance, host.name).root)
    return {
        **(node.ENVIRONMENT if host.serves_the_site else {}),
        "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
        "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1" if modern else "0",
        "NOTIFY_SOCKET": str(_socket_path(instance, host.name)),
        "HOST": host.name,
        "PYTHONPATH": str(ROOT),
        VARIABLE: instance.name,
    }


def _needs_version_2(root: Path) -> bool:
    """Debian 13's systemd no longer runs on version 1 of control groups."""
    release = (root / "etc/os-release").read_text("utf-8")
    return 'VERSION_ID="12"' not in release


def _socket_path(instance: Instance, host: str) -> Path:
    return instance.run / f"{host}.notify"


def _socket(instance: Instance, host: str) -> socket.socket:
    path = _socket_path(instance, host)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(str(path))
    return notices
