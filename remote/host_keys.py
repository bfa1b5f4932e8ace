"""The keys that a host may present: the recorded ones and no other."""

from __future__ import annotations

from collections.abc import Sequence
from socket import socket

import paramiko
from typing_extensions import override

from model.errors import HostKeyChanged, HostKeyUnknown
from remote.known_hosts import fingerprint, passed_over, revoked
from remote.route import Route

TRUST = "python -m flows.trust"
_KEY_KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)


class RecordedKeys(paramiko.MissingHostKeyPolicy):
    """Admits the recorded keys and no other."""

    def __init__(self, route: Route, keys: Sequence[paramiko.PKey]) -> None:
        self.route = route
        self.keys = keys

    @override
    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        if key in revoked(self.route.known_hosts, self.route.known_as):
            raise revocation(self.route, key)
        if any(key == known for known in self.keys):
            return
        if not self.keys:
            raise HostKeyUnknown(
                self.route.name,
                f"its key ({fingerprint(key)}) was never recorded{passed_over(self.route.known_hosts)}",
                f"compare it on the host's console, then run `{TRUST} --limit {self.route.name}`",
            )
        raise changed(self.route, self.keys, key)


def revocation(route: Route, key: paramiko.PKey) -> HostKeyChanged:
    """Return the error that names a key which nobody may present any more."""
    return HostKeyChanged(
        route.name,
        f"presents a key that {route.known_hosts} revokes: {fingerprint(key)}",
        f"find out who answers at {route.known_as}; the host needs a new key",
    )


def changed(route: Route, keys: Sequence[paramiko.PKey], key: paramiko.PKey) -> HostKeyChanged:
    """Return the error that names the recorded and the presented key."""
    known = ", ".join(fingerprint(recorded_key) for recorded_key in keys)
    return HostKeyChanged(
        route.name,
        f"presents another key than the recorded one: recorded {known}, presented {fingerprint(key)}",
        f"find out who answers at {route.known_as}; if the host was reinstalled: `{TRUST} --replace {route.name}`",
    )


def transport_for(channel: socket, keys: Sequence[paramiko.PKey]) -> paramiko.Transport:
    """Ask first for the kinds of key that are recorded: a host has several, and another kind is no changed key."""
    transport = paramiko.Transport(channel)
    security = transport.get_security_options()
    first = [kind for key in keys for kind in _kinds(key)]
    known = security.key_types
    security.key_types = tuple(dict.fromkeys([*(kind for kind in (*first, *_KEY_KINDS) if kind in known), *known]))
    return transport


def _kinds(key: paramiko.PKey) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if key.get_name() == "ssh-rsa" else (key.get_name(),)
