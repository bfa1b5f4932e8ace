"""All tests of one host go to one worker of xdist, so that each thing of a host is asked for once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group by host."""
    for item in items:
        # Every test here is parametrized by host; pytest types items that need not be.
        item.add_marker(pytest.mark.xdist_group(item.callspec.id))  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def wanted(host: Any) -> dict[str, Any]:
    """What must be so on a host."""
    name = host.backend.get_hostname()
    variables: dict[str, Any] = json.loads(
        (Path(os.environ["THEIRS"]) / "host_vars" / f"{name}.json").read_text("utf-8")
    )
    return dict(variables["wanted"])
