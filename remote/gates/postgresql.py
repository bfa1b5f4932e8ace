"""Are all PostgreSQL instances there, does one of them write, and do the others follow as declared?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from model.errors import HostError
from model.report.outcome import Status
from model.rollout.values.postgresql import values
from remote.gates.gate import GateContext, GateResult, concluded
from remote.gates.pod import GatedPod, pods_of

CONTAINER = "postgres"
_CATCHES_UP_SECONDS = 30.0
CLUSTER = "/apis/postgresql.cnpg.io/v1/namespaces/matrix/clusters/postgresql"
# One statement: what the server is. Then a table that is never there: a transaction that is taken back.
_LOOK = """
SELECT json_build_object(
  'recovery', pg_is_in_recovery(),
  'readonly', current_setting('transaction_read_only'),
  'version', current_setting('server_version_num')::int,
  'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
  'owner', pg_get_userbyid(d.datdba),
  'receiver', (SELECT status FROM pg_stat_wal_receiver),
  'followers', (SELECT coalesce(json_agg(json_build_object('name', application_name, 'state', state, 'sync', sync_state,
     'lag', coalesce(extract(epoch from replay_lag), 0))), '[]') FROM pg_stat_replication),
  'supers', (SELECT coalesce(json_agg(rolname ORDER BY rolname), '[]') FROM pg_authid WHERE rolsuper AND rolcanlogin),
  'super_passwords', (SELECT coalesce(json_agg(rolname), '[]') FROM pg_authid
     WHERE rolsuper AND rolpassword IS NOT NULL),
  'synapse', (SELECT json_build_object('super', rolsuper, 'createrole', rolcreaterole, 'createdb', rolcreatedb,
     'replication', rolreplication, 'login', rolcanlogin) FROM pg_authid WHERE rolname = 'synapse')
) FROM pg_database d WHERE d.datname = current_database();
"""
_WRITE = """
BEGIN;
CREATE TABLE matrix_fleet_gate_never_there (id int);
INSERT INTO matrix_fleet_gate_never_there VALUES (1);
ROLLBACK;
"""
_NEXT = "look at `kubectl describe cluster -n matrix postgresql` and at the instances' logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresInstance:
    """What one instance says; `written` where a transaction on it came to its end."""

    where: str
    ready: bool = True
    says: Mapping[str, Any] = field(default_factory=dict)
    written: bool = False
    failure: str = ""

    @property
    def primary(self) -> bool:
        """Whether it is the one that writes."""
        return self.says.get("recovery") is False


def run(context: GateContext) -> GateResult:
    """
    Ask each instance by psql in its own container, as only there the administrator may.

    One that was made just now is given a moment to catch up.
    """
    memory = f"{values(context.site)['memory_mib']}Mi"
    deadline = time.monotonic() + _CATCHES_UP_SECONDS
    while True:
        cluster = context.cluster.get(CLUSTER)
        result = judged(cluster, [look(pod) for pod in pods_of(context, "postgresql")], memory)
        if result.status == Status.OK or time.monotonic() >= deadline:
            return result
        Event().wait(2.0)


def look(pod: GatedPod) -> PostgresInstance:
    """Ask one instance."""
    try:
        says = json.loads(_psql(pod, _LOOK))
        written = not says["recovery"] and bool(_psql(pod, _WRITE).endswith("ROLLBACK"))
    except HostError as error:
        return PostgresInstance(where=pod.where, ready=pod.ready, failure=str(error))
    except (ValueError, KeyError) as error:
        return PostgresInstance(where=pod.where, ready=pod.ready, failure=f"psql's answer cannot be read: {error}")
    return PostgresInstance(where=pod.where, ready=pod.ready, says=says, written=written)


def judged(cluster: Mapping[str, Any], instances: Sequence[PostgresInstance], memory: str = "") -> GateResult:
    """Return what the instances and the operator's own word come to; `memory` is what the sizing gives each."""
    wanted = int(cluster["spec"]["instances"])
    findings = [*_counted(cluster, wanted, instances), *_of_each(instances), *_of_followers(cluster, instances)]
    findings += [finding for found in instances if found.primary for finding in _of_primary(found)]
    given = ((cluster["spec"].get("resources") or {}).get("limits") or {}).get("memory", "none")
    if memory and given != memory:
        findings.append(f"an instance has {given} of memory, and {memory} by the sizing")
    primary = next((found for found in instances if found.primary), None)
    followers = primary.says["followers"] if primary else []
    sync = sum(follower["sync"] in ("sync", "quorum") for follower in followers)
    proven = f"{wanted} instances, {primary.where if primary else ''} writes, {sync} follow it synchronously"
    figures = {"instances": float(len(instances)), "synchronous": float(sync)}
    figures["replay_lag_s"] = round(max((float(follower["lag"]) for follower in followers), default=0.0), 3)
    return concluded(findings, proven, figures=figures, next_step=_NEXT)


def _counted(cluster: Mapping[str, Any], wanted: int, instances: Sequence[PostgresInstance]) -> Iterator[str]:
    ready = int(cluster.get("status", {}).get("readyInstances", 0))
    if len(instances) != wanted or ready != wanted:
        yield f"{ready} of {wanted} instances are ready ({cluster.get('status', {}).get('phase', 'no status')})"
    primaries = [found.where for found in instances if found.primary]
    if len(primaries) != 1:
        yield f"{len(primaries)} instances write: {', '.join(primaries) or 'none'}"


def _of_each(instances: Sequence[PostgresInstance]) -> Iterator[str]:
    for found in instances:
        if found.failure:
            yield f"{found.where}: {found.failure}"
            continue
        if not found.ready:
            yield f"{found.where}: is not ready"
        says = found.says
        form = (says["encoding"], says["collate"], says["ctype"])
        if form != ("UTF8", "C", "C"):
            yield f"{found.where}: the database is {' / '.join(form)}, and Synapse needs UTF8 / C / C"


def _of_primary(found: PostgresInstance) -> Iterator[str]:
    if not found.written:
        yield f"{found.where}: takes no writes"
    if others := sorted(set(found.says["supers"]) - {"postgres"}):
        yield f"{found.where}: besides postgres these are superusers: {', '.join(others)}"
    if found.says["super_passwords"]:
        yield f"{found.where}: a superuser has a password and may come over the network"
    if found.says["owner"] != "synapse":
        yield f"{found.where}: the database belongs to {found.says['owner']}"
    role = found.says.get("synapse")
    if not role:
        yield f"{found.where}: there is no role synapse"
        return
    if not role["login"]:
        yield f"{found.where}: the role synapse may not log in"
    if more := [word for word in ("super", "createrole", "createdb", "replication") if role[word]]:
        yield f"{found.where}: the role synapse may more than it needs: {', '.join(more)}"


def _of_followers(cluster: Mapping[str, Any], instances: Sequence[PostgresInstance]) -> Iterator[str]:
    for found in instances:
        if found.says and not found.primary and found.says.get("receiver") != "streaming":
            yield f"{found.where}: receives nothing from the primary ({found.says.get('receiver') or 'no receiver'})"
    wanted = (cluster["spec"].get("postgresql") or {}).get("synchronous")
    for found in instances:
        if not found.primary:
            continue
        followers = found.says["followers"]
        streaming = [follower for follower in followers if follower["state"] == "streaming"]
        if len(streaming) < len(instances) - 1:
            yield f"{found.where}: {len(streaming)} of {len(instances) - 1} others follow it"
        sync = [follower for follower in streaming if follower["sync"] in ("sync", "quorum")]
        if wanted and len(sync) < int(wanted.get("number", 1)):
            yield f"{found.where}: {len(sync)} follow it synchronously, {wanted.get('number', 1)} must"


def _psql(pod: GatedPod, text: str) -> str:
    """Run statements; raises `HostError` with psql's own complaint."""
    argv = ("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "synapse", "-f", "-")
    return pod.run(CONTAINER, argv, stdin=text.encode()).check(pod.host).stdout.decode().strip()
