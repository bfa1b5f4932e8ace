"""The state of each member of etcd, by the account of one of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from model.base import in_url
from model.errors import ProtocolError
from model.kubernetes.quorum import Seat
from remote.facts.etcd import ETCDCTL, Member
from remote.facts.etcd import parse as parse_members

if TYPE_CHECKING:
    from nornir.core.inventory import Host

_TIMEOUTS = ("--dial-timeout=2s", "--command-timeout=4s")
_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberState:
    """
    One member. `healthy`: it answered a read that needs quorum; `error` says why not. Sizes are in bytes; `revision`
    and what follows are 0 or empty where it did not answer at all.
    """

    member: Member
    healthy: bool
    error: str = ""
    leads: bool = False
    version: str = ""
    size: int = 0
    in_use: int = 0
    quota: int = 0
    revision: int = 0
    alarms: tuple[str, ...] = ()

    @property
    def seat(self) -> Seat:
        """What counts for quorum."""
        return Seat(self.member.name or self.member.address, not self.member.learner, self.healthy)


def observe(host: Host) -> tuple[MemberState, ...]:
    """
    Ask the member on a control plane about all; also where there is no quorum.

    Raises `CommandFailed` where that member does not answer.
    """
    from remote.shell import run

    def ask(*words: str) -> str:
        return run(host, (*ETCDCTL, *_TIMEOUTS, *words), root=True, timeout=_SECONDS).stdout.decode("utf-8", "replace")

    listed = run(host, (*ETCDCTL, *_TIMEOUTS, "member", "list", "--consistency=s", "-w", "json"), root=True).check(host)
    members = parse_members(host.name, listed.stdout.decode("utf-8", "replace"))
    # One that is silent makes the whole command fail; what the others said is printed all the same.
    addresses = ",".join(f"https://{in_url(member.address)}:2379" for member in members)
    endpoints = (f"--endpoints={addresses}",)
    health, status = (
        ask(*endpoints, "endpoint", "health", "-w", "json"),
        ask(*endpoints, "endpoint", "status", "-w", "json"),
    )
    return parse(host.name, members, health, status, ask("alarm", "list", "-w", "json"))


def parse(host: str, members: Iterable[Member], health: str, status: str, alarms: str) -> tuple[MemberState, ...]:
    """Read what etcdctl printed, all in JSON."""
    try:
        healths = {_address(entry["endpoint"]): entry for entry in _last(health, [])}
        states = {_address(entry["Endpoint"]): entry["Status"] for entry in _last(status, [])}
        raised: dict[int, list[str]] = {}
        for entry in _last(alarms, {}).get("alarms", ()):
            raised.setdefault(entry["memberID"], []).append(_ALARMS.get(entry.get("alarm", 0), str(entry.get("alarm"))))
        return tuple(
            _state(
                member,
                healths.get(member.address, {}),
                states.get(member.address, {}),
                tuple(raised.get(member.id, ())),
            )
            for member in members
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(host, f"etcd's account of its members cannot be understood: {error}") from error


_ALARMS = {1: "NOSPACE", 2: "CORRUPT"}


def _state(member: Member, health: Any, status: Any, alarms: tuple[str, ...]) -> MemberState:
    header = status.get("header", {})
    return MemberState(
        member=member,
        healthy=bool(health.get("health", False)),
        error=str(health.get("error", "")),
        leads=bool(status) and status.get("leader") == member.id,
        version=status.get("version", ""),
        size=status.get("dbSize", 0),
        in_use=status.get("dbSizeInUse", 0),
        quota=status.get("dbSizeQuota", 0),
        revision=header.get("revision", 0),
        alarms=alarms,
    )


def _last(text: str, nothing: Any) -> Any:
    """Read the last line that is JSON: complaints may stand before it."""
    lines = [line for line in text.splitlines() if line.startswith(("[", "{"))]
    return json.loads(lines[-1]) if lines else nothing


def _address(url: str) -> str:
    return urlsplit(url).hostname or ""
