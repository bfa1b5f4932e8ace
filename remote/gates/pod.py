"""Pods as gates reach them: over the API, by a command in their container, and from their own network."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from apps.message_probe.wire import Dial
from model.errors import FleetError, HostError
from remote.gates.relay import from_network_of

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.gates.gate import GateContext
    from remote.shell import Completed

_SECONDS = 30.0


@dataclass(frozen=True)
class GatedPod:
    """A pod as the API tells of it, and the host that it runs on."""

    host: Host
    manifest: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.manifest["metadata"]["name"])

    @property
    def where(self) -> str:
        """Its name and node, as findings have it."""
        return f"{self.manifest['metadata']['namespace']}/{self.name} on {self.host.name}"

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its addresses, of both families."""
        return tuple(entry["ip"] for entry in self.manifest.get("status", {}).get("podIPs", ()))

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""
        return self.manifest["metadata"].get("labels") or {}

    @property
    def ready(self) -> bool:
        """Whether it is ready, and nobody is ending it."""
        if self.manifest["metadata"].get("deletionTimestamp"):
            return False
        conditions = self.manifest.get("status", {}).get("conditions", ())
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

    def container(self, name: str) -> str:
        """Return a running container's id. Raises `HostError`."""
        for status in self.manifest.get("status", {}).get("containerStatuses", ()):
            if status["name"] == name and "running" in status.get("state", {}):
                return str(status["containerID"]).rpartition("/")[2]
        raise HostError(self.host.name, f"{self.name}: its container {name} does not run", "look at the pod's events")

    @property
    def first_container(self) -> str:
        """The name of its first container."""
        return str(self.manifest["spec"]["containers"][0]["name"])

    @cached_property
    def process(self) -> int:
        """The id of a process in its network, as its node counts. Raises `HostError`."""
        from remote.shell import run

        wanted = self.container(self.first_container)
        argv = ("ctr", "--namespace", "k8s.io", "tasks", "ls")
        done = run(self.host, argv, root=True, timeout=_SECONDS).check(self.host)
        for line in done.stdout.decode(errors="replace").splitlines():
            words = line.split()
            if words[:1] == [wanted] and words[2:3] == ["RUNNING"]:
                return int(words[1])
        raise HostError(self.host.name, f"{self.name}: containerd runs no such task", "look at the pod's events")

    def dial(self, address: str, port: int) -> Dial:
        """Return what connects to a server from the pod's own network."""
        return from_network_of(self.host, lambda: self.process, address, port)

    def own(self, port: int) -> Dial:
        """Return what connects to one of its own ports: no policy stands between."""
        return self.dial(self.addresses[0], port)

    def run(self, container: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = _SECONDS) -> Completed:
        """Run a command in a container, as the user that the container runs as."""
        from remote.shell import run

        name = f"gate-{uuid.uuid4().hex[:12]}"
        words = ("ctr", "--namespace", "k8s.io", "tasks", "exec", "--exec-id", name, self.container(container), *argv)
        return run(self.host, words, stdin=stdin, root=True, timeout=timeout)


def pods_of(context: GateContext, word: str) -> tuple[GatedPod, ...]:
    """Return the pods that rows call by a word, by name; those that have ended are none. Raises `FleetError`."""
    component = next((component for component in context.site.components if word in component.pods), None)
    if component is None:
        raise FleetError(f"components.yaml: no component has pods called {word}", "report this as a bug")
    namespace, labels = component.selector(word)
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    return pods_in(context, namespace, selector)


def pods_in(context: GateContext, namespace: str, labels: str = "") -> tuple[GatedPod, ...]:
    """Return the pods of a namespace that have a node and did not end, by name."""
    found = context.cluster.list(f"/api/v1/namespaces/{namespace}/pods", labels=labels)
    hosts = context.nr.inventory.hosts
    pods = [
        GatedPod(hosts[manifest["spec"]["nodeName"]], manifest)
        for manifest in found
        if manifest["spec"].get("nodeName") in hosts
        and manifest.get("status", {}).get("phase") not in ("Succeeded", "Failed")
    ]
    return tuple(sorted(pods, key=lambda pod: pod.name))


def ready_pods(context: GateContext, word: str) -> tuple[GatedPod, ...]:
    """Return those that are ready. Raises `FleetError` where none is."""
    pods = tuple(pod for pod in pods_of(context, word) if pod.ready)
    if not pods:
        raise FleetError(f"no pod of {word} is ready", "look at `kubectl get pods` and at the pods' events")
    return pods


def service_address(context: GateContext, namespace: str, name: str) -> str:
    """Return a Service's address inside the cluster. Raises `FleetError`."""
    address = context.cluster.get(f"/api/v1/namespaces/{namespace}/services/{name}")["spec"].get("clusterIP")
    if not address or address == "None":
        raise FleetError(f"the Service {namespace}/{name} has no address of its own", "look at its manifest")
    return str(address)
