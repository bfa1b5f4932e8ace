#!/bin/sh
# The same objects by kubectl alone, as a careful person's script would do it: the other side of `rollout_vs_kubectl_apply`.
# $1: a folder with `components/NUMBER-NAME/objects.yaml`, in the order in which a rollout begins them.
# What a webhook refuses while its pod starts is applied again; workloads are waited for, nothing else sleeps.
set -eu
kubectl='kubectl --kubeconfig /etc/kubernetes/admin.conf'

applied() { # $1: a file
    tries=0
    until $kubectl apply --server-side --force-conflicts -f "$1" >/tmp/applied 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 60 ] || { cat /tmp/applied >&2; exit 1; }
        sleep 1
    done
}

ready() { # $1: a file
    for object in $($kubectl get -f "$1" --ignore-not-found -o name); do
        space=$($kubectl get -f "$1" -o jsonpath="{range .items[*]}{.kind}/{.metadata.name} {.metadata.namespace}{'\n'}{end}" |
            awk -v name="${object##*/}" '{ split($1, part, "/"); if (part[2] == name && $2 != "") { print $2; exit } }')
        case $object in
        customresourcedefinition*) $kubectl wait --for=condition=Established "$object" --timeout=60s ;;
        deployment* | statefulset* | daemonset*) $kubectl rollout status -n "$space" "$object" --timeout=600s ;;
        job*) $kubectl wait --for=condition=Complete -n "$space" "$object" --timeout=600s ;;
        cluster.postgresql* | certificate.*) $kubectl wait --for=condition=Ready -n "$space" "$object" --timeout=600s ;;
        esac >/dev/null
    done
}

for file in "$1"/components/*/objects.yaml; do
    applied "$file"
    ready "$file"
done
