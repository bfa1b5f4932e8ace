"""
The real API server takes every object of sites of every size, with each feature turned over alone, and publishers' own
objects keep the rules that ours keep.
"""

from __future__ import annotations

import json
import sys

from tests.matrix.matrix_lab import MatrixLab


def test_the_api_server_takes_every_object_of_every_kind_of_site(matrix: MatrixLab) -> None:
    done = matrix.lab.run((sys.executable, "-m", "tests.matrix.strict"), seconds=900)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert "sesionAffinity" in answer["misspelt"]
    assert answer["refused"] == {}
    assert answer["broken"] == []
    assert answer["publishers"] == ["cert-manager", "cloudnative-pg", "contour"]
    assert answer["sites"] > 60
    assert answer["objects"] > 400
