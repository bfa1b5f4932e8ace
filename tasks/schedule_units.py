"""What the controller's machine holds so that compliance runs there by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model.host.hoststate import File, Folder, HostState, SystemdUnit
from model.site.schedule import Schedule
from tasks import scheduled
from tasks.render import render

STATE = Path("/var/lib/matrix-fleet-schedule")
UNITS = Path("/etc/systemd/system")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """
    Which site runs from where: the folders of the site and of this program, its interpreter, who owns the folder of
    reports. `gates`: the site has some to try.

    `notifies`: somebody is told of news; `local`: by a program of this machine (mail, a command). `textfile`: the
    folder of the figures for Prometheus, None where there are none.
    """

    site: str
    schedule: Schedule
    inventory: Path
    checkout: Path
    python: Path
    owner: str
    notifies: bool
    local: bool
    textfile: Path | None
    gates: bool

    @property
    def folder(self) -> Path:
        """Where the identity's key lies."""
        return self.key.parent

    @property
    def key(self) -> Path:
        """The identity's private key."""
        return key_of(self.site)

    @property
    def service(self) -> str:
        """Name of the unit that runs compliance."""
        return f"matrix-fleet-compliance-{self.site}.service"

    @property
    def notify(self) -> str:
        """
        Name of the unit that tells news: a template, since systemd says how a run ended only to a unit that has one
        occasion.
        """
        return f"matrix-fleet-notify-{self.site}@.service"

    @property
    def timer(self) -> str:
        """Name of the timer."""
        return f"matrix-fleet-compliance-{self.site}.timer"


def key_of(site: str) -> Path:
    """Return where the private key of a site's identity lies."""
    return STATE / site / "id_ed25519"


def public_key(key: Path) -> str | None:
    """Return the public half of a pair, None where there is none."""
    try:
        return " ".join(key.with_suffix(".pub").read_text("utf-8").split())
    except FileNotFoundError:
        return None


def account(setting: Setting) -> HostState:
    """Return the account that runs it, where its key lies, and that it may write reports."""
    user = setting.schedule.user
    return HostState(
        # This machine may be one of the site's own hosts.
        users=(scheduled.account(user),),
        folders=(
            Folder(str(STATE)),
            Folder(str(setting.folder)),
            # Whoever runs flows by hand writes there too: the group stays the same for both.
            Folder(str(setting.inventory / "reports"), 0o2775, f"{setting.owner}:{user}"),
        ),
    )


def units(setting: Setting) -> HostState:
    """Return the service and the timer, enabled and waiting."""
    texts = _texts(setting)
    files = tuple(
        File(str(UNITS / name), text, restart=(setting.timer,) if name == setting.timer else ())
        for name, text in texts.items()
    )
    gone = () if setting.notifies else (str(UNITS / setting.notify),)
    return HostState(files=files, absent=gone, units=(SystemdUnit(setting.timer),))


def _texts(setting: Setting) -> Mapping[str, str]:
    schedule = setting.schedule
    paths = {"inventory": setting.inventory, "checkout": setting.checkout, "python": setting.python}
    values = {**paths, "site": setting.site, "user": schedule.user, "notify": setting.notify, "told": setting.notifies}
    common = render("schedule/common", **values).rstrip("\n")
    hardened = render("schedule/hardened", reports=setting.inventory / "reports", textfile=setting.textfile).rstrip(
        "\n"
    )
    parts = {"common": common, "hardened": hardened, "local": setting.local, "limit": schedule.limit_minutes}
    parts |= {"ports": schedule.verify_ports, "gates": setting.gates}
    timer = render(
        "schedule/compliance.timer", **values, calendar=schedule.calendar, delay=schedule.random_delay_minutes
    )
    texts = {setting.service: render("schedule/compliance.service", **values, **parts), setting.timer: timer}
    if setting.notifies:
        texts[setting.notify] = render("schedule/notify.service", **values, **parts)
    return texts


def stopped(setting: Setting) -> HostState:
    """Return the timer and a run under way as ended, before their files go."""
    return HostState(units=tuple(SystemdUnit(name, enabled=False, active=False) for name in all_units(setting)))


def all_units(setting: Setting) -> tuple[str, ...]:
    """Return every unit that may have run."""
    notifying = (setting.notify.replace("@", f"@{how}") for how in ("success", "failure"))
    return (setting.timer, setting.service, *notifying)


def absent(setting: Setting, *, last: bool) -> HostState:
    """
    Return the machine without units and key; `last`: no other site is scheduled there, so that the account goes too.
    """
    files = (*(UNITS / name for name in (setting.service, setting.timer, setting.notify)), setting.key)
    paths = (*files, setting.key.with_suffix(".pub"), setting.folder, *((STATE,) if last else ()))
    return HostState(absent=tuple(map(str, paths)), userless=(setting.schedule.user,) if last else ())
