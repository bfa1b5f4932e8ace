"""The configuration files of a rendered site, found where containers mount them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from model.rollout.invariants.stack import RenderedWorkload, Stack
from model.rollout.rendered import MARKER

_KINDS = (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName"))


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ConfigFile:
    """A key of the object `source` that a container reads at `path`, with stand-ins for secrets in its text."""

    component: str
    source: str
    key: str
    container: str
    path: str
    text: str

    @property
    def name(self) -> str:
        """What it is known by, wherever it is mounted."""
        return f"{self.component}/{self.source}/{self.key}"


def config_files(stack: Stack) -> Iterator[ConfigFile]:
    """Yield every configuration file as often as it is mounted. A secret's value, which a person brought, is none."""
    for workload in stack.workloads:
        volumes = {volume["name"]: volume for volume in workload.pod.get("volumes", ())}
        for container in workload.all_containers:
            for mount in container.get("volumeMounts", ()):
                for source, key, path, text in _in_volume(stack, workload, volumes.get(mount["name"], {})):
                    if MARKER.fullmatch(text) or mount.get("subPath", path) != path:
                        continue
                    yield ConfigFile(
                        component=workload.component.name,
                        source=source,
                        key=key,
                        container=container["name"],
                        path=mount["mountPath"] if "subPath" in mount else f"{mount['mountPath']}/{path}",
                        text=MARKER.sub(r"\1-\2", text),
                    )


def _in_volume(
    stack: Stack, workload: RenderedWorkload, volume: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield object, key, path and text of what a volume holds; what programs make in the cluster has no text here."""
    for source in (volume, *(volume.get("projected") or {}).get("sources", ())):
        for word, kind, field in _KINDS:
            if part := source.get(word):
                name = part.get(field) or part["name"]
                made = stack.find(kind, workload.namespace, name) or {}
                texts = {**(made.get("data") or {}), **(made.get("stringData") or {})}
                paths = {item["key"]: item["path"] for item in part.get("items", ())} or {key: key for key in texts}
                for key, path in paths.items():
                    if key in texts:
                        yield name, key, path, texts[key]


def place(files: Iterable[ConfigFile], folder: Path, *more: str) -> None:
    """
    Write files under another root, and let their texts name them there; `more` are other folders that they name, which
    are made.
    """
    known = tuple(files)
    folders = sorted({str(PurePosixPath(file.path).parent) for file in known} | {*more}, key=len, reverse=True)
    named = re.compile(rf"(?<![\w.$/-])({'|'.join(map(re.escape, folders))})(?![\w-])")
    for path in folders:
        (folder / path.removeprefix("/")).mkdir(parents=True, exist_ok=True)
    for file in known:
        (folder / file.path.removeprefix("/")).write_text(named.sub(rf"{folder}\1", file.text))
