"""Make a host's ufw hold exactly what the port matrix says, without ever opening it or locking anybody out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from model.errors import CommandFailed, HostError
from model.ufw.change import KernelChange, Pairs
from model.ufw.diff import difference
from model.ufw.facts import FirewallFacts
from model.ufw.foreign_rules import Rulesets, changed
from model.ufw.next_boot import unloadable
from model.ufw.plan import UfwPlan, observed_state
from model.ufw.state import AFTER, BEFORE, FILES, USER
from tasks.firewall_session import INSTALL_SECONDS, UNFINISHED, FirewallSession, rollback_parts

Prove = Callable[[], object]
_RENEW_SECONDS = 5.0
_FAMILIES = (4, 6)
# Files of ufw's that this project does not write; what is wrong with them is a finding of its own.
_OTHERS = (*BEFORE.values(), *AFTER.values())


@dataclass(frozen=True)
class AppliedPlan:
    """
    What is there after a change: the host looked at again, and how others' rules changed meanwhile (empty: they did
    not).
    """

    facts: FirewallFacts
    foreign: str


def apply(session: FirewallSession, plan: UfwPlan, before: Rulesets, prove: Prove, hold: float = 0.0) -> AppliedPlan:
    """
    Carry out a plan: tested, with a rollback armed, the kernel first, then proof, files, and a look at what came of it.

    `prove` opens a new connection to the host and raises `HostError` where it cannot; `hold` seconds pass before it.
    `before`: the host's rulesets as the plan knew them. Raises `HostError`, and the host is then as it was before, at
    once or by itself within 20 seconds.
    """
    session.put(_payload(plan))
    carried_out = "mf_write && mf_start && mf_renew" if plan.start else "mf_kernel"
    session.unconfirmed = "armed"
    _guarded(session, f"mf_test && mf_arm && {carried_out}")
    try:
        _hold(session, hold)
        prove()
        session.call("mf_renew" if plan.start else "mf_renew && mf_write")
        facts = session.facts()
        left = difference(plan.host, observed_state(facts), plan.then)
        broken = facts.boot and next(unloadable(facts.boot, {**facts.files, **plan.then.files}, _OTHERS), None)
        if broken:
            raise HostError(plan.host, f"what was written does not come back: {broken.message}")
        if left:
            raise HostError(plan.host, f"afterwards its kernel or files hold something else than was written:\n{left}")
        session.unconfirmed = "confirming"
        session.call("mf_disarm")
        session.unconfirmed = ""
    except HostError as error:
        raise _rolled_back(session, error) from None
    return AppliedPlan(facts, changed(before, facts.rulesets))


def install(session: FirewallSession) -> FirewallFacts:
    """Install ufw from the host's own package sources and look at the host again."""
    session.call("mf_install", "look at the host's apt sources", INSTALL_SECONDS)
    return session.facts()


def _guarded(session: FirewallSession, command: str) -> None:
    try:
        session.call(command)
    except CommandFailed as error:
        raise _rolled_back(session, error) from None


def _rolled_back(session: FirewallSession, error: HostError) -> HostError:
    """
    Roll back at once where the session still lives, and return what is to be told; where it does not, the armed timer
    does it.
    """
    try:
        session.call("if [ -e $mf_state/rollback.sh ]; then mf_undo; fi")
    except CommandFailed as failure:
        message = f"{error.message}; and not all of what was there before came back: {failure.message}"
        return HostError(session.host, message, UNFINISHED)
    except HostError:
        return error
    session.unconfirmed = ""
    return error


def _hold(session: FirewallSession, seconds: float) -> None:
    """Wait, and keep the rollback from firing meanwhile."""
    waiting = threading.Event()
    end = monotonic() + seconds
    while (left := end - monotonic()) > 0:
        waiting.wait(min(left, _RENEW_SECONDS))
        session.call("mf_renew")


def _payload(plan: UfwPlan) -> dict[str, str]:
    """Return every text that the host's side of the session looks for."""
    texts = dict(rollback_parts())
    texts["paths"] = "".join(f"{path}\n" for path in FILES)
    texts["unit"] = _flag(plan.undo.unit_enabled)
    texts["new-unit"] = _flag(plan.change.unit_enabled)
    texts["deleted"] = "".join(f"{path}\n" for path, text in plan.change.files.items() if text is None)
    for path, text in plan.change.files.items():
        if text is not None:
            texts["file-" + path.removeprefix("/etc/").replace("/", "+")] = text
    for version in _FAMILIES:
        texts |= kernel_texts("do", version, plan.change.kernel.get(version, KernelChange()))
        texts |= kernel_texts("undo", version, plan.undo.kernel.get(version, KernelChange()))
        tested = plan.then.files.get(USER[version], "") if plan.start else texts[f"do-restore{version}"]
        texts[f"test{version}"] = tested
        texts[f"undo-others{version}"] = "".join(f"{of.table} {of.chain}\n" for of in plan.others.get(version, ()))
    return texts


def kernel_texts(word: str, version: int, part: KernelChange) -> dict[str, str]:
    """Return the texts that tell `mf_change` what to do, by their names on the host."""
    return {
        f"{word}-restore{version}": part.restore,
        f"{word}-jumps-removed{version}": _pairs(part.removed_jumps),
        f"{word}-jumps-returned{version}": "".join(f"{chain} {at} {rule}\n" for chain, at, rule in part.returned_jumps),
        f"{word}-sweep{version}": "".join(f"{chain}\n" for chain in part.removed_chains),
        f"{word}-no-table{version}": "yes\n" if part.drops_table else "",
    }


def _flag(enabled: bool | None) -> str:
    return "" if enabled is None else ("enabled\n" if enabled else "disabled\n")


def _pairs(pairs: Pairs) -> str:
    return "".join(f"{chain} {rule}\n" for chain, rule in pairs)
