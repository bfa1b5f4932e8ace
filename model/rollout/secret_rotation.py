"""How each procedure rotates a secret: its steps in order, and who is away for how long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model.rollout.graph import active
from model.rollout.rendered import SecretRef
from model.rollout.secret_names import secret_spec
from model.site.secrets import Procedure, Rotation
from model.site.site import Site

# What `flows.secrets rotate` does by itself; the others change the cluster step by step.
CARRIED_OUT: frozenset[Procedure] = frozenset({"restart"})
VERIFY = "python -m flows.validate --gate message"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPlan:
    """What happens to one value, in which order; `consumers` are the components the site has of those that use it."""

    ref: SecretRef
    rotation: Rotation
    consumers: tuple[str, ...]
    steps: tuple[str, ...]

    @property
    def is_carried_out(self) -> bool:
        """Whether this program does it; else it says what would have to be done."""
        return self.rotation.procedure in CARRIED_OUT

    @property
    def headline(self) -> str:
        """The plan in one line: procedure, gap, what people notice."""
        gap = self.rotation.gap_seconds
        noticed = f"; {self.rotation.effect}" if self.rotation.effect else ""
        shown = f"a gap of about {gap} s is expected" if gap else "no gap is expected"
        return f"{self.ref.name}/{self.ref.key}: {self.rotation.procedure}: {shown}{noticed}"

    @property
    def lines(self) -> tuple[str, ...]:
        """The plan as a person reads it before it begins."""
        return (self.headline, *(f"  {number}. {step}" for number, step in enumerate(self.steps, 1)))


def rotation_plan(site: Site, ref: SecretRef) -> RotationPlan:
    """Return how a value of the site is rotated. Raises `SelectionError` for one it does not have."""
    spec = secret_spec(site, ref.name)
    rotation = spec.rotation_of(ref.key)
    present = {component.name for component in active(site)}
    consumers = tuple(name for name in spec.consumers if name in present)
    steps = _STEPS[rotation.procedure](f"{ref.name}/{ref.key}", ", ".join(consumers) or "whoever mounts it")
    return RotationPlan(ref=ref, rotation=rotation, consumers=consumers, steps=steps)


def _restart(name: str, users: str) -> tuple[str, ...]:
    return (
        f"make a new value of {name} and keep the former one",
        f"roll out: {users}: what mounts it restarts, since its hash is another",
        f"verify: {VERIFY}",
    )


def _stop_all(name: str, users: str) -> tuple[str, ...]:
    return (
        "tell people: nothing answers while this lasts",
        f"stop every process that shares {name}: {users}",
        "make a new value, keep the former one, send it to the cluster",
        f"start all of them at once: {users}",
        f"verify: {VERIFY}",
    )


def _signing_key(name: str, users: str) -> tuple[str, ...]:
    return (
        f"make a new {name} with another ID, keep every former one",
        "publish the former public key in old_signing_keys, with the time at which it ends",
        f"roll out: {users}, lawful intercept's too: all processes restart",
        "ask /_matrix/key/v2/server for both keys",
        f"verify: {VERIFY}",
    )


def _two_values(name: str, users: str) -> tuple[str, ...]:
    return (
        f"make a second {name} and let the server accept both",
        f"let everybody use the new one: {users}",
        "wait until nothing that was handed out with the former one is in use",
        "let the server forget the former one",
        f"verify: {VERIFY}",
    )


def _operator(name: str, users: str) -> tuple[str, ...]:
    return (
        f"make a new {name}, keep the former one, send it to the cluster",
        "wait until the operator has set it in the database",
        f"restart one after the other, so that pools log in anew: {users}",
        f"verify: {VERIFY}",
    )


def _provided(name: str, users: str) -> tuple[str, ...]:
    return (
        "get the new value from whoever gives it",
        f"python -m flows.secrets import {name} --stdin",
        f"roll out: {users}",
        f"verify: {VERIFY}",
    )


def _none(name: str, _users: str) -> tuple[str, ...]:
    return (f"{name} is no secret and stays as it is",)


_STEPS: Mapping[Procedure, Callable[[str, str], tuple[str, ...]]] = {
    "restart": _restart,
    "stop-all": _stop_all,
    "signing-key": _signing_key,
    "two-values": _two_values,
    "operator": _operator,
    "provided": _provided,
    "none": _none,
}
