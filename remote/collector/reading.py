"""The collector's document, as types: a section that cannot be understood hides no other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from model.errors import ProtocolError
from model.host.host_facts import (
    AtBoot,
    Boot,
    CertificateFiles,
    Clocked,
    ClusterNames,
    Disks,
    Firewall,
    HostFacts,
    Kernel,
    Machinery,
    Release,
    Rules,
    Scheduled,
    Served,
    Sockets,
    Sshd,
    Units,
    Updates,
    Users,
)
from model.host.shared_facts import Names, Packages, Swaps
from model.kubernetes.cluster_facts import ApiReport, EtcdReport, NodeFiles
from remote.collector import reading_cluster as cluster
from remote.collector import reading_host as host
from remote.collector import reading_network as network

Sections = Mapping[str, Any]
SCHEMA = "matrix-fleet/facts/1"
# Each part, the sections that it is read from, and how.
_PARTS: Mapping[type, tuple[tuple[str, ...], Callable[[Sections], object]]] = {
    Release: (("release",), host.release),
    Boot: (("boot",), host.boot),
    Kernel: (("sysctl", "modules"), host.kernel),
    AtBoot: (("at_boot",), host.at_boot),
    Units: (("units",), host.units),
    Packages: (("packages",), host.packages),
    Updates: (("updates",), host.updates),
    Users: (("users",), host.users),
    Sshd: (("sshd",), host.sshd),
    Scheduled: (("scheduled",), host.scheduled),
    Clocked: (("clock",), host.clock),
    Disks: (("disks",), host.disks),
    Machinery: (("hardware",), host.machinery),
    Swaps: (("swaps",), host.swaps),
    CertificateFiles: (("certificates",), host.certificates),
    Firewall: (("ufw",), network.firewall),
    Rules: (("rules",), network.rules),
    Sockets: (("listeners",), network.sockets),
    Served: (("served",), network.served),
    Names: (("names",), network.names),
    ClusterNames: (("cluster_names",), network.cluster_names),
    NodeFiles: (("node",), cluster.node),
    ApiReport: (("cluster",), cluster.cluster),
    EtcdReport: (("etcd",), cluster.etcd),
}


def read(name: str, answer: bytes) -> HostFacts:
    """
    Read one host's document.

    Raises `ProtocolError` where it is no document at all; a section that is missing or cannot be understood is a part
    unseen.
    """
    try:
        document = json.loads(answer)
        if document["schema"] != SCHEMA:
            raise ProtocolError(name, f"answered {document['schema']!r}, not {SCHEMA}", "install the collector again")
        sections, errors = document["sections"], document["errors"]
        begins, ends = float(document["begins"]), float(document["ends"])
    except (ValueError, KeyError, TypeError) as error:
        raise ProtocolError(name, f"the collector's answer cannot be understood: {error}") from error
    parts: dict[type, object] = {}
    unseen: dict[type, str] = {}
    for kind, (needed, reader) in _PARTS.items():
        lacking = [
            errors.get(section, f"section {section} is missing") for section in needed if section not in sections
        ]
        if lacking:
            unseen[kind] = "; ".join(lacking)
            continue
        try:
            parts[kind] = reader(sections)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            unseen[kind] = f"{' and '.join(needed)} cannot be understood: {type(error).__name__}: {error}"
    return HostFacts(name, time.time(), parts, unseen, ends - begins)
