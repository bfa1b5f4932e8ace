"""A pod that answers over TCP at a node port, for tests that ask from where it may be reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.lab_cluster import LabCluster, eventually

_ECHO = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      nodeName: db-1
      terminationGracePeriodSeconds: 0
      containers:
        - name: echo
          image: IMAGE
          command: [httpd, -f, -p, "8080"]
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec:
  type: NodePort
  selector: {app: echo}
  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
"""


@contextmanager
def node_port(cluster: LabCluster) -> Iterator[None]:
    """Let a pod on db-1 answer at 30080/tcp of every node; it answers when the block begins, and is gone after it."""
    images = {
        name for node in cluster.objects("nodes") for image in node["status"]["images"] for name in image["names"]
    }
    image = next(name for name in images if "busybox" in name and "@" not in name)
    cluster.kubectl("apply", "-f", "-", stdin=_ECHO.replace("IMAGE", image))
    try:
        # From a node, through another node, to a pod on a third.
        eventually("the node port answers", lambda: cluster.lab.tcp("w-1", "10.20.1.11", 30080) == "open", 60)
        on_every_node(cluster, "tcp . 30080")
        yield
    finally:
        cluster.kubectl("delete", "deployment,service", "echo", "--wait=true")


def on_every_node(cluster: LabCluster, port: str) -> None:
    """Wait until kube-proxy has heard of a node port on every node: one may be seconds behind the others."""
    nodes = [node["metadata"]["name"] for node in cluster.objects("nodes")]
    for node in nodes:
        eventually(
            f"{node} leads {port}",
            lambda node=node: (  # type: ignore[misc]  # a loop's value, kept
                port in cluster.lab.shell(node, ("nft", "list", "table", "ip", "kube-proxy")).stdout
            ),
            60,
        )
