"""What will not last is told of real hosts by the firewall's dry run, by compliance and by the proof of the ports."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator

import pytest

from tests.lab import firewalls
from tests.lab.compliances import comply
from tests.lab.driver import Lab, booted
from tests.lab.firewalls import apply, armed, holding, sh, state, until

CHECKS = ("--check", "firewall/next-boot,firewall/unconfirmed,packages/installed")
STATUS = "/var/lib/dpkg/status"
FAULTS = (
    (
        "before.rules",
        r"sed -i 's/^COMMIT/allow 10.0.0.1 please\nCOMMIT/' /etc/ufw/before.rules",
        "`allow 10.0.0.1 please`",
    ),
    ("before6.rules", r"sed -i 's/^COMMIT/-A ufw6-before-input -m nothing\nCOMMIT/' /etc/ufw/before6.rules", "nothing"),
    ("after.rules", r"sed -i 's/^COMMIT/-A ufw-after-input --dport 1x\nCOMMIT/' /etc/ufw/after.rules", "1x"),
    ("after6.rules", ": >/etc/ufw/after6.rules", "is missing or empty"),
    ("nftables", "systemctl enable nftables", "`flush ruleset`"),
)


@pytest.fixture(scope="module")
def fleet(real_machine: None) -> Iterator[Lab]:
    with booted("tl", "--profile", "small") as lab:
        apply(lab)
        yield lab


def _rules(lab: Lab, host: str) -> str:
    """Return the host's whole ruleset without counters, handles and ufw's files."""
    return sh(lab, host, "nft -s list ruleset; iptables-save -t filter | grep -c .")


@pytest.mark.parametrize(
    ("place", "fault", "said"),
    [
        pytest.param(*fault, id=fault[0], marks=[pytest.mark.faults] if number else [])
        for number, fault in enumerate(FAULTS)
    ],
)
def test_what_the_next_boot_takes_away_is_told_and_mended(fleet: Lab, place: str, fault: str, said: str) -> None:
    sh(fleet, "w-1", "cp -a /etc/ufw /root/ufw")
    before = _rules(fleet, "w-1")
    sh(fleet, "w-1", fault)
    try:
        dry = firewalls.run(fleet, "--dry-run", "--limit", "w-1")
        told = dry.outcome("w-1", f"next-boot/{place}")
        assert (dry.exit, told["status"], said in told["message"]) == (2, "drift", True)
        seen = comply(fleet, *CHECKS, "--limit", "w-1")
        assert said in seen.outcome("w-1", "firewall/next-boot")["message"]
        assert seen.exit == 2
        done = firewalls.run(fleet, "--limit", "w-1")
        assert done.status("w-1", f"next-boot/{place}") == "drift"
        # An empty file asks for chains without rules, and gets them.
        assert place == "after6.rules" or _rules(fleet, "w-1") == before
    finally:
        sh(fleet, "w-1", "systemctl disable nftables; rm -rf /etc/ufw; mv /root/ufw /etc/ufw")
    assert firewalls.run(fleet, "--limit", "w-1").exit == 0
    assert _rules(fleet, "w-1") == before
    mended = comply(fleet, *CHECKS, "--limit", "w-1")
    assert mended.outcome("w-1", "firewall/next-boot")["status"] == "ok"


@pytest.mark.faults
def test_what_is_told_is_what_the_boot_does(fleet: Lab) -> None:
    saved = sh(fleet, "db-1", "cat /etc/ufw/before.rules")
    before = state(fleet, "db-1")
    sh(fleet, "db-1", r"sed -i 's/^COMMIT/allow 10.0.0.1 please\nCOMMIT/' /etc/ufw/before.rules")
    assert firewalls.run(fleet, "--dry-run", "--limit", "db-1").status("db-1", "next-boot/before.rules") == "drift"
    fleet.do("reboot", "db-1")
    assert "ESTABLISHED" not in sh(fleet, "db-1", "iptables-save | grep -- '-A ufw-before-input'")
    sh(fleet, "db-1", f"cat >/etc/ufw/before.rules <<'EOF'\n{saved}EOF")
    fleet.do("reboot", "db-1")
    assert state(fleet, "db-1") == before


def _verify(lab: Lab) -> tuple[int, dict[str, str]]:
    """Prove a port of db-1; return the exit code, and what is told of a rollback there."""
    program = (sys.executable, "-m", "flows.verify_ports", "--json", "-", "--plane", "host", "--destination", "db-1")
    done = lab.run((*program, "--ports", "22/tcp"))
    outcomes = json.loads(done.stdout)["outcomes"]
    told = [outcome for outcome in outcomes if (outcome["host"], outcome["subject"]) == ("db-1", "rollback")]
    return done.returncode, told[0] if told else {}


def test_a_proof_is_never_green_while_a_change_may_be_taken_back(fleet: Lab) -> None:
    sh(fleet, "db-1", "ufw allow 9999/tcp")
    with holding(fleet, "--hold", "90", "--limit", "db-1") as process:
        until(lambda: armed(fleet, "db-1"), 30)
        code, told = _verify(fleet)
        assert (code, told["status"]) == (3, "unproven")
        assert "is not confirmed since" in told["message"]
        assert told["next"].startswith("wait for the run that works on it (")
        seen = comply(fleet, *CHECKS, "--limit", "db-1")
        assert seen.outcome("db-1", "firewall/unconfirmed")["status"] == "drift"
        # A session that dies leaves the change armed, and nobody holds it any more.
        process.send_signal(signal.SIGKILL)
        process.wait()
    until(lambda: not armed(fleet, "db-1"), 40)
    assert _verify(fleet)[1] == {}
    assert firewalls.run(fleet, "--limit", "db-1").exit == 0
    assert _verify(fleet) == (0, {})


def test_a_rollback_that_could_not_be_finished_is_never_green(fleet: Lab) -> None:
    sh(fleet, "db-1", "mkdir /var/lib/matrix-fleet/fired")
    try:
        code, told = _verify(fleet)
        assert (code, told["status"]) == (3, "unproven")
        assert "/var/lib/matrix-fleet/fired" in told["next"]
    finally:
        sh(fleet, "db-1", "rmdir /var/lib/matrix-fleet/fired")
    assert _verify(fleet)[0] == 0


@pytest.mark.parametrize(
    ("fault", "mend", "said"),
    [
        pytest.param(
            "touch /var/lib/dpkg/updates/0001", "rm /var/lib/dpkg/updates/0001", "dpkg was interrupted", id="journal"
        ),
        pytest.param(
            f"cp {STATUS} /root; sed -i 's/^Package: ufw$/&\\nPre-Depends: no-such-package/' {STATUS}",
            f"mv /root/status {STATUS}",
            "apt cannot work",
            id="dependency",
            marks=pytest.mark.faults,
        ),
    ],
)
def test_a_package_manager_that_refuses_to_work_is_told_before_anything_needs_it(
    fleet: Lab, fault: str, mend: str, said: str
) -> None:
    program = (sys.executable, "-m", "flows.bootstrap", "--json", "-", "--only", "preflight", "--limit", "w-1")
    sh(fleet, "w-1", fault)
    try:
        done = fleet.run(program)
        outcomes = {outcome["subject"]: outcome for outcome in json.loads(done.stdout)["outcomes"]}
        assert (done.returncode, said in outcomes["preflight/dpkg-broken"]["message"]) == (2, True)
        assert said in comply(fleet, *CHECKS, "--limit", "w-1").outcome("w-1", "packages/installed")["message"]
    finally:
        sh(fleet, "w-1", mend)
    left = {outcome["subject"] for outcome in json.loads(fleet.run(program).stdout)["outcomes"]}
    assert "preflight/dpkg-broken" not in left
