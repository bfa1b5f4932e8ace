"""`lab serve` and `lab withdraw` in a running lab: both programs, where the site's servers find them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab.outside.authority import AUTHORITY_FILE
from tests.cluster.lab_cluster import eventually
from tests.lab.driver import Lab, booted

ADDRESSES = ("198.51.100.200", "2001:db8:100::200")
_FETCH = """
import ssl, sys, urllib.request
trusted = ssl.create_default_context(cadata=sys.argv[2])
print(urllib.request.urlopen(sys.argv[1], timeout=20, context=trusted).read().decode())
"""


@pytest.fixture(scope="module")
def lab(real_machine: None) -> Iterator[Lab]:
    with booted("ou") as lab:
        yield lab


def reached(lab: Lab, host: str, port: int) -> set[str]:
    return {lab.tcp(host, address, port) for address in ADDRESSES}


def asked(lab: Lab, url: str) -> object:
    """Ask from a worker, which trusts the authority that the site is told of."""
    authority = (lab.inventory / AUTHORITY_FILE).read_text()
    done = lab.shell("w-1", ("python3", "-c", _FETCH, url, authority))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shown(lab: Lab, port: int) -> object:
    """Return the keys that the second homeserver shows at a port."""
    document = asked(lab, f"https://partner.test:{port}/_matrix/key/v2/server")
    assert isinstance(document, dict)
    assert document["server_name"] == "partner.test"
    return document["verify_keys"]


def test_a_relay_is_reached_by_those_who_send_mail_and_by_nobody_else_until_it_is_withdrawn(lab: Lab) -> None:
    site = lab.inventory / "site.yaml"
    before = site.read_text()
    assert reached(lab, "w-1", 587) == {"silent"}
    password = lab.do("serve", "mail").strip()
    assert lab.do("serve", "mail").strip() == password != ""
    modes = lab.shell("vantage-1", ("sh", "-c", "stat -c %a /opt/outside/mail/login /opt/outside/mail/*.pem")).stdout
    assert modes.split() == ["600", "600"]
    assert reached(lab, "w-1", 587) == {"open"}
    assert reached(lab, "db-1", 587) | reached(lab, "w-1", 443) == {"silent"}
    names = lab.shell("w-1", ("getent", "ahosts", "smtp.example.test")).stdout
    assert {line.split()[0] for line in names.splitlines()} == set(ADDRESSES)
    lab.do("withdraw", "mail")
    assert reached(lab, "w-1", 587) == {"silent"}
    assert site.read_text() == before


def test_a_second_homeserver_is_found_by_its_name_and_comes_back_with_its_host(lab: Lab) -> None:
    lab.do("serve", "homeserver")
    try:
        assert asked(lab, "https://partner.test/.well-known/matrix/server") == {"m.server": "partner.test:443"}
        key = shown(lab, 8448)
        lab.do("reboot", "vantage-1")
        eventually("it is back with the key it had", lambda: shown(lab, 443) == key, 120)
    finally:
        lab.do("withdraw", "homeserver")
    assert reached(lab, "w-1", 443) == {"silent"}
