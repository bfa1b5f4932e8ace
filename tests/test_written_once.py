"""What several parts of the project need to know stands in one place, which they all import."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("apps", "checks", "flows", "model", "remote", "tasks")
PLACES = {
    r"cluster\.local": "model/kubernetes/service_names.py",
    r"\{4: 24, 6: 64\}": "model/kubernetes/cluster.py",
    r"^SecretValue = ": "model/rollout/rendered.py",
    r"^\w*(MANAGER|OURS)\w* = \"matrix-fleet\"": "model/kubernetes/manifests.py",
    r"^Dial = ": "apps/message_probe/wire.py",
    r"\bGateContext\(": "flows/_rollout/gates.py",
    r"configMapKeyRef": "model/rollout/pod_sources.py",
    r"def write_private\(|\.draft\".*\n.*\n.*O_EXCL": "tasks/private_file.py",
    r"\bparse_index\(path": "model/rollout/secret_index.py",
}


def places(pattern: str) -> list[str]:
    """Return the files in which a pattern stands."""
    found = re.compile(pattern, re.M)
    paths = (path for tree in TREES for path in sorted((ROOT / tree).rglob("*.py")))
    return [str(path.relative_to(ROOT)) for path in paths if found.search(path.read_text("utf-8"))]


@pytest.mark.parametrize("pattern", PLACES)
def test_it_stands_in_one_place(pattern: str) -> None:
    assert places(pattern) == [PLACES[pattern]]
