"""Compliance runs by itself on a machine with systemd, as an identity that can only look, and tells each thing once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.instance import Instance
from model.host.scheduled import AUTHORIZED_KEYS, ENTRY, FOLDER, SUDOERS, programs_of
from tests.lab.compliances import SERVERS, running
from tests.lab.controllers import SITE, Controller, controller
from tests.lab.driver import Lab
from tests.lab.firewalls import sh, until
from tests.lab.schedules import (
    NEWS,
    SERVICE,
    TIMER,
    cells,
    daily,
    every,
    installed,
    news,
    outcomes,
    paged,
    run_now,
    runs,
    statuses,
    told,
)
from tests.remote import homeserver
from tests.remote.homeserver import Homeserver

HOSTS = (*SERVERS, "vantage-1")
NOTIFIER = "matrix-fleet-notify-lab-small@success.service"
KEY = "/var/lib/matrix-fleet-schedule/lab-small/id_ed25519"
_ADDRESS = "10.20.1.21"
_PORT = 8008
_SSH = f"ssh -i {KEY} -o UserKnownHostsFile={SITE}/known_hosts -o BatchMode=yes -o IdentitiesOnly=yes"
_OURS = f"find {FOLDER} {SUDOERS} -printf '%p %T@ %s %m %U\\n' | sort; getent passwd matrix-fleet"
_EVE, _NO_EVE = "useradd eve && usermod -aG sudo eve", "userdel eve"


@pytest.fixture(scope="module")
def lab(real_machine: None) -> Iterator[Lab]:
    with running("sc") as lab:
        yield lab


@pytest.fixture(scope="module")
def machine(lab: Lab) -> Iterator[Controller]:
    with controller(lab) as machine:
        machine.settings(schedule=daily())
        yield machine


@pytest.fixture(scope="module")
def synapse(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homeserver]:
    """A homeserver on the controller's own loopback."""
    prefix = ("nsenter", f"--net={Instance(lab.name).namespace_path()}", "--")
    with homeserver.running(tmp_path_factory.mktemp("synapse"), _PORT, prefix) as server:
        yield server


@pytest.fixture
def pager(machine: Controller) -> dict[str, Any]:
    """A command that keeps what it is told; its entry in site.yaml."""
    return paged(machine)


def test_a_dry_run_changes_nothing_and_a_second_run_finds_nothing_to_do(machine: Controller, lab: Lab) -> None:
    dry = machine.flow("schedule", "install", "--dry-run", "--json", "-")
    assert dry.returncode == 2, dry.stderr
    assert set(statuses(json.loads(dry.stdout), "schedule/identity").values()) == {"drift"}
    for host in HOSTS:
        assert lab.shell(host, ("sh", "-c", f"! ls {FOLDER} {SUDOERS} && ! id matrix-fleet")).returncode == 0
    assert machine.run("id", "matrix-fleet").returncode
    first = installed(machine, schedule=daily())
    assert statuses(first, "schedule/identity") == dict.fromkeys(("controller", *HOSTS), "changed")
    assert statuses(first, "schedule/proof") == dict.fromkeys(HOSTS, "ok")
    before = [sh(lab, host, _OURS) for host in HOSTS]
    second = installed(machine, schedule=daily())
    assert {outcome["status"] for outcome in second["outcomes"]} == {"ok"}
    assert [sh(lab, host, _OURS) for host in HOSTS] == before
    assert machine.flow("schedule", "status").returncode == 0


@pytest.mark.parametrize(
    "asked",
    [
        "id",
        "sh",
        "sudo -n sh -c id",
        "sudo -n python3 -",
        f"cat {SUDOERS}",
        f"{FOLDER}/collector; id",
        f"{FOLDER}/collector && id",
        f"{FOLDER}/../matrix-fleet/collector",
        "",
    ],
)
def test_the_key_starts_nothing_but_the_programs(machine: Controller, asked: str) -> None:
    done = machine.run("sh", "-c", f"{_SSH} matrix-fleet@{_ADDRESS} '{asked}' </dev/null")
    assert (done.returncode, done.stdout) == (126, ""), done.stderr
    assert "only looks" in done.stderr


def test_words_before_a_program_are_nothing_to_it(machine: Controller, lab: Lab) -> None:
    asked = f"touch /run/seed; $(touch /run/seed) `touch /run/seed` {FOLDER}/collector"
    done = machine.run("sh", "-c", f"echo '{{}}' | {_SSH} matrix-fleet@{_ADDRESS} '{asked}'")
    assert json.loads(done.stdout)["schema"] == "matrix-fleet/facts/1"
    assert lab.shell("w-1", ("test", "-e", "/run/seed")).returncode == 1


def test_sudo_runs_the_file_that_it_compared_and_not_whatever_has_its_name_by_then(
    machine: Controller, lab: Lab
) -> None:
    with machine.start("sh", "-c", f"exec {_SSH} matrix-fleet@{_ADDRESS} {FOLDER}/witness") as looking:
        assert looking.stdin is not None
        assert looking.stdout is not None
        looking.stdin.write(b'{"container": ""}\n')
        looking.stdin.flush()
        # Its first line says that it is ready; it stays until its input ends.
        assert b"ready" in looking.stdout.readline()
        assert "-IS /dev/fd/" in sh(lab, "w-1", "pgrep -fa '^/usr/bin/python3'")
        looking.communicate(timeout=30)


@pytest.mark.parametrize(
    "flags", ["-N -L 9:127.0.0.1:22 -o ExitOnForwardFailure=no", "-N -R 9999:127.0.0.1:22", "-W 127.0.0.1:22"]
)
def test_the_key_opens_no_way_through_the_host(machine: Controller, flags: str) -> None:
    if "-L" in flags:
        # The client listens itself; only what is sent through it asks the host.
        flags = "-N -L 9009:127.0.0.1:22"
        script = (
            f"{_SSH} {flags} matrix-fleet@{_ADDRESS} 2>/tmp/said & pid=$!;"
            "until ss -Hlnt | grep -q :9009; do :; done; timeout 5 sh -c 'exec 3<>/dev/tcp/127.0.0.1/9009; head "
            "-c 3 <&3';"
            "kill $pid; cat /tmp/said"
        )
        done = machine.run("bash", "-c", script.replace("sh -c", "bash -c"))
        assert "administratively prohibited" in done.stdout + done.stderr
        assert "SSH" not in done.stdout
        return
    done = machine.run(
        "sh", "-c", f"timeout 10 {_SSH} -o ExitOnForwardFailure=yes {flags} matrix-fleet@{_ADDRESS} </dev/null"
    )
    assert done.returncode not in (0, 124), done.stdout
    assert re.search("prohibited|forwarding failed", done.stderr), done.stderr


_FORBIDDEN = (
    "sudo -n id",
    "sudo -n python3 -c 1",
    f"sudo -n {FOLDER}/collector --any",
    f"sudo -n {ENTRY}",
    f"sudo -n -u nobody {FOLDER}/collector",
    f"sudo -n PYTHONPATH=/tmp {FOLDER}/collector",
    f"cp {FOLDER}/collector /tmp/collector && sudo -n /tmp/collector",
    "sudo -n -l -U root",
    "sudo -n -e /etc/passwd",
    *(f"echo >>{path}" for path in (*programs_of().values(), ENTRY, SUDOERS, AUTHORIZED_KEYS)),
    *(f"rm -f {path}" for path in (f"{FOLDER}/collector", AUTHORIZED_KEYS)),
    f"mv {FOLDER} {FOLDER}.old",
    f"touch {FOLDER}/.ssh/rc",
    f"touch {FOLDER}/.profile",
    "su -c id root </dev/null",
)


@pytest.mark.parametrize("text", _FORBIDDEN)
def test_the_account_itself_can_change_nothing(machine: Controller, lab: Lab, text: str) -> None:
    tried = f'before=$({_OURS}); setpriv --reuid=matrix-fleet --regid=matrix-fleet --init-groups sh -c "$1" && exit 1'
    done = lab.shell("w-1", ("sh", "-c", f'{tried}; [ "$before" = "$({_OURS})" ]', "sh", text))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_identity_sees_what_the_deployer_sees(machine: Controller, lab: Lab) -> None:
    lab.shell("w-1", ("sh", "-ec", _EVE))
    try:
        reports = [
            json.loads(machine.flow("compliance", "--json", "-", *flags).stdout) for flags in ((), ("--scheduled",))
        ]
    finally:
        lab.shell("w-1", ("sh", "-ec", _NO_EVE))
    ordinary, scheduled = (outcomes(report) for report in reports)
    # What has to be tried on hosts is nothing for an account that may run the collector alone.
    tried = {place for place in ordinary if place[1] == "firewall/next-boot"}
    assert {scheduled.pop(place)[0] for place in tried} == {"not_run"}
    assert {ordinary.pop(place)[0] for place in tried} == {"ok"}
    assert scheduled == ordinary
    assert {place for place, (status, _) in scheduled.items() if status == "drift"} == {("w-1", "users/sudo")}


def test_the_identity_proves_the_ports_as_an_ordinary_run_does(machine: Controller) -> None:
    installed(machine, schedule=daily())
    ordinary, scheduled = (
        json.loads(machine.flow("verify_ports", "--json", "-", *flags).stdout) for flags in ((), ("--scheduled",))
    )
    assert scheduled["exit"] == 0
    assert cells(scheduled) == cells(ordinary)
    assert len(cells(scheduled)) > 100


def test_each_run_of_the_service_proves_the_ports_anew_and_a_closed_one_is_told_of(
    machine: Controller, lab: Lab, pager: dict[str, Any]
) -> None:
    installed(machine, schedule=daily(verify_ports=True), notify=[pager])
    assert run_now(machine) == 0
    kept = len(runs(machine, "verify_ports"))
    lab.do("break", "drop-in", "--at", "db-1", "--port", "5432/tcp")
    try:
        assert run_now(machine) == 2
        assert len(runs(machine, "verify_ports")) == kept + 1
        assert ("controller", "ports/hosts") in told(news(machine), "new")
        assert "5432/tcp: declared open" in news(machine)[-1]["text"]
    finally:
        lab.do("mend")
    assert run_now(machine) == 0
    assert ("controller", "ports/hosts") in told(news(machine), "gone")


def test_a_program_that_was_changed_is_not_run_and_is_found(machine: Controller, lab: Lab) -> None:
    lab.shell("w-1", ("sh", "-c", f"echo '# seed' >>{FOLDER}/collector"))
    blind = json.loads(machine.flow("compliance", "--scheduled", "--json", "-").stdout)
    mine = [
        outcome
        for outcome in blind["outcomes"]
        if outcome["host"] == "w-1" and outcome["status"] not in ("not_run", "waived")
    ]
    assert {outcome["status"] for outcome in mine} == {"failed"}
    assert "sudo" in mine[0]["message"]
    assert "flows.schedule hosts" in mine[0]["next"]
    seen = json.loads(machine.flow("compliance", "--json", "-").stdout)
    bad = {(outcome["host"], outcome["subject"]) for outcome in seen["outcomes"] if outcome["status"] == "drift"}
    assert bad == {("w-1", "schedule/files")}
    assert machine.flow("schedule", "status").returncode == 2
    assert machine.flow("schedule", "hosts").returncode == 0
    after = json.loads(machine.flow("compliance", "--scheduled", "--json", "-").stdout)
    assert after["exit"] == 0


def test_a_second_key_of_the_account_is_found(machine: Controller, lab: Lab) -> None:
    lab.shell("w-1", ("sh", "-c", f"echo 'ssh-ed25519 AAAA seed' >>{AUTHORIZED_KEYS}"))
    seen = json.loads(machine.flow("compliance", "--scheduled", "--json", "-").stdout)
    assert [(o["host"], o["subject"]) for o in seen["outcomes"] if o["status"] == "drift"] == [
        ("w-1", "schedule/files")
    ]
    assert machine.flow("schedule", "hosts").returncode == 0
    assert json.loads(machine.flow("compliance", "--scheduled", "--json", "-").stdout)["exit"] == 0


def test_the_timers_run_finds_a_drift_tells_it_once_and_says_when_it_is_gone(
    machine: Controller, lab: Lab, synapse: Homeserver
) -> None:
    token = machine.site.parent / "token"
    token.write_text(f"{synapse.token}\n", "ascii")
    token.chmod(0o600)
    room = {"kind": "matrix", "homeserver": f"http://127.0.0.1:{_PORT}", "room": synapse.room, "token_file": "../token"}
    installed(machine, schedule=every(3), notify=[room])
    began = len(runs(machine))
    until(lambda: len(runs(machine)) >= began + 2, 60)
    assert synapse.messages() == []
    lab.shell("w-1", ("sh", "-ec", _EVE))
    try:
        until(lambda: len(synapse.messages()) == 1, 60)
        (message,) = synapse.messages()
        assert "NEW  w-1 users/sudo: drift: eve may become root" in message
        began = len(runs(machine))
        until(lambda: len(runs(machine)) >= began + 3, 60)
        assert synapse.messages() == [message]
    finally:
        lab.shell("w-1", ("sh", "-ec", _NO_EVE))
    until(lambda: len(synapse.messages()) == 2, 60)
    assert "GONE  w-1 users/sudo" in synapse.messages()[1]
    assert synapse.token not in machine.sh(
        f"journalctl --no-pager; cat {SITE}/reports/*/*; systemctl cat 'matrix-fleet-*'"
    )
    installed(machine, schedule=daily())


def test_while_a_run_still_runs_there_is_no_second_one_and_none_is_lost(machine: Controller) -> None:
    # Twice a minute, close together: a run that is made up for cannot be taken for the next time.
    first, second = ((datetime.now(UTC) + timedelta(seconds=seconds)).second for seconds in (8, 12))
    installed(machine, schedule=daily(calendar=f"*:*:{first},{second}"))
    try:
        pid = _held(machine)
        # The second time goes by while the first run does not come to its end.
        until(lambda: (datetime.now(UTC).second - second) % 60 in range(1, 30), 60)
        assert machine.sh("pgrep -fc 'flows[.]compliance'").strip() == "1"
        kept = len(runs(machine))
        machine.sh(f"kill -CONT {pid}")
        until(lambda: len(runs(machine)) >= kept + 1, 60)
        # What fell into it is made up for at once.
        until(lambda: len(runs(machine)) == kept + 2, 60)
    finally:
        installed(machine, schedule=daily())


def _held(machine: Controller) -> int:
    """Wait for a run of the timer and stop it in its tracks."""

    asked = f"pid=$(systemctl show -P MainPID {SERVICE}); echo $pid; tr '\\0' ' ' </proc/$pid/cmdline || :"
    seen: list[str] = []

    def runs_now() -> bool:
        # Before it becomes Python it is systemd's own.
        seen[:] = machine.sh(asked).split()
        return "flows.compliance" in seen

    until(runs_now, 90)
    pid = int(seen[0])
    machine.sh(f"kill -STOP {pid}")
    return pid


def test_a_run_that_fell_into_a_reboot_is_made_up_for(machine: Controller) -> None:
    moment, kept = _off_in_time(machine)
    until(lambda: datetime.now(UTC) > moment + timedelta(seconds=1), 70)
    machine.boot()
    until(lambda: len(runs(machine)) == kept + 1, 60)
    assert machine.sh(f"systemctl is-active {TIMER}; systemctl is-enabled {TIMER}").split() == ["active", "enabled"]
    installed(machine, schedule=every(3))
    machine.reboot()
    kept = len(runs(machine))
    until(lambda: len(runs(machine)) >= kept + 2, 60)
    installed(machine, schedule=daily())


def _off_in_time(machine: Controller) -> tuple[datetime, int]:
    """
    Schedule one run and have the machine off by then, however long that takes; return the run's time, and how many were
    kept.
    """
    for seconds in (6, 20, 60):
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        installed(machine, schedule=daily(calendar=f"{moment:%Y-%m-%d %H:%M:%S} UTC"))
        kept = len(runs(machine))
        machine.power_off()
        if datetime.now(UTC) < moment - timedelta(seconds=1):
            return moment, kept
        machine.boot()
    raise AssertionError("the machine was never off in time")


def test_a_run_that_was_killed_is_told_of_and_so_is_its_end(machine: Controller, pager: dict[str, Any]) -> None:
    installed(machine, schedule=daily(), notify=[pager])
    assert run_now(machine) == 0
    machine.sh(f"systemctl start --no-block {SERVICE}")
    pid = _held(machine)
    kept = len(runs(machine, "notify"))
    machine.sh(f"kill -KILL {pid}")
    until(lambda: len(runs(machine, "notify")) > kept, 30)
    (entry,) = news(machine)
    assert told([entry], "new") == [("controller", "schedule/run")]
    assert "signal" in entry["text"]
    assert run_now(machine) == 0
    assert told(news(machine)[1:], "gone") == [("controller", "schedule/run")]


def test_who_could_not_be_told_is_told_after_the_next_run_and_findings_stay(
    machine: Controller, lab: Lab, pager: dict[str, Any]
) -> None:
    installed(machine, schedule=daily(), notify=[pager])
    assert run_now(machine) == 0
    machine.sh(f"chmod 555 {NEWS}; chown root: {NEWS}")
    lab.shell("w-1", ("sh", "-ec", _EVE))
    try:
        assert run_now(machine) == 2
        report = json.loads((machine.site / "reports/latest-compliance/report.json").read_text("utf-8"))
        assert [(o["host"], o["subject"]) for o in report["outcomes"] if o["status"] == "drift"] == [
            ("w-1", "users/sudo")
        ]
        (outcome,) = json.loads((machine.site / "reports/latest-notify/report.json").read_text("utf-8"))["outcomes"]
        assert outcome["status"] == "failed"
        assert "Permission denied" in outcome["message"]
        until(lambda: machine.run("systemctl", "is-failed", NOTIFIER).returncode == 0, 20)
        machine.sh(f"chmod 755 {NEWS}; chown matrix-fleet: {NEWS}")
        assert run_now(machine) == 2
        assert told(news(machine), "new") == [("w-1", "users/sudo")]
        assert run_now(machine) == 2
        assert len(news(machine)) == 1
    finally:
        lab.shell("w-1", ("sh", "-ec", _NO_EVE))


def test_a_mail_servers_setgid_sendmail_gets_its_group_and_its_queue(machine: Controller, lab: Lab) -> None:
    # A program that is setgid, as postdrop and dma are, and a queue that only its group may write.
    make = "cp /usr/bin/tee /usr/local/bin/spool; chgrp mail /usr/local/bin/spool; chmod 2755 /usr/local/bin/spool"
    machine.sh(f"{make}; mkdir -p /var/spool/news; chgrp mail /var/spool/news; chmod 770 /var/spool/news")
    way = {"kind": "command", "command": ["/usr/local/bin/spool", "/var/spool/news/mail"]}
    installed(machine, schedule=daily(), notify=[way])
    lab.shell("w-1", ("sh", "-ec", _EVE))
    try:
        assert run_now(machine) == 2
        record = json.loads(machine.sh("cat /var/spool/news/mail"))
        assert told([record], "new") == [("w-1", "users/sudo")]
        assert machine.sh("stat -c %U:%G /var/spool/news/mail").strip() == "matrix-fleet:mail"
    finally:
        lab.shell("w-1", ("sh", "-ec", _NO_EVE))


def test_what_the_machine_lacks_is_said_before_anything_is_touched(machine: Controller) -> None:
    machine.settings(schedule=daily(calendar="sometimes"))
    refused = machine.flow("schedule", "install")
    assert refused.returncode == 1
    assert "systemd does not know 'sometimes'" in refused.stderr
    room = {"kind": "matrix", "homeserver": "https://m.test", "room": "!a", "token_file": "../open"}
    (machine.site.parent / "open").write_text("token")
    machine.settings(schedule=daily(), notify=[room])
    refused = machine.flow("schedule", "install")
    assert refused.returncode == 1
    assert "can be read by others" in refused.stderr
    as_somebody = machine.run(
        "setpriv", "--reuid=nobody", "sh", "-c", "cd /opt/matrix-fleet && .venv/bin/python -m flows.schedule install"
    )
    assert as_somebody.returncode == 1
    machine.settings(schedule=daily())


def test_one_host_can_be_left_out(machine: Controller, lab: Lab) -> None:
    installed(machine, schedule=daily())
    done = machine.flow("schedule", "remove", "--yes", "--limit", "w-1")
    assert done.returncode == 0, done.stderr
    assert lab.shell("w-1", ("id", "matrix-fleet")).returncode
    assert machine.flow("schedule", "status", "--limit", "!w-1").returncode == 0
    seen = json.loads(machine.flow("compliance", "--scheduled", "--json", "-").stdout)
    assert {outcome["host"] for outcome in seen["outcomes"] if outcome["status"] == "failed"} == {"w-1"}
    assert machine.flow("schedule", "hosts", "--limit", "w-1").returncode == 0


def test_nothing_is_left_where_it_is_removed(machine: Controller, lab: Lab) -> None:
    installed(machine, schedule=daily())
    assert machine.flow("schedule", "remove", "--dry-run").returncode == 2
    assert machine.flow("schedule", "status").returncode == 0
    assert machine.flow("schedule", "remove").returncode == 1
    done = machine.flow("schedule", "remove", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    for host in HOSTS:
        assert lab.shell(host, ("sh", "-c", f"! ls -d {FOLDER} && ! ls {SUDOERS} && ! id matrix-fleet")).returncode == 0
    here = "! ls /etc/systemd/system/matrix-fleet-* && ! ls -d /var/lib/matrix-fleet-schedule && ! id matrix-fleet"
    assert machine.run("sh", "-c", here).returncode == 0
    assert "matrix-fleet" not in machine.sh("systemctl list-units --all --no-legend 'matrix-fleet-*'")
    assert machine.flow("schedule", "remove", "--yes").returncode == 0
    assert len(runs(machine)) > 0
