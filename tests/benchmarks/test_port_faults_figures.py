"""The figures of drawn faults are the ledger's counts."""

from __future__ import annotations

from benchmarks.port_faults import figures
from flows._site.documents.benchmarks import MEANINGS
from tests.lab.port_faults.judging import CULPRIT, GREEN, RED, RULE
from tests.lab.port_faults.ledger import Ledger


def test_counts_become_figures_that_the_page_explains() -> None:
    counted = {**Ledger(1, 5).figures, "runs": 5, GREEN: 1, RED: 2, CULPRIT: 3, RULE: 4}
    measured = {figure.name: (figure.value, figure.n) for figure in figures(counted)}
    assert measured["port_faults_wrong_green"] == (1, 5)
    assert measured["port_faults_wrong_red"] == (2, 5)
    assert measured["port_faults_wrong_culprit"] == (3, 5)
    assert measured["port_faults_unnamed_rule"] == (4, 5)
    assert measured.keys() <= MEANINGS.keys()
