"""Hosts that lose their power, come back, and join."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from lab import cgroups, instance, leftovers, processes, tuning
from lab.instance import Instance
from tests.lab.driver import Lab


def _leaders(lab: Lab) -> dict[str, int]:
    return {host["name"]: host["leader"] for host in lab.status["hosts"]}


def test_power_off_keeps_the_disk_and_forgets_the_kernels_rules(own_lab: Lab) -> None:
    rule = ("iptables", "-I", "INPUT", "-p", "tcp", "--dport", "99", "-j", "DROP")
    assert own_lab.shell("w-1", rule).returncode == 0
    assert own_lab.shell("w-1", ("sh", "-c", "echo kept > /etc/kept; echo gone > /run/gone")).returncode == 0
    own_lab.do("poweroff", "w-1")
    assert _leaders(own_lab)["w-1"] == 0
    assert own_lab.shell("w-1", ("true",)).returncode == 1
    own_lab.do("poweron", "w-1")
    assert own_lab.shell("w-1", ("cat", "/etc/kept")).stdout == "kept\n"
    assert own_lab.shell("w-1", ("test", "-e", "/run/gone")).returncode == 1
    assert "99" not in own_lab.shell("w-1", ("iptables", "-S")).stdout


def _freeze(host: str, words: str) -> Path:
    """Freeze the process of a host that has these arguments, in a group of its own; return the group."""
    (process,) = (pid for pid in cgroups.processes(host) if " ".join(processes.arguments(pid)).strip() == words)
    for top in cgroups.hierarchies():
        for file, frozen in (("freezer.state", "FROZEN"), ("cgroup.freeze", "1")):
            if (top / host / file).exists() and (file == "freezer.state" or cgroups.version_2()):
                group = top / host / "frozen"
                group.mkdir()
                (group / "cgroup.procs").write_text(str(process))
                (group / file).write_text(frozen)
                return group
    raise AssertionError("no hierarchy of this machine freezes")


def test_power_off_ends_what_a_container_runtime_froze_and_could_not_thaw(own_lab: Lab) -> None:
    """A runtime freezes a container for a moment to end it: killed in that moment it leaves it frozen."""
    assert own_lab.shell("w-1", ("systemd-run", "--quiet", "sleep", "4321")).returncode == 0
    group = _freeze(Instance(own_lab.name).namespace("w-1"), "/usr/bin/sleep 4321")
    own_lab.do("poweroff", "w-1")
    assert not group.exists()
    own_lab.do("poweron", "w-1")


def test_reboot_stops_services_before_it_ends_them(own_lab: Lab) -> None:
    unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/touch /etc/stopped\n"
    write = f"printf '{unit}' > /etc/systemd/system/last.service; systemctl start last"
    assert own_lab.shell("cp-1", ("sh", "-c", write)).returncode == 0
    before = _leaders(own_lab)
    own_lab.do("reboot", "cp-1")
    after = _leaders(own_lab)
    assert own_lab.shell("cp-1", ("test", "-e", "/etc/stopped")).returncode == 0
    assert after["cp-1"] not in (0, before["cp-1"])
    assert {**after, "cp-1": 0} == {**before, "cp-1": 0}


def test_a_host_that_reboots_itself_comes_back_with_an_empty_kernel(own_lab: Lab) -> None:
    before = _leaders(own_lab)["w-1"]
    rule = ("iptables", "-I", "INPUT", "-p", "tcp", "--dport", "99", "-j", "DROP")
    assert own_lab.shell("w-1", rule).returncode == 0
    assert own_lab.shell("w-1", ("systemctl", "reboot")).returncode == 0
    processes.end((before,), signal.SIGCONT)
    # Its supervisor boots it under the lab's lock; `up` waits for that and finds nothing left to do, or does it itself.
    own_lab.do("up", "--profile", "small")
    assert _leaders(own_lab)["w-1"] not in (0, before)
    assert "99" not in own_lab.shell("w-1", ("iptables", "-S")).stdout


def test_up_boots_what_died_and_touches_nobody_else(own_lab: Lab) -> None:
    before = _leaders(own_lab)
    own_lab.do("poweroff", "router-1")
    own_lab.do("poweroff", "db-1")
    own_lab.do("up", "--profile", "small")
    after = _leaders(own_lab)
    assert all(after.values())
    assert {name for name in after if after[name] != before[name]} == {"router-1", "db-1"}
    assert own_lab.tcp("", "10.20.1.31", 22) == "open"


def test_an_added_host_boots_and_is_in_the_site(own_lab: Lab) -> None:
    own_lab.do("add", "w-9", "--role", "worker")
    hosts = yaml.safe_load((own_lab.inventory / "hosts.yaml").read_text("utf-8"))
    assert hosts["w-9"]["hostname"] == "10.20.1.150"
    assert own_lab.tcp("", "10.20.1.150", 22) == "open"
    assert own_lab.tcp("w-9", "10.20.2.11", 8000) == "refused", "the router lets the new worker to the key vault"
    assert own_lab.command("add", "x-1", "--role", "nonsense").returncode == 1


def test_down_leaves_nothing_but_the_site(own_lab: Lab) -> None:
    own_lab.do("down")
    _assert_gone(own_lab)
    assert (own_lab.inventory / "site.yaml").exists()


def test_down_is_complete_after_the_supervisors_and_the_plan_were_lost(own_lab: Lab) -> None:
    lab = Instance(own_lab.name)
    for pid in leftovers.running(lab):
        if any(argument.startswith(f"--machine={lab.prefix}-cp") for argument in _arguments(pid)):
            os.kill(pid, signal.SIGKILL)
    (lab.home / "lab.json").unlink()
    own_lab.do("down")
    _assert_gone(own_lab)


@pytest.mark.parametrize("seconds", [0.4, 0.7, 1.0])
def test_a_killed_up_is_completed_by_the_next_or_cleared_away(own_lab: Lab, seconds: float) -> None:
    own_lab.do("down")
    _start_and_kill(own_lab, seconds)
    own_lab.do("up", "--profile", "small")
    assert all(_leaders(own_lab).values())
    own_lab.do("down")
    _start_and_kill(own_lab, seconds)
    own_lab.do("down")
    _assert_gone(own_lab)


def _start_and_kill(lab: Lab, seconds: float) -> None:
    done = lab.command("run", "--", "true")
    assert done.returncode == 1, "the lab must be down"
    _killed(lab, ("up", "--profile", "small"), seconds)


def _killed(lab: Lab, argv: Sequence[str], seconds: float) -> None:
    environment = {**os.environ, "MATRIX_FLEET_LAB": lab.name}
    process = subprocess.Popen((sys.executable, "-m", "lab", *argv), env=environment, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _arguments(pid: int) -> tuple[str, ...]:
    try:
        return tuple(Path(f"/proc/{pid}/cmdline").read_text("utf-8").split("\0"))
    except OSError:
        return ()


def _assert_gone(lab: Lab) -> None:
    assert list(leftovers.describe(Instance(lab.name))) == []
    assert not (instance.STATE / lab.name / "hosts").exists()


def test_limits_of_the_machine_come_back_with_the_last_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"fs/limit": 128, "net/limit": 100_000}
    for name, value in settings.items():
        (tmp_path / "sys" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys" / name).write_text(str(value))
    monkeypatch.setattr(tuning, "_SYSCTL", tmp_path / "sys")
    monkeypatch.setattr(tuning, "_RECORD", tmp_path / "machine.json")
    monkeypatch.setattr(tuning, "STATE", tmp_path)
    monkeypatch.setattr(tuning, "NEEDED", {"fs/limit": 8192, "net/limit": 8192})

    def values() -> dict[str, int]:
        return {name: int((tmp_path / "sys" / name).read_text()) for name in settings}

    tuning.raise_limits("one")
    tuning.raise_limits("two")
    assert values() == {"fs/limit": 8192, "net/limit": 100_000}
    tuning.restore_limits("one")
    assert values()["fs/limit"] == 8192, "the other lab still needs it"
    tuning.restore_limits("two")
    assert values() == settings
