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
from model.rollout.gates import places
from model.rollout.values.minio import values as minio
from model.rollout.values.seaweedfs import values as seaweedfs

_COMES = "comes with the rollout (python -m flows.rollout)"
_NAMESPACE = "matrix"


def gate(name: str, view: ComplianceView) -> Verdict:
    """Judge a gate by the newest run of flows.validate or flows.rollout that tried it."""
    if name not in {place.gate for place in places(view.site)}:
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
    if provider == "seaweedfs":
        known = seaweedfs(view.site)
        copies = 1 + sum(int(digit) for digit in str(known["replication"]))
        wrong = [] if copies > 1 else ["one server holds every object alone: SeaweedFS keeps two copies on two servers"]
        return settled(
            wrong, f"each object lies {copies} times, on {known['volume_servers']} servers", dict(_plain(known))
        )
    try:
        known = minio(view.site)
    except SiteError as error:
        return flawed(str(error))
    return Verdict(
        f"MinIO spreads each object over {len(view.site.with_purpose('objects'))} servers", dict(_plain(known))
    )


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
    _check("pods", "All pods are ready, and not merely running", "pods and workloads of the application"),
    _check("endpoints", "Somebody stands behind every Service", "Services and their endpoints"),
    _check("dns", "Names lead where they must in every view", "name servers, asked from each view and from a pod"),
    SiteCheck(
        id="objects/redundancy",
        title="No object is lost with one server",
        phase="rollout",
        looks_at="object_storage in site.yaml, and the servers for objects",
        by="python -m flows.rollout --component seaweedfs --render DIR",
        remedy="declare more servers for objects, or another provider under `object_storage`",
        judge=redundancy,
    ),
)
