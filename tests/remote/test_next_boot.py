"""The next boot is tried by the real programs, in a network that ends with the try."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from model.errors import ProtocolError
from model.ufw.kernel import as_loaded, expected
from model.ufw.next_boot import NextBoot, unloadable, untried, wiping
from remote.facts import beside, next_boot
from remote.facts.sections import sections, shell_text
from remote.facts.unconfirmed import SCRIPT
from tests.model.ufw.test_spellings import PLACED, SPELLINGS
from tests.model.ufw.ufw_data import file

MARK = "mf-boot"
FLUSHING = "#!/usr/sbin/nft -f\n\nflush ruleset\n"
HARMLESS = "table inet own {\n    chain in { type filter hook input priority 5; }\n}\n"


def tried(folder: Path, **texts: str | None) -> NextBoot:
    """Run the real script on ufw's own files, some of them changed (None: missing)."""
    places = {"/etc/ufw": folder / "ufw", "/usr/sbin/ufw": folder / "program", "/etc/nftables.conf": folder / "nft"}
    places |= {"/etc/systemd/system": folder / "system", "/etc/iptables": folder / "iptables"}
    files: dict[str, str | None] = {
        f"{name}{'6' if version == 6 else ''}": file(name, version)
        for name in ("before", "after", "user")
        for version in (4, 6)
    }
    for place in ("ufw", "iptables", "system/sysinit.target.wants"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / "program").write_text("")
    (folder / "program").chmod(0o755)
    for name, text in (files | {name: text for name, text in texts.items() if name in files}).items():
        if text is not None:
            (folder / "ufw" / f"{name}.rules").write_text(text)
    for name in ("nft", "iptables/rules.v4"):
        if text := texts.get(name):
            (folder / name).write_text(text)
    for unit in (texts.get("started") or "").split():
        (folder / "system/sysinit.target.wants" / f"{unit}.service").symlink_to("/dev/null")
    script = next_boot.text()
    for place, where in places.items():
        script = script.replace(place, str(where))
    whole = f"{shell_text(SCRIPT)}\n{script}\nmf_mark={MARK}\nmf_next_boot </dev/null\n"
    done = subprocess.run(("sh", "-s"), input=whole.encode(), capture_output=True, timeout=60, check=True)
    answer = sections(MARK, done.stdout.decode())
    return next_boot.read({name.replace(str(folder / "ufw"), "/etc/ufw"): body for name, body in answer.items()})


def broken(name: str, version: int, line: str) -> str:
    return file(name, version).replace("COMMIT", f"{line}\nCOMMIT")


@pytest.mark.machine
@pytest.mark.usefixtures("real_machine")
def test_ufws_own_files_load(tmp_path: Path) -> None:
    boot = tried(tmp_path, nft=FLUSHING)
    assert boot.how == "loaded"
    assert [trial.code for trial in boot.trials] == [0] * 6
    assert (list(unloadable(boot, {})), list(untried(boot)), list(wiping(boot))) == ([], [], [])


@pytest.mark.machine
@pytest.mark.usefixtures("real_machine")
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("before", "allow 10.0.0.1 please"),
        ("before6", "-A ufw6-before-input -p tcp --dport nonsense -j ACCEPT"),
        ("after", "-A DOCKER-USER -j ACCEPT"),
        ("after6", "-A ufw6-after-input -j NOWHERE"),
        ("user", "-A ufw-user-input -m nothing -j ACCEPT"),
        ("user6", "-A ufw6-user-input -s 10.0.0.1 -j ACCEPT"),
    ],
)
def test_a_line_that_the_real_program_refuses_is_found_in_every_file(name: str, line: str, tmp_path: Path) -> None:
    text = broken(name.removesuffix("6"), 6 if name.endswith("6") else 4, line)
    (flaw,) = unloadable(tried(tmp_path, **{name: text}), {f"/etc/ufw/{name}.rules": text})
    assert f"/etc/ufw/{name}.rules" in flaw.message
    assert flaw.place == f"{name}.rules"


TELNET = "-A ufw-before-input -p tcp -m tcp --dport 23 -j DROP"


@pytest.mark.machine
@pytest.mark.usefixtures("real_machine")
def test_the_hosts_own_iptables_writes_what_a_person_spelled(tmp_path: Path) -> None:
    lines = [f"-A ufw-before-input {one}" for one, _ in SPELLINGS]
    text = file("before", 4).replace("COMMIT", "\n".join((*lines, PLACED, "COMMIT")))
    boot = tried(tmp_path, before=text)
    assert all(
        line.removeprefix("-A ufw-before-input ") in boot.own[4] for line in (TELNET, *(o for _, o in SPELLINGS))
    )
    files = (text, file("after", 4), file("user", 4))
    wanted = expected(*files, 4, boot.own[4])
    assert wanted.same(as_loaded(boot.whole[4], 4))
    assert expected(*files, 4).same(as_loaded(boot.whole[4], 4))
    assert not wanted.same(as_loaded(boot.whole[4].replace(f"{TELNET}\n", "", 1), 4))
    assert expected(file("before", 6), file("after", 6), file("user", 6), 6, boot.own[6]).same(
        as_loaded(boot.whole[6], 6)
    )
    assert expected(file("before", 6), file("after", 6), file("user", 6), 6).same(as_loaded(boot.whole[6], 6))


@pytest.mark.machine
@pytest.mark.usefixtures("real_machine")
def test_of_a_file_that_cannot_be_loaded_nothing_is_told(tmp_path: Path) -> None:
    boot = tried(tmp_path, after=broken("after", 4, "allow 10.0.0.1 please"))
    assert (sorted(boot.own), sorted(boot.whole)) == ([6], [6])


def test_a_text_that_is_cut_short_is_none() -> None:
    parts = {"next-boot": "loaded\n", "end of next-boot": "0\n", "at-boot": "", "saved-rules": "", "flushes": ""}
    whole = "*filter\n:INPUT DROP [0:0]\nCOMMIT\n# Completed\n"
    assert next_boot.read(parts | {"own 4": whole, "own 6": whole[:20]}).own == {4: whole}


@pytest.mark.machine
@pytest.mark.usefixtures("real_machine")
@pytest.mark.parametrize("text", [None, ""])
def test_a_file_that_is_missing_or_empty_fails_the_boot_as_well(text: str | None, tmp_path: Path) -> None:
    (flaw,) = unloadable(tried(tmp_path, after=text), {})
    assert "after.rules is missing or empty" in flaw.message


@pytest.mark.machine
@pytest.mark.usefixtures("real_machine")
@pytest.mark.parametrize(
    ("started", "nft", "found"),
    [
        ("nftables", FLUSHING, ["nftables"]),
        ("nftables", "table ip filter {}\ndelete table ip filter\n", ["nftables"]),
        ("nftables", HARMLESS, []),
        ("", FLUSHING, []),
        ("firewalld ferm", "", ["firewalld", "ferm"]),
        ("netfilter-persistent", "", []),
    ],
)
def test_services_are_judged_by_what_they_do(started: str, nft: str, found: list[str], tmp_path: Path) -> None:
    boot = tried(tmp_path, started=started, nft=nft)
    assert ([flaw.place for flaw in wiping(boot)], list(untried(boot))) == (found, [])


@pytest.mark.machine
@pytest.mark.usefixtures("real_machine")
def test_saved_rules_take_the_place_of_ufws(tmp_path: Path) -> None:
    boot = tried(
        tmp_path, started="netfilter-persistent", **{"iptables/rules.v4": "*filter\n:INPUT DROP [0:0]\nCOMMIT\n"}
    )
    assert [flaw.place for flaw in wiping(boot)] == ["netfilter-persistent"]


@pytest.mark.machine
@pytest.mark.usefixtures("real_machine")
def test_the_whole_look_runs_here_and_leaves_the_rules_as_they_are() -> None:
    before = subprocess.run(("nft", "list", "ruleset"), capture_output=True, check=True).stdout
    done = subprocess.run(("sh", "-s"), input=beside.script(MARK).encode(), capture_output=True, timeout=60, check=True)
    assert beside.parse("here", MARK, done.stdout).boot is not None
    assert subprocess.run(("nft", "list", "ruleset"), capture_output=True, check=True).stdout == before


@pytest.mark.machine
@pytest.mark.usefixtures("real_machine")
def test_a_script_of_ufws_is_told_where_it_is_executable_alone(tmp_path: Path) -> None:
    (tmp_path / "ufw").mkdir()
    for name, mode in (("before.init", 0o640), ("after.init", 0o750)):
        (tmp_path / "ufw" / name).write_text("#!/bin/sh\niptables -F\n")
        (tmp_path / "ufw" / name).chmod(mode)
    boot = tried(tmp_path)
    assert boot.inits == {"/etc/ufw/after.init": "#!/bin/sh\niptables -F\n"}
    assert [flaw.place for flaw in wiping(boot)] == ["after.init"]


def test_an_answer_that_is_cut_short_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="cut short"):
        beside.parse("w-1", MARK, b"\nmf-boot unconfirmed\n")
    with pytest.raises(ProtocolError, match="cannot be understood"):
        beside.parse("w-1", MARK, b"\nmf-boot unconfirmed\n\nmf-boot end\n")


def test_a_try_that_takes_too_long_is_no_good_one() -> None:
    parts = {"next-boot": "loaded\n", "end of next-boot": "124\n", "at-boot": "", "saved-rules": "", "flushes": ""}
    assert [words.endswith("longer than 20 seconds") for words in untried(next_boot.read(parts))] == [True]
