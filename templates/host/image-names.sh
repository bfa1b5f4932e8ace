# Gives images of this node further names, and lets kubelet's clean-up spare them. Arguments are pairs: the name it has, the name it gets.
set -u
while [ $# -gt 1 ]; do
    if [ "$1" != "$2" ]; then ctr --namespace k8s.io images tag --force "$1" "$2" >/dev/null || exit 1; fi
    ctr --namespace k8s.io images label "$2" io.cri-containerd.pinned=pinned >/dev/null || exit 1
    shift 2
done
