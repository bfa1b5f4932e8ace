"""Which files make this host a node, whose are they, and what does kubelet's say? Never what is in a key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remote.collector.program.ask import matching, text

Wishes = dict[str, Any]
_KUBELET = "/var/lib/kubelet"


def node(_wishes: Wishes) -> Any:
    """Return mode, owner and group of every file of Kubernetes' and of etcd's folder, and the text of kubelet's settings."""
    paths = [path for path in matching("/etc/kubernetes", "**/*") if path.is_file()]
    paths += [path for path in (Path(_KUBELET, "config.yaml"), Path("/var/lib/etcd")) if path.exists()]
    paths += [path for path in matching(f"{_KUBELET}/pki", "*") if path.is_file()]
    seen = {}
    for path in paths:
        about = path.stat()
        seen[str(path)] = [about.st_mode & 0o7777, about.st_uid, about.st_gid]
    return {"files": seen, "kubelet": text(f"{_KUBELET}/config.yaml")}
