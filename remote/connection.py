"""Nornir's connection `netmiko`, for hosts: netmiko's Linux driver without the interactive shell it would scrape."""

from __future__ import annotations

from typing import Any

from netmiko.linux import LinuxSSH
from nornir.core.configuration import Config
from nornir_netmiko.connections import Netmiko
from paramiko import SSHClient
from typing_extensions import override

from remote.dial import connect
from remote.route import Route, resolve
from remote.transport import ByteStream


class HostSession(LinuxSSH):
    """
    A verified, authenticated SSH connection to a host; commands go over `remote_conn_pre`, paramiko's client.

    netmiko opens a shell and waits for its prompt, which costs 0.3 s and fails on prompts it does not expect. Its own
    `connect` also takes any host key for good where several are known, and knows one jump host only.
    """

    remote_conn_pre: SSHClient | None
    stream: ByteStream | None = None

    def __init__(self, route: Route) -> None:
        super().__init__(
            host=route.address, port=route.port, username=route.username, device_type="linux", auto_connect=False
        )
        self.remote_conn_pre, self.stream = connect(route)

    def is_alive(self) -> bool:
        """Return whether the connection still carries commands."""
        transport = self.remote_conn_pre.get_transport() if self.remote_conn_pre is not None else None
        return transport is not None and transport.is_active()

    @override
    def cleanup(self, command: str = "") -> None:
        """There is no shell to leave."""

    def paramiko_cleanup(self) -> None:
        """Close the connection, and the jump host's process with it."""
        super().paramiko_cleanup()
        if self.stream is not None:
            self.stream.close()
            self.stream = None


class Connection(Netmiko):
    """nornir-netmiko's plugin, opening a `HostSession`; registered in its place under the same name."""

    connection: HostSession

    @override
    def open(
        self,
        hostname: str | None,
        username: str | None,
        password: str | None,
        port: int | None,
        platform: str | None,
        extras: dict[str, Any] | None = None,
        configuration: Config | None = None,
    ) -> None:
        """Connect; raises the errors of `remote.dial.connect`."""
        self.connection = HostSession(resolve(hostname, username, password, port, extras or {}))
