"""What mail and federation need is open at the perimeter and between networks, and nothing else is."""

from __future__ import annotations

import pytest

from tests.cluster.lab_cluster import wrong
from tests.matrix.outward.conftest import Outward

pytestmark = pytest.mark.all
_ROWS = {"smtp", "federation", "federation-out"}


def test_every_row_of_theirs_is_proven_open_and_the_rest_closed(outward: Outward) -> None:
    code, report = outward.cluster.flow("verify_ports", "--plane", "external")
    assert (code, wrong(report)) == (0, [])
    proven = {row for cell in report["cells"] if cell["verdict"] == "ok" for row in cell["rows"]}
    assert proven >= _ROWS
