"""One look at a host's facts says everything that is to be known before its firewall is touched."""

from __future__ import annotations

from dataclasses import replace

from flows._firewall.outcomes import changed, proposed
from model.ufw.adoption import own_rules
from model.ufw.plan import between, observed_state, plan
from model.ufw.review import review, review_return
from model.ufw.state import CONF, USER
from tests.model.ufw.test_state import REFERENCE
from tests.model.ufw.ufw_data import saved
from tests.tasks.scripted import facts

DB = REFERENCE.by_name["db-1"]
ELSEWHERE = "SSH_CONNECTION=192.0.2.1 51234 10.20.1.31 22"
SSH = "### tuple ### allow tcp 22 0.0.0.0/0 any 10.20.0.0/24 in\n"
WEB = "### tuple ### allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in\n"


def test_the_plan_and_nothing_against_it() -> None:
    reviewed = review(REFERENCE, DB, facts())
    assert reviewed.plan == plan(REFERENCE, DB, facts())
    assert (reviewed.refusal, reviewed.own_rules, reviewed.findings) == (None, (), ())


def test_a_session_that_would_be_locked_out_is_a_refusal() -> None:
    refusal = review(REFERENCE, DB, facts(connection=ELSEWHERE)).refusal
    assert refusal is not None
    assert "192.0.2.1" in refusal


def test_a_persons_rules_are_told_where_the_matrix_does_not_want_them() -> None:
    people = facts(SSH + WEB)
    people = replace(people, files={**people.files, USER[6]: ""})
    assert review(REFERENCE, DB, people).own_rules == ("allow tcp 80 from anywhere",)
    assert [rule.words() for rule in own_rules(REFERENCE, DB, people)] == ["allow tcp 80 from anywhere"]


def test_a_rules_file_that_ufw_did_not_write_stops_the_host_and_not_the_run() -> None:
    broken = facts("what is this\n")
    broken = replace(broken, files={**broken.files, USER[6]: ""})
    (reason,) = review(REFERENCE, DB, broken).own_rules
    assert "what is this" in reason


def test_a_return_is_reviewed_by_the_rules_that_come_back() -> None:
    kept = replace(observed_state(facts()), unit_enabled=False)
    rules = {4: saved(4), 6: saved(6)}
    reviewed = review_return("db-1", kept, rules, facts())
    assert reviewed.plan == between("db-1", observed_state(facts()), kept)
    assert reviewed.plan.change
    assert (reviewed.refusal, reviewed.own_rules, reviewed.findings) == (None, (), ())
    closed = {4: saved(4).replace("--dport 22", "--dport 23"), 6: saved(6)}
    assert review_return("db-1", kept, closed, facts()).refusal is not None


def test_a_comment_in_ufws_rules_is_no_rule_and_a_cut_line_is_named_with_its_file() -> None:
    people = facts(f"# mine\n{SSH}{WEB}")
    people = replace(people, files={**people.files, USER[6]: "*filter\n# mine too\nCOMMIT\n"})
    assert [rule.words() for rule in own_rules(REFERENCE, DB, people)] == ["allow tcp 80 from anywhere"]
    cut = replace(people, files={**people.files, USER[6]: "# mine\n### tuple ### allow tcp 2\n"})
    (reason,) = review(REFERENCE, DB, cut).own_rules
    assert reason.startswith("/etc/ufw/user6.rules: line 2: no tuple of ufw's")


def test_a_comment_in_a_managed_hosts_rules_is_shown_as_a_difference() -> None:
    held = plan(REFERENCE, DB, facts()).then.files
    told = facts(held[USER[4]].replace("*filter\n", "*filter\n# mine\n"))
    diff = plan(REFERENCE, DB, replace(told, files={**told.files, USER[6]: held[USER[6]]})).diff
    assert "-# mine" in diff
    assert "/etc/ufw/user6.rules" not in diff


def test_a_logging_level_that_ufw_does_not_have_is_named_with_its_line_and_set_to_its_usual_one() -> None:
    host = facts()
    host = replace(host, files={**host.files, CONF: "# mine\nENABLED=yes\nLOGLEVEL=on\n"})
    todo = review(REFERENCE, DB, host).plan
    assert todo.then.files[CONF] == "# mine\nENABLED=yes\nLOGLEVEL=low\n"
    for outcome in (proposed(todo), changed(todo)):
        assert "/etc/ufw/ufw.conf line 3: LOGLEVEL=on is no level of ufw's" in outcome.message
    assert "LOGLEVEL" not in proposed(review(REFERENCE, DB, facts()).plan).message
