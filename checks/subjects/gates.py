"""Checks of what was rolled out: each asks how its gate came out when it was last tried, and how long ago."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from checks.check import ComplianceView, SiteCheck
from checks.cluster_source import cluster_of
from model.check.check import NotYet
from model.check.finding import Verdict, flawed, settled
from model.errors import SiteError
from model.report.outcome import Status
from model.rollout.announced import BY_FEATURE, undeployed
from model.rollout.gates import places
from model.rollout.values.minio import values as minio
from model.rollout.values.seaweedfs import values as seaweedfs

_COMES = "comes with the rollout (python -m flows.rollout)"
_NAMESPACE = "matrix"
# Of gates that are not called as the component that they try.
_PARTS = {"push": "sygnal", "metrics": "metrics-server"}


def gate(name: str, view: ComplianceView) -> Verdict:
    """Judge a gate by the newest run of flows.validate or flows.rollout that tried it."""
    if name not in {place.gate for place in places(view.site)}:
        part = _PARTS.get(name, name)
        if lacking := [feature for feature in undeployed(view.site) if part in BY_FEATURE[feature]]:
            return Verdict(doubt=f"nothing of the site deploys {part} (components.yaml), and {lacking[0]} is on")
        return Verdict(f"the site has no gate {name}")
    record = view.gates.get(name)
    if record is None:
        if not view.gates and not rolled_out(view):
            return Verdict(pending=_COMES)
        return Verdict(doubt=f"the gate {name} was never tried: run python -m flows.validate")
    seen = {"run": record.run, "ended": record.ended.isoformat(), "status": record.status.value}
    age = view.now - record.ended
    if age > timedelta(hours=view.site.settings.compliance.proof_hours):
        doubt = f"the gate {name} was last tried {age.days} days ago ({record.run}); run python -m flows.validate"
        return Verdict(doubt=doubt, evidence=seen)
    if record.status == Status.OK:
        return Verdict(f"{record.why} ({record.run})", seen)
    if record.status == Status.DRIFT:
        return settled(list(record.findings) or [record.why], "", seen)
    return Verdict(doubt=f"{record.status.value}: {record.why} ({record.run})", evidence=seen)


def rolled_out(view: ComplianceView) -> bool:
    """Return whether the cluster runs anything of the application, as far as its control planes tell."""
    try:
        return any(workload.namespace == _NAMESPACE for workload in cluster_of(view).workloads)
    except NotYet:
        return False


def redundancy(view: ComplianceView) -> Verdict:
    """Find an object storage that would lose objects with one server; before the rollout there are none to lose."""
    if not view.gates and not rolled_out(view):
        return Verdict(pending=_COMES)
    provider = view.site.settings.object_storage.provider
    if provider == "external":
        return Verdict("the organisation keeps the objects, outside the cluster")
    try:
        known = seaweedfs(view.site) if provider == "seaweedfs" else minio(view.site)
    except SiteError as error:
        return flawed(str(error))
    if provider == "seaweedfs":
        copies = 1 + sum(int(digit) for digit in str(known["replication"]))
        if copies == 1:
            return flawed("one server holds every object alone: SeaweedFS keeps two copies on two servers")
        name, wanted = "seaweedfs-volume", int(str(known["volume_servers"]))
        good = f"each object lies {copies} times, on {wanted} servers"
    else:
        name, wanted = "minio", int(str(known["servers"]))
        good = f"MinIO spreads each object over {wanted} servers"
    ready = _ready(view, name)
    wrong = [f"{ready} of {wanted} servers for objects are ready ({name})"] if ready < wanted else []
    return settled(wrong, good, dict(_plain(known)) | {"ready": ready})


def _ready(view: ComplianceView, name: str) -> int:
    """Return how many pods of a StatefulSet are ready, 0 where the cluster has none of that name."""
    sets = (found for found in cluster_of(view).workloads if found.kind == "StatefulSet")
    return next((found.ready for found in sets if (found.namespace, found.name) == (_NAMESPACE, name)), 0)


def _plain(known: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in known.items() if isinstance(value, (str, int, float, bool))}


def _check(name: str, title: str, looks_at: str) -> SiteCheck:
    judge: Callable[[ComplianceView], Verdict] = partial(gate, name)
    return SiteCheck(
        id=f"gates/{name}",
        title=title,
        phase="rollout",
        looks_at=f"the newest report of flows.validate or flows.rollout: {looks_at}",
        by=f"python -m flows.validate --gate {name}",
        remedy=f"python -m flows.validate --gate {name} tells what is wrong; docs/validate.md says what it tries",
        judge=judge,
    )


CHECKS = (
    _check("postgresql", "PostgreSQL's instances are there, one writes, the others follow", "psql in every instance"),
    _check("redis", "Redis has one master, and the proxy leads there", "servers, Sentinels, a key that is written"),
    _check("object-storage", "The object storage does what Synapse asks of it", "objects written, read and deleted"),
    _check("synapse", "Every process of Synapse is there and of one version", "each process, and who listens at Redis"),
    _check("ingress", "The ingress answers, leads to HTTPS and keeps addresses", "requests from the vantage host"),
    _check("certificates", "The public names show certificates that clients trust", "TLS handshakes from outside"),
    _check("well-known", "Clients find the homeserver by the domain", "the well-known documents from outside"),
    _check("routes", "Each of Synapse's routes reaches its pool", "a request for every route, and its neighbour"),
    _check("message", "A message that is sent arrives, encrypted too", "two users who talk"),
    _check("federation", "Other homeservers find this one, and it finds others", "requests as another homeserver"),
    _check("mail", "The mail server takes what Synapse sends", "a mail to the address that the site gives"),
    _check("push", "The site's own push gateway answers, and its keys are taken", "a push for a phone that is none"),
    _check("element-web", "The web client is there, for the site's homeserver", "its page and configuration"),
    _check("pods", "All pods are ready, and not merely running", "pods and workloads of the application"),
    _check("metrics", "Autoscalers see what their pods use", "the metrics API of every node, and the autoscalers"),
    _check("endpoints", "Somebody stands behind every Service", "Services and their endpoints"),
    _check("dns", "Names lead where they must in every view", "name servers, asked from each view and from a pod"),
    SiteCheck(
        id="objects/redundancy",
        title="No object is lost with one server",
        phase="rollout",
        looks_at="object_storage in site.yaml, and which of its servers are ready",
        by="kubectl -n matrix get statefulsets",
        remedy="bring the servers for objects up, declare more of them, or another provider under `object_storage`",
        judge=redundancy,
    ),
)
