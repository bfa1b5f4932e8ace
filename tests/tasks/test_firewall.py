"""A change is proven before it is kept, and a change that cannot be proven is taken back."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Any

import pytest

from model.errors import CommandFailed, HostError, Unreachable
from model.ufw.adoption import unmanaged_rules
from model.ufw.facts import FirewallFacts
from model.ufw.lockout import lockout, lockout_by
from model.ufw.next_boot import FileTrial, NextBoot
from model.ufw.plan import UfwPlan, between, observed_state, plan
from model.ufw.review import review
from model.ufw.state import AFTER, BEFORE, USER, UfwState
from model.ufw.text import render
from model.ufw.unconfirmed import UnconfirmedChange
from tasks import firewall
from tasks.firewall_session import FirewallSession
from tests.model.ufw.test_state import REFERENCE, TESTS
from tests.model.ufw.ufw_data import data, saved, told
from tests.mutation import loaded
from tests.tasks.scripted import Script, facts

DB = REFERENCE.by_name["db-1"]
_LAID = re.compile(rb'base64 -d >"\$mf_work"/(\S+) <<\'[^\n]*\n([A-Za-z0-9+/=\n]*?)mf-')


class WatchedSession(FirewallSession):
    """A session whose look at the host is a given one."""

    seen: FirewallFacts

    def facts(self) -> FirewallFacts:
        return self.seen


class Lost(Script):
    """A host that is not heard of again once it has died."""

    def write(self, data: bytes) -> None:
        if self._lines == [b"died"]:
            raise EOFError("connection lost")
        super().write(data)


def _plan() -> tuple[UfwPlan, FirewallFacts]:
    """Return a plan that takes the first rule away, and the host as it is when that is done."""
    now = facts()
    text = render(told(4)[1:], 4, "low")
    kernel = saved(4).replace(
        "-A ufw-user-input -s 10.20.2.0/24 -d 10.20.1.31/32 -p tcp -m tcp --dport 9001 -j DROP\n", ""
    )
    after = replace(facts(text), rulesets=replace(now.rulesets, saved={4: kernel, 6: saved(6)}))
    return between("db-1", observed_state(now), observed_state(after)), after


def _session(script: Script, seen: FirewallFacts) -> WatchedSession:
    session = WatchedSession("db-1", script, "me")
    session.seen = seen
    script.asked.clear()
    return session


def test_the_kernel_comes_first_then_proof_then_files_and_the_rollback_last() -> None:
    todo, after = _plan()
    script = Script()
    firewall.apply(_session(script, after), todo, facts().rulesets, lambda: script.asked.append("proof"))
    assert script.asked == ["mf_test && mf_arm && mf_kernel", "proof", "mf_renew && mf_write", "mf_disarm"]


def test_what_was_written_and_cannot_be_loaded_again_is_taken_back() -> None:
    todo, after = _plan()
    broken = NextBoot(how="loaded", trials=(FileTrial(path=USER[4], code=2, words="Bad argument\nline 3"),))
    script = Script()
    with pytest.raises(HostError, match=r"does not come back: /etc/ufw/user\.rules line 3"):
        firewall.apply(_session(script, replace(after, boot=broken)), todo, facts().rulesets, lambda: None)
    assert "mf_undo" in script.asked[-1]
    foreign = NextBoot(how="loaded", trials=(FileTrial(path=BEFORE[4], code=2, words="Bad argument"),))
    firewall.apply(_session(Script(), replace(after, boot=foreign)), todo, facts().rulesets, lambda: None)


def test_files_that_the_next_boot_cannot_load_are_findings_with_file_and_line() -> None:
    trials = tuple(FileTrial(path=path, code=0) for path in (BEFORE[4], AFTER[4], USER[4]))
    words = "Bad argument `allow'\nError occurred at line: 1"
    broken = replace(
        facts(), boot=NextBoot(how="loaded", trials=(replace(trials[0], code=2, words=words), *trials[1:]))
    )
    (finding,) = review(REFERENCE, DB, broken).findings
    assert (finding.subject, finding.status.value) == ("next-boot/before.rules", "drift")
    assert "/etc/ufw/before.rules line 1" in finding.message
    assert "Bad argument `allow'" in finding.message
    rewritten = replace(broken, boot=NextBoot(how="loaded", trials=(*trials[:2], replace(trials[2], code=2))))
    assert {found.subject for found in review(REFERENCE, DB, rewritten).findings} <= {"next-boot/user.rules"}
    wiped = replace(
        facts(), boot=NextBoot(how="loaded", trials=trials, started=("nftables",), flushes=("flush ruleset",))
    )
    assert [found.subject for found in review(REFERENCE, DB, wiped).findings] == ["next-boot/nftables"]
    unknown = replace(facts(), boot=NextBoot(how="no unshare"))
    assert [found.status.value for found in review(REFERENCE, DB, unknown).findings] == ["unproven"]


def test_a_stopped_ufw_gets_its_files_and_is_started_by_its_own_script() -> None:
    running = facts()
    todo = between("db-1", observed_state(facts(running=False)), observed_state(running))
    script = Script()
    firewall.apply(_session(script, running), todo, running.rulesets, lambda: None)
    assert script.asked[0] == "mf_test && mf_arm && mf_write && mf_start && mf_renew"


def test_without_proof_the_change_is_taken_back() -> None:
    def unreachable() -> None:
        raise Unreachable("db-1", "no answer")

    todo, after = _plan()
    script = Script()
    with pytest.raises(Unreachable):
        firewall.apply(_session(script, after), todo, facts().rulesets, unreachable)
    assert "mf_undo" in script.asked[-1]
    assert not any("mf_disarm" in command or "mf_write" in command for command in script.asked)


def test_a_kernel_that_holds_something_else_afterwards_is_taken_back() -> None:
    todo, _ = _plan()
    script = Script()
    with pytest.raises(HostError, match="hold something else"):
        firewall.apply(_session(script, facts()), todo, facts().rulesets, lambda: None)
    assert "mf_undo" in script.asked[-1]


def test_a_rollback_that_fails_as_well_is_told() -> None:
    todo, _ = _plan()
    with pytest.raises(
        HostError, match=r"(?s)hold something else.*not all of what was there before came back"
    ) as raised:
        firewall.apply(_session(Script({"mf_undo": (1, "")}), facts()), todo, facts().rulesets, lambda: None)
    assert "/var/lib/matrix-fleet/fired/log" in raised.value.next_step


def test_rules_that_iptables_refuses_change_nothing() -> None:
    todo, after = _plan()
    script = Script({"mf_test": (1, "")})
    with pytest.raises(CommandFailed):
        firewall.apply(_session(script, after), todo, facts().rulesets, lambda: pytest.fail("nothing to prove"))
    assert len(script.asked) == 2


def test_what_becomes_of_a_change_is_known_at_every_moment() -> None:
    todo, after = _plan()
    seen: list[str] = []
    session = _session(Script(), after)
    firewall.apply(session, todo, facts().rulesets, lambda: seen.append(session.unconfirmed))
    assert (seen, session.unconfirmed) == (["armed"], "")
    failing = _session(Script({"mf_disarm": (1, "")}), after)
    with pytest.raises(CommandFailed):
        firewall.apply(failing, todo, facts().rulesets, lambda: None)
    assert failing.unconfirmed == ""
    lost = _session(Lost(dies_at="mf_disarm"), after)
    with pytest.raises(Unreachable):
        firewall.apply(lost, todo, facts().rulesets, lambda: None)
    assert lost.unconfirmed == "confirming"


def test_a_start_is_told_which_chains_of_others_to_bring_back() -> None:
    stopped, running = facts(running=False), facts()
    files = {**stopped.files, AFTER[4]: "*filter\n:GUARD - [0:0]\n-I FORWARD -j GUARD\nCOMMIT\n"}
    todo = between("db-1", observed_state(stopped), observed_state(running), files=files)
    script = Script()
    firewall.apply(_session(script, running), todo, running.rulesets, lambda: None)
    laid = {name: base64.b64decode(text) for name, text in _LAID.findall(bytes(script.written))}
    assert laid[b"undo-others4"] == b"filter FORWARD\nfilter GUARD\n"
    assert laid[b"undo-others6"] == b""
    assert b"GUARD" not in laid[b"undo-restore4"]


def test_holding_renews_the_rollback() -> None:
    todo, after = _plan()
    script = Script()
    firewall.apply(_session(script, after), todo, facts().rulesets, lambda: None, hold=0.05)
    assert script.asked[1] == "mf_renew"


def test_a_change_of_others_meanwhile_is_reported() -> None:
    todo, after = _plan()
    before = replace(after.rulesets, saved={**after.rulesets.saved, 4: saved(4) + "*nat\n-A PREROUTING -j X\nCOMMIT\n"})
    assert "PREROUTING" in firewall.apply(_session(Script(), after), todo, before, lambda: None).foreign
    assert firewall.apply(_session(Script(), after), todo, after.rulesets, lambda: None).foreign == ""


def test_a_plan_for_a_host_without_ufw_starts_from_the_packages_files() -> None:
    bare = replace(facts(running=False), installed=False, files={}, unit_enabled=False)
    todo = plan(REFERENCE, DB, bare)
    assert todo.install
    assert todo.start
    assert "+allow tcp 22 from 10.20.0.0/24 # matrix-fleet ssh" in todo.diff


@pytest.mark.parametrize(
    ("connection", "refused"),
    [
        ("SSH_CONNECTION=10.20.0.10 51234 10.20.1.31 22", False),
        ("SSH_CONNECTION=fd20::10 51234 fd20:1::31 22", False),
        ("SSH_CONNECTION=10.20.1.11 51234 10.20.1.31 22", True),
        ("SSH_CONNECTION=10.20.0.10 51234 10.20.1.31 2222", True),
        ("SSH_CONNECTION=192.0.2.1 51234 10.20.1.31 22", True),
        ("SSH_CONNECTION=127.0.0.1 51234 127.0.0.1 22", False),
        ("", True),
    ],
)
def test_the_peer_the_host_sees_decides_whether_the_matrix_locks_out(connection: str, refused: bool) -> None:
    assert (lockout(REFERENCE, DB, facts(connection=connection)) is not None) == refused


def test_rules_to_bring_back_must_admit_the_peer() -> None:
    kept = {4: saved(4), 6: saved(6)}
    assert lockout_by("db-1", kept, facts()) is None
    assert lockout_by("db-1", {4: saved(4).replace("--dport 22", "--dport 23"), 6: saved(6)}, facts()) is not None
    assert lockout_by("db-1", {4: "", 6: ""}, facts()) is None
    assert lockout_by("db-1", kept, facts(connection="")) is not None


def test_only_a_host_without_any_rule_of_ours_counts_as_never_managed() -> None:
    assert unmanaged_rules(facts()) == ()
    people = data("people.user.rules")
    assert unmanaged_rules(facts(people)) == ()
    alone = facts("### tuple ### allow tcp 80 0.0.0.0/0 any 0.0.0.0/0 in\n")
    alone = replace(alone, files={**alone.files, USER[6]: ""})
    assert [rule.words() for rule in unmanaged_rules(alone)] == ["allow tcp 80 from anywhere"]


def test_findings_name_what_is_not_ours_to_change() -> None:
    assert review(REFERENCE, DB, facts()).findings == ()
    first = "-A INPUT -j ufw-before-logging-input\n"
    foreign = {4: saved(4).replace(first, f"-A INPUT -s 192.0.2.1/32 -j ACCEPT\n{first}"), 6: saved(6)}
    seen = replace(
        facts(), rulesets=replace(facts().rulesets, saved=foreign), unconfirmed=UnconfirmedChange(state="armed")
    )
    assert [(finding.subject, finding.status.value) for finding in review(REFERENCE, DB, seen).findings] == [
        ("rollback", "drift"),
        ("foreign-rules", "drift"),
    ]
    bare: Any = loaded(TESTS / "data" / "five-servers")
    site = replace(bare, rows=tuple(row for row in bare.rows if not row.builtin))
    assert [finding.subject for finding in review(site, site.by_name["n-1"], facts()).findings] == ["builtin-openings"]


def test_the_state_of_a_host_is_what_its_files_and_kernel_say() -> None:
    seen: UfwState = observed_state(facts())
    assert seen.running
    assert set(seen.files) == {USER[4], USER[6], "/etc/default/ufw", "/etc/ufw/ufw.conf"}
