"""What the next boot does to the firewall is judged by what was tried, and what was not tried is never good."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model.ufw.next_boot import FileTrial, NextBoot, NftTrial, unloadable, untried, wiping
from model.ufw.state import AFTER, BEFORE, USER

PATHS = (*BEFORE.values(), *AFTER.values(), *USER.values())
WELL = NextBoot(how="loaded", trials=tuple(FileTrial(path=path, code=0) for path in PATHS))
FLUSH = ("flush ruleset",)
# As Debian ships them.
STOCK = {
    f"/etc/ufw/{name}": (Path(__file__).parents[2] / "data" / "ufw" / name).read_text("utf-8")
    for name in ("before.init", "after.init")
}


def with_trial(path: str, code: int | None, words: str = "") -> NextBoot:
    trials = tuple(replace(trial, code=code, words=words) if trial.path == path else trial for trial in WELL.trials)
    return replace(WELL, trials=trials)


def test_a_host_whose_files_load_has_nothing_against_it() -> None:
    assert (list(unloadable(WELL, {})), list(wiping(WELL)), list(untried(WELL))) == ([], [], [])


@pytest.mark.parametrize(
    ("words", "place", "said"),
    [
        (
            "Bad argument `allow'\nError occurred at line: 2\nTry `iptables-restore -h'",
            "line 2 `two`",
            "Bad argument `allow'",
        ),
        ("iptables-restore: line 3 failed: No chain/target/match by that name.", "line 3 `three`", "line 3 failed"),
        ("iptables-restore: COMMIT expected at line 9", "line 9 ", "COMMIT expected"),
        ("iptables-restore v1.8.9 (nf_tables): \nline 1: RULE_APPEND failed", "line 1 `one`", "RULE_APPEND failed"),
        ("something else", "before.rules cannot", "something else"),
        ("", "before.rules cannot", "it ended with 2"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named_with_its_line_and_the_words(words: str, place: str, said: str) -> None:
    (flaw,) = unloadable(with_trial(BEFORE[4], 2, words), {BEFORE[4]: "one\n  two\nthree\n"})
    assert flaw.place == "before.rules"
    assert place in flaw.message
    assert said in flaw.message
    assert "Try `" not in flaw.message
    assert BEFORE[4] in flaw.remedy


@pytest.mark.parametrize("path", PATHS)
def test_each_file_counts_and_one_that_is_missing_too(path: str) -> None:
    for code in (1, None):
        (flaw,) = unloadable(with_trial(path, code), {})
        assert path in flaw.message
        assert list(unloadable(with_trial(path, code), {}, without=(path,))) == []


def test_what_this_project_writes_is_written_anew() -> None:
    (flaw,) = unloadable(with_trial(USER[6], 1), {})
    assert "python -m flows.firewall" in flaw.remedy


@pytest.mark.parametrize(
    ("boot", "service"),
    [
        (replace(WELL, started=("nftables",), flushes=FLUSH), "nftables"),
        (replace(WELL, started=("nftables",), nft=NftTrial(code=0, left=False)), "nftables"),
        (
            replace(WELL, started=("netfilter-persistent",), saved_rules=("/etc/iptables/rules.v4",)),
            "netfilter-persistent",
        ),
        (replace(WELL, started=("firewalld",)), "firewalld"),
        (replace(WELL, how="absent", trials=(), started=("shorewall",)), "shorewall"),
    ],
)
def test_a_service_that_removes_the_rules_is_named_with_a_way_out(boot: NextBoot, service: str) -> None:
    (flaw,) = wiping(boot)
    assert flaw.place == service
    assert f"{service}.service starts at boot" in flaw.message
    assert f"systemctl disable {'--now ' if service in ('firewalld', 'shorewall') else ''}{service}" in flaw.remedy


@pytest.mark.parametrize(
    "boot",
    [
        replace(WELL, flushes=FLUSH, nft=NftTrial(code=0, left=False)),
        replace(WELL, saved_rules=("/etc/iptables/rules.v4",)),
        replace(WELL, started=("nftables",), nft=NftTrial(code=0, left=True)),
        replace(WELL, started=("netfilter-persistent",)),
    ],
)
def test_a_service_that_does_not_start_or_leaves_the_rules_alone_is_no_finding(boot: NextBoot) -> None:
    assert (list(wiping(boot)), list(untried(boot))) == ([], [])


@pytest.mark.parametrize(
    ("boot", "said"),
    [
        (replace(WELL, how="it has no iptables-restore", trials=()), "it has no iptables-restore"),
        (replace(WELL, trials=()), "did not come to its end"),
        (replace(WELL, unable=("no such table",)), "no such table"),
        (
            replace(WELL, started=("nftables",), nft=NftTrial(code=1, left=True, words="no device eth9")),
            "no device eth9",
        ),
    ],
)
def test_what_was_not_tried_is_said(boot: NextBoot, said: str) -> None:
    assert [said in words for words in untried(boot)] == [True]


def test_without_ufw_nothing_is_to_be_tried() -> None:
    assert list(untried(replace(WELL, how="absent", trials=()))) == []


def test_ufws_own_scripts_do_nothing_even_where_they_are_executable() -> None:
    assert list(wiping(replace(WELL, inits=STOCK))) == []


@pytest.mark.parametrize("path", sorted(STOCK))
@pytest.mark.parametrize(
    "line",
    [
        "iptables -I INPUT -p tcp --dport 5432 -j ACCEPT",
        "    ipset create banned hash:ip",
        "echo -1; iptables -F",
        "exec /usr/local/sbin/rules",
        "echo $(iptables -F)",
    ],
)
def test_a_script_that_ufw_runs_at_its_start_is_named_with_what_it_does(path: str, line: str) -> None:
    text = STOCK[path].replace("start)\n", f"start)\n{line}\n", 1)
    (flaw,) = wiping(replace(WELL, inits={**STOCK, path: text}))
    assert (flaw.place, line.strip() in flaw.message) == (path.rpartition("/")[2], True)
    assert f"`chmod -x {path}`" in flaw.remedy
