"""
A controller's machine for tests: a Debian host with systemd in the controller's place, this program in /opt, a site in
/srv.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab import cgroups, containers, disks, identity, node, processes, readiness, roots
from lab import plan as plans
from lab.commands import call
from lab.controller import entrance
from lab.instance import Instance
from lab.topology import CONTROLLER_NUMBER, LabHost, Leg
from model.checkout import ROOT
from tests.lab.driver import Lab

NAME = "ctl"
HOME = Path("/opt/matrix-fleet")
PYTHON = str(HOME / ".venv/bin/python")
SITE = Path("/srv/matrix/site")
_PACKAGES = Path("/opt/packages")
_KEY = Path("/srv/matrix/deploy")
_HOST = LabHost(NAME, (), (Leg("management", CONTROLLER_NUMBER),), "management")
_LEFT_OUT = shutil.ignore_patterns(".venv", ".git", "__pycache__", "reports", "state")


@dataclass(frozen=True)
class Controller:
    """The machine; commands run there as root."""

    lab: Lab
    booted: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def instance(self) -> Instance:
        """The lab it is of."""
        return Instance(self.lab.name)

    @property
    def root(self) -> Path:
        """Its file system, as this machine sees it."""
        return disks.disk_of(self.instance, NAME).root

    @property
    def site(self) -> Path:
        """The site's folder there, as this machine sees it."""
        return self.root / SITE.relative_to("/")

    def run(self, *argv: str, seconds: float = 300, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command as root."""
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        environment["MATRIX_FLEET_INVENTORY"] = str(SITE)
        command = entrance(self.instance, NAME, argv)
        return subprocess.run(
            command, env=environment, input=stdin, capture_output=True, text=True, timeout=seconds, check=False
        )

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start a command as root whose input stays open."""
        command = entrance(self.instance, NAME, argv)
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def sh(self, text: str) -> str:
        """Run a shell's text, which must succeed, and return what it printed."""
        done = self.run("sh", "-ec", text)
        assert done.returncode == 0, f"{text}: {done.stdout}{done.stderr}"
        return done.stdout

    def flow(self, name: str, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run a flow as root from /opt."""
        return self.run("sh", "-c", f'cd {HOME} && exec {PYTHON} -m flows.{name} "$@"', "sh", *flags)

    def settings(self, **compliance: Any) -> None:
        """Let site.yaml's `compliance` be this."""
        path = self.site / "site.yaml"
        settings = yaml.safe_load(path.read_text("utf-8"))
        path.write_text(yaml.safe_dump({**settings, "compliance": compliance}, sort_keys=False), "utf-8")

    def boot(self) -> None:
        """Boot it, its disk as it was."""
        root = roots.ensure(plans.required(self.instance).recipe, print)
        if not disks.disk_of(self.instance, NAME).upper.exists():
            disks.create(self.instance, _HOST, ("root",), node.files(), node.links())
        disks.mount(self.instance, NAME, root, "full")
        _packages(self.root)
        boot = containers.start(self.instance, _HOST)
        self.booted.append(boot.process)
        readiness.await_ready([boot], {NAME: disks.disk_of(self.instance, NAME).console}, 60)

    def reboot(self) -> None:
        """Let its systemd stop everything, and boot it again."""
        init = containers.leader(self.instance, NAME)
        processes.end((init,), signal.SIGRTMIN + 3, 30)
        self._clear()
        self.boot()

    def power_off(self) -> None:
        """End everything of it at once."""
        self._clear()

    def _clear(self) -> None:
        ours = processes.with_argument(containers.machine_argument(self.instance, NAME))
        processes.end((ours | cgroups.processes(self.instance.namespace(NAME))) - processes.own_line())
        while self.booted:
            self.booted.pop().wait(20)
        disks.unmount(self.instance, NAME)
        cgroups.remove(self.instance.namespace(NAME))


@contextmanager
def controller(lab: Lab) -> Iterator[Controller]:
    """
    Boot the machine for a running lab, with a copy of its site and the deployer's key, for as long as the block runs.
    """
    instance = Instance(lab.name)
    here = Controller(lab)
    # The controller's place is the lab's own network: the host gets it under a name of its own.
    place = instance.namespace_path(NAME)
    place.touch()
    call(("mount", "--bind", str(instance.namespace_path()), str(place)))
    identity.make(instance, (NAME,))
    try:
        here.boot()
        _equip(here, lab)
        yield here
    finally:
        here.power_off()
        call(("umount", str(place)))
        place.unlink()
        shutil.rmtree(disks.disk_of(instance, NAME).folder, ignore_errors=True)


def _packages(root: Path) -> None:
    """Show it the packages of this test's own environment; its interpreter is Debian's."""
    target = root / _PACKAGES.relative_to("/")
    target.mkdir(parents=True, exist_ok=True)
    call(("mount", "--bind", "-o", "ro", sysconfig.get_path("purelib"), str(target)))


def _equip(here: Controller, lab: Lab) -> None:
    shutil.copytree(ROOT, here.root / HOME.relative_to("/"), ignore=_LEFT_OUT)
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    there = here.sh("python3 -c 'import sys; print(\"%d.%d\" % sys.version_info[:2])'").strip()
    assert there == own, f"the packages of Python {own} cannot be used by the lab's {there}"
    here.sh(f"python3 -m venv --without-pip {HOME}/.venv")
    (library,) = (here.root / HOME.relative_to("/") / ".venv/lib").glob("python3.*")
    (library / "site-packages/packages.pth").write_text(f"{_PACKAGES}\n", "utf-8")
    shutil.copytree(lab.inventory, here.site, symlinks=True, ignore=shutil.ignore_patterns("state"))
    shutil.copy(Instance(lab.name).key, here.root / _KEY.relative_to("/"))
    path = here.site / "defaults.yaml"
    defaults = yaml.safe_load(path.read_text("utf-8"))
    defaults["connection_options"]["netmiko"]["extras"]["key_file"] = str(_KEY)
    path.write_text(yaml.safe_dump(defaults, sort_keys=False), "utf-8")
