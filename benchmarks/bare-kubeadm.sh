#!/usr/bin/env bash
# The same cluster by kubeadm alone, as a careful person's script would do it: the other side of `bootstrap_vs_bare_kubeadm`.
# $1: a folder with ssh_config, the configurations that bootstrap uses, and the lists `planes` and `workers` (one host a line).
# Control planes join one at a time, workers at once; what has to be waited for is asked for, nothing sleeps.
set -euo pipefail
dir=$1
mapfile -t planes <"$dir/planes"
mapfile -t workers <"$dir/workers"
first=${planes[0]}
kubectl='kubectl --kubeconfig /etc/kubernetes/admin.conf'

on() {
    local host=$1
    shift
    ssh -F "$dir/ssh_config" "$host" "$@"
}

all() { # $1: what is done to each, in parallel; $2...: hosts
    local task=$1 pids=() host
    shift
    for host; do
        "$task" "$host" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
}

endpoint() {
    tar -C "$dir/endpoint-$1" -cf - . | on "$1" 'tar -C / --no-same-owner -xf - && systemctl restart haproxy keepalived'
}

join() {
    sed "s|TOKEN|$token|; s|HASH|$hash|" "$dir/join-$1.yaml" |
        on "$1" 'umask 077; cat >/run/join.yaml; kubeadm join --config /run/join.yaml >/var/log/kubeadm.log 2>&1; code=$?; rm /run/join.yaml; exit $code'
}

network() {
    local cidrs
    cidrs=$(on "$first" "$kubectl get node $1 -o jsonpath='{.spec.podCIDRs[0]} {.spec.podCIDRs[1]}'")
    sed "s|CIDR4|${cidrs% *}|; s|CIDR6|${cidrs#* }|" "$dir/conflist" | on "$1" 'cat >/etc/cni/net.d/10-bridge.conflist'
    on "$first" "$kubectl annotate --overwrite node $1 $(cat "$dir/annotations-$1") >/dev/null; $kubectl label --overwrite node $1 $(cat "$dir/label") >/dev/null"
}

all endpoint "${planes[@]}"
on "$first" 'umask 077; cat >/run/init.yaml; kubeadm init --config /run/init.yaml >/var/log/kubeadm.log 2>&1' <"$dir/init.yaml"
token=$(on "$first" kubeadm token create)
hash=sha256:$(on "$first" 'openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | cut -d" " -f1')
keys='pki/ca.crt pki/ca.key pki/sa.key pki/sa.pub pki/front-proxy-ca.crt pki/front-proxy-ca.key pki/etcd/ca.crt pki/etcd/ca.key'
for plane in "${planes[@]:1}"; do
    on "$first" "tar -C /etc/kubernetes -cf - $keys" | on "$plane" 'mkdir -p /etc/kubernetes && tar -C /etc/kubernetes -xf -'
    join "$plane"
done
all join "${workers[@]}"
on "$first" "$kubectl apply -f - >/dev/null" <"$dir/flannel.yaml"
all network "${planes[@]}" "${workers[@]}"
on "$first" "$kubectl wait --for=condition=Ready nodes --all --timeout=300s >/dev/null"
