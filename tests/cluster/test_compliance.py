"""
A real cluster is green, again and again; what is not as declared in it is found by exactly its check; a dead host is no
drift.
"""

from __future__ import annotations

import sys

import pytest

from tests.cluster.lab_cluster import LabCluster, eventually
from tests.lab.compliances import BAD, SERVERS, Seed, comply, found_and_mended
from tests.lab.driver import Lab

_KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf"
_SETTINGS = "/var/lib/kubelet/config.yaml"
_RESTART = "systemctl restart kubelet; timeout 60 sh -c 'until ss -Hlnt | grep -q :10250; do sleep 0.2; done'"
_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_API = f"{_KUBECTL} -n kube-system get pod kube-apiserver-$(hostname)"
_POD = """
apiVersion: v1
kind: Pod
metadata: {name: lame}
spec:
  nodeName: w-1
  automountServiceAccountToken: false
  containers: [{name: lame, image: IMAGE, readinessProbe: {tcpSocket: {port: 9}}}]
"""
_DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: homeless}
spec:
  selector: {matchLabels: {app: homeless}}
  template:
    metadata: {labels: {app: homeless}}
    spec:
      nodeSelector: {nowhere: "true"}
      containers: [{name: homeless, image: IMAGE}]
"""
# The kubelet takes minutes to tell of a static pod that it began anew.
_SLOW = ("api-server", "etcd")
_NODE = "apiVersion: v1\nkind: Node\nmetadata: {name: eve}\n"


def _apply(manifest: str) -> str:
    """Return a command that applies a manifest with the image that is on every node."""
    image = (
        f"$({_KUBECTL} -n matrix-fleet get daemonset probe -o jsonpath='{{.spec.template.spec.containers[0].image}}')"
    )
    return f"image={image}; sed \"s#IMAGE#$image#\" <<'end' | {_KUBECTL} apply -f -\n{manifest}\nend"


SEEDS = {
    "label": Seed(
        "w-1",
        f"{_KUBECTL} label node w-1 matrix-fleet.io/role-worker-",
        f"{_KUBECTL} label node w-1 matrix-fleet.io/role-worker=true",
        ("cluster/labels",),
        "lacks the label matrix-fleet.io/role-worker=true",
        at="cp-1",
    ),
    "taint": Seed(
        "li-1",
        f"{_KUBECTL} taint node li-1 matrix-fleet.io/role-li:NoSchedule-",
        f"{_KUBECTL} taint node li-1 matrix-fleet.io/role-li=true:NoSchedule",
        ("cluster/taints",),
        "lacks the taint",
        at="cp-1",
    ),
    "cordon": Seed(
        "db-1", f"{_KUBECTL} cordon db-1", f"{_KUBECTL} uncordon db-1", ("cluster/nodes",), "cordoned", at="cp-2"
    ),
    "kubelet": Seed(
        "w-1",
        f"sed -i 's/^podPidsLimit: .*/podPidsLimit: 99/' {_SETTINGS}; {_RESTART}",
        f"sed -i 's/^podPidsLimit: .*/podPidsLimit: 8192/' {_SETTINGS}; {_RESTART}",
        ("cluster/kubelet",),
        "podPidsLimit is 99, not 8192 in the kubelet that runs",
    ),
    "kubelet-file": Seed(
        "db-1",
        f"sed -i 's/^readOnlyPort: .*/readOnlyPort: 10255/; $areadOnlyPort: 10255' {_SETTINGS}",
        f"sed -i '/^readOnlyPort: /d' {_SETTINGS}",
        ("cluster/kubelet",),
        "readOnlyPort is 10255, not 0 in its file",
    ),
    "unready-pod": Seed(
        "w-1",
        _apply(_POD),
        f"{_KUBECTL} delete pod lame --now",
        ("cluster/pods",),
        "default/lame is not ready",
        at="cp-1",
        begun=f"{_KUBECTL} get pod lame -o jsonpath='{{.status.phase}}' | grep -q Running",
    ),
    "homeless-pod": Seed(
        "controller",
        _apply(_DEPLOYMENT),
        f"{_KUBECTL} delete deployment homeless --cascade=foreground",
        ("cluster/workloads",),
        "is on no node",
        at="cp-1",
        begun=(
            f"{_KUBECTL} get pods -l app=homeless -o jsonpath='{{.items[*].status.conditions[*].reason}}'"
            " | grep -q Unschedulable"
        ),
    ),
    "api-server": Seed(
        "cp-2",
        f"sed -i 's/--profiling=false/--profiling=true/' {_MANIFEST}",
        f"sed -i 's/--profiling=true/--profiling=false/' {_MANIFEST}",
        ("cluster/settings",),
        "kube-apiserver: --profiling is true, not false",
        begun=f"{_API} -o yaml | grep -q profiling=true && {_API} | grep -q 1/1",
        settled=f"{_API} -o yaml | grep -q profiling=false && {_API} | grep -q 1/1",
    ),
    "file-mode": Seed(
        "cp-3",
        "chmod 644 /etc/kubernetes/admin.conf",
        "chmod 600 /etc/kubernetes/admin.conf",
        ("cluster/files",),
        "/etc/kubernetes/admin.conf has mode 0644",
    ),
    "budget": Seed(
        "controller",
        f'{_KUBECTL} -n kube-system patch pdb coredns --type merge -p \'{{"spec":{{"maxUnavailable":0}}}}\'',
        f'{_KUBECTL} -n kube-system patch pdb coredns --type merge -p \'{{"spec":{{"maxUnavailable":1}}}}\'',
        ("cluster/budgets",),
        "lets no pod go",
        at="cp-1",
        begun=f"{_KUBECTL} -n kube-system get pdb coredns -o jsonpath='{{.status.disruptionsAllowed}}' | grep -qx 0",
        settled=f"{_KUBECTL} -n kube-system get pdb coredns -o jsonpath='{{.status.disruptionsAllowed}}' | grep -qx 1",
    ),
    "storage-class": Seed(
        "controller",
        f"{_KUBECTL} get storageclass local-storage -o yaml >/root/class.yaml; {_KUBECTL} delete storageclass "
        "local-storage",
        f"{_KUBECTL} create -f /root/class.yaml; rm /root/class.yaml",
        ("cluster/storage-class",),
        "there is no storage class local-storage",
        at="cp-1",
    ),
    "stranger": Seed(
        "controller",
        _apply(_NODE),
        # A DaemonSet's pod for a node that is gone waits for ever.
        f"{_KUBECTL} delete node eve; {_KUBECTL} delete pods -A --field-selector status.phase=Pending --now",
        ("cluster/strangers",),
        "eve is a node",
        at="cp-1",
        # Every DaemonSet wants a pod there.
        consequence=("cluster/workloads",),
        settled=(
            f"! {_KUBECTL} get daemonsets -A -o jsonpath='{{.items[*].status.desiredNumberScheduled}}' | grep -qw 7"
        ),
    ),
    "etcd": Seed(
        "cp-3",
        "mv /etc/kubernetes/manifests/etcd.yaml /root/",
        "mv /root/etcd.yaml /etc/kubernetes/manifests/",
        ("cluster/etcd",),
        "runs no member of etcd",
        # Its API server has nobody to ask; controller manager and scheduler ask it in vain.
        consequence=("cluster/control-plane", "cluster/settings", "cluster/pods"),
        begun="! ss -Hlnt | grep -q :2379",
        settled=f"{_KUBECTL} --server https://10.20.1.13:6443 get --raw /readyz && "
        f"! {_KUBECTL} -n kube-system get pods --field-selector spec.nodeName=cp-3 | grep 0/1",
        lingers=True,
    ),
    "names": Seed(
        "controller",
        f"{_KUBECTL} -n kube-system scale deployment coredns --replicas 0",
        f"{_KUBECTL} -n kube-system scale deployment coredns --replicas 2",
        (),
        "does not lead to kubernetes.default.svc.cluster.local",
        elsewhere=tuple((name, "cluster/dns") for name in SERVERS),
        at="cp-1",
        consequence=("cluster/budgets",),
        begun=f"! {_KUBECTL} -n kube-system get pods -l k8s-app=kube-dns -o name | grep -q pod",
        settled=f"{_KUBECTL} -n kube-system rollout status deployment coredns --timeout 1s && "
        f"{_KUBECTL} -n kube-system get pdb coredns -o jsonpath='{{.status.disruptionsAllowed}}' | grep -qx 1",
    ),
}


@pytest.fixture(scope="module")
def lab(small: LabCluster) -> Lab:
    # Control planes that a test before this one switched off and on again still begin their network and their static
    # pods anew.
    prove = (sys.executable, "-m", "flows.verify_ports", "--quiet")
    eventually("every port is proven", lambda: small.lab.run(prove).returncode == 0, 180)
    eventually("all is good", lambda: comply(small.lab).exit == 0, 180)
    return small.lab


def test_a_healthy_cluster_is_green_five_times_in_a_row(lab: Lab) -> None:
    for _ in range(5):
        run = comply(lab)
        assert (run.exit, run.bad) == (0, set()), {pair: run.outcome(*pair)["message"] for pair in run.bad}
    statuses = {
        outcome["subject"]: outcome["status"]
        for outcome in run.report["outcomes"]
        if outcome["subject"].startswith("cluster/")
    }
    assert statuses.pop("cluster/policies") == "waived"
    assert set(statuses.values()) == {"ok"}
    assert len(statuses) == 15


@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, id=name, marks=[pytest.mark.all] if name in _SLOW else []) for name, seed in SEEDS.items()],
)
def test_a_deviation_is_found_by_exactly_its_check(lab: Lab, seed: Seed) -> None:
    found_and_mended(lab, seed)


@pytest.mark.parametrize(
    ("host", "parts"),
    [
        ("w-1", {"cluster/nodes", "cluster/pods"}),
        ("cp-1", {"cluster/nodes", "cluster/pods", "cluster/control-plane", "cluster/etcd"}),
    ],
)
def test_a_dead_host_is_missed_and_hides_nobody(small: LabCluster, lab: Lab, host: str, parts: set[str]) -> None:
    whole = {(outcome["host"], outcome["subject"]) for outcome in comply(lab).report["outcomes"]}
    other = "cp-2" if host == "cp-1" else "cp-1"
    lab.do("poweroff", host)
    try:
        # While etcd elects another leader its members say so, and that is a finding of theirs.
        eventually("the API answers without it", lambda: bool(small.ready(other)), 120)
        run = comply(lab)
        assert run.exit == 3, {pair: run.outcome(*pair)["message"] for pair in run.bad if pair[0] != host}
        assert {(outcome["host"], outcome["subject"]) for outcome in run.report["outcomes"]} == whole
        for outcome in run.report["outcomes"]:
            if outcome["host"] == host:
                assert outcome["status"] == ("missing" if outcome["subject"] in parts else "failed"), outcome
            elif outcome["status"] in BAD:
                # Names are asked for of a server that ran there, until the cluster has taken it out.
                assert outcome["subject"] == "cluster/dns", outcome
                assert host in outcome["message"], outcome
    finally:
        lab.do("poweron", host)
        eventually(f"{host} is ready again", lambda: host in small.ready(other), 180)
        eventually("all is good again", lambda: comply(lab).exit == 0, 180)


def test_one_limited_to_a_worker_is_told_of_it_by_the_control_planes(lab: Lab) -> None:
    run = comply(lab, "--limit", "w-1", "--check", "cluster")
    assert run.exit == 0
    assert run.outcome("w-1", "cluster/nodes")["status"] == "ok"
    assert {outcome["host"] for outcome in run.report["outcomes"]} == {"w-1", "controller"}


def test_drift_of_labels_is_mended_by_bootstrap(lab: Lab) -> None:
    lab.shell("cp-1", ("sh", "-c", SEEDS["label"].make))
    run = comply(lab, "--check", "cluster/labels", "--fix", "--yes")
    assert run.exit == 0, run.complaint
    assert run.outcome("w-1", "cluster/labels")["status"] == "ok"
