"""
Whatever happens to the controller, the connection or the host, nobody is locked out and nothing is left half done.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.driver import Lab, booted
from tests.lab.firewalls import apply, armed, holding, run, sh, state, until

_TRACES = (
    "ls -d /var/lib/matrix-fleet/armed /var/lib/matrix-fleet/fired /run/matrix-fleet-armed /run/matrix-fleet.?* "
    "2>/dev/null"
)
_UNITS = "find /etc/systemd/system -name 'matrix-fleet*'; systemctl list-units --no-legend 'matrix-fleet*'"


@pytest.fixture(scope="module")
def fleet(real_machine: None) -> Iterator[Lab]:
    with booted("tg", "--profile", "small") as lab:
        yield lab


@pytest.fixture
def elsewhere(fleet: Lab, tmp_path: Path) -> Path:
    """A copy of the site whose matrix admits SSH from somewhere else only."""
    site = Path(shutil.copytree(fleet.inventory, tmp_path / "site"))
    settings = (site / "site.yaml").read_text("utf-8")
    start = settings.index("\nmanagement:\n") + 1
    end = settings.index("\nadmins:")
    (site / "site.yaml").write_text(f"{settings[:start]}management: [10.77.0.0/24]{settings[end:]}", "utf-8")
    return site


def _traces(lab: Lab, host: str) -> str:
    lock = "/run/matrix-fleet.lock"
    return sh(lab, host, f"{_TRACES} | grep -v {lock}; {_UNITS}").strip()


def test_a_killed_controller_leaves_every_host_as_it_was(fleet: Lab) -> None:
    # Two ways of changing: db-1 has a running ufw that differs, w-1 one that never ran.
    assert run(fleet, "--limit", "db-1,cp-1").exit == 0
    sh(fleet, "db-1", "ufw allow 9999/tcp; ufw --force delete 2")
    before = {host: state(fleet, host) for host in ("db-1", "w-1")}
    with holding(fleet, "--hold", "60", "--limit", "db-1,w-1") as process:
        until(lambda: armed(fleet, "db-1") and armed(fleet, "w-1") and "22" in sh(fleet, "w-1", "ufw status"), 20)
        until(lambda: state(fleet, "db-1") != before["db-1"], 10)
        process.send_signal(signal.SIGKILL)
        process.wait()
    until(lambda: not armed(fleet, "db-1") and not armed(fleet, "w-1"), 40)
    until(lambda: all(state(fleet, host) == before[host] for host in before), 15)
    assert [_traces(fleet, host) for host in before] == ["", ""]
    assert run(fleet).exit == 0


def test_a_host_that_boots_while_armed_comes_up_as_it_was(fleet: Lab) -> None:
    apply(fleet)
    sh(fleet, "w-1", "ufw allow 9999/tcp")
    before = state(fleet, "w-1")
    with holding(fleet, "--hold", "60", "--limit", "w-1"):
        until(lambda: armed(fleet, "w-1") and state(fleet, "w-1") != before, 20)
        fleet.do("reboot", "w-1")
        # Its files are back before the rollback has ended: on a busy machine the two are seconds apart.
        until(lambda: state(fleet, "w-1") == before and not _traces(fleet, "w-1"), 30)
    assert run(fleet).exit == 0


def test_a_host_that_takes_no_new_connection_is_rolled_back_and_failed(fleet: Lab) -> None:
    apply(fleet)
    sh(fleet, "w-1", "ufw allow 9999/tcp")
    before = state(fleet, "w-1")
    refuse = "INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j DROP"
    with holding(fleet, "--hold", "3", "--limit", "w-1") as process:
        until(lambda: armed(fleet, "w-1"), 20)
        sh(fleet, "w-1", f"iptables -I {refuse}")
        assert process.wait(60) == 3
    sh(fleet, "w-1", f"iptables -D {refuse}")
    assert state(fleet, "w-1") == before
    assert _traces(fleet, "w-1") == ""


def test_a_matrix_that_locks_the_controller_out_is_refused(fleet: Lab, elsewhere: Path) -> None:
    before = {host: state(fleet, host) for host in ("cp-1", "w-1", "li-1")}
    done = run(fleet, "--inventory", str(elsewhere))
    assert done.exit == 1
    assert "10.20.0.10" in done.complaint + str(done.report)
    assert {host: state(fleet, host) for host in before} == before


def test_a_matrix_that_locks_out_a_jump_host_is_refused(
    fleet: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(fleet)
    sh(fleet, "w-1", "ufw allow proto tcp from 10.20.1.11 to any port 22; ufw allow 9999/tcp")
    sh(fleet, "db-1", "ufw allow 9999/tcp")
    before = {host: state(fleet, host) for host in ("w-1", "db-1")}
    config = tmp_path / "ssh_config"
    config.write_text("Host 10.20.1.21\n  ProxyJump 10.20.1.11\nHost *\n  User deploy\n")
    monkeypatch.setenv("MATRIX_FLEET_SSH_CONFIG", str(config))
    done = run(fleet)
    assert done.exit == 1
    assert "10.20.1.11" in done.complaint + str(done.report)
    assert {host: state(fleet, host) for host in before} == before


def test_a_host_that_another_run_holds_is_left_alone(fleet: Lab) -> None:
    # As one process: systemd in a container waits 90 s for the end of a unit that has several.
    lock = "/run/matrix-fleet.lock"
    hold = f"exec flock --no-fork {lock} sh -c 'echo somebody, since noon >{lock}; exec sleep 300'"
    sh(fleet, "w-1", f'systemd-run --collect --quiet --unit=holder sh -c "{hold}"')
    until(lambda: "somebody" in sh(fleet, "w-1", "cat /run/matrix-fleet.lock"), 5)
    done = run(fleet)
    assert done.exit == 1
    assert "somebody, since noon" in done.complaint + str(done.report)
    sh(fleet, "w-1", "systemctl stop holder")
    assert run(fleet, "--purge").exit == 0
