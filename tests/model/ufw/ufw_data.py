"""What real ufw 0.36.2 wrote and loaded on Debian 12, and the rules it was told."""

from __future__ import annotations

from pathlib import Path

from model.ufw.kernel import UfwKernel, expected
from model.ufw.rule import UfwRule

DATA = Path(__file__).parents[2] / "data" / "ufw"
_PODS = {4: "10.244.0.0/16", 6: "fd44::/56"}


def data(name: str) -> str:
    """Return a golden file's text."""
    return (DATA / name).read_text("utf-8")


def file(kind: str, version: int) -> str:
    """Return before.rules, after.rules or user.rules of a family."""
    return data(f"{kind}{'6' if version == 6 else ''}.rules")


def saved(version: int) -> str:
    """Return what the kernel held when those files were loaded."""
    return data("ip6tables-save" if version == 6 else "iptables-save")


def loaded(version: int, user: str | None = None) -> UfwKernel:
    """Return what ufw's files say the kernel holds."""
    text = file("user", version) if user is None else user
    return expected(file("before", version), file("after", version), text, version)


def told(version: int) -> tuple[UfwRule, ...]:
    """Return the rules that were given to `ufw allow`, `ufw deny` and `ufw route allow`, in that order."""
    anywhere = "::/0" if version == 6 else "0.0.0.0/0"
    management, li = ("fd20::/64", "fd20:2::/64") if version == 6 else ("10.20.0.0/24", "10.20.2.0/24")
    own, peer = ("fd20:1::31", "fd20:1::12") if version == 6 else ("10.20.1.31", "10.20.1.12")
    pods = _PODS[version]
    rules = [
        UfwRule(
            action="deny",
            protocol="tcp",
            destination_port="9001",
            destination=own,
            source_port="any",
            source=li,
            comment="matrix-fleet s3-console",
        ),
        UfwRule(
            action="allow",
            protocol="tcp",
            destination_port="22",
            destination=anywhere,
            source_port="any",
            source=management,
            comment="matrix-fleet ssh",
        ),
        UfwRule(
            action="allow",
            protocol="tcp",
            destination_port="2379:2380",
            destination=own,
            source_port="any",
            source=peer,
            comment="matrix-fleet etcd",
        ),
        UfwRule(
            action="allow",
            protocol="vrrp",
            destination_port="any",
            destination=anywhere,
            source_port="any",
            source=peer,
            comment="matrix-fleet endpoint-vrrp",
        ),
        UfwRule(
            action="allow",
            protocol="udp",
            destination_port="49152:65535",
            destination=anywhere,
            source_port="any",
            source=anywhere,
            comment="matrix-fleet turn-relay livekit-media",
        ),
        UfwRule(
            action="allow",
            protocol="any",
            destination_port="any",
            destination=anywhere,
            source_port="any",
            source=pods,
            route=True,
            comment="matrix-fleet pod-network",
        ),
        UfwRule(
            action="allow",
            protocol="any",
            destination_port="any",
            destination=pods,
            source_port="any",
            source=anywhere,
            route=True,
            comment="matrix-fleet pod-network",
        ),
    ]
    return tuple(rule for rule in rules if version == 4 or "etcd" not in rule.comment)
