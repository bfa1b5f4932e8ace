"""What bootstrap brings to hosts is missed by exactly its check when it is gone. No cluster is made."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.lab.compliances import SERVERS, Seed, comply, found_and_mended, running
from tests.lab.driver import Lab
from tests.lab.firewalls import until

_FOLLOWS = "chronyc -c tracking | grep -q Normal"
SEEDS = {
    "sysctl": Seed(
        "w-1",
        "sysctl -qw net.ipv4.ip_forward=0",
        "sysctl -qw net.ipv4.ip_forward=1",
        ("kernel/settings",),
        "net.ipv4.ip_forward is 0",
    ),
    "sysctl-at-boot": Seed(
        "w-1",
        "echo net.ipv4.ip_forward=0 >/etc/sysctl.d/99-seed.conf",
        "rm /etc/sysctl.d/99-seed.conf",
        ("kernel/at-boot",),
        "net.ipv4.ip_forward will be 0 by /etc/sysctl.d/99-seed.conf",
    ),
    "service": Seed(
        "cp-1",
        "systemctl stop chrony",
        "systemctl start chrony",
        ("services/running",),
        "chrony.service does not run",
        consequence=("time/synchronised",),
        settled=_FOLLOWS,
    ),
    "service-at-boot": Seed(
        "cp-2",
        "systemctl disable --quiet chrony",
        "systemctl enable --quiet chrony",
        ("services/running",),
        "would not start at boot",
    ),
    "dead-time-source": Seed(
        "db-1",
        "cd /etc/chrony; cp -p chrony.conf /root/; sed -i '/^server/d; $aserver 10.20.1.99 iburst' chrony.conf; "
        "systemctl restart chrony",
        "mv /root/chrony.conf /etc/chrony/; systemctl restart chrony",
        ("time/synchronised",),
        "follows none of 10.20.1.99",
        settled=_FOLLOWS,
    ),
    "package": Seed(
        "li-1",
        "dpkg --purge --force-depends socat",
        "dpkg -i $(find /var/lib/matrix-fleet/bundle -name 'socat*.deb')",
        ("packages/installed",),
        "socat",
    ),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running("co") as lab:
        done = lab.run((sys.executable, "-m", "flows.bootstrap", "--only", "os", "--quiet"))
        assert done.returncode == 0, done.stderr
        for host in SERVERS:
            until(lambda host=host: lab.shell(host, ("sh", "-c", _FOLLOWS)).returncode == 0, 60)  # type: ignore[misc]
        yield lab


def test_prepared_hosts_are_green(lab: Lab) -> None:
    run = comply(lab)
    assert (run.exit, run.bad) == (0, set())
    for check in (
        "kernel/settings",
        "kernel/modules",
        "kernel/at-boot",
        "time/synchronised",
        "packages/installed",
        "services/running",
    ):
        assert run.outcome("cp-1", check)["status"] == "ok"


@pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS)
def test_a_deviation_is_found_by_exactly_its_check(lab: Lab, seed: Seed) -> None:
    found_and_mended(lab, seed)
