# Makes this control plane the only member of a new etcd cluster that holds what a snapshot holds. May be cut short and run again.
# $1: snapshot, $2: member's name, $3: its peers' URL, $4: the new cluster's token.
set -u
umask 077
mf_data=/var/lib/etcd

mf_fail() {
    printf 'could not %s\n' "$1" >&2
    exit 74
}

# The control plane's own containers: each is in a pod's control group and goes by its program's name.
mf_planes() {
    for mf_folder in /proc/[0-9]*; do
        case $(cat "$mf_folder/comm" 2>/dev/null) in
        etcd | kube-apiserver | kube-controller | kube-scheduler)
            if grep -qs kubepods "$mf_folder/cgroup"; then echo "${mf_folder#/proc/}"; fi
            ;;
        esac
    done
}

# $1: signal, $2: tenths of a second to wait.
mf_end() {
    mf_round=0
    while [ "$mf_round" -lt "$2" ]; do
        mf_left=$(mf_planes)
        [ -n "$mf_left" ] || return 0
        # shellcheck disable=SC2086 # several process ids
        [ "$mf_round" -gt 0 ] || kill "-$1" $mf_left 2>/dev/null
        mf_round=$((mf_round + 1))
        sleep 0.1
    done
    return 1
}

etcdutl snapshot status "$1" >/dev/null || mf_fail "verify the snapshot $1"
rm -rf "$mf_data/restored"
# Whoever watches must notice that time went back: revisions go on far above any that was ever handed out.
etcdutl snapshot restore "$1" --data-dir "$mf_data/restored" --name "$2" --initial-cluster "$2=$3" \
    --initial-advertise-peer-urls "$3" --initial-cluster-token "$4" --bump-revision 1000000000 --mark-compacted \
    >/dev/null || mf_fail "unpack the snapshot into $mf_data (is the disk full?)"
systemctl stop kubelet.service || mf_fail "stop kubelet"
mf_end TERM 200 || mf_end KILL 100 || mf_fail "end the control plane's containers"
mkdir -p "$mf_data/before" || mf_fail "make $mf_data/before"
if [ -e "$mf_data/member" ]; then mv "$mf_data/member" "$mf_data/before/$4" || mf_fail "put the former data aside"; fi
mv "$mf_data/restored/member" "$mf_data/member" || mf_fail "put the restored data in its place"
rm -rf "$mf_data/restored"
systemctl start kubelet.service || mf_fail "start kubelet"
