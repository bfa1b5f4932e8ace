"""Whom a site speaks to at the vantage host: their names, their way through the router, what the site is told."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from lab import emission, emitted, identity, instance, perimeter, services
from lab.errors import LabError
from lab.instance import Instance
from lab.outside import serving
from lab.outside.authority import AUTHORITY_FILE, Authority
from lab.outside.homeserver import HOMESERVER
from lab.outside.relay import MAIL
from lab.outside.service import OutsideContext, OutsideService
from lab.plan import fresh
from model.check.finding import Severity
from model.check.lint import examine
from model.site.load import load_site
from model.site.site import Site

BOTH = (MAIL, HOMESERVER)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instance:
    monkeypatch.setattr(instance, "STATE", tmp_path)
    home, plan = Instance("u"), fresh("matrix", False, "bookworm")
    identity.make(home, [host.name for host in plan.hosts])
    emission.emit(home, plan)
    return home


def told(home: Instance, *services: OutsideService) -> Site:
    """Tell the emitted site of these services, as `serve` does."""
    (home.inventory / AUTHORITY_FILE).write_text(Authority(home.keys).certificate)
    for service in services:
        emitted.revise(home, service.told(load_site(home.inventory)))
    return load_site(home.inventory)


def forwarded(site: Site) -> list[str]:
    """Return the router's rules for what leaves the main network for the internet."""
    return [line.strip() for line in perimeter.ruleset(site).splitlines() if "iifname eth1 oifname eth3" in line]


def test_the_site_is_told_in_a_way_that_lint_finds_nothing_new_wrong_with_but_the_way_out(home: Instance) -> None:
    _, before = examine(home.inventory)
    site = told(home, *BOTH)
    found = set(examine(home.inventory)[1]) - set(before)
    assert {(finding.check, finding.path, finding.severity) for finding in found} == {
        ("egress", "federation", Severity.WARNING),
        ("egress", "features.smtp", Severity.WARNING),
    }
    assert (site.settings.mail.host, site.settings.mail.probe) == ("smtp.example.test", "probe@example.test")
    assert site.settings.federation_partners.probe == "partner.test"
    assert [str(network) for network in site.settings.federation_partners.networks] == [
        "198.51.100.200/32",
        "2001:db8:100::200/128",
    ]


def test_what_is_taken_back_leaves_the_file_as_it_was(home: Instance) -> None:
    path = home.inventory / "site.yaml"
    before = path.read_text()
    told(home, *BOTH)
    assert path.read_text() != before
    assert not emitted.changed_by_a_person(home, path.name)
    for service in BOTH:
        emitted.revise(home, service.silent)
    assert path.read_text() == before


def test_a_file_that_a_person_changed_still_counts_as_changed(home: Instance) -> None:
    path = home.inventory / "site.yaml"
    path.write_text(path.read_text().replace("concurrent_users: 100", "concurrent_users: 101"))
    told(home, MAIL)
    assert emitted.changed_by_a_person(home, path.name)
    assert load_site(home.inventory).settings.concurrent_users == 101


def test_the_router_lets_out_what_active_rows_say_and_nothing_else(home: Instance) -> None:
    assert forwarded(load_site(home.inventory)) == []
    mailing = forwarded(told(home, MAIL))
    assert len(mailing) == 2
    assert all("tcp dport { 587 } accept" in rule for rule in mailing)
    assert "10.20.1.21" in mailing[0]
    assert "10.20.1.31" not in mailing[0], "a database server sends no mail"
    assert "fd20:1::21" in mailing[1]
    both = forwarded(told(home, HOMESERVER))
    assert [rule for rule in both if "tcp dport { 443, 8448 } accept" in rule]


@pytest.mark.parametrize("view", ["etc/names/main.conf", "etc/names/public.conf"])
def test_both_names_lead_to_the_vantage_host(home: Instance, view: str) -> None:
    lines = services.files(load_site(home.inventory))[view].splitlines()
    for name in ("smtp.example.test", "partner.test"):
        assert f"host-record={name},198.51.100.200,2001:db8:100::200" in lines
    assert "local=/partner.test/" in lines, "nobody else is asked for another type of record"


def test_li_knows_neither(home: Instance) -> None:
    assert "partner.test,198" not in services.files(load_site(home.inventory))["etc/names/li.conf"]


def test_the_authority_stays_and_vouches_for_each_name(home: Instance, tmp_path: Path) -> None:
    first, again = Authority(home.keys), Authority(home.keys)
    assert first.certificate == again.certificate
    assert (home.keys / "outside-ca.key").stat().st_mode & 0o777 == 0o600
    assert not [path.name for path in home.keys.iterdir() if path.name.startswith(".")]
    for name, authority in (("smtp.example.test", first), ("partner.test", again)):
        (tmp_path / "both.pem").write_text(authority.issue(name))
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(tmp_path / "both.pem")
        trusting = ssl.create_default_context(cadata=first.certificate)
        trusting.verify_flags |= ssl.VERIFY_X509_STRICT
        assert shaken(server, trusting, name) == ""
        assert "Hostname mismatch" in shaken(server, trusting, "other.test")
        assert "unable to get local issuer certificate" in shaken(server, ssl.create_default_context(), name)


def shaken(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str:
    """Return why a client does not take a server for `name`, nothing where it does; no socket is needed."""
    wires = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(wires[0], wires[1], server_hostname=name),
        server.wrap_bio(wires[1], wires[0], server_side=True),
    )
    done: set[int] = set()
    for _ in range(10):
        for number, end in enumerate(ends):
            try:
                end.do_handshake()
                done.add(number)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                return str(error)
    assert done == {0, 1}
    return ""


def context(home: Instance, trusted: str) -> OutsideContext:
    return OutsideContext(
        site=load_site(home.inventory), vouching=Authority(home.keys), trusted=trusted, login=("matrix", "secret")
    )


def test_the_homeserver_trusts_the_sites_authority_once_there_is_one(home: Instance) -> None:
    before, after = (HOMESERVER.files(context(home, trusted)) for trusted in ("", "PEM"))
    assert "site-ca.pem" not in before
    assert "site-ca.pem" not in before["conf.d/homeserver.yaml"]
    assert after["site-ca.pem"] == "PEM"
    assert "/opt/outside/homeserver/site-ca.pem" in after["conf.d/homeserver.yaml"]


def test_what_the_programs_write_is_for_root_alone() -> None:
    # Synapse makes its signing key by itself.
    assert all("\nUMask=0077\n" in service.unit for service in BOTH)


def test_the_relay_has_its_login_and_its_certificate(home: Instance) -> None:
    files = MAIL.files(context(home, ""))
    assert files["login"] == "matrix\nsecret\n"
    assert {"BEGIN CERTIFICATE", "BEGIN PRIVATE KEY"} <= {
        line.strip("-") for line in files["certificate.pem"].split("\n")
    }


@pytest.mark.parametrize(
    ("suite", "leader", "says"), [("trixie", 1, "made for bookworm"), ("bookworm", 0, "vantage-1 is down")]
)
def test_where_they_cannot_run_it_is_said(
    home: Instance, suite: str, leader: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.outside.serving.containers.leader", lambda *_: leader)
    monkeypatch.setattr("lab.outside.serving.plan.required", lambda _: fresh("matrix", True, suite))
    with pytest.raises(LabError, match=says):
        serving.serve(home, "mail", lambda _: None)
