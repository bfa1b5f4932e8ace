"""Checks of people: who may come in and become root, by sudo's rules and sshd's settings."""

from __future__ import annotations

from checks.check import SERVERS, ComplianceView, HostCheck
from model.check.finding import Verdict, flawed, settled
from model.host.host_facts import HostFacts, Sshd, Users
from model.host.sudoers import powerful
from model.site.hosts import Machine

# What each setting may be. Keys alone open the door, and an empty password none.
_SSHD = {
    "passwordauthentication": ("no",),
    "kbdinteractiveauthentication": ("no",),
    "permitemptypasswords": ("no",),
    "pubkeyauthentication": ("yes",),
    "permitrootlogin": ("no", "prohibit-password", "without-password", "forced-commands-only"),
}


def sudo(view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find everybody who may become root and whom the site does not name."""
    allowed = set(view.site.settings.servers.administrators)
    schedule = view.site.settings.compliance.schedule
    can = powerful(facts.of(Users), schedule.user if schedule else None)
    strange = [
        f"{name} may become root, and the site does not name them ({why})"
        for name, why in can.items()
        if name not in allowed
    ]
    return settled(strange, f"only {', '.join(sorted(can)) or 'root'} may become root", can)


def sshd(_view: ComplianceView, _machine: Machine, facts: HostFacts) -> Verdict:
    """Find settings of sshd by which somebody could come in without a key."""
    by_user = facts.of(Sshd).settings
    seen = {user: {key: settings.get(key, "") for key in _SSHD} for user, settings in by_user.items()}
    wrong: dict[str, list[str]] = {}
    for user, settings in seen.items():
        for key in _SSHD:
            if settings[key] not in _SSHD[key]:
                wrong.setdefault(f"{key} is {settings[key]}, and should be {' or '.join(_SSHD[key][:2])}", []).append(
                    user
                )
    if not by_user:
        return flawed("sshd tells no settings")
    messages = [what if len(users) == len(seen) else f"for {', '.join(users)}: {what}" for what, users in wrong.items()]
    return settled(messages, "only keys open the door", seen)


CHECKS = (
    HostCheck(
        id="users/sudo",
        title="Only declared administrators may become root",
        phase="host",
        looks_at="sudo's rules, groups and accounts with root's number, against `servers.administrators`",
        by="cat /etc/sudoers /etc/sudoers.d/*; getent group sudo",
        remedy="take the right away, or name them under `servers.administrators` in site.yaml",
        applies=SERVERS,
        judge=sudo,
    ),
    HostCheck(
        id="ssh/settings",
        title="Nobody comes in without a key",
        phase="host",
        looks_at="sshd's settings as they hold for root and for another user",
        by="sshd -T -C user=root,host=elsewhere,addr=203.0.113.1",
        remedy="correct /etc/ssh/sshd_config and its folder, then systemctl reload ssh",
        applies=SERVERS,
        judge=sshd,
    ),
)
