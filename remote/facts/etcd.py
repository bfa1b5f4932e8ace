"""The members of etcd, by the account of one of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from model.errors import ProtocolError

if TYPE_CHECKING:
    from nornir.core.inventory import Host

PKI = "/etc/kubernetes/pki/etcd"
ETCDCTL = (
    "etcdctl",
    "--endpoints=https://127.0.0.1:2379",
    f"--cacert={PKI}/ca.crt",
    f"--cert={PKI}/healthcheck-client.crt",
    f"--key={PKI}/healthcheck-client.key",
    "--dial-timeout=3s",
    "--command-timeout=10s",
)


@dataclass(frozen=True, slots=True)
class Member:
    """
    One member: its id, its name (empty until it has started once), its peers' address, and whether it has no vote yet.
    """

    id: int
    name: str
    address: str
    learner: bool


def members(host: Host) -> tuple[Member, ...]:
    """Ask the member on a control plane; raises `CommandFailed` where it does not answer or has no quorum."""
    from remote.shell import run

    answer = run(host, (*ETCDCTL, "member", "list", "-w", "json"), root=True).check(host)
    return parse(host.name, answer.stdout.decode("utf-8", "replace"))


def parse(host: str, text: str) -> tuple[Member, ...]:
    """Read `etcdctl member list -w json`."""
    try:
        return tuple(
            Member(
                entry["ID"],
                entry.get("name", ""),
                urlsplit(entry["peerURLs"][0]).hostname or "",
                entry.get("isLearner", False),
            )
            for entry in json.loads(text)["members"]
        )
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ProtocolError(host, f"etcd's list of members cannot be understood: {error}") from error
