"""What compliance looks at beside the collector goes red for what it is for, and what was not seen is never good."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from checks.check import ComplianceView
from model.host.beside import Beside
from model.host.host_facts import Machinery, Rules, Units, UnitSeen
from model.packets.devices import DeviceProgram, Devices
from model.ufw.next_boot import FileTrial, NextBoot
from model.ufw.state import BEFORE
from model.ufw.unconfirmed import TIMER, UnconfirmedChange
from tests.checks.golden import LAB, bad, pending, verdicts, view

HOST = "w-1"
_HOOKS = re.compile(r"-A ufw6?-before-(input|output|forward) -j ufw6?-user-(input|output|forward)")
BROKEN = FileTrial(path=BEFORE[4], code=2, words="Bad argument `allow'\nError occurred at line: 3")


def with_beside(**changes: Any) -> ComplianceView:
    """Return real hosts, with something else told of one of them beside the collector."""
    seen = view()
    facts = seen.facts[HOST]
    told = replace(facts.of(Beside), **changes)
    return replace(seen, facts={**seen.facts, HOST: replace(facts, parts={**facts.parts, Beside: told})})


def boot(**changes: Any) -> NextBoot:
    """Return a next boot that does nothing wrong but what is changed."""
    whole = view().facts[HOST].of(Beside).boot
    assert whole is not None
    return replace(whole, **changes)


@pytest.mark.parametrize(
    ("check", "changes", "says"),
    [
        ("firewall/next-boot", {"boot": boot(trials=(BROKEN, *boot().trials[1:]))}, "/etc/ufw/before.rules line 3"),
        ("firewall/next-boot", {"boot": boot(started=("nftables",), flushes=("flush ruleset",))}, "nftables.service"),
        ("firewall/next-boot", {"boot": boot(how="it has no iptables-restore", trials=())}, "could not be tried"),
        ("firewall/next-boot", {"boot": None}, "was not tried"),
        ("firewall/unconfirmed", {"unconfirmed": UnconfirmedChange(state="armed")}, "is not confirmed"),
        ("firewall/unconfirmed", {"unconfirmed": UnconfirmedChange(state="fired")}, "a rollback of its firewall"),
        ("packages/installed", {"journal": ("0001",)}, "dpkg was interrupted: 1 of its steps"),
        ("packages/installed", {"apt": "Unmet dependencies"}, "apt cannot work: Unmet dependencies"),
    ],
)
def test_what_is_wrong_is_found_by_its_check_alone(check: str, changes: dict[str, Any], says: str) -> None:
    wrong = bad(with_beside(**changes))
    assert says in wrong[HOST, check]
    assert wrong.keys() - LAB == {(HOST, check)}


def test_a_host_that_told_nothing_of_it_is_unproven() -> None:
    seen = view()
    facts = seen.facts[HOST]
    parts = {kind: part for kind, part in facts.parts.items() if kind is not Beside}
    silent = replace(facts, parts=parts, unseen={**facts.unseen, Beside: "no answer"})
    wrong = bad(replace(seen, facts={**seen.facts, HOST: silent}))
    checks = ("firewall/next-boot", "firewall/unconfirmed", "packages/installed")
    assert wrong.keys() - LAB == {(HOST, check) for check in checks}


def test_what_the_account_of_the_schedule_may_not_try_is_not_due_and_never_good() -> None:
    seen = with_beside(boot=None, withheld="by a person")
    for check in ("firewall/next-boot", "firewall/unconfirmed"):
        assert (HOST, check) in pending(seen)
        assert verdicts(seen)[HOST, check].good == ""
    assert bad(seen).keys() == LAB


def test_the_remedy_is_that_of_what_was_found() -> None:
    (finding,) = verdicts(with_beside(boot=boot(started=("firewalld",))))[HOST, "firewall/next-boot"].findings
    assert finding.remedy == "systemctl disable --now firewalld.service, then python -m flows.firewall"


@pytest.mark.parametrize(("active", "waits"), [("active", True), ("inactive", False)])
def test_the_rollbacks_timer_tells_the_account_of_the_schedule_enough(active: str, waits: bool) -> None:
    seen = with_beside(boot=None, withheld="by a person")
    facts = seen.facts[HOST]
    known = facts.of(Units)
    units = replace(known, known={**known.known, TIMER: UnitSeen("loaded", active, "waiting", "static")})
    told = replace(seen, facts={**seen.facts, HOST: replace(facts, parts={**facts.parts, Units: units})})
    answer = verdicts(told)[HOST, "firewall/unconfirmed"]
    assert (bool(answer.findings), bool(answer.good)) == (waits, not waits)


def test_the_kernel_is_compared_with_what_the_hosts_own_iptables_makes_of_its_files() -> None:
    saved = view().facts[HOST].of(Rules).saved
    whole = {
        version: "\n".join(line for line in saved[version].splitlines() if not _HOOKS.fullmatch(line))
        for version in (4, 6)
    }
    assert (HOST, "firewall/kernel") not in bad(with_beside(boot=boot(whole=whole)))
    more = whole[4].replace("COMMIT", "-A ufw-after-input -p tcp -m geoip --source-country A -j DROP\nCOMMIT")
    assert "geoip" in bad(with_beside(boot=boot(whole=whole | {4: more})))[HOST, "firewall/kernel"]


def test_what_stands_at_a_device_is_named_with_the_command_that_shows_it() -> None:
    own = set(view().site.by_name[HOST].own)
    name = next(link.name for link in view().facts[HOST].of(Machinery).links if own & set(link.addresses))
    words = f"xdp at {name} (`ip -d link show dev {name}`)"
    program = DeviceProgram(words=words, device=name, ways=frozenset({"in"}))
    assert (
        words in bad(with_beside(devices=Devices(programs=(program,), bridges=frozenset())))[HOST, "firewall/foreign"]
    )
    elsewhere = replace(program, device="docker0")
    seen = with_beside(devices=Devices(programs=(elsewhere,), bridges=frozenset()))
    assert (HOST, "firewall/foreign") not in bad(seen)
