"""The lab's commands, as scripts use them."""

from __future__ import annotations

import json
import subprocess
import sys

from lab.topology import hosts_of
from tests.lab.driver import Lab


def test_run_passes_streams_folder_environment_and_exit_code_through(lab: Lab) -> None:
    script = "import os, sys; print(sys.stdin.read(), os.getcwd(), os.environ['MATRIX_FLEET_INVENTORY']); sys.exit(7)"
    command = (sys.executable, "-m", "lab", "run", "--", sys.executable, "-c", script)
    environment = {"MATRIX_FLEET_LAB": lab.name, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, input="hello", env=environment, capture_output=True, text=True, check=False)
    folder = subprocess.run(("pwd", "-P"), capture_output=True, text=True, check=True).stdout.strip()
    assert (done.returncode, done.stdout.split()) == (7, ["hello", folder, str(lab.inventory)])


def test_shell_is_root_on_the_host_and_passes_the_exit_code_through(lab: Lab) -> None:
    done = lab.command("shell", "db-1", "--", "sh", "-c", "hostname; id -u; exit 9")
    assert (done.returncode, done.stdout.split()) == (9, ["db-1", "0"])


def test_shell_to_an_unknown_host_names_the_hosts_there_are(lab: Lab) -> None:
    done = lab.command("shell", "db-7", "--", "true")
    assert done.returncode == 1
    assert "db-1" in done.stderr


def test_tests_enter_a_host_as_the_command_does(lab: Lab) -> None:
    look = ("sh", "-c", "env | sort; pwd; readlink /proc/self/ns/*; grep -E 'CapBnd|Seccomp:' /proc/self/status")
    commands, ours = lab.command("shell", "cp-1", "--", *look), lab.shell("cp-1", look)
    assert (commands.returncode, commands.stdout) == (ours.returncode, ours.stdout)
    assert "Seccomp:\t2" in ours.stdout


def test_status_tells_of_every_host(lab: Lab) -> None:
    hosts = {host["name"]: host for host in lab.status["hosts"]}
    assert list(hosts) == [host.name for host in hosts_of("small")]
    assert all(host["alive"] and host["leader"] > 1 for host in hosts.values())
    assert hosts["db-1"]["addresses"]["management"] == ["10.20.0.31", "fd20::31"]


def test_a_second_up_changes_nothing(lab: Lab) -> None:
    before = lab.status
    stamps = {path: path.stat().st_mtime_ns for path in lab.inventory.rglob("*")}
    done = lab.command("up", "--profile", "small")
    assert (done.returncode, done.stdout) == (0, "")
    assert lab.status == before
    assert {path: path.stat().st_mtime_ns for path in lab.inventory.rglob("*")} == stamps


def test_the_deployers_account_is_reached_with_the_emitted_key_and_becomes_root(lab: Lab) -> None:
    known = f"UserKnownHostsFile={lab.inventory}/known_hosts"
    key = str(lab.inventory.parent / "keys/deploy")
    ssh = ("ssh", "-F", "none", "-o", "BatchMode=yes", "-o", known, "-i", key, "deploy@10.20.1.21")
    done = lab.run((*ssh, "sudo -n id -u; sudo -n ufw --version"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0\nufw 0.36")


def test_hosts_are_distinct_real_systems(lab: Lab) -> None:
    identities = {lab.shell(name, ("cat", "/etc/machine-id")).stdout for name in ("cp-1", "cp-2", "w-1")}
    assert len(identities) == 3
    assert lab.shell("cp-1", ("systemctl", "is-system-running")).stdout.strip() == "running"
    assert lab.shell("router-1", ("systemctl", "is-system-running")).stdout.strip() == "running"


def test_up_and_down_together_wait_for_each_other(own_lab: Lab) -> None:
    environment = {"MATRIX_FLEET_LAB": own_lab.name, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    argv = (sys.executable, "-m", "lab", "up", "--profile", "small")
    own_lab.do("poweroff", "w-1")
    both = [subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert all(host["alive"] for host in own_lab.status["hosts"])
    assert json.dumps(errors).count("booting 1 host ") == 1
