"""What a host says of itself is read whole, or not at all; the text is what real hosts said."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address
from pathlib import Path
from shutil import which

import pytest

from model.errors import ProtocolError
from model.host.dns_wire import DnsAnswer
from model.host.machine_facts import Connect, Questions
from model.host.machine_facts import Path as Way
from remote.facts.machine import parse, script
from remote.facts.machine_answers import asked, synchronised
from tests.model.check.preflight.preflight_data import FOLDER, MARK, golden

ALL = sorted(path.name.removesuffix(".gz") for path in FOLDER.iterdir())


@pytest.mark.parametrize("name", ALL)
def test_every_real_answer_is_understood(name: str) -> None:
    facts = golden(name)
    assert facts.identity.hostname == name.rpartition("-")[0].rpartition("-")[2] + "-" + name.rpartition("-")[2]
    assert facts.system.suite == name.partition("-")[0]
    assert len(facts.identity.machine_id) == 32
    assert facts.hardware.capacity.cpus == 2
    assert facts.hardware.available <= facts.hardware.capacity.memory
    assert facts.software.packages.known["dpkg"].installed
    assert not any(package.broken or package.held for package in facts.software.packages.known.values())


def test_a_bare_control_plane() -> None:
    facts = golden("bookworm-bare-cp-1")
    assert {"ip", "ss"} <= facts.system.programs
    assert not {"nft", "python3", "sudo", "iptables-save"} & facts.system.programs
    assert facts.system.systemd == 252
    assert facts.hardware.filesystems["/var/lib/etcd"].kind == "ext4"
    assert {(listener.port, listener.process) for listener in facts.network.listeners} == {(22, "sshd")}
    assert facts.network.addresses[ip_address("fd20:1::11")].name == "eth0"
    assert facts.network.default_routes == {4, 6}
    assert facts.network.resolvers == ("10.20.1.1", "fd20:1::1")
    assert facts.asked.connects == {("10.20.1.10", 8443): Connect("silent")}
    assert facts.asked.paths[ip_address("10.20.1.12")] == Way(1500, small=True, large=True)
    assert DnsAnswer("api.example.test", 4, 0, (ip_address("10.20.1.10"),)) in facts.asked.names.answers["10.20.1.1"]
    assert not facts.ours


def test_a_full_host_with_rules_of_somebodys_and_no_route_to_time() -> None:
    facts = golden("trixie-full-w-1")
    assert {"nft", "python3", "sudo", "iptables-save"} <= facts.system.programs
    assert facts.system.cgroup == "v2"
    assert "--dport 25 -j DROP" in facts.network.rulesets.saved[4]
    assert '"theirs"' in facts.network.rulesets.nft
    assert facts.clock.synchronised is False


def test_clocks_are_bounded_by_the_round_trip() -> None:
    answer = (FOLDER / "bookworm-bare-cp-1").read_bytes()
    words = answer.decode().split()
    first, last = float(words[words.index("begins") + 1]), float(words[words.index("ends") + 1])
    clock = parse("cp-1", MARK, answer, (first - 10.25, last - 9.5)).clock
    assert (round(clock.least, 3), round(clock.most, 3)) == (9.5, 10.25)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"{MARK} end\n", ""),
        (f"{MARK} memory\n", f"{MARK} remembrance\n"),
        (f"{MARK} cpus\n2", f"{MARK} cpus\nmany"),
        (f"{MARK} kernel\n", f"{MARK} kernel\n\n{MARK} more\n"),
        (f"{MARK} asked\n", f"{MARK} asked\nsomething else\n"),
        (f"{MARK} end of listeners\n0", f"{MARK} end of listeners\n1"),
        (f"{MARK} end of addresses\n0", f"{MARK} end of addresses\n255"),
        (f"{MARK} end of packages\n0", f"{MARK} end of packages\n2"),
        (f"{MARK} journal\n", f"{MARK} diary\n"),
        (f"{MARK} node\n", f"{MARK} nodes\n"),
        ("dns 10.20.1.1 00", "dns 10.20.1.1 0"),
        ("tcp ", "tdp "),
    ],
)
def test_an_answer_that_is_cut_short_or_unknown_is_an_error(old: str, new: str) -> None:
    text = (FOLDER / "bookworm-bare-cp-1").read_text()
    assert old in text
    with pytest.raises(ProtocolError):
        parse("cp-1", MARK, text.replace(old, new).encode(), (0.0, 0.0))


def test_rules_that_cannot_be_read_are_an_error() -> None:
    text = (FOLDER / "trixie-full-w-1").read_text()
    broken = text.replace("-A INPUT", "INPUT", 1)
    with pytest.raises(ProtocolError):
        parse("w-1", MARK, broken.encode(), (0.0, 0.0))


def test_a_neighbour_counts_only_while_it_answers() -> None:
    answers = asked(
        "connect 10.0.0.1 8443 silent eth0 02:00:00:00:00:01 REACHABLE\n"
        "connect 10.0.0.2 8443 silent eth0 02:00:00:00:00:02 STALE\n"
        "connect 10.0.0.3 8443 Connection_refused none\n"
        "connect 10.0.0.4 8443 No_route_to_host none\n"
    ).connects
    assert answers["10.0.0.1", 8443] == Connect("silent", "02:00:00:00:00:01")
    assert answers["10.0.0.2", 8443] == Connect("silent")
    assert answers["10.0.0.3", 8443] == Connect("refused")
    assert answers["10.0.0.4", 8443] == Connect("no route to host")


def test_nobody_may_be_able_to_tell_whether_the_clock_follows_another() -> None:
    assert (synchronised("time yes\n"), synchronised("time no\n"), synchronised("time \n")) == (True, False, None)


def test_a_server_asked_in_two_lines_keeps_both_answers() -> None:
    answers = asked("dns 10.0.0.1 \ndns 10.0.0.1 \n").names.answers
    assert answers == {"10.0.0.1": ()}


def test_a_dpkg_that_tells_of_no_package_is_an_error() -> None:
    text = (FOLDER / "bookworm-bare-cp-1").read_text()
    packages = text[text.index(f"{MARK} packages\n") : text.index(f"{MARK} end of packages\n")]
    with pytest.raises(ProtocolError, match="tells of no package"):
        parse("cp-1", MARK, text.replace(packages, f"{MARK} packages\n\n").encode(), (0.0, 0.0))


@pytest.mark.parametrize(
    ("said", "code", "complaint"),
    [
        ("", "0", ""),
        ("W: something\n", "0", ""),
        ("", "missing", ""),
        ("E: dpkg was interrupted\nE: more\n", "100", "dpkg was interrupted; more"),
        ("odd words\n", "1", "odd words"),
        ("", "139", "it ended with 139"),
    ],
)
def test_what_apt_complains_of_is_kept(said: str, code: str, complaint: str) -> None:
    text = (FOLDER / "bookworm-bare-cp-1").read_text()
    old = f"{MARK} apt\n\n{MARK} end of apt\n0\n"
    assert old in text
    changed = text.replace(old, f"{MARK} apt\n{said}\n{MARK} end of apt\n{code}\n")
    assert parse("cp-1", MARK, changed.encode(), (0.0, 0.0)).software.apt == complaint


@pytest.mark.machine
@pytest.mark.parametrize(("entry", "steps"), [("0001", ("0001",)), ("tmp.i", ())])
def test_dpkgs_journal_on_this_machine_is_told(entry: str, steps: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / entry).touch()
    text = f"PATH=/usr/sbin:/usr/bin:/sbin:/bin\n{script(MARK, Questions())}".replace(
        "/var/lib/dpkg/updates", str(tmp_path)
    )
    answer = subprocess.run(("/bin/sh", "-s"), input=text.encode(), capture_output=True, timeout=60, check=False).stdout
    facts = parse("here", MARK, answer, (0.0, 0.0))
    assert (facts.software.journal, facts.software.apt) == (steps, "")


def _run(path: str, questions: Questions) -> bytes:
    text = f"PATH={path}\n{script(MARK, questions)}"
    return subprocess.run(("/bin/sh", "-s"), input=text.encode(), capture_output=True, timeout=60, check=False).stdout


@pytest.mark.machine
def test_the_script_runs_on_this_machine_and_its_answer_is_understood() -> None:
    asks = Questions(connects=(("127.0.0.1", 1),), paths=(ip_address("127.0.0.1"),))
    facts = parse("here", MARK, _run("/usr/sbin:/usr/bin:/sbin:/bin", asks), (0.0, 0.0))
    assert facts.asked.connects["127.0.0.1", 1].result == "refused"
    assert facts.network.addresses


@pytest.mark.parametrize("failing", ["ip", "ss", "nft", "dpkg-query"])
@pytest.mark.machine
def test_a_program_that_fails_is_not_a_host_without_anything_to_tell(failing: str, tmp_path: Path) -> None:
    (tmp_path / failing).write_text("#!/bin/sh\nexit 7\n")
    (tmp_path / failing).chmod(0o755)
    with pytest.raises(ProtocolError, match=r"failed there .exit code 7"):
        parse("here", MARK, _run(f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin", Questions()), (0.0, 0.0))


def test_a_host_with_essential_packages_alone_is_understood(tmp_path: Path) -> None:
    essential = (
        "cat grep sed awk date uname dpkg dpkg-query stat nproc df dirname basename readlink head tail sleep tr "
        "dd od bash timeout"
    )
    for name in essential.split():
        (tmp_path / name).symlink_to(which(name) or pytest.fail(f"no {name}"))
    facts = parse("here", MARK, _run(str(tmp_path), Questions()), (0.0, 0.0))
    assert (facts.system.systemd, facts.software.units_unseen) == (0, "it has no systemctl")
    assert facts.network.listeners == ()
    assert facts.clock.synchronised is None
