"""Servers as an organisation hands them over: SSH for root, and nothing else."""

from __future__ import annotations

import pytest

from tests.lab.driver import Lab


@pytest.mark.parametrize("program", ["ufw", "sudo", "python3", "iptables", "nft"])
def test_bare_servers_lack(bare_lab: Lab, program: str) -> None:
    assert bare_lab.shell("db-1", ("sh", "-c", f"command -v {program}")).returncode != 0


@pytest.mark.parametrize("address", ["10.20.1.11", "10.20.2.11", "198.51.100.200", "10.20.1.1"])
def test_bare_hosts_are_reached_as_root(bare_lab: Lab, address: str) -> None:
    key = str(bare_lab.inventory.parent / "keys/deploy")
    known = f"UserKnownHostsFile={bare_lab.inventory}/known_hosts"
    ssh = ("ssh", "-F", "none", "-o", "BatchMode=yes", "-o", known, "-i", key, f"root@{address}")
    assert bare_lab.run((*ssh, "id -u")).stdout == "0\n"


@pytest.mark.parametrize("host", ["cp-1", "li-1"])
def test_what_is_missing_can_be_installed_from_the_labs_own_repository(bare_lab: Lab, host: str) -> None:
    assert bare_lab.shell(host, ("apt-get", "-q", "update")).returncode == 0
    done = bare_lab.shell(host, ("apt-get", "-qy", "install", "ufw", "python3", "sudo"))
    assert done.returncode == 0, done.stderr
    assert "ufw 0.36" in bare_lab.shell(host, ("ufw", "--version")).stdout


def test_the_organisations_hosts_are_never_bare(bare_lab: Lab) -> None:
    for host in ("vantage-1", "router-1"):
        assert bare_lab.shell(host, ("python3", "--version")).returncode == 0
