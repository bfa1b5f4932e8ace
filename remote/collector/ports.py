"""What a host that is looked at on schedule says of everything its ports depend on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model.errors import ProtocolError
from model.host.hostview import HostView
from model.packets import kernel_rules, netfilter
from model.packets.sockets import parse_addresses, parse_listeners
from model.ufw.unconfirmed import ROLLBACK_SECONDS, TIMER, UnconfirmedChange
from model.verify.exposure import exposed
from model.verify.pods import read_pods
from remote.collector.reading_host import units
from remote.collector.session import ask
from remote.facts.probe_ports import ClusterPorts
from remote.route import route

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_HOST = ("rules", "listeners", "hardware", "conntrack", "units")
_CLUSTER = "services"
_UNITS = "units"


@dataclass(frozen=True, slots=True)
class Collected:
    """
    A host's view; what its API server says of the cluster, None where it runs none, and why where that gave no answer.
    """

    view: HostView
    cluster: ClusterPorts | None
    why: str = ""
    unconfirmed: UnconfirmedChange | None = None


def unconfirmed(host: Host) -> UnconfirmedChange | None:
    """
    Return the change of a host's firewall that waits to be confirmed; what is told of it is that the timer runs.

    Raises as `observe` does.
    """
    answer = ask(host, {"sections": [_UNITS], "units": [TIMER]})
    try:
        document = json.loads(answer)
        if _UNITS not in document["sections"]:
            raise ProtocolError(host.name, f"the collector could not ask systemd: {document['errors'].get(_UNITS, '')}")
        return _waiting(document["sections"])
    except (ValueError, KeyError, TypeError) as error:
        raise ProtocolError(host.name, f"the collector's answer cannot be understood: {error}") from error


def observe(host: Host) -> Collected:
    """
    Look at a host in one round trip, by the collector that lies there.

    Raises `ProtocolError` for an answer that cannot be understood or lacks the host's own part, and what running a
    command raises.
    """
    answer = ask(host, {"sections": [*_HOST, _CLUSTER], "units": [TIMER]})
    return read(host.name, answer, route(host).port)


def read(name: str, answer: bytes, port: int) -> Collected:
    """Read one host's document; `port` is the one by which SSH reaches it. Raises `ProtocolError`."""
    try:
        document = json.loads(answer)
        sections, errors = document["sections"], document["errors"]
        lacking = [f"{section}: {errors.get(section, 'missing')}" for section in _HOST if section not in sections]
        if lacking:
            raise ProtocolError(name, f"the collector could not read everything: {'; '.join(lacking)}")
        known = _cluster(sections.get(_CLUSTER))
        return Collected(_view(sections, port), known, errors.get(_CLUSTER, ""), _waiting(sections))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ProtocolError(
            name, f"the collector's answer cannot be understood: {type(error).__name__}: {error}"
        ) from error


def _view(sections: Mapping[str, Any], port: int) -> HostView:
    texts = sections["rules"]
    saved, legacy = ({4: kind["4"], 6: kind["6"]} for kind in (texts["saved"], texts["legacy"]))
    sockets = parse_listeners(sections["listeners"])
    servers = {entry.port for entry in sockets if entry.protocol == "tcp" and "sshd" in entry.processes}
    # Behind an address translation the port that SSH is told of is none of the host's.
    own = min(servers) if servers and port not in servers else port
    return HostView(
        chains={4: netfilter.parse(saved[4]), 6: netfilter.parse(saved[6])},
        interfaces={
            str(address): interface for interface, address in parse_addresses(sections["hardware"]["addresses"])
        },
        listeners=sockets,
        sshd_port=own,
        nft=texts["nft"],
        rules=kernel_rules.read(saved, legacy, texts["nft"]),
        conntrack=(int(sections["conntrack"][0]), int(sections["conntrack"][1])),
    )


def _waiting(sections: Mapping[str, Any]) -> UnconfirmedChange | None:
    waits = units(sections).known[TIMER].active in ("active", "activating")
    return UnconfirmedChange(state="armed", fires_in=ROLLBACK_SECONDS) if waits else None


def _cluster(section: Mapping[str, Any] | None) -> ClusterPorts | None:
    if section is None:
        return None
    return ClusterPorts(
        exposed(section["services"], section["slices"]), read_pods(section["pods"]), frozenset(section["nodes"])
    )
