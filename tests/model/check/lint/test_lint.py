"""Every rule fires where it must, and nowhere on the reference site."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from model.check.lint import RULES, as_json, exit_code, findings, from_schema
from model.errors import FieldError
from tests.mutation import REFERENCE, WAIVED, cases, loaded, site

TODAY = date(2026, 11, 23)
CASES = cases("rules.yaml")
FIVE = REFERENCE.parent / "tests" / "data" / "five-servers"


def _title(case: dict[str, Any]) -> str:
    return f"{case['rule']}-{CASES.index(case)}"


@pytest.mark.parametrize("case", CASES, ids=_title)
def test_rule_fires_on_its_trap_at_the_place_and_says_what_to_write(case: dict[str, Any], tmp_path: Path) -> None:
    edits = {key: case[key] for key in ("set", "delete", "text", "kept") if key in case}
    flaws = [finding for finding in findings(site(tmp_path, **edits), TODAY) if finding.check == case["rule"]]
    file, path = case["at"].split(" ", 1)
    matching = [finding for finding in flaws if finding.file == file and finding.path.endswith(path)]
    assert matching, f"{case['rule']} found {[(item.file, item.path) for item in flaws]}"
    assert {finding.severity for finding in matching} == {case.get("severity", "error")}
    assert all(finding.remedy and finding.message for finding in matching)


def test_every_rule_has_a_trap_it_fires_on() -> None:
    assert {rule.id for rule in RULES} | {"waiver-unused"} == {case["rule"] for case in CASES}


def test_rules_have_one_name_each_and_say_why() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.why.endswith(".") and rule.judge.__doc__ for rule in RULES)


def test_reference_site_has_no_error_and_waives_nothing() -> None:
    flaws = findings(loaded(), TODAY)
    assert exit_code(flaws) == 0
    assert not [finding for finding in flaws if finding.severity == "waived"]


def test_what_is_waived_is_listed_and_no_error(tmp_path: Path) -> None:
    flaws = findings(site(tmp_path, set=WAIVED), TODAY)
    assert exit_code(flaws) == 0
    assert [finding.check for finding in flaws if finding.severity == "waived"] == ["cni-enforces-nothing"]
    assert "until 2030-12-31" in next(finding.message for finding in flaws if finding.severity == "waived")


@pytest.mark.parametrize("size", ["auto", "small", "lab"])
def test_five_servers_are_a_site_without_errors_of_every_size(size: str, tmp_path: Path) -> None:
    flaws = findings(site(tmp_path, FIVE, set={"site:size": size}), TODAY)
    assert exit_code(flaws) == 0
    assert not [finding for finding in flaws if finding.check in ("role-minimum", "hardware-minimum", "sizing-beyond")]


def test_a_small_site_that_lacks_a_server_is_warned_and_a_large_one_is_wrong(tmp_path: Path) -> None:
    for size, code in (("auto", 1), ("small", 0), ("lab", 0)):
        short = site(tmp_path / size, FIVE, set={"site:size": size, "hosts:n-3.groups": ["control_plane", "storage"]})
        flaws = findings(short, TODAY)
        assert exit_code(flaws) == code
        assert {f.path for f in flaws if f.check == "role-minimum"} == {"(role database)"}


# What a small site is spared, what it is warned of, and what is wrong on it as on any other.
SMALL_EDITS: tuple[dict[str, Any], ...] = (
    {},
    {"site:concurrent_users": 101, "hosts:w-1.data.cpus": 3, "hosts:db-1.data.ram_gib": 1},
    {"site:tls": {"staging": True, "method": "internal-ca"}, "site:admins": [], "site:external": {}},
    {"hosts:st-4.groups": ["worker"], "hosts:db-3.groups": ["worker"], "site:ntp": []},
    {"site:egress": "closed", "site:federation": True, "site:management": ["0.0.0.0/0"]},
)


@pytest.mark.parametrize("edits", SMALL_EDITS)
def test_lab_and_small_are_one_site_with_the_same_findings(edits: dict[str, Any], tmp_path: Path) -> None:
    lab, small = (site(tmp_path, set={**edits, "site:size": size}) for size in ("lab", "small"))
    assert asdict(lab) == asdict(small)
    assert findings(lab, TODAY) == findings(small, TODAY)


def test_hardware_below_the_recommendation_is_a_warning_that_calls_it_so(tmp_path: Path) -> None:
    for size, words in (("small", "are recommended"), ("auto", "need")):
        flaws = findings(site(tmp_path / size, set={"site:size": size, "hosts:w-1.data.cpus": 3}), TODAY)
        (hardware,) = (finding for finding in flaws if finding.check == "hardware-minimum")
        assert hardware.severity == "warning"
        assert words in hardware.message
    assert not [
        finding
        for finding in findings(site(tmp_path / "enough", set={"hosts:w-1.data.cpus": 4}), TODAY)
        if finding.check == "hardware-minimum"
    ]


def test_a_hundred_users_are_a_small_site_and_more_are_a_warning(tmp_path: Path) -> None:
    for users, severities in ((100, []), (101, ["warning"])):
        flaws = findings(site(tmp_path / str(users), set={"site:concurrent_users": users}), TODAY)
        assert [finding.severity for finding in flaws if finding.check == "sizing-beyond"] == severities


def test_lapsed_waiver_is_drift_and_so_is_what_it_covered(tmp_path: Path) -> None:
    flaws = findings(site(tmp_path, set=WAIVED), date(2031, 1, 1))
    assert {finding.check for finding in flaws if finding.severity == "drift"} == {
        "waiver-expired",
        "cni-enforces-nothing",
    }
    assert exit_code(flaws) == 2


def test_waiver_counts_until_the_end_of_its_day(tmp_path: Path) -> None:
    assert exit_code(findings(site(tmp_path, set=WAIVED), date(2030, 12, 31))) == 0


def test_waiver_of_one_host_covers_no_other(tmp_path: Path) -> None:
    waiver = {
        "id": "address-outside-network",
        "host": "w-1",
        "reason": "moving",
        "owner": "ops",
        "expires": "2030-01-01",
    }
    places = {f"hosts:w-{number}.data.addresses.main": [f"10.9.9.{number}", f"fd20:1::2{number}"] for number in (1, 2)}
    flaws = findings(site(tmp_path, set={"site:waivers": [waiver], **places}), TODAY)
    shown = {(finding.host, finding.severity) for finding in flaws if finding.check == "address-outside-network"}
    assert shown == {("w-1", "waived"), ("w-2", "error")}


def test_default_cidrs_are_checked_like_written_ones(tmp_path: Path) -> None:
    # The default 10.96.0.0/12 reaches 10.111.255.255.
    edits = {"site:management": ["10.111.200.0/24"]}
    flaws = findings(
        site(tmp_path, set=edits, delete=["site:kubernetes.service_cidrs", "site:kubernetes.pod_cidrs"]), TODAY
    )
    assert any(finding.check == "cidr-overlap" and "10.111.255.255" in finding.message for finding in flaws)


def test_schema_errors_are_findings_and_all_findings_are_plain_data() -> None:
    flaws = from_schema([FieldError("site.yaml", "ntp.0", "'x'", "is no address")])
    assert exit_code(flaws) == 1
    assert set(json.loads(json.dumps(as_json(flaws[0])))) >= {"rule", "severity", "file", "path", "value", "fix"}


@pytest.mark.parametrize(
    "settings",
    [
        {"site:object_storage": {"provider": "external", "endpoint": "https://s3.example.org"}},
        {"site:ingress": {"controller": "organisation", "class_name": "traefik"}},
        {},
    ],
)
def test_what_is_maintained_is_not_warned_of(settings: dict[str, Any], tmp_path: Path) -> None:
    found = {finding.check for finding in findings(site(tmp_path, set=settings), TODAY)}
    assert not found & {"storage-unmaintained", "ingress-retired"}
