"""Nothing of others is lost: not by a change that is taken back, not by a run that is ended or that nobody reads."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.checkout import ROOT
from tests.lab.driver import Lab, booted
from tests.lab.firewalls import PROGRAM, apply, armed, holding, run, sh, until

# What stands on hosts of others: chains in the kernel, and chains that ufw's own files bring.
_KERNEL = """
for tool in iptables ip6tables; do
    $tool -N DOCKER-USER; $tool -A FORWARD -j DOCKER-USER; $tool -A DOCKER-USER -j RETURN
    $tool -N f2b-sshd; $tool -I INPUT -p tcp --dport 2222 -j f2b-sshd; $tool -A f2b-sshd -j RETURN
    $tool -N KUBE-ROUTER-FORWARD; $tool -I FORWARD -m comment --comment 'kube-router netpol' -j KUBE-ROUTER-FORWARD
    $tool -t nat -A POSTROUTING -o docker0 -j MASQUERADE
done
iptables -A DOCKER-USER -s 192.0.2.7 -j DROP
"""
_FILES = """
cat >>/etc/ufw/after.rules <<'END'
*filter
:ufw-user-forward - [0:0]
:GUARD - [0:0]
:DOCKER-USER - [0:0]
-A GUARD -s 192.0.2.1 -j DROP
-I FORWARD -j GUARD
-A DOCKER-USER -j ufw-user-forward
-A DOCKER-USER -j RETURN
COMMIT
*mangle
:GUARD - [0:0]
-A GUARD -j RETURN
-A PREROUTING -j GUARD
COMMIT
END
"""
_TRACES = """
ls -d /var/lib/matrix-fleet/armed /var/lib/matrix-fleet/fired /run/matrix-fleet-armed 2>/dev/null
find /etc/systemd/system -name 'matrix-fleet*'
systemctl list-units --all --no-legend 'matrix-fleet-rollback*'
"""


@pytest.fixture(scope="module")
def fleet(real_machine: None) -> Iterator[Lab]:
    with booted("td", "--profile", "small") as lab:
        yield lab


def whole(lab: Lab, host: str) -> str:
    """Return all rules of a host but their counters and handles, ufw's files and its start at boot."""
    files = "/etc/ufw/user.rules /etc/ufw/user6.rules /etc/ufw/ufw.conf /etc/default/ufw"
    return sh(lab, host, f"nft -s list ruleset; cat {files}; systemctl is-enabled ufw")


def _through(folder: Path, lab: Lab) -> dict[str, str]:
    """Return the environment of a controller that reaches w-1 and db-1 through cp-2, and that through cp-1."""
    config = folder / "ssh_config"
    config.write_text(
        "Host 10.20.1.12\n ProxyJump 10.20.1.11\n"
        "Host 10.20.1.21 10.20.1.31\n ProxyJump 10.20.1.12\nHost *\n User deploy\n"
    )
    return {**lab.environment, "MATRIX_FLEET_SSH_CONFIG": str(config)}


def test_jump_hosts_of_the_site_are_changed_first_and_those_behind_them_anew(fleet: Lab, tmp_path: Path) -> None:
    # Nothing runs ufw yet: on the jump hosts it starts under the connections of the others.
    site = Path(shutil.copytree(fleet.inventory, tmp_path / "site", ignore=shutil.ignore_patterns("reports", "state")))
    settings = (site / "site.yaml").read_text("utf-8")
    assert "\nmanagement:\n" in settings
    jumps = "\nmanagement:\n- 10.20.1.11/32\n- 10.20.1.12/32\n"
    (site / "site.yaml").write_text(settings.replace("\nmanagement:\n", jumps), "utf-8")
    program = (sys.executable, "-m", "lab", "run", "--", *PROGRAM, "--json", "-", "--inventory", str(site))
    done = subprocess.run(
        program, cwd=ROOT, env=_through(tmp_path, fleet), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    changed = [outcome["host"] for outcome in report["outcomes"] if outcome["status"] == "changed"]
    assert changed[:2] == ["cp-1", "cp-2"]
    assert {"w-1", "db-1", "li-1", "cp-3"} <= set(changed)
    apply(fleet)


def test_chains_of_others_are_left_by_a_change_and_by_its_rollback(fleet: Lab) -> None:
    apply(fleet)
    sh(fleet, "db-1", f"cp -a /etc/ufw /root/ufw; {_KERNEL}{_FILES}ufw reload")
    try:
        before = whole(fleet, "db-1")
        assert "chain GUARD" in before
        assert run(fleet, "--limit", "db-1").status("db-1") == "ok"
        sh(fleet, "db-1", "ufw allow 9999/tcp")
        changed = whole(fleet, "db-1")
        assert run(fleet, "--limit", "db-1").status("db-1") == "changed"
        assert whole(fleet, "db-1") == before
        sh(fleet, "db-1", "ufw allow 9999/tcp; iptables -D INPUT -j ufw-reject-input")
        changed = whole(fleet, "db-1")
        with holding(fleet, "--hold", "60", "--limit", "db-1") as process:
            until(lambda: armed(fleet, "db-1") and whole(fleet, "db-1") != changed, 30)
            process.send_signal(signal.SIGKILL)
            process.wait()
        until(lambda: not armed(fleet, "db-1") and whole(fleet, "db-1") == changed, 40)
    finally:
        sh(fleet, "db-1", "rm -rf /etc/ufw; mv /root/ufw /etc/ufw")
        fleet.do("reboot", "db-1")
    apply(fleet)
    assert sh(fleet, "db-1", _TRACES) == ""


@pytest.mark.faults
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_first_start_that_is_taken_back_leaves_chains_of_others(fleet: Lab, end: signal.Signals) -> None:
    files = "/etc/ufw/after.rules /etc/ufw/user.rules /etc/ufw/user6.rules"
    sh(fleet, "w-1", f"mkdir /root/kept; cp -a {files} /root/kept; ufw --force disable")
    fleet.do("reboot", "w-1")
    sh(fleet, "w-1", f"{_KERNEL}{_FILES}")
    try:
        before = whole(fleet, "w-1")
        with holding(fleet, "--hold", "60", "--limit", "w-1") as process:
            until(lambda: armed(fleet, "w-1") and "chain GUARD" in whole(fleet, "w-1"), 30)
            process.send_signal(end)
            process.wait(30)
        until(lambda: not armed(fleet, "w-1") and whole(fleet, "w-1") == before, 40)
        done = run(fleet, "--limit", "w-1")
        assert done.status("w-1") == "changed", done.report
        assert sh(fleet, "w-1", _TRACES) == ""
        assert "chain GUARD" in whole(fleet, "w-1")
    finally:
        sh(fleet, "w-1", "cp -a /root/kept/* /etc/ufw; rm -r /root/kept")
        fleet.do("reboot", "w-1")
    apply(fleet)


def test_a_rollback_that_failed_says_why_and_is_finished_by_the_next_run(fleet: Lab) -> None:
    apply(fleet)
    before = whole(fleet, "w-1")
    sh(fleet, "w-1", "ufw allow 9999/tcp")
    changed = whole(fleet, "w-1")
    with holding(fleet, "--hold", "60", "--limit", "w-1") as process:
        until(lambda: armed(fleet, "w-1") and whole(fleet, "w-1") != changed, 30)
        sh(fleet, "w-1", "cd /var/lib/matrix-fleet/armed; cp undo-restore4 kept; echo '-A no such' >>undo-restore4")
        process.send_signal(signal.SIGKILL)
        process.wait()
    until(lambda: "fired" in sh(fleet, "w-1", _TRACES) and not armed(fleet, "w-1"), 40)
    until(lambda: "not all of it is back" in sh(fleet, "w-1", "cat /var/lib/matrix-fleet/fired/log"), 20)
    refused = run(fleet, "--limit", "w-1").outcome("w-1")
    assert (refused["status"], "failed: mf_change iptables 4 " in refused["message"]) == ("failed", True)
    assert "/var/lib/matrix-fleet/fired/log" in refused["next"]
    assert "failed: mf_change" in sh(fleet, "w-1", "journalctl -t matrix-fleet-rollback --no-pager")
    sh(fleet, "w-1", "cd /var/lib/matrix-fleet/fired; mv kept undo-restore4")
    assert run(fleet, "--limit", "w-1").status("w-1") == "changed"
    assert whole(fleet, "w-1") == before
    assert sh(fleet, "w-1", _TRACES) == ""


@pytest.mark.faults
def test_a_unit_without_a_file_is_forgotten_by_the_next_run(fleet: Lab) -> None:
    apply(fleet)
    unit = "/etc/systemd/system/matrix-fleet-rollback.service"
    wants = "/etc/systemd/system/multi-user.target.wants/matrix-fleet-rollback.service"
    text = r"[Service]\nType=oneshot\nExecStart=/bin/true\n"
    sh(fleet, "cp-3", f"printf '{text}' >{unit}; ln -s {unit} {wants}; systemctl daemon-reload; rm {unit} {wants}")
    assert "loaded" in sh(fleet, "cp-3", _TRACES)
    assert run(fleet, "--limit", "cp-3").status("cp-3") == "ok"
    assert sh(fleet, "cp-3", _TRACES) == ""


@pytest.mark.faults
def test_an_interrupt_says_what_becomes_of_the_host_and_when(fleet: Lab) -> None:
    apply(fleet)
    sh(fleet, "w-1", "ufw allow 9999/tcp")
    before = whole(fleet, "w-1")
    with holding(fleet, "--hold", "60", "--limit", "w-1") as process:
        until(lambda: armed(fleet, "w-1") and whole(fleet, "w-1") != before, 30)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    report = json.loads((fleet.inventory / "reports/latest-firewall/report.json").read_text("utf-8"))
    told = {outcome["host"]: outcome for outcome in report["outcomes"]}
    assert "it is taken back by itself within 20 s, at " in told["w-1"]["message"]
    assert "what was done is kept" not in json.dumps(report)
    until(lambda: not armed(fleet, "w-1") and whole(fleet, "w-1") == before, 40)
    apply(fleet)


@pytest.mark.faults
def test_a_reader_that_goes_away_changes_nothing_of_what_is_done(fleet: Lab) -> None:
    apply(fleet)
    before = {host: whole(fleet, host) for host in ("w-1", "db-1")}
    for host in before:
        sh(fleet, host, "ufw allow 9999/tcp")
    environment = {**os.environ, "MATRIX_FLEET_LAB": fleet.name}
    command = " ".join((sys.executable, "-m", "lab", "run", "--", *PROGRAM))
    script = f"{{ {command}; echo $? >&3; }} 2>&1 | head -c 0"
    done = subprocess.run(
        ("bash", "-c", f"exec 3>&1; {script}"), cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "0", done.stderr
    assert {host: whole(fleet, host) for host in before} == before
    report = json.loads((fleet.inventory / "reports/latest-firewall/report.json").read_text("utf-8"))
    assert {o["host"] for o in report["outcomes"] if o["status"] == "changed"} == set(before)
