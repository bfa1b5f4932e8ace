"""A cluster as gates see it, made of data: objects of its API, and pods whose ports are real servers on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from nornir.core.inventory import ConnectionOptions

from apps.message_probe.wire import Dial, dial_to
from model.errors import ObjectMissing
from model.rollout.rendered import RenderedComponent
from model.site.components import Component
from model.site.site import Site
from remote.gates.gate import GateContext
from remote.shell import Completed
from tests.mutation import loaded

ROOT = Path(__file__).parents[3]


def rendered(name: str, *objects: dict[str, Any]) -> RenderedComponent:
    """Return a component of these objects."""
    return RenderedComponent(component=Component(name=name, phase=1, title=name), objects=objects, files={})


Ran = Callable[[Sequence[str], bytes], str]


@dataclass
class NamedHost:
    """A host as far as gates name it, reached as an administrator or as the scheduled identity."""

    name: str
    scheduled: bool = False

    def __str__(self) -> str:
        return self.name

    def get_connection_parameters(self, _plugin: str) -> ConnectionOptions:
        """Return what `remote.installed` marks."""
        return ConnectionOptions(extras={"installed_programs": True} if self.scheduled else {})


@dataclass
class World:
    """`objects` by path of the API; `ports` are servers on loopback by address and port; `ran` answers commands."""

    monkeypatch: pytest.MonkeyPatch
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    single: dict[str, dict[str, Any]] = field(default_factory=dict)
    ports: dict[tuple[str, int], int] = field(default_factory=dict)
    secrets: dict[tuple[str, str], bytes] = field(default_factory=dict)
    ran: Ran = lambda _argv, _stdin: ""
    said: list[str] = field(default_factory=list)
    rendered: list[Any] = field(default_factory=list)
    options: dict[str, float] = field(default_factory=dict)
    scheduled: bool = False

    def __post_init__(self) -> None:
        self.site: Site = loaded()
        self.monkeypatch.setattr("remote.gates.pod.from_network_of", self._dialled)
        self.monkeypatch.setattr(
            "remote.gates.public.from_host", lambda _host, address, port: self._dial(address, port)
        )
        # This machine itself has no way to the external addresses.
        self.monkeypatch.setattr("remote.gates.public.dial_to", lambda _address, _port: self._dial("", 0))
        self.monkeypatch.setattr("remote.shell.run", self._run)

    def pod(self, name: str, namespace: str, labels: Mapping[str, str], address: str, **more: Any) -> dict[str, Any]:
        """Add a ready pod of one container, called as its first label says."""
        manifest: dict[str, Any] = {
            "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
            "spec": {"nodeName": more.pop("node", "w-1"), "containers": [{"name": more.pop("container", "main")}]},
            "status": {
                "phase": "Running",
                "podIPs": [{"ip": address}],
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
        container = manifest["spec"]["containers"][0]["name"]
        manifest["status"]["containerStatuses"] = [
            {"name": container, "containerID": f"containerd://{name}", "state": {"running": {}}, "restartCount": 0}
        ]
        self.objects.setdefault(f"/api/v1/namespaces/{namespace}/pods", []).append(manifest)
        return manifest

    def context(self) -> GateContext:
        """Return what a gate is given."""
        hosts = {machine.name: NamedHost(machine.name, self.scheduled) for machine in self.site.machines}
        nr = type("Fleet", (), {"inventory": type("Inventory", (), {"hosts": hosts})()})()
        return GateContext(
            site=self.site,
            nr=cast(Any, nr),
            cluster=cast(Any, self),
            rendered=self.rendered,
            secret=lambda name, key: self.secrets[name, key],
            folder=ROOT,
            say=self.said.append,
            options=self.options,
        )

    def list(self, path: str, *, labels: str = "", fields: str = "") -> list[dict[str, Any]]:
        """Answer as the API does."""
        del fields
        wanted = dict(word.split("=", 1) for word in labels.split(",") if word)
        return [
            manifest
            for manifest in self.objects.get(path, [])
            if wanted.items() <= (manifest["metadata"].get("labels") or {}).items()
        ]

    def get(self, path: str) -> dict[str, Any]:
        """Answer as the API does."""
        if path not in self.single:
            raise ObjectMissing("cp-1", path, "not found")
        return self.single[path]

    def _dialled(self, _host: object, process: Callable[[], int], address: str, port: int) -> Dial:
        del process
        return self._dial(address, port)

    def _dial(self, address: str, port: int) -> Dial:
        def dial(seconds: float) -> Any:
            if (address, port) not in self.ports:
                raise ConnectionRefusedError(f"nobody listens at {address} port {port}")
            return dial_to("127.0.0.1", self.ports[address, port])(seconds)

        return dial

    def _run(self, host: object, argv: Sequence[str], *, stdin: bytes = b"", **_: Any) -> Completed:
        del host
        answer = self.ran(argv, stdin)
        code, text = (0, answer) if not answer.startswith("!") else (1, answer[1:])
        return Completed(tuple(argv), code, text.encode() if not code else b"", text.encode() if code else b"", 0.0)


def as_json(value: object) -> str:
    """Return a value as a program on a host prints it."""
    return json.dumps(value)
