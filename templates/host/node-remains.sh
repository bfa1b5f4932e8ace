# What of Kubernetes is on this host: functions that list it, one `kind detail` a line. Nothing is changed here.
mf_chains='^(KUBE-|FLANNEL-|CNI-|cali-)'
mf_tables='^(kube-proxy|flannel-ipv[46]|cni_.*|calico|matrix_fleet)$'
mf_links='^(cni[0-9]+|flannel[.-].*|cali[0-9a-f]+|vxlan[.-].*calico|kube-ipvs0|kube-bridge|nodelocaldns)$'
mf_folders='/var/lib/kubelet /run/containerd /var/lib/containerd'
# Mount points may stay where they are; what is in them goes.
mf_paths='/etc/kubernetes /etc/cni/net.d /var/lib/cni /run/flannel /run/calico /var/lib/calico /run/kubernetes /var/lib/etcd
/var/lib/kubelet /var/lib/containerd /run/containerd /var/log/pods /var/log/containers /var/log/kubernetes /var/log/calico
/usr/libexec/kubernetes /opt/containerd /etc/containerd /etc/systemd/system/kubelet.service /etc/systemd/system/kubelet.service.d
/etc/systemd/system/containerd.service /etc/systemd/system/containerd.service.d /etc/matrix-fleet/nodeports.nft
/etc/systemd/system/matrix-fleet-nodeports.service /var/lib/matrix-fleet/kubeadm.log /var/lib/matrix-fleet/kubeadm.log.1 /var/lib/matrix-fleet/secrets/encryption
/var/lib/matrix-fleet/secrets/keepalived /var/lib/matrix-fleet/node'
mf_units='kubelet.service containerd.service matrix-fleet-nodeports.service'
mf_balancers='haproxy:/etc/haproxy/haproxy.cfg keepalived:/etc/keepalived/keepalived.conf'

# Units that mount local volumes or make their folders; what is in the volumes is data, and stays.
mf_volume_units() {
    for mf_file in /etc/systemd/system/matrix-fleet-volumes.service '/etc/systemd/system/var-lib-matrix\x2dfleet-volumes-'*.mount; do
        [ ! -e "$mf_file" ] || printf '%s\n' "${mf_file##*/}"
    done
}

mf_has() { command -v "$1" >/dev/null 2>&1; }

# Balancers are ours where their configuration is.
mf_own_balancers() {
    for mf_pair in $mf_balancers; do
        if grep -qs '^[#!] Written by matrix-fleet' "${mf_pair#*:}"; then echo "$mf_pair"; fi
    done
}

mf_list_units() {
    for mf_unit in $mf_units $(mf_own_balancers | sed 's/:.*/.service/'); do
        mf_state="$(systemctl is-enabled "$mf_unit" 2>/dev/null) $(systemctl is-active "$mf_unit" 2>/dev/null)"
        case $mf_state in
        enabled* | *' active' | *' activating') echo "unit $mf_unit ($mf_state)" ;;
        esac
    done
}

# $1: pid. Containers of pods are known by their control group, shims by the namespace they serve.
mf_is_pod_process() {
    grep -qs kubepods "/proc/$1/cgroup" && return 0
    tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -q '^[^ ]*containerd-shim-[^ ]* .*-namespace k8s\.io '
}

mf_list_processes() {
    for mf_folder in /proc/[0-9]*; do
        mf_pid=${mf_folder#/proc/}
        if mf_is_pod_process "$mf_pid"; then echo "process $mf_pid $(cat "$mf_folder/comm" 2>/dev/null)"; fi
    done
}

# Deepest first, as they have to be undone.
mf_list_mounts() {
    mf_found=$(mf_folders="$mf_folders" awk 'BEGIN { n = split(ENVIRON["mf_folders"], top, " ") }
        { for (i = 1; i <= n; i++) if (index($5, top[i] "/") == 1) print "mount " $5 }
        $5 ~ /^(\/var)?\/run\/netns\/cni-/ { print "mount " $5 }' /proc/self/mountinfo)
    [ -z "$mf_found" ] || printf '%s\n' "$mf_found" | sort -r
}

mf_list_namespaces() { for mf_file in /run/netns/cni-*; do [ ! -e "$mf_file" ] || echo "namespace ${mf_file##*/}"; done; }

mf_list_links() {
    ip -o link show | awk -v names="$mf_links" '{ name = $2; sub(/(@.*)?:$/, "", name); if (name ~ names || / master cni0 /) print "link " name }'
}

mf_list_tables() {
    if mf_has nft; then nft list tables 2>/dev/null | awk -v names="$mf_tables" '$3 ~ names { print "table " $2 " " $3 }'; fi
}

# A legacy tool is only asked where the kernel has such tables: asking makes them.
mf_iptables() {
    for mf_tool in iptables ip6tables; do
        if mf_has $mf_tool-save; then echo $mf_tool; fi
    done
    if grep -qs . /proc/net/ip_tables_names && mf_has iptables-legacy-save; then echo iptables-legacy; fi
    if grep -qs . /proc/net/ip6_tables_names && mf_has ip6tables-legacy-save; then echo ip6tables-legacy; fi
}

mf_list_chains() {
    for mf_tool in $(mf_iptables); do
        $mf_tool-save 2>/dev/null | awk -v tool="$mf_tool" -v chains="$mf_chains" '/^\*/ { table = substr($1, 2) }
            /^:/ { name = substr($1, 2); if (name ~ chains) print "chain " tool " " table " " name }'
    done
}

mf_list_paths() {
    mf_volume_units | sed 's,^,path /etc/systemd/system/,'
    for mf_path in $mf_paths $(mf_own_balancers | sed 's/.*://'); do
        if [ -d "$mf_path" ] && mountpoint -q "$mf_path"; then
            [ -z "$(ls -A "$mf_path")" ] || echo "path $mf_path"
        elif [ -e "$mf_path" ] || [ -L "$mf_path" ]; then
            echo "path $mf_path"
        fi
    done
}

# Containers that somebody else runs on the same containerd.
mf_list_strangers() {
    if mf_has ctr && systemctl is-active --quiet containerd.service; then
        for mf_namespace in $(timeout 20 ctr namespaces list -q 2>/dev/null); do
            if [ "$mf_namespace" != k8s.io ] && [ -n "$(timeout 20 ctr -n "$mf_namespace" containers list -q 2>/dev/null)" ]; then
                echo "stranger $mf_namespace"
            fi
        done
    fi
}

mf_remains() {
    mf_list_units
    mf_list_processes
    mf_list_mounts
    mf_list_namespaces
    mf_list_links
    mf_list_tables
    mf_list_chains
    mf_list_paths
    mf_list_strangers
    echo end
}
