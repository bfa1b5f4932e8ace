"""Rows in which the rules about what objects stand on, and about stopping, go red."""

from __future__ import annotations

from tests.model.rollout.spoiling import FIRST, POD, REDIS, SEAWEEDFS, Row, add, put

_BINDING = ("cert-manager", "ClusterRoleBinding", "cert-manager-controller-approve:cert-manager-io")
_CLUSTER = ("postgresql", "Cluster", "postgresql")
_LOGIN = ("postgresql", "Secret", "postgresql-synapse")
_CLAIM = ("spec", "volumeClaimTemplates", 0, "spec")
_GRACE = (*POD, "terminationGracePeriodSeconds")
_STOPPED = (*FIRST, "lifecycle")
_SYNC = ("synapse", "StatefulSet", "synapse-sync")
_HAPROXY = ("haproxy", "Deployment", "haproxy")
_FILER = ("seaweedfs", "StatefulSet", "seaweedfs-filer")
_ENVOY = ("contour", "DaemonSet", "envoy")
_OTHERS = {"matchLabels": {"app": "other"}}
RELATIONS: tuple[Row, ...] = (
    ("set-services", REDIS, put("spec", "serviceName", value="nobody")),
    ("set-services", REDIS, put("spec", "serviceName", value=None)),
    ("set-services", ("redis", "Service", "redis"), put("spec", "clusterIP", value="10.96.0.9")),
    ("set-services", ("redis", "Service", "redis"), put("spec", "selector", value={"app": "other"})),
    ("bindings", _BINDING, put("roleRef", "name", value="nobody")),
    ("bindings", _BINDING, put("subjects", 0, "name", value="nobody")),
    ("bindings", _BINDING, put("subjects", 0, "namespace", value="elsewhere")),
    ("bindings", _BINDING, put("subjects", value=None)),
    (
        "bindings",
        ("cert-manager", "RoleBinding", "cert-manager:leaderelection"),
        put("metadata", "namespace", value="elsewhere"),
    ),
    ("databases", _CLUSTER, put("spec", "bootstrap", "initdb", "secret", "name", value="nobody")),
    ("databases", _CLUSTER, put("spec", "managed", value={"roles": [{"name": "a", "passwordSecret": {"name": "b"}}]})),
    ("databases", _CLUSTER, put("spec", "superuserSecret", value={"name": "nobody"})),
    ("databases", _CLUSTER, put("spec", "certificates", value={"serverTLSSecret": "nobody"})),
    ("databases", _LOGIN, put("stringData", "password", value=None)),
    ("databases", ("postgresql", "DatabaseRole", "seaweedfs"), put("spec", "passwordSecret", "name", value="nobody")),
    ("databases", ("postgresql", "DatabaseRole", "seaweedfs"), put("spec", "cluster", "name", value="nobody")),
    ("policies", ("network-policies", "NetworkPolicy", "redis"), put("spec", "podSelector", value=_OTHERS)),
    ("policies", ("network-policies", "NetworkPolicy", "redis"), put("metadata", "namespace", value="elsewhere")),
    ("claims", SEAWEEDFS, put(*_CLAIM, "storageClassName", value="nowhere")),
    ("claims", SEAWEEDFS, put(*_CLAIM, "selector", value={"matchLabels": {"matrix-fleet.io/purpose": "no"}})),
    ("claims", _CLUSTER, put("spec", "storage", "storageClass", value="nowhere")),
    ("claims", _CLUSTER, put("spec", "storage", "storageClass", value=None)),
)
SCALERS: tuple[Row, ...] = (
    ("scalers", ("synapse", "HorizontalPodAutoscaler", ""), put("spec", "scaleTargetRef", "name", value="nobody")),
    ("scalers", ("synapse", "HorizontalPodAutoscaler", ""), put("spec", "scaleTargetRef", "apiVersion", value="v1")),
    (
        "scalers",
        ("synapse", "HorizontalPodAutoscaler", "synapse-sync"),
        put("spec", "scaleTargetRef", "name", value="synapse-initial-sync"),
    ),
)
STOPPING: tuple[Row, ...] = (
    ("time-to-stop", REDIS, put(*_GRACE, value=None)),
    ("time-to-stop", REDIS, put(*_STOPPED, "preStop", value={"sleep": {"seconds": 60}})),
    ("time-to-stop", _SYNC, put(*_GRACE, value=None)),
    ("time-to-stop", _HAPROXY, put(*_GRACE, value=None)),
    ("time-to-stop", ("haproxy", "ConfigMap", "haproxy-config"), put("data", "a", value="  hard-stop-after 60s\n")),
    ("time-to-stop", ("redis-proxy", "Deployment", "redis-proxy"), put(*_GRACE, value=4)),
    ("time-to-stop", ("redis", "StatefulSet", "redis-sentinel"), put(*_GRACE, value=4)),
    ("time-to-stop", SEAWEEDFS, put(*_GRACE, value=None)),
    ("time-to-stop", SEAWEEDFS, add(*FIRST, "args", value="-preStopSeconds=30")),
    ("time-to-stop", _FILER, put(*_GRACE, value=20)),
    ("time-to-stop", _ENVOY, put(*_GRACE, value=None)),
    ("time-to-stop", _CLUSTER, put("spec", "stopDelay", value=30)),
    ("time-to-stop", _CLUSTER, put("spec", "smartShutdownTimeout", value=None)),
    ("draining", REDIS, put(*_STOPPED, value=None)),
    ("draining", _SYNC, put(*_STOPPED, value=None)),
    ("draining", _HAPROXY, put(*_STOPPED, value=None)),
    ("draining", _ENVOY, put(*POD, "containers", 1, "lifecycle", value=None)),
    ("draining", SEAWEEDFS, put(*FIRST, "args", value=[])),
)
