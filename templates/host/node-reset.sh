# Takes Kubernetes off this host; may be cut short anywhere and run again. Follows node-remains.sh.
# $1: `leave` ends what runs and keeps every file; `reset` removes everything, too.
set -u
umask 077

# Every step is tried: what is left is seen by whoever looks afterwards.
mf_try() { "$@" >/dev/null 2>&1 || true; }

mf_stop_units() {
    # kubelet first: it would start pods again. The balancers' address goes to another control plane.
    for mf_unit in kubelet.service $(mf_own_balancers | sed 's/:.*/.service/' | sort -r); do
        mf_try systemctl disable --now "$mf_unit"
    done
}

mf_end_processes() {
    mf_round=0
    while [ "$mf_round" -lt 50 ]; do
        mf_left=$(mf_list_processes | cut -d' ' -f2)
        [ -n "$mf_left" ] || return 0
        # shellcheck disable=SC2086 # several process ids
        kill -9 $mf_left 2>/dev/null
        mf_round=$((mf_round + 1))
        sleep 0.1
    done
}

mf_unmount() {
    mf_list_mounts | cut -d' ' -f2- | while read -r mf_path; do
        # The kernel writes a blank as \040.
        mf_path=$(printf '%b' "$(printf %s "$mf_path" | sed 's/\\\([0-7]\)/\\0\1/g')")
        umount "$mf_path" 2>/dev/null || mf_try umount -l "$mf_path"
    done
}

mf_remove_volume_units() {
    mf_volume_units | while IFS= read -r mf_unit; do
        mf_try systemctl disable --now "$mf_unit"
        rm -f "/etc/systemd/system/$mf_unit"
    done
}

mf_remove_network() {
    mf_list_namespaces | while read -r _ mf_name; do
        mf_try umount -l "/run/netns/$mf_name"
        rm -f "/run/netns/$mf_name"
    done
    mf_list_links | while read -r _ mf_name; do mf_try ip link delete "$mf_name"; done
    # Calico's routes.
    mf_try ip route flush proto 80
    mf_try ip -6 route flush proto 80
}

# In one transaction a table: ufw's rules before and after are the same ones.
mf_remove_chains() {
    for mf_tool in $(mf_iptables); do
        $mf_tool-save 2>/dev/null | awk -v chains="$mf_chains" '
            /^\*/ { table = $1; n = d = 0 }
            /^:/ { name = substr($1, 2); if (name ~ chains) own[++n] = name }
            /^-A / {
                target = ""
                for (i = 3; i < NF; i++) if ($i == "-j" || $i == "-g") target = $(i + 1)
                if ($2 !~ chains && (target ~ chains || / --comment "?cali:/)) { sub(/^-A/, "-D"); jump[++d] = $0 }
            }
            /^COMMIT/ && n + d {
                print table
                for (i = 1; i <= n; i++) print ":" own[i] " - [0:0]"
                for (i = 1; i <= d; i++) print jump[i]
                for (i = 1; i <= n; i++) print "-X " own[i]
                print "COMMIT"
            }' >/run/matrix-fleet-reset.rules
        [ ! -s /run/matrix-fleet-reset.rules ] || mf_try "$mf_tool-restore" -n -w 20 /run/matrix-fleet-reset.rules
        rm -f /run/matrix-fleet-reset.rules
    done
}

# Tables that only kubelet and the CNI had used: nothing but accepting chains is in them.
mf_remove_tables() {
    mf_list_tables | while read -r _ mf_family mf_name; do mf_try nft delete table "$mf_family" "$mf_name"; done
    mf_has nft || return 0
    for mf_family in ip ip6; do
        for mf_name in mangle nat raw; do
            if nft list table $mf_family $mf_name 2>/dev/null | grep -v '^#' | awk '
                /^table|^}|^$|^\t}$|^\tchain (PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) \{$|^\t\ttype .* policy accept;$/ { next }
                { exit 1 }'; then
                mf_try nft delete table $mf_family $mf_name
            fi
        done
    done
}

mf_remove_files() {
    for mf_path in $mf_paths $(mf_own_balancers | sed 's/.*://'); do
        # Whatever is still mounted below is not ours to empty; the mark goes last.
        if [ "$mf_path" = /var/lib/matrix-fleet/node ] || [ ! -e "$mf_path" ] && [ ! -L "$mf_path" ]; then
            continue
        elif [ -d "$mf_path" ] && [ ! -L "$mf_path" ]; then
            find "$mf_path" -xdev -depth -mindepth 1 -delete 2>/dev/null
            rmdir "$mf_path" 2>/dev/null
        else
            rm -f "$mf_path"
        fi
    done
    rmdir /etc/cni /etc/matrix-fleet /run/netns 2>/dev/null
    find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir {} + 2>/dev/null
    true
}

if [ "$1" = reset ]; then mkdir -p /var/lib/matrix-fleet && printf 'started reset\n' >/var/lib/matrix-fleet/node; fi
mf_stop_units
if [ "$1" = reset ] && mf_has kubeadm && [ -e /etc/kubernetes/kubelet.conf ] && systemctl is-active --quiet containerd.service; then
    mf_try timeout 120 kubeadm reset --force --skip-phases preflight,remove-etcd-member
fi
mf_try systemctl disable --now containerd.service
mf_end_processes
if [ "$1" = leave ]; then
    mkdir -p /var/lib/matrix-fleet && printf 'removed\n' >/var/lib/matrix-fleet/node
    exit 0
fi
mf_unmount
mf_remove_volume_units
mf_remove_network
mf_remove_chains
mf_try systemctl disable --now matrix-fleet-nodeports.service
mf_remove_tables
mf_remove_files
mf_try systemctl daemon-reload
mf_try systemctl reset-failed kubelet.service containerd.service
rm -f /var/lib/matrix-fleet/node
rmdir /var/lib/matrix-fleet/secrets 2>/dev/null
true
