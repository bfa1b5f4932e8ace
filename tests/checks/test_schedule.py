"""
The scheduled identity's files and its rule of sudo: what is as it was put there is good, and everything else is found.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checks.check import ComplianceView
from checks.subjects.people import sudo
from checks.subjects.schedule import files
from model.check.finding import Verdict
from model.host.host_facts import HostFacts, Placed, Scheduled, Users
from model.host.scheduled import AUTHORIZED_KEYS, ENTRY, FOLDER, SUDOERS, is_own_rule, programs_of
from model.site.schedule import Schedule
from model.site.settings import Compliance
from remote.collector.program.system import SCHEDULED
from tasks.scheduled import desired
from tests.checks.golden import NOW, site, view

USER = "matrix-fleet"
STATE = desired(USER, "ssh-ed25519 AAAA")
EXPECTED = {file.path: file.sha256 for file in STATE.files}
AS_PUT = {file.path: Placed(file.sha256, file.mode, 0, 0) for file in STATE.files} | {
    folder: Placed("", 0o755, 0, 0) for folder in (FOLDER, f"{FOLDER}/.ssh")
}
COLLECTOR = programs_of()["collector"]
RULES = next(file.text for file in STATE.files if file.path == SUDOERS)


def judged(**changes: Placed | None) -> Verdict:
    """Judge a host with these changes by path."""
    facts = HostFacts("w-1", 0.0, {Scheduled: Scheduled({**AS_PUT, **changes})})
    return files(ComplianceView(site=site(), now=NOW, scheduled=EXPECTED), site().by_name["w-1"], facts)


def test_the_collector_looks_at_exactly_what_is_put_there() -> None:
    assert set(SCHEDULED) == set(AS_PUT)


def test_what_is_as_it_was_put_there_is_good() -> None:
    assert judged().findings == ()
    assert "6 files" in judged().good


@pytest.mark.parametrize("path", EXPECTED)
def test_a_file_that_is_missing_or_another_is_found(path: str) -> None:
    assert [wrong.message for wrong in judged(**{path: None}).findings] == [f"{path} is not there"]
    (finding,) = judged(**{path: replace(AS_PUT[path], sha256="0" * 64)}).findings
    assert "another file" in finding.message


@pytest.mark.parametrize("path", AS_PUT)
@pytest.mark.parametrize("change", [{"owner": 1000}, {"mode": 0o775}, {"mode": 0o757}])
def test_what_others_than_root_may_change_is_found(path: str, change: dict[str, Any]) -> None:
    (finding,) = judged(**{path: replace(AS_PUT[path], **change)}).findings
    assert finding.message == f"{path} can be changed by others than root"


def test_where_nothing_runs_on_schedule_there_is_nothing_to_judge() -> None:
    assert files(ComplianceView(site=site(), now=NOW), site().by_name["w-1"], HostFacts("w-1", 0.0, {})).pending


@pytest.mark.parametrize("line", RULES.splitlines()[1:])
def test_the_rules_that_are_put_there_are_known_as_its_own(line: str) -> None:
    assert is_own_rule(USER, line)
    assert not is_own_rule("eve", line)


_DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "line",
    [
        f"{USER} ALL=(ALL) NOPASSWD: ALL",
        f'{USER} ALL=(root) NOPASSWD: {COLLECTOR} ""',
        f"{USER} ALL=(root) NOPASSWD: {_DIGEST} {COLLECTOR}",
        f'{USER} ALL=(root) NOPASSWD: {_DIGEST} {ENTRY} ""',
        f'{USER} ALL=(root) NOPASSWD: {_DIGEST} /bin/sh ""',
        f'{USER} ALL=(root) NOPASSWD: {_DIGEST} {COLLECTOR} "", /bin/sh',
        f'{USER} ALL=(root) NOPASSWD:SETENV: {_DIGEST} {COLLECTOR} ""',
    ],
)
def test_a_rule_that_gives_more_is_found(line: str) -> None:
    assert "matrix-fleet may become root" in _sudo(f"{RULES}{line}\n", SUDOERS, Schedule())


def test_its_own_rules_are_no_finding_in_their_file_alone_and_while_the_site_has_a_schedule() -> None:
    assert _sudo(RULES, SUDOERS, Schedule()) == ""
    assert "matrix-fleet may become root" in _sudo(RULES, SUDOERS, None)
    assert "matrix-fleet may become root" in _sudo(RULES, "/etc/sudoers.d/zz", Schedule())
    assert "matrix-fleet may become root" in _sudo(RULES, SUDOERS, Schedule(user="other"))


def _sudo(text: str, path: str, schedule: Schedule | None) -> str:
    """Return what the check of sudo says of a host that has these rules besides its own."""
    seen = view()
    users = seen.facts["w-1"].of(Users)
    added = replace(users, sudoers={**users.sudoers, path: text})
    facts = HostFacts("w-1", 0.0, {Users: added})
    settings = seen.site.settings.model_copy(update={"compliance": Compliance(schedule=schedule)})
    declared = replace(seen, site=replace(seen.site, settings=settings))
    return "; ".join(finding.message for finding in sudo(declared, seen.site.by_name["w-1"], facts).findings)


def test_the_key_lies_where_the_account_looks_for_it() -> None:
    assert f"{STATE.users[0].home}/.ssh/authorized_keys" == AUTHORIZED_KEYS
