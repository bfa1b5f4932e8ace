"""How a program outside comes up and goes: on the vantage host, in the emitted site, and at the router."""

from __future__ import annotations

import base64
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from lab import containers, controller, disks, emitted, plan, power
from lab.bundle import userland
from lab.bundle.application import TOOLS
from lab.bundle.wheels import PLACE as IN_IMAGE
from lab.commands import call
from lab.errors import LabError
from lab.instance import Instance
from lab.outside.authority import AUTHORITY_FILE, Authority
from lab.outside.homeserver import HOMESERVER
from lab.outside.relay import MAIL
from lab.outside.service import PACKAGES, OutsideContext
from lab.plan import LabPlan
from lab.topology import VANTAGE
from lab.whole_file import PRIVATE, write_whole
from model.site.load import load_site

Say = Callable[[str], None]

SERVICES = {service.name: service for service in (MAIL, HOMESERVER)}
# Whose packages both programs are made of.
_SYNAPSE = next(tools for tools in TOOLS if tools.wheels == "matrix-synapse")
_SUITE = "bookworm"
# Synapse makes its database's tables first.
_START_SECONDS = 240.0
_USER = "matrix"
_SITE_AUTHORITY = (
    "get", "secret", "--namespace=matrix", "matrix-tls", "--ignore-not-found", r"--output=jsonpath={.data.ca\.crt}",
)  # fmt: skip


def serve(instance: Instance, name: str, say: Say) -> OutsideContext:
    """
    Let the vantage host be what `name` says, tell the emitted site of it, and let the router open what its rows say.

    Once more, it starts anew with what the site has become since; mail, accounts and rooms stay.
    """
    service, current = SERVICES[name], plan.required(instance)
    disk = _disk(instance, current)
    _bring_packages(disk, say)
    site = load_site(instance.inventory)
    context = OutsideContext(
        site=site,
        vouching=Authority(instance.keys),
        trusted=_site_authority(instance, current),
        login=(_USER, _password(instance)),
    )
    files = {f"{service.folder}/{file}": text for file, text in service.files(context).items()}
    for file, text in {**files, str(service.unit_file): service.unit}.items():
        # There are keys and a password among these files.
        write_whole(disk / file, text, PRIVATE)
    write_whole(instance.inventory / AUTHORITY_FILE, context.vouching.certificate)
    emitted.revise(instance, service.told(site))
    power.inform_router(instance)
    _systemctl(instance, "daemon-reload")
    _systemctl(instance, "enable", "--quiet", service.name)
    _systemctl(instance, "restart", service.name)
    return context


def withdraw(instance: Instance, name: str) -> None:
    """End what `serve` began; what it kept on the vantage host's disk stays."""
    service = SERVICES[name]
    disk = _disk(instance, plan.required(instance))
    if (disk / service.unit_file).exists():
        _systemctl(instance, "disable", "--quiet", "--now", service.name)
        (disk / service.unit_file).unlink()
        _systemctl(instance, "daemon-reload")
    emitted.revise(instance, service.silent)
    power.inform_router(instance)


def _disk(instance: Instance, current: LabPlan) -> Path:
    if current.suite != _SUITE:
        raise LabError(f"these programs are made for {_SUITE}, and this lab is {current}: `python -m lab up`")
    if not containers.leader(instance, VANTAGE):
        raise LabError(f"{VANTAGE} is down: `python -m lab poweron {VANTAGE}`")
    return disks.disk_of(instance, VANTAGE).root


def _bring_packages(disk: Path, say: Say) -> None:
    """Copy Synapse's packages as the image has them, once: a folder that has its name is whole."""
    place, draft = disk / PACKAGES, disk / f"{PACKAGES}.new"
    if place.exists():
        return
    source = userland.ensure(_SUITE, _SYNAPSE, say) / userland.TREE / IN_IMAGE
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source, draft, symlinks=True)
    draft.rename(place)


def _site_authority(instance: Instance, current: LabPlan) -> str:
    """Return the certificate of the authority that the rollout made for the site; nothing before it has."""
    for host in current.hosts:
        if "control_plane" in host.roles and containers.leader(instance, host.name):
            argv = ("kubectl", "--kubeconfig", controller.ADMIN, "--request-timeout=10s", *_SITE_AUTHORITY)
            try:
                return base64.b64decode(call(controller.entrance(instance, host.name, argv))).decode("ascii")
            except LabError:
                # No cluster yet, or a server that is no part of it.
                continue
    return ""


def _password(instance: Instance) -> str:
    """Return the password of the relay, as old as the emitted site, whose secrets hold it."""
    path = instance.keys / "relay"
    if not path.exists():
        write_whole(path, secrets.token_urlsafe(24), PRIVATE)
    return path.read_text("ascii")


def _systemctl(instance: Instance, *words: str) -> None:
    call(controller.entrance(instance, VANTAGE, ("systemctl", *words)), seconds=_START_SECONDS)
