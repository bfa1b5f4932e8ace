"""After a rotation: is the new value accepted where it is used, and the former one refused?"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from apps.message_probe.wire import Connection, Origin, Unanswered
from model.report.outcome import Status
from model.rollout.secret_kinds import verify_key
from model.rollout.synapse.processes import MAIN_PORT, REPLICATION_PORT
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.object_client import complaint, objects
from remote.gates.object_storage import source
from remote.gates.pod import GatedPod, pods_of, ready_pods
from remote.gates.postgresql import CONTAINER
from remote.gates.redis import SENTINEL, SERVER

if TYPE_CHECKING:
    from apps.message_probe.wire import Dial

# Values of one secret by key.
Values = Mapping[str, bytes]
# Whether somebody takes these values. Raises OSError where it does not say.
Accepts = Callable[[Values], bool]
# Who would have to take the new values of a secret and refuse the former ones, in words.
Trial = Callable[[GateContext], Iterator[tuple[str, Accepts]]]
_NEXT = "look at the logs of what should refuse it, then rotate again: it goes on from here"
_SIGNING = "synapse-signing-key"
_REFUSED_KEYS = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")


def tried(context: GateContext, name: str, new: Values, former: Values) -> GateResult:
    """Try both values of a secret; `not_run` where that takes more than a question."""
    if name == _SIGNING:
        return _published(context, new["signing.key"], former["signing.key"])
    trials = [trial for (secret, key), trial in _TRIALS.items() if secret == name and (not key or key in new)]
    if not trials:
        return GateResult(status=Status.NOT_RUN, why="nobody tried whether the former value is refused")
    asked = [tuple(trial(context)) for trial in trials]
    if not all(asked):
        return GateResult(status=Status.UNPROVEN, why="nobody is there to be asked", next_step=_NEXT)
    findings = [finding for found in asked for finding in _findings(found, new, former)]
    return concluded(findings, "the new value is accepted, the former one refused", next_step=_NEXT)


def _findings(asked: Iterable[tuple[str, Accepts]], new: Values, former: Values) -> Iterator[str]:
    for who, accepts in asked:
        try:
            if not accepts(new):
                yield f"{who}: refuses the new value"
            if accepts(former):
                yield f"{who}: accepts the former value still"
        except OSError as error:
            yield f"{who}: does not answer: {error}"


def _published(context: GateContext, new: bytes, former: bytes) -> GateResult:
    """Look for both public keys where other homeservers do: one is refused to nobody, for old events bear it."""
    if not context.site.settings.federation:
        why = "the site does not federate: nobody may ask for its public keys"
        return GateResult(status=Status.NOT_RUN, why=why)
    wanted = {"verify_keys": verify_key(new)[0], "old_verify_keys": verify_key(former)[0]}
    findings = []
    for pod in ready_pods(context, "synapse"):
        try:
            with Connection(Origin(name="localhost", port=80, dial=pod.own(MAIN_PORT))) as connection:
                _, shown = _asked(connection, "GET", "/_matrix/key/v2/server")
        except OSError as error:
            findings.append(f"{pod.where}: does not answer: {error}")
            continue
        findings += [
            f"{pod.where}: {key} is not among {part}"
            for part, key in wanted.items()
            if key not in (shown.get(part) or {})
        ]
    return concluded(findings, "both public keys are published, the former one as an old one", next_step=_NEXT)


def _servers(context: GateContext) -> Iterator[tuple[str, Accepts]]:
    yield from ((pod.where, partial(_lets_in, pod.own(SERVER))) for pod in pods_of(context, "redis"))


def _sentinels(context: GateContext) -> Iterator[tuple[str, Accepts]]:
    yield from ((pod.where, partial(_lets_in, pod.own(SENTINEL))) for pod in pods_of(context, "redis-sentinel"))


def _lets_in(dial: Dial, values: Values) -> bool:
    """Return whether a server of Redis's kind takes a password."""
    from redis import AuthenticationError, RedisError

    from remote.gates.redis_client import client

    try:
        with client(dial, values["password"].decode()) as speaking:
            return bool(speaking.ping())
    except AuthenticationError:
        return False
    except RedisError as error:
        raise OSError(f"{type(error).__name__}: {error}".splitlines()[0]) from None


def _role(name: str) -> Trial:
    """Return the trial of a role of the database, by the secret that holds its login."""

    def instances(context: GateContext) -> Iterator[tuple[str, Accepts]]:
        user = context.secret(name, "username").decode()
        yield from ((pod.where, partial(_logs_in, pod, user)) for pod in pods_of(context, "postgresql"))

    return instances


def _logs_in(pod: GatedPod, user: str, values: Values) -> bool:
    """Return whether an instance lets a role in over the network; psql reads the password from standard input."""
    argv = ("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-f", "-")
    where = f"host=localhost port=5432 dbname={user} user={user} password={values['password'].decode()}"
    done = pod.run(CONTAINER, argv, stdin=f'\\connect "{where}"\nSELECT current_user;\n'.encode())
    if done.exit_code == 0 and user in done.stdout.decode(errors="replace"):
        return True
    if b"password authentication failed" in done.stderr:
        return False
    # Not all that psql says: it may quote what it was given.
    said = done.stderr.decode(errors="replace").partition("failed: ")[2].splitlines()
    raise OSError(said[0] if said else f"psql ended with {done.exit_code}")


def _storage(context: GateContext) -> Iterator[tuple[str, Accepts]]:
    pod, bucket = source(context), context.site.settings.object_storage.bucket

    def lists(values: Values) -> bool:
        client = objects(context, pod, values["access_key"].decode(), values["secret_key"].decode())
        said = complaint(lambda: list(client.list_objects(bucket, prefix="matrix-fleet-gate/")))
        if said and not any(word in said for word in _REFUSED_KEYS):
            raise OSError(said)
        return not said

    yield "the object storage", lists


def _registration(context: GateContext) -> Iterator[tuple[str, Accepts]]:
    yield from ((pod.where, partial(_may_register, pod)) for pod in ready_pods(context, "synapse"))


def _may_register(pod: GatedPod, values: Values) -> bool:
    """Return whether users may be registered; none is made, for such a name is refused in any case."""
    path, user, password = "/_synapse/admin/v1/register", "Nobody's Name", secrets.token_urlsafe(24)
    with Connection(Origin(name="localhost", port=80, dial=pod.own(MAIN_PORT))) as connection:
        nonce = str(_asked(connection, "GET", path)[1].get("nonce", ""))
        words = b"\0".join(word.encode() for word in (nonce, user, password, "notadmin"))
        mac = hmac.new(values["registration_shared_secret"], words, hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": user, "password": password, "admin": False, "mac": mac}
        return _said(_asked(connection, "POST", path, json.dumps(body).encode())[0], accepted=400, refused=403)


def _replication(context: GateContext) -> Iterator[tuple[str, Accepts]]:
    yield from ((pod.where, partial(_may_replicate, pod)) for pod in ready_pods(context, "synapse"))


def _may_replicate(pod: GatedPod, values: Values) -> bool:
    """Return whether a process may ask another one: for a stream that there is none of, after it was let in."""
    path = f"/_synapse/replication/get_repl_stream_updates/none/{secrets.token_hex(5)}?from_token=0&upto_token=0"
    bearer = {"Authorization": f"Bearer {values['worker_replication_secret'].decode()}"}
    with Connection(Origin(name="localhost", port=80, dial=pod.own(REPLICATION_PORT))) as connection:
        # Who is not let in gets an error of the server, and no word why.
        return _said(_asked(connection, "GET", path, headers=bearer)[0], accepted=400, refused=500)


def _asked(
    connection: Connection, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, Any]]:
    try:
        answer = connection.ask(method, path, body, {"Content-Type": "application/json", **(headers or {})}, 20.0)
    except Unanswered as error:
        raise OSError(str(error)) from None
    return answer.status, answer.document


def _said(status: int, *, accepted: int, refused: int) -> bool:
    if status not in (accepted, refused):
        raise OSError(f"HTTP {status}")
    return status == accepted


# By secret and, where its keys are of different use, by key.
_TRIALS: Mapping[tuple[str, str], Trial] = {
    ("redis", ""): _servers,
    ("redis-sentinel", ""): _sentinels,
    ("postgresql-synapse", ""): _role("postgresql-synapse"),
    ("postgresql-seaweedfs", ""): _role("postgresql-seaweedfs"),
    ("s3-synapse", ""): _storage,
    ("synapse", "registration_shared_secret"): _registration,
    ("synapse", "worker_replication_secret"): _replication,
}
