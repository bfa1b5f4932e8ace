"""No item of the checklist is absent, each is answered for, and most of what can be judged by machine is."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from checks.discovery import chosen, every
from checks.items import FILE, checklist, read
from flows._compliance.items import others, states
from model.report.outcome import Outcome, Status
from model.site.settings import SignedOff
from model.site.site import Site
from tests.checks.golden import site

TODAY = date(2026, 11, 26)
# Of the checklist as it stands: checkboxes, rows of requirement tables, required points.
COUNTS = {
    "Organization Prerequisites 1 Server Provisioning": 9,
    "Organization Prerequisites 2 External DNS Records": 8,
    "Organization Prerequisites 3.1 External Ports (Internet-Facing)": 11,
    "Organization Prerequisites 3.2 Kubernetes Cluster Ports (Inter-Node)": 12,
    "Organization Prerequisites 3.3 Application Service Ports (Internal Kubernetes)": 20,
    "Organization Prerequisites 3.4 Port Requirements by Server Type": 34,
    "Organization Prerequisites 3.5 Outbound Requirements": 5,
    "Organization Prerequisites 4 LI Network Isolation (Organization Responsibility)": 16,
    "Organization Prerequisites 5 TLS Certificates": 9,
    "Organization Prerequisites 6 Optional External Services": 3,
    "Deployer Responsibilities": 9,
    "Pre-Deployment Information Gathering": 18,
    "Phase 1.1 PostgreSQL (CloudNativePG)": 9,
    "Phase 1.2 Redis Sentinel": 5,
    "Phase 1.3 MinIO Storage": 7,
    "Phase 1.4 Networking": 11,
    "Phase 2.1 Synapse Main Process": 2,
    "Phase 2.2 HAProxy Load Balancer": 4,
    "Phase 2.3 key_vault Application (LI Network)": 14,
    "Phase 2.4 LiveKit SFU": 4,
    "Phase 3.1 Sync System": 5,
    "Phase 3.2 LI Synapse Instance": 4,
    "Phase 4.1 Antivirus (ClamAV)": 4,
    "Phase 4.2 Element Web": 3,
    "Phase 4.3 TURN Server (coturn)": 3,
    "Phase 5.1 ServiceMonitors": 7,
    "Phase 5.2 Grafana Dashboards": 4,
    "Pre-Deployment Actions 1 Replace All Placeholder Values": 7,
    "Pre-Deployment Actions 2 Generate Secure Credentials": 16,
    "Pre-Deployment Actions 3 Update Domain Names": 4,
    "Pre-Deployment Actions 4 Verify Kubernetes Prerequisites": 5,
    "Pre-Deployment Actions 5 Storage Class Configuration (CRITICAL)": 3,
    "Pre-Deployment Actions 6 Node Labeling Requirements (CRITICAL)": 3,
    "Pre-Deployment Actions 7 LiveKit / Element Call Setup (For Group Video Calls)": 3,
    "Post-Deployment Validation 1 Component Health Checks": 3,
    "Post-Deployment Validation 2 Connectivity Tests": 3,
    "Post-Deployment Validation 3 Synapse Health": 2,
    "Post-Deployment Validation 4.5 Sync Health Checklist": 7,
    "Final Checklist": 11,
}
MEASURED = (
    "Organization Prerequisites",
    "Pre-Deployment Information Gathering",
    "Pre-Deployment Actions 4",
    "Pre-Deployment Actions 5",
    "Pre-Deployment Actions 6",
)


def test_no_item_is_absent() -> None:
    assert Counter(item.section for item in checklist().items) == COUNTS


def test_sections_have_titles_and_items_their_number_and_no_place_that_nobody_can_open() -> None:
    numbered = [section for section in checklist().sections() if re.search(r" \d[.\d]*", section)]
    assert len(numbered) == len(checklist().sections()) - 3
    assert all(re.search(r" \d[.\d]* [A-Za-z]", section) for section in numbered)
    for item in checklist().items:
        assert item.id.endswith(f"-{item.number}")
        assert item.to_json()["section"] == item.section
        assert "line" not in item.to_json()
    assert not re.search(r"\bline\b", FILE.read_text("utf-8"))


SECTION = "{key: KEY, title: TITLE, items: [{title: t, who: operations}]}"


@pytest.mark.parametrize(
    ("keys", "titles", "message"), [(("a", "a"), ("A", "B"), "a-1"), (("a", "b"), ("A", "A"), "called A")]
)
def test_no_two_items_or_sections_have_one_name(keys: tuple[str, str], titles: tuple[str, str], message: str) -> None:
    sections = (SECTION.replace("KEY", key).replace("TITLE", title) for key, title in zip(keys, titles, strict=True))
    with pytest.raises(ValueError, match=message):
        read(f"sections: [{', '.join(sections)}]")


@pytest.mark.parametrize("answer", ["", ", checks: [a/b], who: operations"])
def test_an_item_that_is_not_exactly_one_kind_is_refused_by_its_id(answer: str) -> None:
    with pytest.raises(ValueError, match=r"items\.yaml: a-1 \(t\): exactly one"):
        read(f"sections: [{{key: a, title: A, items: [{{title: t{answer}}}]}}]")


def test_nine_of_ten_items_that_are_due_are_automated() -> None:
    for start in MEASURED:
        due = [item for item in checklist().items if item.section.startswith(start) and item.kind != "later"]
        assert sum(item.kind == "automated" for item in due) >= 0.9 * len(due)


ROLLED_OUT = ("Phase 1", "Phase 2.1", "Phase 2.2", *(f"Pre-Deployment Actions {number} " for number in range(1, 5)))
# What these bring is rolled out after it.
AFTER = {"LI sync", "key_vault", "monitoring"}


def test_what_the_rollout_brings_is_answered_for() -> None:
    validated = tuple(f"Post-Deployment Validation {number} " for number in range(1, 4))
    items = [item for item in checklist().items if item.section.startswith((*ROLLED_OUT, *validated))]
    assert {item.later for item in items if item.kind == "later"} <= AFTER
    assert all(item.kind == "automated" for item in items if item.section.startswith(validated))


def test_items_name_exactly_the_checks_there_are() -> None:
    assert {check.id for check in every()} == {check for item in checklist().items for check in item.checks}


def test_checks_tell_all_about_themselves() -> None:
    for check in every():
        assert all((check.title, check.looks_at, check.by, check.remedy))
        assert checklist().of(check.id), check.id
        assert "/" in check.id


def test_a_subject_stands_for_all_of_it() -> None:
    assert {check.id for check in chosen(every(), ["firewall"])} == {
        "firewall/rules",
        "firewall/kernel",
        "firewall/foreign",
        "firewall/next-boot",
        "firewall/unconfirmed",
    }
    with pytest.raises(KeyError, match="nothing"):
        chosen(every(), ["nothing"])


def _ticked(*ticks: SignedOff) -> Site:
    declared = site()
    settings = declared.settings.model_copy(update={"signed_off": ticks})
    return replace(declared, settings=settings)


def _status(ticked: Site, subject: str) -> Status:
    (outcome_of_it,) = [outcome for outcome in others(ticked, checklist(), TODAY) if outcome.subject == subject]
    return outcome_of_it.status


def test_a_person_ticks_what_no_program_can_judge() -> None:
    tick = SignedOff(item="final-9", who="Jo", when=date(2026, 11, 1), evidence="ticket 9")
    assert _status(_ticked(), "final-9") is Status.NOT_RUN
    assert _status(_ticked(tick), "final-9") is Status.OK
    assert _status(_ticked(tick.model_copy(update={"expires": date(2026, 11, 25)})), "final-9") is Status.DRIFT
    assert _status(_ticked(tick.model_copy(update={"when": date(2026, 12, 1)})), "final-9") is Status.DRIFT


def test_what_a_check_judges_cannot_be_ticked() -> None:
    tick = SignedOff(item="prerequisites-1-1", who="Jo", when=date(2026, 11, 1), evidence="trust me")
    assert _status(_ticked(tick), "signed-off/prerequisites-1-1") is Status.DRIFT


def test_an_item_is_as_good_as_the_worst_of_its_checks() -> None:
    def state(*statuses: Status) -> str:
        outcomes = [Outcome(f"h{number}", "firewall/foreign", status) for number, status in enumerate(statuses)]
        return str(next(item for item in states(checklist(), outcomes) if item["id"] == "deployer-2")["state"])

    assert state(Status.OK, Status.DRIFT) == "drift"
    assert state(Status.OK, Status.FAILED) == "failed"
    assert state(Status.OK, Status.WAIVED) == "waived"
    assert state() == "not_run"
    later = [item for item in states(checklist(), []) if item["kind"] == "later"]
    assert {item["state"] for item in later} == {"not_run"}


# What nobody can look at: what must be there before or during the installation alone, and an address that only mail
# can try.
BY_THE_FILES = {
    "prerequisites-1-4",
    "prerequisites-3.5-1",
    "prerequisites-3.5-2",
    "prerequisites-3.5-3",
    "prerequisites-5-6",
    "actions-2-3",
}


def test_the_sites_files_answer_alone_only_for_what_they_are_asked_for() -> None:
    alone = {
        item.id for item in checklist().items if item.checks and all(check.startswith("site/") for check in item.checks)
    }
    asked = {name for name in alone if name.startswith("information-")}
    assert alone - asked == BY_THE_FILES
