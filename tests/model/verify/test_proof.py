"""A summary of a proof says what the whole report says to compliance, and stays small."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from flows._compliance.sources import latest_proof
from flows._run.publish import renderings
from model.verify.proof import grouped, read_proof, summary
from tests.flows.synthetic import report


def whole(*, bad: bool = True) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(report(bad=bad).to_json()))
    return document


def test_a_summary_reads_as_its_report() -> None:
    assert read_proof(json.loads(json.dumps(summary(whole())))) == read_proof(whole())


def test_every_cell_is_counted_and_only_what_is_bad_is_told() -> None:
    proof = read_proof(whole())
    assert sum(cell.count for cell in proof.cells) == len(whole()["cells"])
    assert {cell.verdict for cell in proof.cells if cell.examples} == {"violation", "unproven"}
    rows = {row for cell in proof.cells for row in cell.rows}
    assert rows == {row for cell in whole()["cells"] for row in cell["rows"]}


def test_of_much_that_is_bad_some_is_told() -> None:
    document = whole()
    first = next(cell for cell in document["cells"] if cell["verdict"] == "violation")
    document["cells"] = [first | {"port_lo": port, "port_hi": port} for port in range(1, 1001)]
    (cell,) = read_proof(document).cells
    assert (cell.count, len(cell.examples)) == (1000, 5)


def test_what_was_seen_of_a_host_that_may_be_taken_back_is_no_proof() -> None:
    document = whole(bad=False)
    host = document["cells"][0]["to"]
    document["outcomes"].append({"host": host, "subject": "rollback", "status": "unproven"})
    proof = read_proof(json.loads(json.dumps(summary(document))))
    for cell in proof.cells:
        touched = host in (cell.source, cell.destination)
        assert touched or cell.verdict != "unproven"
        assert not (touched and cell.verdict == "ok")
    assert any("a change of its firewall was not confirmed" in line for cell in proof.cells for line in cell.examples)


@pytest.mark.parametrize("document", [{}, {"schema": "matrix-fleet/proof/1"}, {"run": "r", "ended": "yesterday"}])
def test_what_is_no_proof_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError)):
        read_proof(document)


def _kept(folder: Path, texts: dict[str, str]) -> Path:
    run = folder / "reports" / "latest-verify_ports"
    run.mkdir(parents=True)
    for name, text in texts.items():
        (run / name).write_text(text)
    return folder


def test_compliance_reads_the_summary_and_of_older_runs_the_report(tmp_path: Path) -> None:
    texts = renderings(whole())
    assert latest_proof(_kept(tmp_path / "new", {**texts, "report.json": "not read"})) == read_proof(whole())
    del texts["proof.json"]
    assert latest_proof(_kept(tmp_path / "old", texts)) == read_proof(whole())
    assert latest_proof(_kept(tmp_path / "broken", {**texts, "proof.json": "{}"})) is None


def test_compliance_counts_whichever_run_proved_the_ports_last(tmp_path: Path) -> None:
    document = whole()
    own = {key: value for key, value in document.items() if key not in ("cells", "outcomes")}
    later = own | {
        "run": "20301123T220005Z-bootstrap",
        "ended": "2030-11-23T22:05:05+00:00",
        "proof": grouped(document),
    }
    folder = _kept(tmp_path / "site", renderings(document))
    _run(folder, "20301123T220005Z-bootstrap", renderings(later | {"outcomes": []}))
    _run(folder, "20311123T220005Z-bootstrap", renderings(own | {"run": "20311123T220005Z-bootstrap", "outcomes": []}))
    proof = latest_proof(folder)
    assert proof is not None
    assert (proof.run, proof.cells) == ("20301123T220005Z-bootstrap", read_proof(document).cells)
    shutil.rmtree(folder / "reports" / "latest-verify_ports")
    assert latest_proof(folder) == proof


def _run(folder: Path, name: str, texts: dict[str, str]) -> None:
    (folder / "reports" / name).mkdir()
    for file, text in texts.items():
        (folder / "reports" / name / file).write_text(text)
