"""Changes of what a control plane tells of its cluster."""

from __future__ import annotations

from collections.abc import Callable

from tests.checks.changes import Sections, put

PLANES = ("cp-1", "cp-2", "cp-3")


def node(name: str, change: Callable[[Sections], object]) -> Callable[[Sections], None]:
    """Return a change of one Node object."""

    def changed(sections: Sections) -> None:
        change(next(item for item in sections["cluster"]["nodes"] if item["metadata"]["name"] == name))

    return changed


def pods(names: str, change: Callable[[Sections], object]) -> Callable[[Sections], None]:
    """Return a change of every pod whose name begins so."""

    def changed(sections: Sections) -> None:
        named_pods = [item for item in sections["cluster"]["pods"] if item["metadata"]["name"].startswith(names)]
        assert named_pods
        for item in named_pods:
            change(item)

    return changed


def condition(kind: str, status: str, message: str = "seeded") -> Callable[[Sections], None]:
    """Return a change of an object's condition."""

    def changed(sections: Sections) -> None:
        for item in sections.get("status", sections)["conditions"]:
            if item["type"] == kind:
                item.update(status=status, message=message)

    return changed


def taint(sections: Sections, key: str) -> None:
    """Let the cluster taint a node."""
    sections["spec"].setdefault("taints", []).append({"key": f"node.kubernetes.io/{key}", "effect": "NoSchedule"})


def flag(component: str, old: str, new: str) -> Callable[[Sections], None]:
    """Return a change of a program's command line."""

    def change(pod: Sections) -> None:
        assert any(old in word for word in pod["command"]), old
        pod["command"] = [word.replace(old, new) for word in pod["command"]]

    return pods(component, change)


def workload(name: str, change: Callable[[Sections], object]) -> Callable[[Sections], None]:
    """Return a change of one workload."""

    def changed(sections: Sections) -> None:
        change(next(item for item in sections["cluster"]["workloads"] if item["metadata"]["name"] == name))

    return changed


def kubelet(key: str, value: object) -> Callable[[Sections], None]:
    """Return a change of what w-1's running kubelet says of its settings."""
    return put("cluster", "kubelets", "w-1", key, to=value)
