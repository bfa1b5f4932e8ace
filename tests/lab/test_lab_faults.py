"""Each kind of fault does what it says, only that, and is mended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.driver import Lab


@pytest.fixture(autouse=True)
def mended(lab: Lab) -> Iterator[None]:
    yield
    lab.do("mend")


def _ssh(lab: Lab, source: str, number: int, version: int = 4) -> str:
    return lab.tcp(source, f"10.20.1.{number}" if version == 4 else f"fd20:1::{number}", 22)


def test_drop_in_from_one_host_leaves_the_others_alone(lab: Lab) -> None:
    fault = lab.do("break", "drop-in", "--at", "db-1", "--from", "cp-1", "--port", "22/tcp").strip()
    assert [_ssh(lab, "cp-1", 31, version) for version in (4, 6)] == ["silent", "silent"]
    assert _ssh(lab, "cp-2", 31) == "open"
    lab.do("mend", fault)
    assert [_ssh(lab, "cp-1", 31, version) for version in (4, 6)] == ["open", "open"]


def test_reject_rst_looks_like_a_closed_port(lab: Lab) -> None:
    lab.do("break", "reject-rst", "--at", "db-1", "--port", "22/tcp")
    assert [_ssh(lab, "cp-1", 31, version) for version in (4, 6)] == ["refused", "refused"]
    lab.do("mend")
    assert _ssh(lab, "cp-1", 31) == "open"


def test_drop_out_is_at_the_source(lab: Lab) -> None:
    lab.do("break", "drop-out", "--at", "cp-1", "--port", "22/tcp")
    assert [_ssh(lab, "cp-1", number) for number in (21, 31)] == ["silent", "silent"]
    assert _ssh(lab, "cp-2", 31) == "open"
    lab.do("mend")
    assert _ssh(lab, "cp-1", 31) == "open"


def test_drop_router_cuts_what_is_forwarded_and_nothing_else(lab: Lab) -> None:
    lab.do("break", "drop-router", "--at", "w-1", "--port", "22/tcp")
    assert [_ssh(lab, "", 21, version) for version in (4, 6)] == ["silent", "silent"]
    assert _ssh(lab, "", 11) == "open"
    assert _ssh(lab, "cp-1", 21) == "open"
    lab.do("mend")
    assert _ssh(lab, "", 21) == "open"


def test_extra_open_beats_a_dropping_firewall(lab: Lab) -> None:
    lab.do("break", "drop-in", "--at", "w-1", "--port", "22/tcp")
    opening = lab.do("break", "extra-open", "--at", "w-1", "--from", "cp-1", "--port", "22/tcp").strip()
    assert (_ssh(lab, "cp-1", 21), _ssh(lab, "cp-2", 21)) == ("open", "silent")
    lab.do("mend", opening)
    assert _ssh(lab, "cp-1", 21) == "silent"


def test_snat_hides_the_source(lab: Lab) -> None:
    lab.do("break", "snat", "--at", "w-1")
    key = str(lab.inventory.parent / "keys/deploy")
    ssh = (
        "ssh",
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        "-o",
        f"UserKnownHostsFile={lab.inventory}/known_hosts",
        "-i",
        key,
    )
    command = (*ssh, "deploy@10.20.1.21", "echo $SSH_CONNECTION")
    assert lab.run(command).stdout.split()[0] == "10.20.1.1"
    lab.do("mend")
    assert lab.run(command).stdout.split()[0] == "10.20.0.10"


def test_loss_loses_some_packets_and_not_all(lab: Lab) -> None:
    ping = ("ping", "-q", "-c", "100", "-i", "0.01", "10.20.1.21")
    lab.do("break", "loss", "--at", "w-1")
    lost = _percent(lab.shell("cp-1", ping).stdout)
    assert 5 < lost < 80
    lab.do("mend")
    assert _percent(lab.shell("cp-1", ping).stdout) == 0


def _percent(summary: str) -> float:
    return float(summary.split("% packet loss")[0].split()[-1])


def test_a_full_disk_takes_no_byte(lab: Lab) -> None:
    write = ("python3", "-c", "import pathlib; pathlib.Path('/var/tmp/file').write_text('text')")
    lab.do("break", "full-disk", "--at", "db-1")
    assert "No space left" in lab.shell("db-1", write).stderr
    lab.do("mend")
    assert lab.shell("db-1", write).returncode == 0


def test_a_dead_witness_is_killed_and_other_processes_are_not(lab: Lab) -> None:
    command = ("python3", "-c", "import time; time.sleep(2)")
    lab.do("break", "dead-witness", "--at", "cp-2")
    assert lab.shell("cp-2", (*command, "matrix-fleet-witness")).returncode != 0
    assert lab.shell("cp-2", command).returncode == 0
    lab.do("mend")
    assert lab.shell("cp-2", (*command, "matrix-fleet-witness")).returncode == 0


def test_faults_are_listed_until_mended(lab: Lab) -> None:
    fault = lab.do("break", "drop-in", "--at", "db-1", "--port", "5432/tcp").strip()
    assert lab.status["faults"] == [{"id": fault, "kind": "drop-in", "at": "db-1"}]
    lab.do("mend")
    assert lab.status["faults"] == []


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("drop-in", "--at", "db-1"), "--port"),
        (("drop-in", "--at", "db-1", "--port", "70000/tcp"), "--port"),
        (("reject-rst", "--at", "db-1", "--port", "53/udp"), "tcp"),
        (("nonsense", "--at", "db-1"), "drop-router"),
        (("drop-in", "--at", "nobody", "--port", "1/tcp"), "cp-1"),
    ],
)
def test_an_order_that_makes_no_sense_breaks_nothing(lab: Lab, options: tuple[str, ...], word: str) -> None:
    done = lab.command("break", *options)
    assert done.returncode == 1
    assert word in done.stderr
    assert lab.status["faults"] == []
