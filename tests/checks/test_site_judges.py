"""Every judge of the site as a whole goes red for what it is for: proofs, declared certificates, information."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from checks.check import ComplianceView, DeclaredFiles
from model.check.finding import Verdict
from model.host.certificate_chain import read_chain
from model.report.consequence import causes_of
from model.site.settings import Compliance
from tests.checks.certificates import issued
from tests.checks.golden import LAB, NOW, bad, proof, site, verdicts, view


def test_ports_go_by_the_latest_proof_and_its_age() -> None:
    four = {("controller", name) for name in ("perimeter/rows", "li/isolation", "ports/hosts")}
    assert bad(view(proof=None)).keys() - LAB == four | {("controller", "ports/pods")}
    assert "7 days ago" in bad(view(proof=proof(hours=169)))["controller", "ports/hosts"]
    # Packets from outside to LI cross its border as well.
    outside = {("controller", "perimeter/rows"), ("controller", "li/isolation")}
    assert bad(view(proof=proof(external="violation"))).keys() - LAB == outside
    assert bad(view(proof=proof(host="violation"))).keys() - LAB == {
        ("controller", "li/isolation"),
        ("controller", "ports/hosts"),
    }
    whole = proof()
    fewer = replace(whole, cells=tuple(cell for cell in whole.cells if "li-1" not in (cell.source, cell.destination)))
    wrong = bad(view(proof=fewer))
    assert wrong.keys() - LAB == {("controller", "li/isolation"), ("controller", "ports/hosts")}
    assert "no packet tried" in wrong["controller", "li/isolation"]


def test_what_is_unproven_because_of_a_silent_host_names_that_host() -> None:
    whole = proof()
    mute = [
        replace(cell, verdict="unproven", examples=("one of its flows",))
        if "li-1" in (cell.source, cell.destination)
        else cell
        for cell in whole.cells
    ]
    seen = view(proof=replace(whole, cells=tuple(mute)))
    silent = replace(seen, silent={"li-1": "no answer"})
    assert "one of its flows" in bad(seen)["controller", "ports/hosts"]
    for check in ("ports/hosts", "li/isolation"):
        words = verdicts(silent)["controller", check].doubt
        assert causes_of(words) == ("li-1",)
    other = replace(silent, silent={"db-1": "no answer"})
    assert causes_of(verdicts(other)["controller", "li/isolation"].doubt) == ()


def test_a_private_key_that_the_account_may_not_read_is_unseen_and_hides_no_finding() -> None:
    def judged(days: int) -> Verdict:
        chain = read_chain(issued(("matrix.example.test", "chat.example.test"), days, NOW)[0])
        declared = DeclaredFiles(chain, hidden="the account that looks may not read it")
        return verdicts(view(files=declared))["controller", "certificates/site"]

    assert "could not be seen: the account" in judged(300).doubt
    assert judged(300).findings == ()
    assert [finding.message for finding in judged(5).findings]


def test_declared_certificates_are_judged() -> None:
    def site_certificates(chain: Any, fits: bool | None = True) -> str:
        verdict = verdicts(view(files=DeclaredFiles(chain, fits)))["controller", "certificates/site"]
        return "; ".join(finding.message for finding in verdict.findings)

    names = ("matrix.example.test", "chat.example.test")
    assert site_certificates(read_chain(issued(names, 300, NOW)[0])) == ""
    assert "expires in 5 days" in site_certificates(read_chain(issued(names, 5, NOW)[0]))
    assert "expired on" in site_certificates(read_chain(issued(names, -1, NOW)[0]))
    assert "does not name chat" in site_certificates(read_chain(issued(names[:1], 300, NOW)[0]))
    assert "is not the key" in site_certificates(read_chain(issued(names, 300, NOW)[0]), False)
    assert "cannot be read" in site_certificates("x cannot be read")
    strangers = issued(names, 300, NOW)[0] + issued(("other",), 300, NOW)[0]
    assert "is not signed by what follows it" in site_certificates(read_chain(strangers))


def _with(**settings: Any) -> ComplianceView:
    declared = site()
    return view(site=replace(declared, settings=declared.settings.model_copy(update=settings)))


@pytest.mark.parametrize(
    ("check", "settings", "says"),
    [
        ("site/users", {"concurrent_users": 50_000}, "more than the sizing"),
        ("site/users", {"concurrent_users": 101}, ""),
        ("site/workers", {"size": "auto"}, "worker: 1 servers"),
        ("site/federation", {"federation": True}, ""),
        ("site/ingress", {"external": {}}, "no external address for ingress"),
        (
            "site/pods",
            {
                "kubernetes": site().settings.kubernetes.model_copy(
                    update={"pod_cidrs": site().settings.networks["main"].cidrs}
                )
            },
            "overlaps",
        ),
        (
            "site/tls",
            {"tls": site().settings.tls.model_copy(update={"method": "organisation"})},
            "names no certificate",
        ),
        ("site/li-dns", {"dns": site().settings.dns.model_copy(update={"li": ()})}, "no name server of LI"),
        (
            "site/li-dns",
            {"dns": site().settings.dns.model_copy(update={"li": site().settings.dns.main})},
            "cannot tell both views",
        ),
        ("site/li-access", {"li": site().settings.li.model_copy(update={"clients": ()})}, "li.clients"),
        (
            "site/li-ingress",
            {"li": site().settings.li.model_copy(update={"ingress": (ip_address("10.20.1.9"),)})},
            "no address of a host of LI",
        ),
        (
            "site/install-access",
            {"kubernetes": site().settings.kubernetes.model_copy(update={"packages": "apt"})},
            "no mirror",
        ),
    ],
)
def test_information_that_is_missing_or_does_not_fit_is_found(check: str, settings: dict[str, Any], says: str) -> None:
    verdict = verdicts(_with(**settings))["controller", check]
    if says:
        assert says in "; ".join(finding.message for finding in verdict.findings)
    else:
        assert not verdict.findings


def test_limits_are_settings_of_the_site() -> None:
    late = _with(compliance=Compliance(free_percent=99))
    assert any(check == "disks/space" for _, check in bad(late))
    old = replace(_with(compliance=Compliance(proof_hours=1)), now=NOW + timedelta(hours=3))
    assert ("controller", "perimeter/rows") in bad(old)
