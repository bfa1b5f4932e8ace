"""What one of the programs outside is made of: its files on the vantage host, its unit, and what the site is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.outside.authority import Authority
from model.site.site import Site

# Everything of them lies below this folder of the vantage host.
PLACE = "opt/outside"
PACKAGES = f"{PLACE}/packages"

Settings = dict[str, Any]

_UNIT = """\
[Unit]
Description={title}
After=network.target

[Service]
Type=notify
UMask=0077
WorkingDirectory=/{folder}
Environment=PYTHONPATH=/{packages} PYTHONDONTWRITEBYTECODE=1
ExecStart=/usr/bin/python3 {arguments}
Restart=on-failure
TimeoutStartSec=180

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideContext:
    """
    `site` as it is now; `vouching` signs for the programs, `trusted` is the certificate of the site's own authority,
    empty where it has none. `login` is the relay's: a name and a password.
    """

    site: Site
    vouching: Authority
    trusted: str
    login: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideService:
    """
    `arguments` are python3's. `files` are told by their path in the program's folder.

    `told` is what site.yaml says of it, `silent` the same once nobody is there any more.
    """

    name: str
    title: str
    arguments: str
    files: Callable[[OutsideContext], Mapping[str, str]]
    told: Callable[[Site], Settings]
    silent: Settings

    @property
    def folder(self) -> str:
        """Its folder on the vantage host."""
        return f"{PLACE}/{self.name}"

    @property
    def unit_file(self) -> Path:
        """Where systemd finds it."""
        return Path(f"etc/systemd/system/{self.name}.service")

    @property
    def unit(self) -> str:
        """Return the text of its unit; it counts as started when it says so itself."""
        return _UNIT.format(title=self.title, folder=self.folder, packages=PACKAGES, arguments=self.arguments)
