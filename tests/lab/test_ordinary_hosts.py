"""Hosts as people have them: ufw's files in their own spelling, shells that greet, names and tools that are missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import firewalls
from tests.lab.compliances import comply
from tests.lab.driver import Lab, booted
from tests.lab.firewalls import apply, sh, state
from tests.model.ufw.test_spellings import PLACED, SPELLINGS

# Of a few ports alone: whoever is managed is reached by SSH.
LINES = [
    f"-A ufw-before-input {'' if '--dport' in one or '-p ' in one else '-p tcp --dport 9 '}{one}"
    for one, _ in SPELLINGS
]
LINES += ["-A ufw-before-input -s 0.0.0.0/0 -p tcp --dport 9 -j DROP", PLACED]
LINES += ["-A ufw-before-input -p icmp --icmp-type ping -m limit --limit 10/s -j ACCEPT"]
LINES += ["-A ufw-before-input -p tcp --syn --dport 19 -j DROP"]
# A greeting, and a host that does not know its own name: sudo complains of it.
GREETING = "/home/deploy/.bashrc"

# A gratuitous ARP answer: from now on the address is at this host's interface.
ANNOUNCE = """python3 -c '
import socket
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0x806))
mac, own = wire.getsockname()[4], socket.inet_aton("10.20.1.31")
wire.send(b"\\xff" * 6 + mac + bytes.fromhex("0806000108000604") + b"\\0\\2" + mac + own + b"\\xff" * 6 + own)
'"""


@pytest.fixture(scope="module")
def fleet(real_machine: None) -> Iterator[Lab]:
    with booted("tw", "--profile", "small") as lab:
        apply(lab)
        yield lab


def verify(lab: Lab, *flags: str) -> tuple[int, dict[str, Any]]:
    done = lab.run((sys.executable, "-m", "flows.verify_ports", "--json", "-", *flags))
    return done.returncode, json.loads(done.stdout)


def wrong(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in report["cells"] if cell["verdict"] not in ("ok", "not_run")]


def told(report: dict[str, Any], subject: str) -> list[dict[str, Any]]:
    return [outcome for outcome in report["outcomes"] if outcome["subject"] == subject]


def test_rules_as_people_spell_them_are_no_drift_and_keep_nobody_from_managing_a_host(fleet: Lab) -> None:
    sh(fleet, "w-1", "cp -a /etc/ufw /root/ufw")
    lines = "\n".join(LINES)
    sh(
        fleet,
        "w-1",
        f"sed -i '/^COMMIT/d' /etc/ufw/before.rules; cat >>/etc/ufw/before.rules <<'EOF'\n{lines}\nCOMMIT\nEOF",
    )
    try:
        # They are in the file and not yet in the kernel.
        first = firewalls.run(fleet, "--limit", "w-1")
        assert (first.exit, first.status("w-1")) == (0, "changed"), first.report
        held = state(fleet, "w-1")
        assert "--dport 6000:65535" in held
        second = firewalls.run(fleet, "--limit", "w-1")
        assert (second.exit, second.status("w-1")) == (0, "ok")
        sh(fleet, "w-1", "ufw reload")
        dry = firewalls.run(fleet, "--dry-run", "--limit", "w-1")
        assert (dry.exit, dry.status("w-1"), state(fleet, "w-1")) == (0, "ok", held)
        assert comply(fleet, "--check", "firewall/kernel", "--limit", "w-1").exit == 0
        # What is different all the same is found, also where nobody here knows its spelling.
        sh(fleet, "w-1", "iptables -D ufw-before-input -p tcp --syn --dport 19 -j DROP")
        sh(fleet, "w-1", "iptables -A ufw-before-input -p tcp --tcp-flags SYN,RST SYN --dport 19 -j DROP")
        assert firewalls.run(fleet, "--dry-run", "--limit", "w-1").status("w-1") == "drift"
        assert comply(fleet, "--check", "firewall/kernel", "--limit", "w-1").exit == 2
        assert firewalls.run(fleet, "--limit", "w-1").status("w-1") == "changed"
        assert state(fleet, "w-1") == held
    finally:
        sh(fleet, "w-1", "rm -rf /etc/ufw; mv /root/ufw /etc/ufw")
    assert firewalls.run(fleet, "--limit", "w-1").exit == 0


def test_a_greeting_and_a_name_that_cannot_be_resolved_are_no_words_of_the_programs(fleet: Lab) -> None:
    sh(fleet, "w-1", f"cp -a {GREETING} /root/bashrc; cp -a /etc/hosts /root/hosts; cp /etc/nsswitch.conf /root/")
    sh(fleet, "w-1", f"sed -i '1i echo hi; echo ho >&2' {GREETING}; chown deploy: {GREETING}")
    sh(fleet, "w-1", "sed -i '/w-1/d' /etc/hosts; sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf")
    try:
        shell = fleet.shell("w-1", ("su", "deploy", "-c", "sudo -n false"))
        assert "unable to resolve host" in shell.stderr, "the test needs a sudo that complains"
        code, report = verify(fleet)
        assert (code, wrong(report)) == (0, [])
        seen = comply(fleet, "--limit", "w-1", "--check", "firewall/kernel,firewall/next-boot,users/sudo")
        assert seen.exit == 0, seen.report
        assert firewalls.run(fleet, "--dry-run", "--limit", "w-1").exit == 0
        program = (sys.executable, "-m", "flows.bootstrap", "--json", "-", "--only", "preflight", "--limit", "w-1")
        outcomes = json.loads(fleet.run(program).stdout)["outcomes"]
        assert not [outcome for outcome in outcomes if "sudo" in outcome["subject"]]
    finally:
        sh(
            fleet,
            "w-1",
            f"mv /root/bashrc {GREETING}; cp /root/hosts /etc/hosts; mv /root/nsswitch.conf /etc/nsswitch.conf",
        )


@pytest.mark.faults
def test_without_python3_both_flows_say_so_and_what_installs_it(fleet: Lab) -> None:
    sh(fleet, "w-1", "for f in /usr/bin/python3 /usr/bin/python3.*; do mv $f $f.away; done")
    try:
        code, report = verify(fleet)
        seen = comply(fleet, "--limit", "w-1", "--check", "firewall/kernel")
    finally:
        sh(fleet, "w-1", "for f in /usr/bin/python3*.away; do mv $f ${f%.away}; done")
    assert code == 3
    (outcome,) = told(report, "python3")
    assert "apt-get install python3" in outcome["next"]
    lost = seen.outcome("w-1", "firewall/kernel")
    assert (seen.exit, lost["status"], lost["message"]) == (3, "failed", "python3 missing: the collector cannot run")
    assert "apt-get install python3" in lost["next"]


@pytest.mark.parametrize(
    "kind", ["blackhole", *(pytest.param(kind, marks=pytest.mark.faults) for kind in ("unreachable", "prohibit"))]
)
def test_a_source_whose_routes_lead_nowhere_is_told(fleet: Lab, kind: str) -> None:
    sh(fleet, "cp-1", f"ip route add {kind} 10.20.1.31")
    try:
        code, report = verify(fleet, "--source", "cp-1")
    finally:
        sh(fleet, "cp-1", f"ip route del {kind} 10.20.1.31")
    cells = wrong(report)
    assert (code, {(cell["from"], cell["to"], cell["address"]) for cell in cells}) == (
        2,
        {("cp-1", "db-1", "10.20.1.31")},
    )
    assert {(cell["verdict"], cell["culprit"]) for cell in cells} == {("violation", "source-egress")}
    assert all(kind != "blackhole" or "blackhole" in cell["note"] for cell in cells)


@pytest.mark.faults
def test_a_host_without_ipv6_is_told_so_and_its_firewall_is_not_blamed(fleet: Lab) -> None:
    before = sh(fleet, "db-1", "ip -6 -o addr show scope global | awk '{print $2, $4}'").split()
    sh(fleet, "db-1", "sysctl -w net.ipv6.conf.all.disable_ipv6=1")
    try:
        code, report = verify(fleet)
    finally:
        sh(fleet, "db-1", "sysctl -w net.ipv6.conf.all.disable_ipv6=0")
        for link, address in zip(before[::2], before[1::2], strict=True):
            sh(fleet, "db-1", f"ip -6 addr add {address} dev {link} nodad")
        sh(fleet, "db-1", "ip -6 route replace default via fd20:1::1 dev eth0")
    cells = wrong(report)
    assert code == 2
    assert {cell["address"] for cell in cells if cell["to"] == "db-1"} == {before[1].split("/")[0]}
    assert {
        (cell["verdict"], cell["culprit"]) for cell in cells if cell["to"] == "db-1" and cell["expected"] == "open"
    } == {("violation", "model")}
    assert {(cell["verdict"], cell["culprit"]) for cell in cells if cell["from"] == "db-1"} == {("unproven", "source")}
    assert all("does not have its address" in cell["note"] for cell in cells)
    (outcome,) = told(report, "addresses")
    assert (outcome["host"], "disable_ipv6" in outcome["next"]) == ("db-1", True)
    assert told(report, "ruleset") == []


@pytest.mark.faults
def test_two_hosts_with_one_address_are_named(fleet: Lab) -> None:
    sh(fleet, "cp-2", f"ip addr add 10.20.1.31/32 dev eth0; {ANNOUNCE}")
    try:
        code, report = verify(fleet)
    finally:
        sh(fleet, "cp-2", "ip addr del 10.20.1.31/32 dev eth0")
        sh(fleet, "db-1", ANNOUNCE)
    cells = wrong(report)
    assert code == 2
    assert {cell["culprit"] for cell in cells} == {"nat"}, [cell for cell in cells if cell["culprit"] != "nat"][:5]
    assert all("cp-2 has db-1's address 10.20.1.31 as well" in cell["note"] for cell in cells)
    (outcome,) = told(report, "addresses")
    assert (outcome["host"], "ip addr del 10.20.1.31" in outcome["next"]) == ("cp-2", True)
