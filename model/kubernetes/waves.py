"""In which order objects that come together are applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
_DEFINITIONS = ("Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass")
_WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet", "Job", "CronJob", "Pod")


def is_workload(kind: str) -> bool:
    """Tell whether objects of a kind become pods."""
    return kind in _WORKLOADS


def waves(
    objects: Sequence[T], kind: Callable[[T], str], leads: Callable[[T], bool] = lambda _entry: False
) -> list[list[T]]:
    """
    Return objects parted: definitions before their objects, configuration before the pods that read it, and workloads
    that lead before the others.
    """
    definitions = [entry for entry in objects if kind(entry) in _DEFINITIONS]
    workloads = [entry for entry in objects if kind(entry) in _WORKLOADS]
    between = [entry for entry in objects if kind(entry) not in _DEFINITIONS + _WORKLOADS]
    leading = [entry for entry in workloads if leads(entry)]
    others = [entry for entry in workloads if not leads(entry)]
    return [wave for wave in (definitions, between, leading, others) if wave]
