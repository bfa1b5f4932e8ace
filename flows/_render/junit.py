"""A report as CI systems read it, JUnit XML: a suite a host, a case an outcome, and one a pair of hosts by protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from flows._render.words import plain, ports, printable

Document = Mapping[str, Any]

_FAILURES = ("violation", "drift", "error")
_ERRORS = ("failed", "unproven", "missing")
_SKIPPED = ("not_run", "waived")
_WORST = (*_FAILURES, *_ERRORS, *_SKIPPED)
_LINES = 50


def render(report: Document) -> str:
    """
    Return the report as JUnit XML. Violations and drift are failures; what could not be found out is an error; waived
    and not run are skipped, with the reason.
    """
    suites: dict[str, TestSuite] = {}
    for outcome in report["outcomes"]:
        _add(_suite(suites, outcome["host"]), _outcome_case(report, outcome))
    for finding in report.get("findings") or ():
        _add(_suite(suites, finding.get("file") or "site"), _finding_case(report, finding))
    for key, cells in _by_pair(report.get("cells") or ()).items():
        _add(_suite(suites, key[1]), _pair_case(report, key, cells))
    xml: Any = JUnitXml(f"{report['flow']} on {report['site']}")
    for suite in suites.values():
        suite.timestamp = report["started"]
        xml.append(suite)
    xml.update_statistics()
    return str(xml.tostring().decode("utf-8")) + "\n"


def _suite(suites: dict[str, TestSuite], host: str) -> TestSuite:
    return suites.setdefault(host, TestSuite(printable(host)))


def _add(suite: Any, case: TestCase) -> None:
    # add_testcase counts the whole suite anew each time; render counts once at the end.
    suite.append(case)


def _outcome_case(report: Document, outcome: Document) -> TestCase:
    case = TestCase(_clean(outcome["subject"]), f"{report['flow']}.{_clean(outcome['host'])}", outcome["seconds"])
    step = f"\nnext: {outcome['next']}" if outcome["next"] else ""
    evidence = "" if outcome["evidence"] is None else f"\n{plain(outcome['evidence'])}"
    _judge(case, outcome["status"], outcome["message"] or outcome["status"], f"{outcome['message']}{step}{evidence}")
    return case


def _finding_case(report: Document, finding: Document) -> TestCase:
    case = TestCase(_clean(f"{finding['rule']} {finding['path']}"), f"{report['flow']}.{_clean(finding['file'])}")
    message = f"{finding.get('message', '')} (found {finding['value']})"
    _judge(case, finding["severity"], message, f"{message}\nnext: {finding['fix']}")
    return case


def _by_pair(cells: Iterable[Document]) -> dict[tuple[str, str, str, str], list[Document]]:
    pairs: dict[tuple[str, str, str, str], list[Document]] = {}
    for cell in cells:
        family = "IPv6" if ":" in cell["address"] else "IPv4"
        pairs.setdefault((cell["from"], cell["to"], cell["protocol"], family), []).append(cell)
    return pairs


def _pair_case(report: Document, key: tuple[str, str, str, str], cells: list[Document]) -> TestCase:
    source, destination, protocol, family = key
    case = TestCase(f"{source} -> {destination} {protocol} {family}", f"{report['flow']}.{destination}")
    telling = [cell for cell in cells if cell["verdict"] in _WORST]
    verdicts = {cell["verdict"] for cell in telling}
    # A pair of which something was proven is not skipped for what was not run.
    shown = verdicts if len(telling) == len(cells) else verdicts - set(_SKIPPED)
    worst = min(shown, key=_WORST.index, default="ok")
    lines = [_cell_line(cell) for cell in telling[:_LINES]]
    if len(telling) > _LINES:
        lines.append(f"... {len(telling) - _LINES} more cells: report.html")
    _judge(
        case,
        worst,
        f"{sum(cell['verdict'] == worst for cell in telling)} of {len(cells)} cells {worst}",
        "\n".join(lines),
    )
    return case


def _cell_line(cell: Document) -> str:
    where = f"{ports(cell['port_lo'], cell['port_hi'], cell['protocol'])} at {cell['address']}"
    note = f": {cell['note']}" if cell.get("note") else ""
    return f"{where}: expected {cell['expected']}, seen {cell['seen']}: {cell['verdict']} {cell['culprit']}{note}"


def _judge(case: TestCase, word: str, message: str, text: str) -> None:
    kind = Failure if word in _FAILURES else Error if word in _ERRORS else Skipped if word in _SKIPPED else None
    if kind is None:
        return
    result = kind(_clean(message), word)
    result.text = _clean(text)
    case.result = [result]


def _clean(text: str) -> str:
    """XML has no way to write most control characters."""
    return printable(text)
