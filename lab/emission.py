"""The lab written down as an ordinary site."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any, cast

from lab import emitted
from lab.instance import BUNDLE, Instance
from lab.plan import LabPlan
from lab.topology import LabHost, hosts_of
from lab.whole_file import PRIVATE, write_whole
from model import document
from model.checkout import ROOT

_COPIED = ("groups.yaml", "ports.yaml")
_CALL_FEATURES = ("turn", "turn_dtls", "livekit", "element_call")
# What containers on the machine's kernel cannot do as servers can: control groups as the machine has them, no AppArmor,
# no lowering of OOM scores; and no host sets the machine's clock. All nodes share one disk, of which the machine gives
# less than it shows: a share of it would put every node under pressure at once. And all share two cores: while a whole
# stack starts, an API server may be away for longer than a leader waits. Nobody waits a minute for what kubelet finds.
_EVICTION = {"memory.available": "100Mi", "nodefs.available": "2Gi", "imagefs.available": "2Gi"}
_RUNTIME = {
    "cgroup_driver": "cgroupfs",
    "apparmor": False,
    "lower_oom_scores": False,
    "eviction_hard": _EVICTION,
    "leader_lease_seconds": 60,
    "pod_sync_seconds": 10,
}
_KUBERNETES = {"bundle": str(BUNDLE), "runtime": _RUNTIME, "cgroup_v1": True, "accepted_errors": ["SystemVerification"]}
_SERVERS = {"time_options": ["-x"], "administrators": ["deploy"]}
_MONITORING_FEATURES = ("monitoring", "alertmanager", "node_exporter")

_EXPIRES = "2030-12-31"

# Without the application nothing has to be kept apart, and nothing enforces policies.
_UNENFORCED = tuple(
    {
        "id": finding,
        "reason": "Only the profile matrix has what enforces policies; nothing of LI is real here",
        "owner": "lab",
        "expires": _EXPIRES,
        **where,
    }
    for finding, where in (
        ("cni-enforces-nothing", {}),
        ("cluster/policies", {}),
        ("path", {"host": "pods@*->pods@*:*/*"}),
    )
)

# What a lab cannot be: several machines, with a way to the world.
_WAIVERS = (
    {
        "id": "preflight/product-uuid",
        "reason": "All servers of a lab are containers on one machine",
        "owner": "lab",
        "expires": _EXPIRES,
    },
    {
        "id": "updates/archive",
        "reason": "Hosts of a lab have no way to Debian's security archive",
        "owner": "lab",
        "expires": _EXPIRES,
    },
)


def emit(instance: Instance, plan: LabPlan) -> tuple[str, ...]:
    """
    Write the site's folder and return the names of files that a person had changed and that were therefore kept.

    Reports stay; `state/` goes, for it tells of disks that no longer exist.
    """
    folder = instance.inventory
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "state", ignore_errors=True)
    texts = site_files(instance, plan)
    kept = tuple(
        file
        for file in texts
        if emitted.changed_by_a_person(instance, file) and not emitted.same(folder / file, texts[file])
    )
    for file, text in texts.items():
        if file not in kept:
            emitted.publish(instance, file, text)
    trust(instance, plan.hosts)
    return kept


def forget(instance: Instance) -> None:
    """Remove the folder, its reports and the keys it refers to."""
    for folder in (instance.inventory, instance.keys, emitted.marks(instance)):
        shutil.rmtree(folder, ignore_errors=True)


def append(instance: Instance, host: LabHost) -> None:
    """Add one host to the emitted site."""
    path = instance.inventory / "hosts.yaml"
    entries = cast("dict[str, Any]", document.read(path))
    entries[host.name] = host_entry(host)
    emitted.rewrite(instance, path.name, entries)
    trust(instance, (host,), keep=True)


def trust(instance: Instance, hosts: Sequence[LabHost], keep: bool = False) -> None:
    """Write the hosts' keys into known_hosts: the lab made them, so nobody needs to look at fingerprints."""
    path = instance.inventory / "known_hosts"
    lines = path.read_text("utf-8") if keep and path.exists() else ""
    for host in hosts:
        kind, key = (instance.keys / f"{host.name}.pub").read_text("utf-8").split()[:2]
        lines += f"{host.hostname} {kind} {key}\n"
    write_whole(path, lines, PRIVATE)


def site_files(instance: Instance, plan: LabPlan) -> dict[str, str]:
    """Return the text of every file of the site that a person may write, by its name."""
    template = ROOT / "inventory"
    texts = {file: (template / file).read_text("utf-8") for file in _COPIED}
    settings = cast("dict[str, Any]", document.read(template / "site.yaml"))
    # The deployer's key opens the secrets, too: nobody is asked for another one.
    secrets = {"secrets": {"identity": str(instance.key)}}
    texts["site.yaml"] = emitted.as_yaml(fitted(settings, plan) | secrets)
    texts["hosts.yaml"] = emitted.as_yaml({host.name: host_entry(host) for host in plan.hosts})
    login = {"connection_options": {"netmiko": {"extras": {"key_file": str(instance.key)}}}}
    texts["defaults.yaml"] = emitted.as_yaml({"username": plan.user, "platform": "linux", "data": {}, **login})
    return texts


def fitted(settings: dict[str, Any], plan: LabPlan) -> dict[str, Any]:
    """
    Return the reference site's settings, less what a lab of these hosts has nobody for, and with what its hosts are not
    able to do.
    """
    roles = {role for host in plan.hosts for role in host.roles}
    features = dict(settings.get("features", {}))
    features |= dict.fromkeys(_CALL_FEATURES, False) if "call" not in roles else {}
    features |= dict.fromkeys(_MONITORING_FEATURES, False) if "monitoring" not in roles else {}
    return {
        **settings,
        "cni": {**settings["cni"], "policies": "kube-router" if plan.has_application else "own"},
        "name": f"lab-{plan.profile}",
        "size": "small",
        "external": _external(settings["external"], plan.hosts),
        "features": features,
        "kubernetes": {**settings["kubernetes"], **_KUBERNETES},
        "servers": {**settings.get("servers", {}), **_SERVERS},
        "waivers": [*settings.get("waivers", ()), *_WAIVERS, *(() if plan.has_application else _UNENFORCED)],
    }


def _external(external: dict[str, Any], hosts: Sequence[LabHost]) -> dict[str, Any]:
    """Lead each address to its targets, or to another host of their roles; without one, leave the address out."""
    reference = {host.name: host.roles for host in hosts_of("reference")}
    led = {}
    for key, plan in external.items():
        present = [host.name for host in hosts if host.name in plan["targets"]]
        alike = [host.name for host in hosts if any(reference.get(name) == host.roles for name in plan["targets"])]
        if present or alike:
            led[key] = {**plan, "targets": present or alike[:1]}
    return led


def host_entry(host: LabHost) -> dict[str, Any]:
    """Return a host's entry in hosts.yaml. The router's other legs are the organisation's business."""
    own = host.legs if host.serves_the_site else [leg for leg in host.legs if leg.network == host.reached]
    addresses = {leg.network: [str(address) for address in leg.addresses] for leg in own}
    return {"hostname": host.hostname, "groups": list(host.roles), "data": {"addresses": addresses}}
