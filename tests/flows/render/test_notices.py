"""What a report tells a person is said once, in words that can be acted on."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from flows._render.notices import notices
from flows._render.summary import summary
from flows._render.verdict import verdict
from flows._render.words import counted, names, ports, printable
from model.report.consequence import consequence
from model.report.evidence import diff_lines
from model.report.outcome import Outcome, Status
from model.report.report import Report
from model.report.words import CellVerdict, Culprit, PortState
from model.verify.verdicts import LOSSY
from tests.flows.synthetic import report


def titles(changed_report: Report, level: str) -> list[str]:
    return [finding.title for finding in notices(changed_report.to_json()) if finding.level == level]


def printed(changed_report: Report, verbose: bool = False) -> str:
    lines = summary(changed_report.to_json(), Path("reports/run"), verbose)
    return "\n".join(part for line in lines for part in line.folded(None, printable))


def test_a_good_report_has_nothing_bad_to_tell() -> None:
    assert [finding for finding in notices(report().to_json()) if finding.bad] == []


def test_a_good_run_is_told_in_six_lines() -> None:
    lines = printed(report()).splitlines()
    assert lines[0].startswith("GOOD: verify_ports on reference: 17 hosts as declared")
    assert len(lines) == 6


def test_a_closed_port_is_one_finding_over_all_sources_and_families() -> None:
    shown = [title for title in titles(report(bad=True), "violation") if "5432" in title]
    assert len(shown) == 1
    assert shown[0].startswith("5432/tcp at db-1: must be open, is closed from 15 sources (")
    assert "culprit destination-firewall" in shown[0]


def test_a_dead_host_is_one_finding_with_what_follows_from_it_below() -> None:
    told = [notice for notice in notices(report(bad=True).to_json()) if "st-4" in (*notice.hosts, notice.title)]
    (dead,) = [notice for notice in told if notice.bad]
    assert (dead.level, dead.hosts) == ("failed", ("st-4",))
    (line,) = dead.detail
    assert re.fullmatch(r"so nothing is proven of [\d,]+ cells to and [\d,]+ cells from st-4", line)
    assert titles(report(bad=True), "unproven") == []
    assert line in printed(report(bad=True))


ELSEWHERE = Outcome("cp-2", "addresses", Status.DRIFT, "has 10.20.1.31, which is db-1's address", next="take it away")


def misplaced(note: str, *outcomes: Outcome) -> Report:
    """Return a good report with every cell of db-1 wrong for this cause."""
    whole = report()
    cells = []
    for cell in whole.cells or ():
        if "db-1" in (cell.source, cell.destination):
            broken = cell.expected is PortState.OPEN
            verdict = CellVerdict.VIOLATION if broken else CellVerdict.UNPROVEN
            seen = PortState.CLOSED if broken else PortState.UNKNOWN
            cell = replace(cell, verdict=verdict, seen=seen, culprit=Culprit.NAT, note=note)
        cells.append(cell)
    return replace(whole, cells=tuple(cells), outcomes=(*whole.outcomes, *outcomes))


@pytest.mark.parametrize("arrived", ["", "arrived at cp-2 as 10.20.1.31: "])
@pytest.mark.parametrize("does", ["has", "answers for"])
def test_two_hosts_with_one_address_are_one_finding_with_what_follows_from_it_below(arrived: str, does: str) -> None:
    seen = misplaced(f"{arrived}cp-2 {does} db-1's address 10.20.1.31 as well", ELSEWHERE)
    (told,) = [notice for notice in notices(seen.to_json()) if notice.bad]
    assert (told.level, told.hosts, told.next) == ("drift", ("cp-2",), "take it away")
    (line,) = told.detail
    assert re.fullmatch(r"so [\d,]+ cells to and from that address: [\d,]+ violation, [\d,]+ unproven", line)
    assert "VIOLATION" not in printed(seen)


def test_cells_of_an_address_of_which_no_outcome_tells_are_told_themselves() -> None:
    note = "cp-2 has db-1's address 10.20.1.31 as well"
    assert titles(misplaced(note), "violation")
    assert titles(misplaced(note, replace(ELSEWHERE, host="w-1")), "violation")
    assert titles(misplaced(f"{note}; by the rule iptables -t nat", ELSEWHERE), "violation")


def test_checks_that_follow_from_a_dead_host_stand_below_it() -> None:
    whole = replace(report(), cells=None)
    dead = [
        Outcome("st-4", check, Status.FAILED, "no answer", next="is it running?") for check in ("os/release", "swap")
    ]
    later = [
        Outcome("controller", check, Status.UNPROVEN, consequence(["st-4"]), next="run")
        for check in ("ports/hosts", "li")
    ]
    (told,) = [notice for notice in notices(replace(whole, outcomes=(*dead, *later)).to_json()) if notice.bad]
    assert (told.hosts, told.detail) == (("st-4",), ("so nothing is proven of ports/hosts, li",))
    alone = [notice for notice in notices(replace(whole, outcomes=tuple(later)).to_json()) if notice.bad]
    assert "st-4" in alone[0].title


def test_an_end_that_was_blind_without_an_outcome_of_its_own_is_told_by_its_cells() -> None:
    whole = report(bad=True)
    silent = replace(whole, outcomes=tuple(outcome for outcome in whole.outcomes if outcome.host != "st-4"))
    shown = titles(silent, "unproven")
    assert len(shown) == 2
    assert all("st-4" in title for title in shown)


def test_every_bad_finding_has_a_next_step() -> None:
    assert all(finding.next for finding in notices(report(bad=True).to_json()) if finding.bad)


def test_the_worst_comes_first() -> None:
    levels = [finding.level for finding in notices(report(bad=True).to_json())]
    assert levels[0] == "violation"
    assert levels[-1] == "not_run"


def test_the_same_drift_on_three_hosts_is_said_once_with_its_diff() -> None:
    shown = [finding for finding in notices(report(bad=True).to_json()) if finding.level == "drift"]
    assert [finding.hosts for finding in shown] == [("db-1", "db-2", "db-3")]
    assert any(line.startswith("+-A") for line in shown[0].detail)
    assert shown[0].next.endswith("--limit db-1,db-2,db-3`")


def test_drift_that_differs_is_not_folded() -> None:
    outcomes = tuple(
        Outcome(f"db-{n}", "rules", Status.DRIFT, "differs", next="", evidence=[f"+rule {n}"]) for n in (1, 2)
    )
    changed_report = replace(report(), outcomes=outcomes, cells=None)
    assert len([finding for finding in notices(changed_report.to_json()) if finding.level == "drift"]) == 2


def test_a_host_name_within_another_is_left_alone() -> None:
    outcomes = (
        Outcome("w-1", "peers", Status.DRIFT, "w-1: w-10 is missing"),
        Outcome("w-2", "peers", Status.DRIFT, "w-2: w-10 is missing"),
    )
    shown = notices(replace(report(), outcomes=outcomes, cells=None).to_json())
    assert [(finding.title, finding.hosts) for finding in shown] == [("peers: w-10 is missing", ("w-1", "w-2"))]


def test_a_fault_seen_in_one_family_says_so() -> None:
    changed_report = report()
    cells = tuple(
        replace(cell, seen=PortState.CLOSED, verdict=CellVerdict.VIOLATION, culprit=Culprit.PATH)
        if cell.destination == "li-1" and ":" in cell.address and cell.port_lo == 22
        else cell
        for cell in changed_report.cells or ()
    )
    assert all(title.endswith("over IPv6 only") for title in titles(replace(changed_report, cells=cells), "violation"))


def test_what_loss_may_explain_asks_for_the_path_to_be_mended() -> None:
    changed_report = report()
    note = f"{LOSSY}, which may be why; w-1 to li-1 by IPv4: 31% of 300 packets lost"
    cells = tuple(
        replace(cell, seen=PortState.UNKNOWN, verdict=CellVerdict.UNPROVEN, culprit=Culprit.PATH, note=note)
        if cell.destination == "li-1" and cell.port_lo == 22
        else cell
        for cell in changed_report.cells or ()
    )
    shown = [told for told in notices(replace(changed_report, cells=cells).to_json()) if told.level == "unproven"]
    assert shown
    assert all("31% of 300 packets lost" in told.title for told in shown)
    assert all(told.next.startswith("mend what loses packets between ") for told in shown)


def test_an_empty_report_says_that_silence_is_no_success() -> None:
    empty = replace(report(), outcomes=(), cells=None).to_json()
    assert "silence is never success" in verdict(empty)


def test_only_waived_is_neither_good_nor_bad() -> None:
    changed_report = replace(report(), outcomes=(Outcome("w-1", "x", Status.WAIVED, "owner ops"),), cells=None)
    assert verdict(changed_report.to_json()).startswith("NOTHING PROVEN")
    assert "owner ops" in printed(changed_report)


def test_what_was_not_run_is_counted_on_screen() -> None:
    assert "1 not run" in printed(report())


def test_a_host_cannot_write_to_the_terminal() -> None:
    changed_report = replace(
        report(), outcomes=(Outcome("w-1", "x", Status.FAILED, "\x1b[2J\x9b31m gone"),), cells=None
    )
    assert "\x1b" not in printed(changed_report)
    assert "\\x1b[2J\\x9b31m gone" in printed(changed_report)


def test_lint_findings_are_told_with_file_path_value_and_fix() -> None:
    finding = {
        "rule": "twice",
        "severity": "error",
        "file": "hosts.yaml",
        "path": "w-2.x",
        "value": "7",
        "fix": "write 8",
    }
    text = printed(replace(report(), cells=None, forced=1, extra={"findings": [finding]}))
    assert "ERROR twice: hosts.yaml: w-2.x: is wrong (found 7)" in text
    assert "next: write 8" in text


@pytest.mark.parametrize(
    ("evidence", "lines"),
    [
        ("-a\n+b", ["-a", "+b"]),
        (["-a", "+b"], ["-a", "+b"]),
        ({"diff": ["+b"]}, ["+b"]),
        ("a word", []),
        ({"count": 3}, []),
        (None, []),
    ],
)
def test_a_diff_is_known_in_every_form(evidence: object, lines: list[str]) -> None:
    assert diff_lines(evidence) == lines


def test_words_are_short_and_exact() -> None:
    assert names(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert counted(1, "host") == "1 host"
    assert counted(2000, "host") == "2,000 hosts"
    assert (ports(1, 21, "tcp"), ports(22, 22, "udp"), ports(0, 0, "vrrp")) == ("1-21/tcp", "22/udp", "vrrp")


def test_what_sums_up_the_cells_of_a_host_is_not_told_beside_them() -> None:
    changed_report = report(bad=True)
    sum_up = Outcome("db-1", "ports", Status.DRIFT, "cells to this host: 4 violation")
    with_sum = replace(changed_report, outcomes=(*changed_report.outcomes, sum_up))
    assert "cells to this host" not in printed(with_sum)
    alone = replace(report(), outcomes=(sum_up,))
    assert "cells to this host" in printed(alone)


def test_hosts_that_were_changed_alike_are_told_together() -> None:
    outcomes = tuple(
        Outcome(f"w-{n}", "rules", Status.CHANGED, "2 lines added", next="", evidence=[f"+rule {n}"]) for n in (1, 2)
    )
    changed_report = replace(report(), outcomes=outcomes, cells=None)
    assert "CHANGED w-1, w-2: rules: 2 lines added" in printed(changed_report)
    assert "+rule 2" in printed(changed_report, verbose=True)


def test_many_diffs_are_cut_and_one_is_shown_longer() -> None:
    diff = [f"+line {number}" for number in range(30)]
    many = tuple(Outcome(f"w-{n}", "rules", Status.DRIFT, f"differs {n}", next="", evidence=diff) for n in (1, 2))
    assert printed(replace(report(), outcomes=many, cells=None)).count("+line") == 16
    assert printed(replace(report(), outcomes=many[:1], cells=None)).count("+line") == 30
    assert printed(replace(report(), outcomes=many, cells=None), verbose=True).count("+line") == 60
