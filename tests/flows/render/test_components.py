"""A rollout's summary names what is not good and what was done, and says the rest in one line."""

from __future__ import annotations

from typing import Any

from flows._render.components import component_lines
from flows._render.html.data import page_data
from flows._render.notices import notices

TIME = "2026-01-01T00:00:00+00:00"


def component(name: str, status: str = "ok", **counts: int) -> dict[str, Any]:
    zero = dict.fromkeys(("created", "changed", "replaced", "pruned"), 0)
    return {"name": name, "phase": 1, "status": status, "objects": 3, **zero, **counts, "seconds": 1.5, "why": ""}


def gate(name: str, status: str, why: str, **figures: float) -> dict[str, Any]:
    return {
        "name": name,
        "component": name,
        "status": status,
        "seconds": 0.5,
        "figures": figures,
        "why": why,
        "findings": [],
    }


def outcome(subject: str, evidence: str, status: str = "drift") -> dict[str, Any]:
    row = {"host": "controller", "subject": subject, "status": status, "message": "would be created", "next": "run"}
    return {**row, "evidence": evidence, "seconds": 0.0}


def report(**parts: Any) -> dict[str, Any]:
    about = {"flow": "rollout", "site": "a", "run": "r", "started": TIME, "ended": TIME, "exit": 2, "good": False}
    return {**about, "hosts": [], "outcomes": [], **parts}


def texts(**parts: Any) -> list[str]:
    return [line.text for line in component_lines(report(**parts), verbose=False)]


def test_what_is_as_declared_is_one_line() -> None:
    assert texts(components=[component("a"), component("b")]) == ["components", "2 components as declared, 6 objects"]


def test_what_was_done_and_what_failed_is_named_with_numbers() -> None:
    lines = texts(components=[component("a"), component("redis", "changed", created=2), component("b", "failed")])
    assert lines == [
        "components",
        "redis  changed   3 objects, 2 created, 1.5 s",
        "b      failed    3 objects, 1.5 s",
        "1 component as declared, 3 objects",
    ]


def test_gates_show_their_figures_and_those_proven_before_are_counted() -> None:
    rows = [gate("message", "ok", "delivered", sent=3), gate("redis", "not_run", "proven at 2026-01-01 00:00:00 UTC")]
    assert texts(gates=rows) == [
        "gates",
        "message  ok        delivered; sent 3",
        "1 gate proven before; nothing changed since, so not tried again (--gates does)",
    ]


def test_a_gate_that_cannot_be_tried_is_named() -> None:
    assert "redis  not run   there is no program" in texts(gates=[gate("redis", "not_run", "there is no program")])[1]


def test_other_flows_have_no_such_lines() -> None:
    assert component_lines(report(), verbose=True) == []


def test_objects_that_are_made_are_one_finding_without_their_text() -> None:
    diff = "--- /dev/null\n+++ ConfigMap n/{0}\n@@ -0,0 +1,1 @@\n+kind: ConfigMap"
    rows = [outcome(f"a/ConfigMap/n/{name}", diff.format(name)) for name in ("x", "y", "z")]
    found = notices(report(outcomes=rows))
    assert [(notice.title, notice.detail) for notice in found] == [
        ("a/ConfigMap/n/x, a/ConfigMap/n/y, a/ConfigMap/n/z: would be created", ())
    ]
    assert all(notice.detail for notice in notices(report(outcomes=rows), apart=True))


def test_an_object_that_changes_shows_how() -> None:
    diff = "--- ConfigMap n/x\n+++ ConfigMap n/x\n@@ -1,1 +1,1 @@\n-a: 1\n+a: 2"
    assert notices(report(outcomes=[outcome("a/ConfigMap/n/x", diff)]))[0].detail


def test_the_page_has_both() -> None:
    data = page_data(report(components=[component("a")], gates=[gate("a", "ok", "seen")]))
    assert (data["components"][0]["name"], data["gates"][0]["why"]) == ("a", "seen")
