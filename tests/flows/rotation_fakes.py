"""A rotation without a cluster: whoever carries it out writes down what it is asked, and dies where a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from flows._run.context import Context
from flows._run.journal import Journal
from flows._run.options import Options
from flows._run.screen import Screen
from flows._secrets.rotation_run import RotationRun
from model.report.outcome import Outcome, Status
from model.rollout.rendered import SecretRef
from model.rollout.secret_document import KeptSecret
from model.rollout.secret_rotation import RotationPlan, rotation_plans
from remote.gates.refusal import Values
from tests.flows.secret_site import SecretSite
from tests.mutation import loaded

SITE = loaded()
REDIS = SecretRef("redis", "password")
TWO_VALUES = [
    "look at redis,redis-proxy,synapse",
    "roll out redis offered",
    "roll out redis,redis-proxy,synapse adopted",
    "roll out redis replaced",
    "try redis",
    "verify",
]


# What is done in the cluster, by an example of each procedure.
DONE = {
    "redis/password": TWO_VALUES[1:],
    "s3-synapse/secret_key": [
        "roll out seaweedfs",
        "roll out seaweedfs,synapse",
        "roll out seaweedfs",
        "try s3-synapse",
        "verify",
    ],
    "postgresql-synapse/password": ["roll out postgresql", "try postgresql-synapse", "roll out synapse", "verify"],
    "postgresql-seaweedfs/password": [
        "roll out postgresql",
        "try postgresql-seaweedfs",
        "roll out seaweedfs",
        "verify",
    ],
    "synapse/worker_replication_secret": ["stop synapse", "roll out synapse", "try synapse", "verify"],
    "synapse/macaroon_secret_key": ["roll out synapse", "try synapse", "verify"],
    "synapse-signing-key/signing.key": [*["roll out synapse"] * 3, "try synapse-signing-key", "verify"],
    # Nothing mounts it yet: a person is told what to restart.
    "grafana/secret_key": ["verify"],
}


class Died(BaseException):
    """What kill -9 is to a test: nothing of the program runs behind it."""


class FakeCarrier:
    """Writes down what it is asked, and what the store has then; says what it is told to."""

    def __init__(self, site: SecretSite) -> None:
        self.site = site
        self.done: list[str] = []
        self.drift: tuple[Outcome, ...] = ()
        self.shares: Callable[[], Outcome] = lambda: Outcome("controller", "stop", Status.OK, "all are there")
        self.says: Callable[[str], Status] = lambda _done: Status.OK
        self.trials: list[tuple[Values, Values]] = []

    def pending(self, components: Sequence[str]) -> Sequence[Outcome]:
        self.done.append(f"look at {','.join(components)}")
        return self.drift

    def roll_out(self, components: Sequence[str]) -> Sequence[Outcome]:
        stage = self.site.store.document("main").secrets[REDIS].stage
        return (self._said(f"roll out {','.join(components)} {stage or ''}".strip()),)

    def sharing(self, components: Sequence[str], refs: Sequence[SecretRef]) -> Outcome:
        assert refs
        self.done.append(f"look for {','.join(components)}")
        return self.shares()

    def stop(self, components: Sequence[str], refs: Sequence[SecretRef]) -> Outcome:
        assert refs
        return self._said(f"stop {','.join(components)}")

    def tried(self, name: str, new: Values, former: Values) -> Outcome:
        self.trials.append((new, former))
        return self._said(f"try {name}")

    def verify(self) -> Sequence[Outcome]:
        return (self._said("verify"),)

    def _said(self, words: str) -> Outcome:
        self.done.append(words)
        return Outcome("controller", words, self.says(words), "as the test says", next="look")


def rotation(site: SecretSite, carrier: FakeCarrier, name: str = "redis/password") -> RotationRun:
    """What a run of `rotate NAME` does behind its plan."""
    known, options = replace(SITE, folder=site.folder), Options(inventory=site.folder, quiet=True)
    context = Context(site=known, options=options, hosts=(), started=datetime.now(UTC), screen=Screen(options), kept=[])
    return RotationRun(context, Journal(site.folder, "secrets", dry_run=False), carrier, plan(name))


@cache
def plan(name: str) -> RotationPlan:
    secret, _, key = name.partition("/")
    (found,) = rotation_plans(SITE, [SecretRef(secret, key)])
    return found


def kept_of(site: SecretSite, refs: Sequence[SecretRef]) -> list[KeptSecret]:
    secrets = site.store.document("main").secrets
    return [secrets[ref] for ref in refs]


def die(when: bool) -> Status:
    if when:
        raise Died
    return Status.OK
