"""Changes of services and what listens."""

from __future__ import annotations

from tests.checks.changes import Case, put, text

CASES = (
    Case(
        "services/running", "cp-1", text("units", "ActiveState=active", "ActiveState=failed", "known"), "does not run"
    ),
    Case(
        "services/running",
        "cp-1",
        text("units", "UnitFileState=enabled", "UnitFileState=disabled", "known"),
        "would not start at boot",
    ),
    Case("services/failed", "cp-1", put("units", "failed", to=["x.service"]), "x.service failed"),
    Case(
        "services/listeners",
        "cp-3",
        lambda sections: sections.update(
            listeners=sections["listeners"] + 'tcp LISTEN 0 9 0.0.0.0:9999 0.0.0.0:* users:(("nc",pid=9,fd=3))\n'
        ),
        "nc listens on 9999/tcp",
    ),
    Case(
        "services/listeners",
        "cp-3",
        lambda sections: sections.update(
            listeners=sections["listeners"] + 'tcp LISTEN 0 9 *:10250 *:* users:(("nc",pid=9,fd=3))\n'
        ),
        "which is for kubelet",
    ),
)
