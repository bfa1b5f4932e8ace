"""
What is not as declared on a real host is found by exactly its check, nothing is invented elsewhere, and what is mended
is good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.checks.certificates import issued
from tests.lab.compliances import MAIN, SERVERS, ComplianceRun, Seed, comply, found_and_mended, running, site_with
from tests.lab.driver import Lab
from tests.lab.firewalls import sh, until

_NAMES = "sed -i.kept -e '{edit}' /etc/names/{view}.conf; systemctl restart names-{view}"
_OLD_NAMES = "mv /etc/names/{view}.conf.kept /etc/names/{view}.conf; systemctl restart names-{view}"
_LISTS = "/var/lib/apt/lists/seed_dists_bookworm-security"
# The state of a host that a look must leave as it is; the shells that look are no part of it.
_STATE = """
find / -xdev -path /proc -prune -o -path /run -prune -o -path /tmp -prune -o -type f -printf '%p %T@ %s %m %U\\n' | sort
iptables-save | sed 's/\\[[0-9]*:[0-9]*\\]//; /^#/d'; ss -Hlntu | sort
"""

SEEDS = {
    "administrator": Seed(
        "w-1", "useradd eve && usermod -aG sudo eve", "userdel eve", ("users/sudo",), "eve may become root"
    ),
    "second-root": Seed(
        "cp-2",
        "useradd -o -u 0 mallory",
        "sed -i /^mallory:/d /etc/passwd /etc/shadow /etc/group /etc/gshadow",
        ("users/sudo",),
        "number 0",
    ),
    "password-login": Seed(
        "db-1",
        "echo 'PasswordAuthentication yes' >/etc/ssh/sshd_config.d/00-seed.conf",
        "rm /etc/ssh/sshd_config.d/00-seed.conf",
        ("ssh/settings",),
        "passwordauthentication is yes",
    ),
    "password-login-of-some": Seed(
        "db-1",
        "printf 'Match User nobody\\nPasswordAuthentication yes\\n' >>/etc/ssh/sshd_config",
        "sed -i '/^Match User nobody/,$d' /etc/ssh/sshd_config",
        ("ssh/settings",),
        "for nobody",
    ),
    "listener": Seed(
        "cp-3",
        "systemd-run --quiet --unit=seed systemd-socket-activate -l 9999 /bin/cat; until ss -Hlnt | grep -q "
        ":9999; do sleep 0.1; done",
        "systemctl stop seed",
        ("services/listeners",),
        "listens on 9999/tcp",
    ),
    "wrong-program": Seed(
        "cp-3",
        "systemd-run --quiet --unit=seed systemd-socket-activate -l 10250 /bin/cat; until ss -Hlnt | grep -q "
        ":10250; do sleep 0.1; done",
        "systemctl stop seed || :",
        ("services/listeners",),
        "which is for kubelet",
        # It speaks no TLS either.
        consequence=("certificates/served",),
    ),
    "ufw-rule": Seed("w-1", "ufw allow 12345/tcp", "ufw delete allow 12345/tcp", ("firewall/rules",), "12345"),
    "ufw-at-boot": Seed(
        "w-1",
        "systemctl disable --quiet ufw",
        "systemctl enable --quiet ufw",
        ("firewall/rules",),
        "disabled",
        consequence=("services/running",),
    ),
    "kernel-apart": Seed(
        "db-1",
        "iptables -I ufw-user-input 1 -p tcp --dport 23 -j ACCEPT",
        "iptables -D ufw-user-input 1",
        ("firewall/kernel",),
        "--dport 23",
    ),
    "foreign-rule": Seed(
        "li-1", "iptables -I INPUT -p tcp --dport 5555 -j ACCEPT", "iptables -D INPUT 1", ("firewall/foreign",), "5555"
    ),
    "foreign-table": Seed(
        "cp-1",
        "nft add table inet seed; nft 'add chain inet seed in { type filter hook input priority -5; }';"
        "nft add rule inet seed in tcp dport 77 drop",
        "nft delete table inet seed",
        ("firewall/foreign",),
        "drop",
    ),
    "redirected": Seed(
        "w-1",
        "iptables -t nat -I PREROUTING -p tcp --dport 6000 -j REDIRECT --to-ports 10250",
        "iptables -t nat -D PREROUTING 1",
        ("firewall/foreign",),
        "-t nat -A PREROUTING -p tcp -m tcp --dport 6000 -j REDIRECT --to-ports 10250",
    ),
    "netdev": Seed(
        "cp-2",
        "nft add table netdev seed;"
        "nft 'add chain netdev seed in { type filter hook ingress device eth0 priority 0; }';"
        "nft add rule netdev seed in udp dport 31000-31003 drop",
        "nft delete table netdev seed",
        ("firewall/foreign",),
        "nft netdev seed in handle",
    ),
    "full-disk": Seed(
        "w-1",
        "mount -t tmpfs -o size=1m seed /mnt; fallocate -l 1000K /mnt/full",
        "umount /mnt",
        ("disks/space",),
        "/mnt has",
    ),
    "swap": Seed(
        "cp-1",
        "{ head -n1 /proc/swaps; echo '/dev/seed partition 1048576 0 -2'; } >/run/seed; mount --bind /run/seed "
        "/proc/swaps",
        "umount /proc/swaps; rm /run/seed",
        ("swap/off",),
        "/dev/seed",
    ),
    "swap-at-boot": Seed(
        "cp-2",
        "cp -p /etc/fstab /run/fstab 2>/dev/null || :; echo '/dev/seed none swap sw 0 0' >>/etc/fstab",
        "sed -i '/seed/d' /etc/fstab",
        ("swap/off",),
        "next boot",
    ),
    "newer-kernel": Seed(
        "db-1", "touch /boot/vmlinuz-99.1.0-1-amd64", "rm /boot/vmlinuz-99*", ("kernel/reboot",), "99.1.0"
    ),
    "reboot": Seed(
        "db-1",
        "touch /run/reboot-required; echo libc6 >/run/reboot-required.pkgs",
        "rm /run/reboot-required*",
        ("kernel/reboot",),
        "libc6",
    ),
    "failed-unit": Seed(
        "cp-2",
        "systemd-run --quiet --unit=seed false; until systemctl is-failed --quiet seed; do sleep 0.1; done",
        "systemctl reset-failed seed",
        ("services/failed",),
        "seed.service",
    ),
    "hold": Seed("w-1", "apt-mark hold sudo", "apt-mark unhold sudo", ("packages/holds",), "sudo"),
    "half-installed": Seed(
        "w-1",
        "cd /var/lib/dpkg; cp -p status /root/;"
        "sed -i '/^Package: sudo$/,/^$/s/install ok installed/install ok half-configured/' status",
        "mv /root/status /var/lib/dpkg/status",
        ("packages/installed",),
        "sudo",
    ),
    "security-update": Seed(
        "cp-1",
        f"printf 'Label: Debian-Security\\n' >{_LISTS}_InRelease;"
        f"printf 'Package: sudo\\nVersion: 99:1\\n\\n' >{_LISTS}_main_binary-amd64_Packages",
        f"rm {_LISTS}*",
        ("updates/security",),
        "sudo",
    ),
    "wrong-name": Seed(
        "router-1",
        _NAMES.format(
            edit="s/host-record=chat.example.test.*/host-record=chat.example.test,198.51.100.9/", view="main"
        ),
        _OLD_NAMES.format(view="main"),
        says="chat.example.test",
        elsewhere=tuple((host, "dns/main") for host in MAIN),
    ),
    "wrong-public-name": Seed(
        "router-1",
        _NAMES.format(
            edit="s/host-record=matrix.example.test.*/host-record=matrix.example.test,198.51.100.9/", view="public"
        ),
        _OLD_NAMES.format(view="public"),
        says="matrix.example.test",
        elsewhere=(("vantage-1", "dns/public"),),
    ),
    "wrong-li-name": Seed(
        "router-1",
        _NAMES.format(
            edit="s/host-record=keyvault.example.test.*/host-record=keyvault.example.test,10.20.2.99/", view="li"
        ),
        _OLD_NAMES.format(view="li"),
        says="keyvault.example.test",
        elsewhere=(("li-1", "dns/li"),),
    ),
    "li-name-outside": Seed(
        "router-1",
        _NAMES.format(edit="$ahost-record=keyvault.example.test,10.20.2.11", view="public"),
        _OLD_NAMES.format(view="public"),
        says="keyvault.example.test",
        elsewhere=(("vantage-1", "dns/li-only"),),
    ),
    "li-name-in-main": Seed(
        "router-1",
        _NAMES.format(edit="$ahost-record=admin-li.example.test,10.20.2.11", view="main"),
        _OLD_NAMES.format(view="main"),
        says="admin-li.example.test",
        elsewhere=tuple((host, "dns/li-only") for host in MAIN),
    ),
}


@pytest.fixture(scope="module")
def lab(real_machine: None) -> Iterator[Lab]:
    with running("co") as lab:
        yield lab


def test_a_healthy_lab_is_green_five_times_and_nothing_on_it_changes(lab: Lab) -> None:
    before = {host: sh(lab, host, _STATE) for host in ("cp-1", "li-1")}
    for _ in range(5):
        run = comply(lab)
        assert (run.exit, run.bad) == (0, set()), {pair: run.outcome(*pair)["message"] for pair in run.bad}
        assert run.report["good"]
    assert {host: sh(lab, host, _STATE) for host in before} == before


def _batches() -> list[dict[str, Seed]]:
    """Return all of them in as few lots as can be of which each has one a host."""
    batches: list[dict[str, Seed]] = []
    for name, seed in SEEDS.items():
        free = (batch for batch in batches if all(other.place != seed.place for other in batch.values()))
        if (batch := next(free, None)) is None:
            batches.append(batch := {})
        batch[name] = seed
    return batches


@pytest.mark.parametrize("batch", _batches(), ids=lambda batch: ",".join(batch))
def test_deviations_are_found_by_exactly_their_checks(lab: Lab, batch: dict[str, Seed]) -> None:
    found_and_mended(lab, *batch.values())


@pytest.mark.parametrize(
    ("days", "says"), [(-1, "expired on"), (5, "expires in"), (400, "does not name chat.example.test")]
)
def test_a_certificate_on_show_is_looked_at(lab: Lab, days: int, says: str) -> None:
    names = ("matrix.example.test", "chat.example.test") if days < 400 else ("matrix.example.test",)
    pem = "".join(issued(names, days))
    serve = (
        'import ssl,socket;c=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER);c.load_cert_chain("/run/seed.pem");'
        's=c.wrap_socket(socket.create_server(("",443)),server_side=True,do_handshake_on_connect=False)\n'
        "while 1:\n try: a=s.accept()[0];a.settimeout(2);a.do_handshake();a.recv(1);a.close()\n except OSError: pass"
    )
    make = (
        f"cat >/run/seed.pem <<'END'\n{pem}END\ncat >/run/seed.py <<'END'\n{serve}\nEND\n"
        "systemd-run --quiet --unit=seed python3 /run/seed.py; until ss -Hlnt | grep -q :443; do sleep 0.1; done"
    )
    found_and_mended(lab, Seed("w-1", make, "systemctl stop seed; rm /run/seed.*", ("certificates/served",), says))


@pytest.mark.parametrize(("days", "says"), [(-1, "expired on"), (5, "expires in")])
def test_the_sites_own_certificate_is_looked_at(lab: Lab, tmp_path: Path, days: int, says: str) -> None:
    certificate, key = issued(("*.example.test",), days)

    def change(settings: dict[str, Any]) -> None:
        settings["tls"] = {
            "method": "organisation",
            "li_method": "internal-ca",
            "certificate": "site.pem",
            "private_key": "site.key",
        }

    site = site_with(lab, tmp_path / "site", change, {"site.pem": certificate, "site.key": key})
    run = comply(lab, "--inventory", str(site))
    assert run.bad == {("controller", "certificates/site")}
    assert says in run.outcome("controller", "certificates/site")["message"]
    certificate, key = issued(("*.example.test",), 300)
    (site / "site.pem").write_text(certificate)
    assert (
        "is not the key"
        in comply(lab, "--inventory", str(site), "--check", "certificates/site").report["outcomes"][0]["message"]
    )
    (site / "site.key").write_text(key)
    assert comply(lab, "--inventory", str(site)).exit == 0


def test_drift_is_handed_to_the_flow_that_owns_it_once_somebody_agrees(lab: Lab) -> None:
    lab.shell("db-1", ("iptables", "-I", "ufw-user-input", "1", "-p", "tcp", "--dport", "23", "-j", "ACCEPT"))
    refused = comply(lab, "--fix")
    assert refused.exit == 1
    assert "--yes" in refused.complaint
    assert comply(lab).bad == {("db-1", "firewall/kernel")}
    done = comply(lab, "--fix", "--yes")
    assert (done.exit, done.bad) == (0, set()), done.complaint
    assert (comply(lab).exit, comply(lab).bad) == (0, set())


def test_what_cannot_be_read_hides_nothing_else(lab: Lab) -> None:
    lab.shell("cp-3", ("sh", "-c", "echo Nonsense yes >/etc/ssh/sshd_config.d/zz.conf"))
    try:
        run = comply(lab)
        assert run.bad == {("cp-3", "ssh/settings")}
        assert run.exit == 3
        assert "sshd" in run.outcome("cp-3", "ssh/settings")["message"]
    finally:
        lab.shell("cp-3", ("rm", "/etc/ssh/sshd_config.d/zz.conf"))


def test_without_a_fresh_proof_the_perimeter_is_unproven(lab: Lab, tmp_path: Path) -> None:
    site = site_with(lab, tmp_path / "site", lambda _settings: None)
    (site / "reports" / "latest-verify_ports").unlink()
    run = comply(lab, "--inventory", str(site))
    assert run.bad == {("controller", name) for name in ("perimeter/rows", "li/isolation", "ports/hosts", "ports/pods")}
    assert run.exit == 3


def test_a_dead_host_is_failed_and_the_others_are_complete(lab: Lab) -> None:
    lab.do("poweroff", "w-1")
    try:
        run = comply(lab)
    finally:
        lab.do("poweron", "w-1")
    assert run.exit == 3
    assert {host for host, _ in run.bad} == {"w-1"}
    healthy = comply(lab)
    until(lambda: comply(lab).exit == 0, 60)
    for host in (*(name for name in SERVERS if name != "w-1"), "vantage-1"):
        mine = [
            {outcome["subject"] for outcome in each_run.report["outcomes"] if outcome["host"] == host}
            for each_run in (run, healthy)
        ]
        assert mine[0] == mine[1]


def test_worker_processes_bring_what_threads_bring(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = comply(lab)
    (tmp_path / "config.yaml").write_text(
        "inventory: {plugin: SimpleInventory}\nlogging: {enabled: false}\nrunner: {plugin: dask, options: "
        "{workers: 2}}\n"
    )
    monkeypatch.setenv("MATRIX_FLEET_CONFIG", str(tmp_path / "config.yaml"))
    spread = comply(lab)
    assert (spread.exit, spread.complaint) == (threads.exit, threads.complaint) == (0, "")
    assert _rows(spread) == _rows(threads)
    assert spread.report["items"] == threads.report["items"]


def _rows(run: ComplianceRun) -> list[tuple[str, str, str, str]]:
    """Return every outcome without how long a look took."""
    return [
        (outcome["host"], outcome["subject"], outcome["status"], re.sub(r"[\d.]+ (s|ms|days)", "", outcome["message"]))
        for outcome in run.report["outcomes"]
    ]


def test_hosts_that_no_chosen_check_is_for_are_no_selection(lab: Lab) -> None:
    run = comply(lab, "--check", "firewall", "--limit", "vantage-1")
    assert run.exit == 1
    assert "none of these is looked at" in run.complaint
