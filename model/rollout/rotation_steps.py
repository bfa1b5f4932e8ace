"""The steps by which each procedure rotates a secret, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from model.rollout.secret_document import RotationStage
from model.site.secrets import Procedure

VERIFY_COMMAND = "python -m flows.validate --gate message"


class Act(StrEnum):
    """What a step does."""

    OFFER = "offer"
    ADOPT = "adopt"
    FORGET = "forget"
    REPLACE = "replace"
    ROLL_OUT = "roll-out"
    STOP = "stop"
    TRY = "try"
    VERIFY = "verify"
    BY_HAND = "by-hand"


# The acts that change the store, and how far a rotation is then; all others may be repeated.
REACHES: Mapping[Act, RotationStage] = {
    Act.OFFER: RotationStage.OFFERED,
    Act.ADOPT: RotationStage.ADOPTED,
    Act.FORGET: RotationStage.REPLACED,
    Act.REPLACE: RotationStage.REPLACED,
}


@dataclass(frozen=True, slots=True)
class RotationStep:
    """One step, and in `words` what a person reads of it; `components` are those that it is about."""

    act: Act
    words: str
    components: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretUsers:
    """
    Who has to do with a secret: components that use it, and of those the ones by whom it is accepted: servers that can
    accept two values of it, or whoever hands it to an operator.

    `values` are the names of its values one by one, `everybody`: whatever the rollout brings uses it.
    """

    name: str
    components: tuple[str, ...]
    values: tuple[str, ...] = ()
    accepting: tuple[str, ...] = ()
    everybody: bool = False

    @property
    def words(self) -> str:
        """Those who use it, for a person."""
        return ", ".join(self.components) or ("everything" if self.everybody else "whoever mounts it")

    @property
    def servers(self) -> str:
        """Those who accept it, for a person."""
        return ", ".join(self.accepting) or "the server"


_TRY = RotationStep(Act.TRY, "see that the new one is accepted and the former one refused")
_VERIFY = RotationStep(Act.VERIFY, f"verify: {VERIFY_COMMAND}")


def steps_of(procedure: Procedure, users: SecretUsers) -> tuple[RotationStep, ...]:
    """Return what a procedure does for a secret, in its order."""
    return _STEPS[procedure](users)


def remaining(steps: tuple[RotationStep, ...], stage: RotationStage | None) -> tuple[RotationStep, ...]:
    """
    Return the steps that are left of a rotation that has come so far: those behind the one that brought it there.

    Raises ValueError where no step does.
    """
    if stage is None:
        return steps
    reached = [number for number, step in enumerate(steps) if REACHES.get(step.act) is stage]
    if not reached:
        raise ValueError(f"no step of it leads to {stage}")
    return steps[reached[0] + 1 :]


def _restart(users: SecretUsers) -> tuple[RotationStep, ...]:
    known = users.everybody or users.components
    rolled = f"roll out: {users.words}: what mounts it restarts, since its hash is another"
    by_hand = f"restart {users.words}: no component of the site does"
    return (
        RotationStep(Act.REPLACE, f"make a new value of {users.name} and keep the former one"),
        *((RotationStep(Act.ROLL_OUT, rolled, users.components), _TRY) if known else (_by_hand(by_hand),)),
        _VERIFY,
    )


def _stop_all(users: SecretUsers) -> tuple[RotationStep, ...]:
    return (
        RotationStep(Act.OFFER, f"make a new value of {users.name}; nobody gets it yet"),
        RotationStep(Act.STOP, f"stop every process that shares {users.name}: {users.words}", users.components),
        RotationStep(Act.REPLACE, "put the new value into use, keep the former one"),
        RotationStep(Act.ROLL_OUT, f"send it to the cluster and start all of them: {users.words}", users.components),
        _TRY,
        _VERIFY,
    )


def _signing_key(users: SecretUsers) -> tuple[RotationStep, ...]:
    restart = f"roll out: {users.words}: all processes restart"
    return (
        RotationStep(Act.OFFER, f"make a new {users.name} with another ID, keep every former one"),
        RotationStep(Act.ROLL_OUT, f"make both public keys known: {restart}", users.components),
        RotationStep(Act.ADOPT, "sign with the new one"),
        RotationStep(Act.ROLL_OUT, f"let everybody sign with it: {restart}", users.components),
        RotationStep(Act.FORGET, "let the former one end now, in old_signing_keys: what it signed before holds"),
        RotationStep(Act.ROLL_OUT, f"publish that: {restart}", users.components),
        RotationStep(Act.TRY, "ask /_matrix/key/v2/server for both keys"),
        _VERIFY,
    )


def _two_values(users: SecretUsers) -> tuple[RotationStep, ...]:
    return (
        RotationStep(Act.OFFER, f"make a second {users.name}; the former one is used as before"),
        RotationStep(Act.ROLL_OUT, f"let both be accepted: {users.servers}", users.accepting),
        RotationStep(Act.ADOPT, "put the new one into use; the former one is accepted still"),
        RotationStep(Act.ROLL_OUT, f"let everybody use the new one: {users.words}", users.components),
        RotationStep(Act.FORGET, "accept the former one no longer, once nothing that was given out with it is in use"),
        RotationStep(Act.ROLL_OUT, f"let it be forgotten: {users.servers}", users.accepting),
        _TRY,
        _VERIFY,
    )


def _operator(users: SecretUsers) -> tuple[RotationStep, ...]:
    others = tuple(name for name in users.components if name not in users.accepting)
    # PostgreSQL knows one password a role: nothing lets two count for a while.
    sent = f"send it to the operator: {users.servers}; from then on connections that are open go on, new ones fail"
    restart = (
        f"restart one after the other, so that pools log in anew: {', '.join(others)}; each until its own restart "
        "cannot open a connection"
    )
    return (
        RotationStep(Act.REPLACE, f"make a new {users.name}, keep the former one"),
        RotationStep(Act.ROLL_OUT, f"{sent} until a client has restarted", users.accepting),
        RotationStep(Act.TRY, "wait until the database accepts the new one, and the former one no longer"),
        *((RotationStep(Act.ROLL_OUT, restart, others),) if others else ()),
        _VERIFY,
    )


def _by_hand(words: str) -> RotationStep:
    return RotationStep(Act.BY_HAND, words)


def _provided(users: SecretUsers) -> tuple[RotationStep, ...]:
    return (
        _by_hand("get the new value from whoever gives it"),
        *(_by_hand(f"python -m flows.secrets import {value} --stdin") for value in users.values or (users.name,)),
        RotationStep(Act.ROLL_OUT, f"roll out: {users.words}", users.components),
        _VERIFY,
    )


def _none(users: SecretUsers) -> tuple[RotationStep, ...]:
    return (_by_hand(f"{users.name} is no secret and stays as it is"),)


_STEPS = {
    "restart": _restart,
    "stop-all": _stop_all,
    "signing-key": _signing_key,
    "two-values": _two_values,
    "operator": _operator,
    "provided": _provided,
    "none": _none,
}
