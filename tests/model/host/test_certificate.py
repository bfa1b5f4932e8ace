"""How long a certificate holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from model.host.certificate import Certificate

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def certificate(days: float) -> Certificate:
    return Certificate(
        path="/a.crt",
        subject="CN=a",
        issuer="CN=ca",
        serial=255,
        since=NOW - timedelta(days=1),
        until=NOW + timedelta(days=days),
        authority=False,
    )


def test_one_that_holds_a_year_is_no_finding() -> None:
    assert certificate(365).finding(NOW) == ""
    assert certificate(30).finding(NOW) == ""


def test_one_that_expires_within_thirty_days_is() -> None:
    assert certificate(29.9).finding(NOW) == "expires in 29 days, 2026-12-25"


def test_one_that_has_expired_is() -> None:
    assert certificate(-2).finding(NOW) == "expired 2026-11-23"


def test_as_evidence_it_has_everything_a_person_asks_for() -> None:
    evidence = certificate(10).to_json(NOW)
    assert (evidence["days"], evidence["serial"], evidence["authority"]) == (10, "ff", False)
