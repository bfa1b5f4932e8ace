"""Every change that a check of the cluster must find, with the host at which it is found."""

from __future__ import annotations

from tests.checks.changes import Case, both, put
from tests.checks.cluster_changes import condition, flag, kubelet, node, pods, taint, workload

# The first control plane's account of the cluster counts: all of it is changed there.
CASES = (
    (Case("cluster/nodes", "cp-1", node("w-1", condition("Ready", "Unknown")), "is not ready: seeded"), "w-1"),
    *(
        (Case("cluster/nodes", "cp-1", node("w-1", condition(kind, status)), says), "w-1")
        for kind, status, says in (
            ("MemoryPressure", "True", "MemoryPressure is True"),
            ("DiskPressure", "True", "DiskPressure is True"),
            ("PIDPressure", "True", "PIDPressure is True"),
            ("NetworkUnavailable", "True", "its pod network is not up"),
            ("PIDPressure", "Unknown", "PIDPressure is Unknown"),
        )
    ),
    (
        Case(
            "cluster/taints",
            "cp-1",
            node("w-1", lambda sections: taint(sections, "disk-pressure")),
            "no condition that",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/nodes",
            "cp-1",
            node("w-1", lambda sections: sections["spec"].update(unschedulable=True)),
            "cordoned",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/nodes",
            "cp-1",
            node(
                "w-1",
                lambda sections: sections["status"]["addresses"].append(
                    {"type": "InternalIP", "address": "10.20.1.77"}
                ),
            ),
            "10.20.1.77",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/labels",
            "cp-1",
            node("w-1", lambda sections: sections["metadata"]["labels"].pop("matrix-fleet.io/role-worker")),
            "lacks the label",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/labels",
            "cp-1",
            node("w-1", lambda sections: sections["metadata"]["labels"].update({"matrix-fleet.io/role-li": "true"})),
            "for no role of it",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/taints", "cp-1", node("li-1", lambda sections: sections["spec"].pop("taints")), "lacks the taint"
        ),
        "li-1",
    ),
    (Case("cluster/kubelet", "cp-1", kubelet("readOnlyPort", 10255), "readOnlyPort is 10255"), "w-1"),
    (
        Case(
            "cluster/kubelet",
            "cp-1",
            kubelet("authentication", {"anonymous": {"enabled": True}, "webhook": {"enabled": True}}),
            "authentication.anonymous.enabled is True",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/kubelet",
            "w-1",
            lambda sections: sections["node"].update(
                kubelet=sections["node"]["kubelet"].replace("podPidsLimit: 8192", "podPidsLimit: -1")
            ),
            "in its file",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/kubelet", "cp-1", put("cluster", "kubelets", "w-1", to="timed out"), "does not tell its settings"
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/files",
            "w-1",
            put("node", "files", "/etc/kubernetes/kubelet.conf", to=[0o644, 0, 0]),
            "0600 at most",
        ),
        "w-1",
    ),
    (
        Case(
            "cluster/files",
            "cp-2",
            put("node", "files", "/etc/kubernetes/pki/ca.key", to=[0o600, 1000, 0]),
            "user 1000",
        ),
        "cp-2",
    ),
    (
        Case(
            "cluster/pods",
            "cp-1",
            both(pods("probe-wx2sw", condition("Ready", "False"))),
            "probe-wx2sw is not ready for",
        ),
        "li-1",
    ),
    (
        Case(
            "cluster/dns",
            "w-1",
            put("cluster_names", to={"answers": {"10.96.0.10": []}, "why": {}}),
            "does not know the name",
        ),
        "w-1",
    ),
    (Case("cluster/dns", "w-1", put("cluster_names", to={"answers": {}, "why": {}}), "nobody was asked"), "w-1"),
    (
        Case(
            "cluster/control-plane", "cp-2", put("cluster", "complaints", to=["[-]etcd failed"]), "says [-]etcd failed"
        ),
        "cp-2",
    ),
    (
        Case(
            "cluster/control-plane",
            "cp-2",
            pods("kube-scheduler-cp-2", condition("Ready", "False")),
            "kube-scheduler is not ready",
        ),
        "cp-2",
    ),
    (
        Case("cluster/control-plane", "cp-2", lambda sections: sections.update(cluster=None), "runs no API server"),
        "cp-2",
    ),
    (
        Case(
            "cluster/settings",
            "cp-2",
            flag("kube-apiserver-cp-2", "--profiling=false", "--profiling=true"),
            "--profiling is true",
        ),
        "cp-2",
    ),
    (
        Case(
            "cluster/settings",
            "cp-2",
            flag("kube-apiserver-cp-2", "NodeRestriction", "NamespaceLifecycle"),
            "lacks NodeRestriction",
        ),
        "cp-2",
    ),
    (
        Case(
            "cluster/settings",
            "cp-3",
            pods("kube-apiserver-cp-3", lambda pod: pod["command"].append("--token-auth-file=/x")),
            "--token-auth-file is given",
        ),
        "cp-3",
    ),
    (
        Case(
            "cluster/settings",
            "cp-1",
            flag("etcd-cp-1", "--client-cert-auth=true", "--client-cert-auth=false"),
            "--client-cert-auth is false",
        ),
        "cp-1",
    ),
    (Case("cluster/etcd", "cp-3", put("etcd", "health", to="RAFT NO LEADER"), "not healthy: RAFT NO LEADER"), "cp-3"),
    (
        Case(
            "cluster/etcd", "cp-3", put("etcd", "alarms", to=[{"memberID": "1", "alarm": "NOSPACE"}]), "alarm NOSPACE"
        ),
        "cp-3",
    ),
    (Case("cluster/etcd", "cp-3", put("etcd", "status", "leader", to="0"), "no leader"), "cp-3"),
    (Case("cluster/etcd", "cp-3", put("etcd", "status", "dbSize", to="2000000000"), "nearly full"), "cp-3"),
    (Case("cluster/etcd", "cp-3", put("etcd", "status", "version", to="3.5.20"), "3.5.20, others of"), "cp-3"),
    (Case("cluster/etcd", "cp-3", lambda sections: sections.update(etcd=None), "runs no member of etcd"), "cp-3"),
    (Case("cluster/version", "cp-1", put("cluster", "version", to="v1.31.4"), "nobody has maintained"), "controller"),
    (
        Case(
            "cluster/version",
            "cp-1",
            node("w-1", lambda sections: sections["status"]["nodeInfo"].update(kubeletVersion="v1.37.0")),
            "newer than the API server",
        ),
        "controller",
    ),
    (
        Case(
            "cluster/version",
            "cp-1",
            node("w-1", lambda sections: sections["status"]["nodeInfo"].update(kubeletVersion="v1.32.0")),
            "too old",
        ),
        "controller",
    ),
    (
        Case(
            "cluster/version",
            "cp-1",
            node("cp-2", lambda sections: sections["status"]["nodeInfo"].update(kubeletVersion="v1.36.1")),
            "cp-2: kubelet is v1.36.1",
        ),
        "controller",
    ),
    (
        Case(
            "cluster/strangers",
            "cp-1",
            lambda sections: sections["cluster"]["nodes"].append(
                {"metadata": {"name": "eve"}, "status": {"nodeInfo": {"kubeletVersion": "v1.36.3"}}}
            ),
            "eve is a node",
        ),
        "controller",
    ),
    (Case("cluster/storage-class", "cp-1", put("cluster", "classes", to=[]), "there are: none"), "controller"),
    (
        Case(
            "cluster/workloads",
            "cp-1",
            workload("coredns", lambda sections: sections["status"].update(readyReplicas=1)),
            "has 1 of 2 pods ready",
        ),
        "controller",
    ),
    (
        Case(
            "cluster/workloads",
            "cp-1",
            pods(
                "coredns-",
                lambda pod: (
                    pod.update(node=""),
                    condition("Ready", "False")(pod),
                    condition("PodScheduled", "False", "no node fits")(pod),
                ),
            ),
            "is on no node: no node fits",
        ),
        "controller",
    ),
    (
        Case(
            "cluster/budgets",
            "cp-1",
            put("cluster", "budgets", 0, "status", "disruptionsAllowed", to=0),
            "lets no pod go",
        ),
        "controller",
    ),
    (
        Case("cluster/budgets", "cp-1", put("cluster", "budgets", 0, "status", "expectedPods", to=0), "counts no pod"),
        "controller",
    ),
    (Case("cluster/budgets", "cp-1", put("cluster", "budgets", to=[]), "and no budget"), "controller"),
)
