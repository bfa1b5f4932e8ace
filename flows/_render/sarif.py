"""Findings as code scanners read them, SARIF 2.1.0: a rule a check, a result for each that is not good on a host."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flows._render.document import Document, rows_of
from flows._render.words import printable

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_KINDS = {
    "drift": "fail",
    "failed": "review",
    "missing": "review",
    "unproven": "review",
    "waived": "fail",
    "not_run": "notApplicable",
    "ok": "pass",
}


def render(report: Document) -> str:
    """Return the report as one SARIF run. What is waived is a suppressed result; what was found ok is no result."""
    checks = list(report["checks"])
    index = {check["id"]: number for number, check in enumerate(checks)}
    results = [
        _result(outcome, index)
        for outcome in rows_of(report, "outcomes")
        if outcome["subject"] in index and outcome["status"] not in ("ok", "not_run")
    ]
    run = {
        "tool": {"driver": {"name": "matrix-fleet", "rules": [_rule(check) for check in checks]}},
        "automationDetails": {"id": f"compliance/{report['site']}/{report['run']}"},
        "invocations": [
            {
                "executionSuccessful": report["exit"] in (0, 2, 3),
                "exitCode": report["exit"],
                "startTimeUtc": _utc(report["started"]),
                "endTimeUtc": _utc(report["ended"]),
            }
        ],
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rule(check: Document) -> dict[str, object]:
    return {
        "id": check["id"],
        "shortDescription": {"text": check["title"]},
        "fullDescription": {"text": f"Looks at {check['looks_at']}."},
        "help": {"text": f"To look yourself: {check['by']}. To mend it: {check['remedy']}"},
        "defaultConfiguration": {"level": check["severity"]},
        "properties": {"phase": check["phase"], "section": check["section"], "items": list(check.get("items") or ())},
    }


def _result(outcome: Document, index: Mapping[str, int]) -> dict[str, object]:
    evidence = outcome["evidence"] if isinstance(outcome["evidence"], Mapping) else {}
    kind = _KINDS.get(outcome["status"], "review")
    place = {"name": outcome["host"], "fullyQualifiedName": outcome["host"], "kind": "resource"}
    result: dict[str, object] = {
        "ruleId": outcome["subject"],
        "ruleIndex": index[outcome["subject"]],
        "kind": kind,
        # Only what failed may have a level.
        "level": evidence.get("severity", "error") if kind == "fail" else "none",
        "message": {"text": printable(f"{outcome['host']}: {outcome['message'] or outcome['status']}")},
        "locations": [{"logicalLocations": [place]}],
        "partialFingerprints": {"matrixFleet/v1": f"{outcome['host']}|{outcome['subject']}"},
        "properties": {"status": outcome["status"], "next": printable(outcome["next"])},
    }
    if outcome["status"] == "waived":
        result["suppressions"] = [{"kind": "external", "justification": printable(outcome["message"])}]
    return result


def _utc(text: str) -> str:
    return text.replace("+00:00", "Z")
