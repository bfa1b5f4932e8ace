"""What is wrong with real hosts is found in one look, that changes nothing on any of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.lab.bootstraps import preflight, site_of
from tests.lab.driver import Lab
from tests.lab.firewalls import sh

HOSTS = ("cp-1", "cp-2", "cp-3", "w-1", "db-1", "li-1")
# What a host holds, and what a look must leave as it is; the shells that look are no part of it.
_STATE = """
find / -xdev -path /proc -prune -o -path /run -prune -o -path /tmp -prune -o -type f -printf '%p %T@ %s %m %U\\n' | sort
ip -br addr; ip route; hostname; ss -Hlntu | sort
"""

# What is wrong with each host, and how that is undone.
SEEDS = {
    "cp-1": (
        "mkdir -p /etc/kubernetes /var/lib/etcd/member; touch /etc/kubernetes/admin.conf",
        "rm -r /etc/kubernetes /var/lib/etcd/member",
    ),
    "cp-2": (
        "systemd-run --unit=squatter systemd-socket-activate -l 10250 /bin/cat; until ss -Hlnt | grep -q :10250; "
        "do sleep 0.1; done",
        "systemctl stop squatter",
    ),
    "cp-3": (
        "cp /etc/machine-id /root/; echo MACHINE_ID >/etc/machine-id; ip addr add 203.0.113.5/32 dev lo",
        "mv /root/machine-id /etc/machine-id; ip addr del 203.0.113.5/32 dev lo",
    ),
    "w-1": ("hostname cp-2; ip link set eth0 mtu 1400", "hostname w-1; ip link set eth0 mtu 1500"),
    "db-1": (
        "ip -4 route del default; ip -6 route del default; "
        "printf '#!/bin/sh\\nexec /bin/date -d 1hour \"$@\"\\n' >/usr/local/bin/date; chmod +x /usr/local/bin/date",
        "rm /usr/local/bin/date; ip route add default via 10.20.1.1; ip -6 route add default via fd20:1::1",
    ),
    "li-1": (
        "hostname debian; ip addr del fd20:2::11/64 dev eth0",
        "hostname li-1; ip addr add fd20:2::11/64 dev eth0 nodad",
    ),
}


@pytest.fixture
def site(bare_lab: Lab, tmp_path: Path) -> Path:
    return site_of(bare_lab, tmp_path / "site")


def test_bare_hosts_can_become_nodes_and_are_left_as_they_are(bare_lab: Lab, site: Path) -> None:
    before = {host: sh(bare_lab, host, _STATE) for host in ("cp-1", "li-1")}
    done = preflight(bare_lab, site)
    assert done.exit == 0, done.complaint
    for host in HOSTS:
        assert "preflight" in done.subjects(host, "ok")
        assert done.subjects(host, "drift") == set()
    assert {host: sh(bare_lab, host, _STATE) for host in before} == before


def test_everything_wrong_on_every_host_is_told_at_once(bare_lab: Lab, site: Path) -> None:
    identity = sh(bare_lab, "w-1", "cat /etc/machine-id").strip()
    with ExitStack() as seeded:
        for host, (seed, mend) in SEEDS.items():
            seeded.enter_context(_once(bare_lab, host, seed.replace("MACHINE_ID", identity), mend))
        done = preflight(bare_lab, site)
    assert done.exit == 2, done.complaint
    assert "/etc/kubernetes/admin.conf, /var/lib/etcd/member" in done.told("cp-1", "preflight/cluster-remains")
    assert "kubeadm reset" in done.told("cp-1", "preflight/cluster-remains")
    assert "systemd-socket- listens on 10250/tcp" in done.told("cp-2", "preflight/port-taken")
    # Its largest packets are larger than those of the next in its network.
    expected = {"preflight/machine-id", "preflight/address-undeclared", "preflight/path-mtu"}
    assert done.subjects("cp-3", "drift") == expected
    assert done.subjects("w-1", "drift") == {"preflight/machine-id", "preflight/hostname"}
    assert "another host of the site" in done.told("w-1", "preflight/hostname")
    assert "preflight/mtu-differs" in done.subjects("w-1", "ok")
    assert "ahead of most others" in done.told("db-1", "preflight/clock-skew")
    assert done.subjects("db-1", "drift") == {"preflight/clock-skew"}
    assert "preflight/default-route" in done.subjects("db-1", "ok")
    assert done.subjects("li-1", "drift") == {"preflight/address-missing"}
    assert "calls itself debian" in done.told("li-1", "preflight/hostname")


@contextmanager
def _once(lab: Lab, host: str, begin: str, end: str) -> Iterator[None]:
    assert lab.shell(host, ("sh", "-ec", begin)).returncode == 0
    try:
        yield
    finally:
        assert lab.shell(host, ("sh", "-ec", end)).returncode == 0


@pytest.mark.parametrize(
    ("firewall", "evidence"),
    [("", "answers for it"), ("nft insert rule inet perimeter input ip daddr 10.20.1.10 accept;", "refused")],
)
def test_an_endpoint_address_somebody_else_holds_is_refused(
    bare_lab: Lab, site: Path, firewall: str, evidence: str
) -> None:
    """The router's own firewall answers nothing: the address on the wire gives it away all the same."""
    device = sh(bare_lab, "router-1", "ip -o addr show to 10.20.1.1 | cut -d' ' -f2").strip()
    add, remove = (f"ip addr {word} 10.20.1.10/32 dev {device}" for word in ("add", "del"))
    with _once(bare_lab, "router-1", f"{firewall} {add}", f"{remove}; systemctl restart nftables"):
        done = preflight(bare_lab, site)
    assert done.exit == 2, done.complaint
    for host in ("cp-1", "cp-2", "cp-3"):
        message = done.told(host, "preflight/endpoint-taken")
        assert "10.20.1.10 is taken" in message
        assert evidence in message
        assert "preflight/endpoint-taken" in done.subjects(host, "drift")


def test_a_neighbour_of_yesterday_does_not_take_the_address(bare_lab: Lab, site: Path) -> None:
    stale = "ip neigh replace 10.20.1.10 dev eth0 lladdr 02:00:00:00:00:99 nud stale"
    with _once(bare_lab, "cp-1", stale, "ip neigh del 10.20.1.10 dev eth0"):
        done = preflight(bare_lab, site, "--limit", "cp-1,cp-2")
    assert done.exit == 0, done.outcomes


def test_wrong_leaking_and_missing_names_are_told_apart(bare_lab: Lab, site: Path) -> None:
    edit = (
        "sed -i.kept -e 's/^host-record=chat.*/host-record=chat.example.test,203.0.113.7/' -e '/^host-record=matrix/d' "
        "-e '$ahost-record=keyvault.example.test,10.20.2.11' /etc/names/main.conf; systemctl restart names-main"
    )
    mend = "mv /etc/names/main.conf.kept /etc/names/main.conf; systemctl restart names-main"
    with _once(bare_lab, "router-1", edit, mend):
        done = preflight(bare_lab, site)
    assert done.exit == 2, done.complaint
    assert done.subjects("w-1", "drift") == {"preflight/dns-wrong", "preflight/dns-li-leak"}
    assert "chat.example.test (Element Web) leads to 203.0.113.7" in done.told("w-1", "preflight/dns-wrong")
    assert "pending: matrix.example.test" in done.told("w-1", "preflight/dns-pending")
    assert "preflight/dns-pending" in done.subjects("w-1", "not_run")
    assert done.subjects("li-1", "drift") == set()


def test_a_silent_name_server_and_a_dead_host_hide_nothing(bare_lab: Lab, site: Path) -> None:
    bare_lab.do("poweroff", "cp-3")
    try:
        with _once(bare_lab, "router-1", "systemctl stop names-li", "systemctl start names-li"):
            done = preflight(bare_lab, site)
    finally:
        bare_lab.do("poweron", "cp-3")
    assert done.exit == 2, done.complaint
    assert done.subjects("cp-3", "failed") == {"connection"}
    assert "10.20.2.1 does not answer" in done.told("li-1", "preflight/dns-silent")
    assert "preflight" in done.subjects("cp-1", "ok")


def test_waivers_let_a_finding_pass(bare_lab: Lab, site: Path) -> None:
    path = site / "site.yaml"
    waiver = "- {id: preflight/cluster-remains, host: w-1, reason: a test, owner: tests, expires: 2030-12-31}\n"
    path.write_text(path.read_text("utf-8").replace("waivers:\n", f"waivers:\n{waiver}"), "utf-8")
    seed, mend = "mkdir -p /etc/kubernetes; touch /etc/kubernetes/kubelet.conf", "rm -r /etc/kubernetes"
    with _once(bare_lab, "w-1", seed, mend), _once(bare_lab, "db-1", seed, mend):
        done = preflight(bare_lab, site, "--limit", "w-1,db-1")
        alone = preflight(bare_lab, site, "--limit", "w-1")
    assert (done.exit, alone.exit) == (2, 0)
    assert alone.subjects("w-1", "waived") == {"preflight/cluster-remains"}


def test_a_minor_too_new_is_refused_before_any_host_is_looked_at(bare_lab: Lab, tmp_path: Path) -> None:
    done = preflight(bare_lab, site_of(bare_lab, tmp_path / "site", version="1.38"))
    assert done.exit == 1
    assert not {outcome["host"] for outcome in done.outcomes} & set(HOSTS)


def test_packages_from_a_mirror_are_gone_for(bare_lab: Lab, site: Path) -> None:
    path = site / "site.yaml"
    text = path.read_text("utf-8").replace("egress: closed", "egress: open")
    path.write_text(text.replace("servers:\n", "servers:\n  proxy: {https: 'http://10.20.1.1:3128'}\n"), "utf-8")
    done = preflight(bare_lab, site, "--limit", "w-1")
    assert done.exit == 2, done.complaint
    assert "does not get to 10.20.1.1:3128" in done.told("w-1", "preflight/outbound-closed")


def test_whoever_may_not_become_root_is_told_so(lab: Lab, tmp_path: Path) -> None:
    site = site_of(lab, tmp_path / "site")
    off, on = "mv /etc/sudoers.d/deploy /root/", "mv /root/deploy /etc/sudoers.d/"
    with _once(lab, "w-1", off, on):
        done = preflight(lab, site, "--limit", "w-1,db-1")
    assert done.exit == 2, done.complaint
    assert "sudo" in done.told("w-1", "preflight/sudo")
    assert "preflight" in done.subjects("db-1", "ok")
