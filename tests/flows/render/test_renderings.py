"""Schema, JUnit and page all tell what the canonical report says, and nothing in it can act."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from flows._render import html, junit
from flows._render.html.data import page_data
from flows._run.folder import canonical
from flows._run.publish import renderings
from model.report.outcome import Outcome, Status
from model.report.report import Report
from tests.flows.plumbing import ROOT, conducted, every, site
from tests.flows.synthetic import report

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text())
OLD = ROOT / "tests" / "data" / "report" / "version-1.json"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u2028<!--"


def validate(document: object) -> None:
    jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker()).validate(document)


@pytest.mark.parametrize("made", [report(), report(bad=True)], ids=["good", "bad"])
def test_reports_satisfy_the_committed_schema(made: Report) -> None:
    validate(json.loads(canonical(made.to_json())))


@pytest.mark.parametrize("flags", [{}, {"limit": "nobody"}], ids=["run", "refused"])
def test_what_a_flow_writes_satisfies_the_schema(tmp_path: Path, flags: dict[str, Any]) -> None:
    validate(conducted(site(tmp_path), every(Status.OK), **flags)[1])


@pytest.mark.parametrize(
    "spoil",
    [
        {"exit": 4},
        {"good": "yes"},
        {"outcomes": [{"host": "w-1"}]},
        {"cells": [{"verdict": "fine"}]},
        {"findings": [{"rule": "x"}]},
    ],
)
def test_the_schema_refuses_what_is_no_report(spoil: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(report().to_json() | spoil)


def test_the_canonical_text_is_the_report_and_has_a_line_for_each_cell() -> None:
    document = report().to_json()
    text = canonical(document)
    assert json.loads(text) == json.loads(json.dumps(document))
    assert sum('"port_lo"' in line for line in text.splitlines()) == len(report().cells or ())


def test_junit_counts_what_is_wrong_and_reads_back() -> None:
    xml = JUnitXml.fromstring(junit.render(report(bad=True).to_json()).encode())
    cases = {(suite.name, case.name): case.result for suite in xml for case in suite}
    assert isinstance(cases["db-1", "cp-1 -> db-1 tcp IPv4"][0], Failure)
    assert isinstance(cases["st-4", "cp-1 -> st-4 tcp IPv6"][0], Error)
    assert isinstance(cases["mon-1", "listeners"][0], Skipped)
    assert isinstance(cases["db-2", "rules"][0], Failure)
    assert cases["w-1", "cp-1 -> w-1 tcp IPv4"] == []
    pairs = {
        (cell.source, cell.address, cell.protocol)
        for cell in report(bad=True).cells or ()
        if cell.verdict == "violation"
    }
    assert (xml.failures, xml.tests) == (len(pairs) + 3, len(cases))


def test_junit_says_why_something_was_skipped() -> None:
    text = junit.render(report(bad=True).to_json())
    assert "waived by ops until 2027-01-31" in text


def test_junit_holds_control_characters_and_lone_surrogates() -> None:
    outcome = Outcome("w-1", "x", Status.FAILED, "\x00\x1b \ud800 <b>&")
    changed = replace(report(), outcomes=(outcome,), cells=None)
    xml = JUnitXml.fromstring(junit.render(changed.to_json()).encode())
    assert "\\x00\\x1b \\ud800 <b>&" in next(iter(next(iter(xml)))).result[0].message


class _Page(HTMLParser):
    """Collects what a browser would treat as code or as something to fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.handlers: list[str] = []
        self.fetched: list[str] = []
        self.policy = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self._inside = tag
        if tag == "script":
            self.scripts.append("")
        if attributes.get("http-equiv"):
            self.policy = attributes.get("content") or ""
        self.handlers += [name for name in attributes if name.startswith("on")]
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data

    def handle_endtag(self, _tag: str) -> None:
        self._inside = ""


def hostile() -> Report:
    changed = report(bad=True)
    cells = tuple(replace(cell, note=HOSTILE, rows=(HOSTILE,)) for cell in (changed.cells or ())[:50])
    outcome = Outcome(HOSTILE, HOSTILE, Status.FAILED, HOSTILE, next=HOSTILE, evidence={"diff": ["+" + HOSTILE]})
    return replace(
        changed, site=HOSTILE, cells=cells, outcomes=(*changed.outcomes, outcome), extra={"roles": {"w-1": [HOSTILE]}}
    )


def test_what_a_host_answers_never_becomes_code_in_the_page() -> None:
    page = _Page(html.render(hostile().to_json()))
    assert len(page.scripts) == 2
    assert page.handlers == []
    assert json.loads(page.scripts[0])["outcomes"][-1]["message"] == HOSTILE


def test_the_page_allows_its_own_script_and_style_and_nothing_else() -> None:
    text = html.render(hostile().to_json())
    page = _Page(text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    for code in (page.scripts[1], style[1]):
        assert base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() in page.policy
    assert page.policy.startswith("default-src 'none'")
    assert page.fetched == []


def test_the_pages_script_never_writes_markup() -> None:
    script = _Page(html.render(report().to_json())).scripts[1]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", script)


def test_the_page_holds_every_cell_once() -> None:
    document = report(bad=True).to_json()
    data = page_data(document)
    assert sum(len(sources) for sources in data["sources"]) == len(report(bad=True).cells or ())
    assert len(data["stories"]) < len(report(bad=True).cells or ()) / 5


def test_a_report_of_an_earlier_version_is_rendered_again() -> None:
    document = json.loads(OLD.read_text())
    validate(document)
    texts = renderings(document)
    assert json.loads(texts["report.json"]) == document
    assert JUnitXml.fromstring(texts["report.xml"].encode()).tests == 3
    assert document["run"] in texts["report.html"]
