"""Every check of lint, of preflight and of compliance has a case in which it goes red."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest

from checks.check import ComplianceView, DeclaredFiles, KeptSecrets
from checks.discovery import every
from model.check.lint import RULES
from model.check.preflight import CHECKS
from model.report.gate_record import GateRecord
from model.report.outcome import Status
from model.rollout.gates import places
from model.rollout.secret_document import RotationStage
from model.rollout.secret_index import IndexEntry, SecretIndex
from model.rollout.secret_names import kept_refs
from model.site.hosts import Disk
from model.site.outward import FirebasePush, PushGateway
from model.site.secrets import SecretKeeping
from model.site.settings import ObjectStorage
from model.site.site import Site
from model.ufw.unconfirmed import UnconfirmedChange
from tests.checks import cluster_cases, test_lasting_judges
from tests.checks.cases import CASES
from tests.checks.changes import put
from tests.checks.golden import CLUSTER, NOW, proof, site, verdicts, view
from tests.model.check.preflight.preflight_cases import CASES as PREFLIGHT_CASES
from tests.mutation import cases, loaded

Red = Callable[[], ComplianceView]


def _outward() -> Site:
    """The reference site with everything that speaks to the world outside."""
    known = site()
    on = {"smtp": True, "push_notifications": True, "autoscaling": True}
    features = known.settings.features.model_copy(update=on)
    push = PushGateway(firebase=FirebasePush(app="a", project="p"))
    settings = known.settings.model_copy(update={"federation": True, "features": features, "push": push})
    return replace(known, settings=settings)


BAD_GATES = {
    place.gate: GateRecord(gate=place.gate, status=Status.DRIFT, why="w", findings=("f",), run="R", ended=NOW)
    for place in places(_outward())
}


def _site(change: Callable[[Site], Site]) -> Red:
    """Return what is seen of the reference site, changed, where no host was looked at."""
    return lambda: ComplianceView(site=change(loaded()), now=NOW)


def _settings(**settings: Any) -> Red:
    return _site(lambda declared: _with(declared, **settings))


def _with(declared: Site, **settings: Any) -> Site:
    return replace(declared, settings=declared.settings.model_copy(update=settings))


def _part(word: str, **values: Any) -> Red:
    return _site(lambda declared: _with(declared, **{word: getattr(declared.settings, word).model_copy(update=values)}))


def _without(*roles: str, **settings: Any) -> Red:
    """A site of many users, without the servers of some roles."""

    def change(declared: Site) -> Site:
        kept = tuple(machine for machine in declared.machines if not set(roles) & set(machine.roles))
        return replace(_with(declared, size="auto", **settings), machines=kept)

    return _site(change)


def _closed(port: int, **settings: Any) -> Red:
    """The site without the rows that open a port."""

    def change(declared: Site) -> Site:
        rows = tuple(row for row in declared.rows if not any(low <= port <= high for low, high in row.intervals))
        return replace(_with(declared, **settings), rows=rows)

    return _site(change)


def _networks(**values: Any) -> Red:
    return _site(
        lambda declared: _with(
            declared,
            networks={name: plan.model_copy(update=values) for name, plan in declared.settings.networks.items()},
        )
    )


def _nameless(declared: Site) -> Site:
    features = declared.settings.features.model_copy(update={"li": False})
    return _with(declared, domain="elsewhere.test", external={}, features=features)


def _way_out(declared: Site) -> Site:
    outwards = (row.model_copy(update={"destination_ends": ("internet",)}) for row in declared.rows if row.target)
    return replace(declared, rows=(*declared.rows, *outwards))


def _disk_declared() -> ComplianceView:
    declared, disk = site(), Disk(id="scsi-1", gib=100, purpose="database")
    machine = declared.by_name["db-1"]
    changed = replace(machine, data=machine.data.model_copy(update={"disks": (disk,)}))
    machines = tuple(changed if known is machine else known for known in declared.machines)
    return view(site=replace(declared, machines=machines))


def _kept(**about: Any) -> Red:
    """A store of secrets without one of them, or with something wrong in its index."""
    missing = about.pop("missing", "")

    def change(declared: Site) -> ComplianceView:
        entry = IndexEntry(made=NOW - timedelta(days=about.pop("days", 1)), origin="generated", fingerprint="")
        entries = {
            ref: replace(
                entry,
                fingerprint=about.get("fingerprint", f"{ref}"),
                flaw=about.get("flaw", ""),
                stage=about.get("stage"),
                stage_since=entry.made,
            )
            for ref in kept_refs(declared)
            if ref.name != missing
        }
        recipients = about.get("recipients", ("age1",))
        index = SecretIndex(realm="main", sha256="", recipients=recipients, entries=entries, compared=True)
        index = replace(index, compared=about.get("compared", True))
        kept = KeptSecrets({"main": index}, about.get("exposed", ()))
        return ComplianceView(site=declared, now=NOW, secrets=kept)

    return lambda: change(about.get("site") or loaded())


def _keeping(**keeping: Any) -> Site:
    return _with(loaded(), secrets=SecretKeeping.model_validate(keeping))


def _leaking() -> Site:
    declared = loaded()
    leak = {"method": "letsencrypt-http01", "email": "@@secret:redis/password@@"}
    return _with(declared, tls=declared.settings.tls.model_copy(update=leak))


def _component(**values: Any) -> Red:
    """The site with something else in the declaration of Redis's secret."""

    def change(declared: Site) -> Site:
        specs = tuple(
            spec.model_copy(update=values) if spec.name == "redis" else spec for spec in declared.application.secrets
        )
        return replace(declared, application=replace(declared.application, secrets=specs))

    return _site(change)


_KEY = f"age1{'q' * 58}"


def policy(name: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "matrix", "name": name}}


def left_behind(sections: dict[str, Any]) -> None:
    saved = sections["rules"]["saved"]
    saved["6"] = saved["6"].replace("*filter\n", "*filter\n:KUBE-POD-FW-A - [0:0]\n:KUBE-ROUTER-INPUT - [0:0]\n")


def without_table(sections: dict[str, Any]) -> None:
    rules = json.loads(sections["rules"]["nft"])
    kept = [entry for entry in rules["nftables"] if "matrix_fleet" not in json.dumps(entry)]
    sections["rules"]["nft"] = json.dumps({"nftables": kept})


# What no table of the tests beside this one holds; each is judged below.
REDS: dict[str, Red] = {
    "disks/declared": _disk_declared,
    "firewall/next-boot": lambda: test_lasting_judges.with_beside(boot=None),
    "firewall/unconfirmed": lambda: test_lasting_judges.with_beside(unconfirmed=UnconfirmedChange(state="armed")),
    "schedule/files": lambda: view(scheduled={"/usr/local/lib/matrix-fleet/collector": "0" * 64}),
    "secrets/kept": _kept(missing="redis"),
    "secrets/strength": _kept(flaw="is shorter than 24 characters"),
    "secrets/age": _kept(days=91),
    "secrets/rotations": _kept(stage=RotationStage.ADOPTED),
    "secrets/shared": _kept(fingerprint="of all"),
    "secrets/files": _kept(exposed=("secrets/main.age: others may read it",)),
    "secrets/recipients": _kept(site=_keeping(recipients={"main": (_KEY,), "li": (_KEY,)})),
    "secrets/declared": _component(consumers=("synapze",)),
    "secrets/placeholders": _part("tls", method="letsencrypt-http01", email="CHANGEME@example.org"),
    "secrets/clear": _kept(site=_leaking()),
    "certificates/site": lambda: view(files=DeclaredFiles("x cannot be read")),
    "perimeter/rows": lambda: view(proof=proof(external="violation")),
    "li/isolation": lambda: view(proof=proof(external="violation")),
    "ports/hosts": lambda: view(proof=proof(host="violation")),
    "ports/pods": lambda: view(proof=None),
    "cluster/policies": lambda: view(of=CLUSTER),
    "policies/declared": lambda: view({"cp-1": put("cluster", "policies", to=[policy("closed")])}, of=CLUSTER),
    "policies/rules": lambda: view({"db-1": left_behind}, of=CLUSTER),
    "policies/own-node": lambda: view({"db-1": without_table}, of=CLUSTER),
    "site/users": _settings(concurrent_users=50_000),
    "site/control-planes": _without("control_plane"),
    "site/workers": _without("worker"),
    "site/li-servers": _without("li"),
    "site/storage": _without("database", "storage"),
    "site/monitoring": _without("monitoring"),
    "site/ingress": _settings(external={}),
    "site/turn": _settings(external={}),
    "site/domain": _site(_nameless),
    "site/federation": _closed(8448, federation=True),
    "site/networks": _networks(cidrs=(ip_network("192.0.2.0/24"),)),
    "site/li-network": _networks(isolated=False),
    "site/egress": _site(_way_out),
    "site/pods": _part("kubernetes", pod_cidrs=(ip_network("10.20.0.0/15"),)),
    "site/tls": _part("tls", method="organisation"),
    "site/http-01": _site(
        lambda declared: (
            _closed(80, tls=declared.settings.tls.model_copy(update={"method": "letsencrypt-http01"}))().site
        )
    ),
    "site/li-dns": _part("dns", li=()),
    "site/li-access": _part("li", clients=()),
    "site/li-ingress": _part("li", ingress=()),
    "site/install-access": _part("kubernetes", packages="apt"),
    "objects/redundancy": lambda: replace(
        _without("storage", object_storage=ObjectStorage(provider="minio"))(), gates=BAD_GATES
    ),
    **{check.id: partial(view, gates=BAD_GATES, site=_outward()) for check in every() if check.id.startswith("gates/")},
}


@pytest.mark.parametrize("check", REDS)
def test_what_stands_in_no_other_table_goes_red(check: str) -> None:
    mine = [verdict for (_, name), verdict in verdicts(REDS[check]()).items() if name == check]
    assert any(verdict.findings or verdict.doubt for verdict in mine)


def test_every_rule_of_lint_goes_red() -> None:
    assert {rule.id for rule in RULES} - {case["rule"] for case in cases("rules.yaml")} == set()


def test_every_check_of_preflight_goes_red() -> None:
    assert {check.id for check in CHECKS} - {case.id for case in PREFLIGHT_CASES} == set()


def test_every_check_of_compliance_goes_red() -> None:
    tables = {case.check for case in CASES} | {case.check for case, _ in cluster_cases.CASES}
    # A host that cannot be looked at as root has failed before any check is judged: tests of the flow show that.
    assert {check.id for check in every()} - tables - REDS.keys() == {"access/root"}
