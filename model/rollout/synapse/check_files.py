"""What Synapse's own check is given in its image: each process's files at their places, and stand-ins of secrets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from model.checkout import ROOT
from model.kubernetes.manifests import name_of
from model.rollout.rendered import RenderedComponent
from model.rollout.synapse.config_audit import merged
from model.rollout.synapse.outward import AUTHORITY, LOGIN_SECRET, sends_mail
from model.rollout.synapse.processes import MAIN, Process, Processes

APPS = ROOT / "apps"
# A private key of nobody: its form is checked, nothing is signed with it.
SIGNING_KEY = f"ed25519 a_check {'A' * 43}\n"
STAND_IN = "stands-in-for-a-secret"
_SECRET_FOLDERS = ("/secrets/", "/main-secrets/")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFiles:
    """
    `files` by their path in the container without its first slash; `asked` are the paths each process is given, one
    process a pool: the others differ in their names alone.
    """

    files: Mapping[str, str]
    asked: Mapping[str, tuple[str, ...]]

    @property
    def command(self) -> tuple[str, ...]:
        """The program and its arguments."""
        return ("python3", "/check/config_check.py", json.dumps(self.asked, separators=(",", ":")))

    def digest(self, image: str) -> str:
        """Return what stays the same as long as image and files do."""
        text = json.dumps([image, dict(self.files), dict(self.asked)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def configs(component: RenderedComponent, running: Processes) -> dict[str, dict[str, Any]]:
    """Return every process's merged configuration by the name of its pod."""
    return {process.name: merged(*_texts(component, process).values()) for process in running.all}


def parsed_files(component: RenderedComponent, running: Processes) -> dict[str, dict[str, Any]]:
    """Return every file of settings that some process reads, parsed, by its name; the names of processes are none."""
    login = _login(component)
    found = {"homeserver.yaml": component.files["homeserver.yaml"]}
    for pool in running.pools:
        process = running.of(pool)[0]
        own = f"synapse-{pool.name}.yaml"
        found |= {
            own: component.files[own],
            **{Path(path).name: text for path, text in _mail(component, process, login).items()},
        }
    return {name: merged(text) for name, text in found.items()}


def final_configs(component: RenderedComponent, running: Processes) -> dict[str, dict[str, Any]]:
    """Return every process's configuration with what it adds in its pod, the login at the mail server by its names."""
    login = _login(component)
    return {
        process.name: merged(*_texts(component, process).values(), *_mail(component, process, login).values())
        for process in running.all
    }


def check_files(component: RenderedComponent, running: Processes) -> CheckFiles:
    """Return what the check of a site's processes needs."""
    files = {"conf/log.yaml": component.files["log.yaml"], "check/config_check.py": program("config_check")}
    if AUTHORITY in component.files:
        files[f"conf/{AUTHORITY}"] = component.files[AUTHORITY]
    login = dict.fromkeys(_login(component), STAND_IN)
    asked: dict[str, tuple[str, ...]] = {}
    for pool in running.pools:
        process = running.of(pool)[0]
        texts = _texts(component, process) | _mail(component, process, login)
        files |= texts
        asked[process.name] = tuple(f"/{path}" for path in texts)
        files |= dict(_secrets(merged(*texts.values())))
    return CheckFiles(files=files, asked=asked)


@cache
def program(name: str) -> str:
    """Return the text of a program that runs inside the image."""
    return (APPS / name / f"{name}.py").read_text("utf-8")


def _texts(component: RenderedComponent, process: Process) -> dict[str, str]:
    """Return a process's files in the order in which it reads them."""
    own = f"synapse-{process.pool.name}.yaml"
    texts = {"conf/homeserver.yaml": component.files["homeserver.yaml"], f"check/{own}": component.files[own]}
    if process.pool.name != MAIN:
        texts[f"check/{process.name}-name.yaml"] = f"worker_name: {process.name}\n"
    return texts


def _login(component: RenderedComponent) -> Mapping[str, str]:
    """Return the names of the login at the mail server, `username` and `password`; nothing where nobody logs in."""
    found = (manifest for manifest in component.objects if name_of(manifest).endswith(f"/{LOGIN_SECRET}"))
    return next((manifest["stringData"] for manifest in found), {})


def _mail(component: RenderedComponent, process: Process, login: Mapping[str, str]) -> dict[str, str]:
    """Return the file that a process which logs in at the mail server makes when it starts, with such a login."""
    if not login or not sends_mail(process.pool):
        return {}
    block = merged(component.files["homeserver.yaml"])["email"]
    whole = block | {"smtp_user": login["username"], "smtp_pass": login["password"]}
    return {"check/mail.yaml": json.dumps({"email": whole})}


def _secrets(value: object) -> Iterator[tuple[str, str]]:
    """Yield a stand-in for each file of a secret that a configuration names."""
    if not isinstance(value, Mapping):
        return
    for key, inner in value.items():
        if isinstance(inner, str) and str(key).endswith("_path") and inner.startswith(_SECRET_FOLDERS):
            yield inner.removeprefix("/"), SIGNING_KEY if key == "signing_key_path" else STAND_IN
        yield from _secrets(inner)
