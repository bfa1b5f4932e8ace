"""Folders of Go modules compiled to static programs, once for the same modules, flags and toolchain."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from lab import once
from lab.bundle import caches, modules, toolchain
from lab.bundle.ingredients import GoComponent
from lab.commands import logged
from lab.errors import LabError
from lab.instance import CACHE

MODULES = Path(__file__).with_name("go")
PAUSE = Path(__file__).with_name("pause") / "pause.c"
_COMPILER = ("gcc", "-Os", "-static", "-s", "-Wall", "-Wextra")
# No program holds a path or a time of the machine that compiled it.
_FLAGS = ("-trimpath", "-buildvcs=false")
_STATIC = "-linkmode external -extldflags '-static'"
# Static glibc can't look names up: Go's own resolver can.
_CGO_TAGS = ("-tags", "netgo,osusergo")
# On two cores the whole of Kubernetes takes seven minutes.
_SECONDS = 3600


def version(component: GoComponent) -> str:
    """
    Return the version of the component's module, without its v.

    Raises LabError when its go.mod does not require the module.
    """
    text = (MODULES / component.folder / "go.mod").read_text("utf-8")
    required = re.search(rf"^(?:require |\t){re.escape(component.module)} v(\S+)", text, re.MULTILINE)
    if not required:
        raise LabError(f"{MODULES / component.folder}/go.mod does not require {component.module}")
    return required[1]


def programs(component: GoComponent) -> tuple[str, ...]:
    """Return what the compiler will call the programs: the last word of each package that is no version."""
    parts = [re.sub(r"/v[0-9]+$", "", package) for package in _packages(component)]
    return tuple(part.rpartition("/")[2] for part in parts)


def key(component: GoComponent) -> str:
    """Digest of everything that decides what is compiled."""
    digest = hashlib.sha256(json.dumps([_described(component), _arguments(component)]).encode())
    digest.update(toolchain.LOCK.read_bytes())
    for name in ("go.mod", "go.sum", "tools.go"):
        digest.update((MODULES / component.folder / name).read_bytes())
    return digest.hexdigest()[:16]


def ensure(component: GoComponent, say: once.Say) -> Path:
    """Return the folder of the component's programs, compiling them first if this machine has not done so."""

    def build(draft: Path) -> None:
        go = toolchain.ensure(say)
        say(f"  compiling {component.folder} ({version(component)}); log: {draft}/log")
        extra = environment(component)
        wanted = replace(component, kept=tuple(name.format(version=version(component)) for name in component.kept))
        with modules.opened(wanted, MODULES / component.folder, draft, modules.Go(go, extra)) as folder:
            argv = (str(go), "-C", str(folder), "build", *_arguments(component), "-o", f"{draft}/")
            logged((*argv, *_packages(component)), draft / "log", seconds=_SECONDS, extra=extra)

    return once.ensure(CACHE / "programs" / f"{component.folder}-{key(component)}", build, say)


def pause_key() -> str:
    """Digest of everything that decides what the pause program is."""
    return hashlib.sha256(json.dumps([_COMPILER, PAUSE.read_text("utf-8")]).encode()).hexdigest()[:16]


def pause(say: once.Say) -> Path:
    """Return the folder of the program that holds a pod's namespaces."""

    def build(draft: Path) -> None:
        logged((*_COMPILER, "-o", str(draft / "pause"), str(PAUSE)), draft / "log", seconds=60)

    return once.ensure(CACHE / "programs" / f"pause-{pause_key()}", build, say)


def _described(component: GoComponent) -> dict[str, object]:
    """Describe a component without what it has none of, so that this can be added to others."""
    described = asdict(component)
    return {name: value for name, value in described.items() if value or name not in ("corrections", "kept")}


def _packages(component: GoComponent) -> tuple[str, ...]:
    text = (MODULES / component.folder / "tools.go").read_text("utf-8")
    return tuple(re.findall(r'^\t_ "(\S+)"$', text, re.MULTILINE))


def _arguments(component: GoComponent) -> tuple[str, ...]:
    number = version(component)
    major, minor, *_ = number.split(".")
    stamps = [
        f"-X {name}={value.format(version=number, major=major, minor=minor)}"
        for name, value in component.stamps.items()
    ]
    linker = " ".join(["-s -w", *([_STATIC] if component.cgo else []), *stamps])
    return (*_FLAGS, *(_CGO_TAGS if component.cgo else ()), "-ldflags", linker)


def environment(component: GoComponent) -> Mapping[str, str]:
    """Return the variables that its compiler runs with."""
    return {
        "CGO_ENABLED": "1" if component.cgo else "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
        "GOOS": "linux",
        "GOARCH": "amd64",
        **caches.environment(),
    }
