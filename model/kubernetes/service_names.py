"""What Services and the pods behind them are called in the cluster's DNS."""

from __future__ import annotations

CLUSTER_DOMAIN = "cluster.local"
# Of every namespace's Services.
SERVICE_DOMAIN = f"svc.{CLUSTER_DOMAIN}"


def service_name(service: str, namespace: str) -> str:
    """Return a Service's whole name."""
    return f"{service}.{namespace}.{SERVICE_DOMAIN}"


def pod_name(pod: str, service: str, namespace: str) -> str:
    """Return the whole name of a StatefulSet's pod, which its headless Service gives it."""
    return f"{pod}.{service_name(service, namespace)}"


# The API's own.
API_NAME = service_name("kubernetes", "default")
