# Prints what a host is, one section after the other, and changes nothing. Needs no more than Debian's essential packages.

# --- Questions. Each runs beside the others and answers with a single line, written at once.

# $1: name server, $2: how many questions follow, each an octal-escaped packet. What got lost is asked once more.
mf_dns() {
    # shellcheck disable=SC2016
    mf_answers=$(timeout 4 bash -c '
        server=$1 count=$2
        shift 2
        set -o pipefail
        for seconds in 1 2; do
            exec 3<>"/dev/udp/$server/53" || exit
            for question; do
                case $question in
                # bash would send what stands behind a line end as a packet of its own.
                *\\0012*) printf %b "$question" | dd bs=600 iflag=fullblock status=none >&3 ;;
                *) printf %b "$question" >&3 ;;
                esac
            done
            timeout "$seconds" dd bs=4096 count="$count" status=none <&3 | od -An -v -tx1 | tr -d " \n" && exit
        done' - "$@" 2>/dev/null)
    printf 'dns %s %s\n' "$1" "$mf_answers"
}

# $1: address, the word for the kernel's neighbour with it: its hardware address and state.
mf_neighbour() {
    ip neigh show to "$1" 2>/dev/null | sed -n 's/.* dev \([^ ]*\) lladdr \([^ ]*\).* \([A-Z][A-Z]*\) *$/\1 \2 \3/p' | head -n 1
}

# $1: address or name, $2: port.
mf_connect() {
    # shellcheck disable=SC2016
    mf_said=$(LC_ALL=C timeout 1 bash -c 'exec 3<>"/dev/tcp/$1/$2"' - "$1" "$2" 2>&1)
    case $? in
    0) mf_result=open ;;
    124) mf_result=silent ;;
    *) mf_result=$(printf %s "$mf_said" | sed -n 's/.*: \([^:]*\)$/\1/p' | tail -n 1 | tr ' ' '_') ;;
    esac
    mf_near=$(mf_neighbour "$1")
    if [ -n "$mf_near" ] && [ "$mf_result" = silent ]; then
        # What the kernel remembers may be gone by now: let it look again.
        ip neigh change "$1" dev "${mf_near%% *}" nud probe 2>/dev/null
        sleep 1
        mf_near=$(mf_neighbour "$1")
    fi
    printf 'connect %s %s %s %s\n' "$1" "$2" "${mf_result:-failed}" "${mf_near:-none}"
}

mf_ping() {
    if ping -n -q -c 1 -W 1 -M do -s "$2" "$1" >/dev/null 2>&1; then echo yes; else echo no; fi
}

# $1: address, $2: bytes of headers before a ping's data.
mf_path() {
    mf_device=$(ip route get "$1" 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
    mf_mtu=$(cat "/sys/class/net/$mf_device/mtu" 2>/dev/null || echo 0)
    mf_small=$(mf_ping "$1" 8)
    mf_large=no
    if [ "$mf_small" = yes ] && [ "$mf_mtu" -gt "$2" ]; then mf_large=$(mf_ping "$1" $((mf_mtu - $2))); fi
    printf 'path %s %s %s %s\n' "$1" "$mf_mtu" "$mf_small" "$mf_large"
}

# The bus may have to start its service first.
mf_time() {
    mf_synchronised=$(timeout 3 timedatectl show -p NTPSynchronized --value 2>/dev/null)
    # chronyd may follow others and be told to leave the kernel's clock alone.
    case $(timeout 2 chronyc -c tracking 2>/dev/null) in *,Normal) mf_synchronised=yes ;; esac
    printf 'time %s\n' "$mf_synchronised"
}

# --- Facts.

mf_system() {
    mf_section os-release
    cat /etc/os-release 2>/dev/null
    mf_section kernel
    uname -r
    mf_section architecture
    dpkg --print-architecture
    mf_section systemd
    systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p'
    mf_section modules
    for mf_module in overlay br_netfilter nf_conntrack nf_tables vxlan wireguard; do
        if [ -d "/sys/module/$mf_module" ] || grep -q "^$mf_module " /proc/modules 2>/dev/null ||
            modprobe -nq "$mf_module" 2>/dev/null; then echo "$mf_module"; fi
    done
    mf_section config
    if [ -r /proc/config.gz ]; then zcat /proc/config.gz; else cat "/boot/config-$(uname -r)" 2>/dev/null; fi |
        sed -n -E 's/^CONFIG_(OVERLAY_FS|BRIDGE_NETFILTER|NF_CONNTRACK|NF_TABLES|VXLAN|WIREGUARD)=(y|m)$/\1 \2/p'
    mf_section cgroup
    stat -fc %T /sys/fs/cgroup 2>/dev/null
    stat -fc %T /sys/fs/cgroup/unified 2>/dev/null
    mf_section controllers
    cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null || sed -n 's/^\([a-z_]*\)\t.*\t1$/\1/p' /proc/cgroups
    mf_section apparmor
    cat /sys/module/apparmor/parameters/enabled 2>/dev/null
    mf_section reboot
    if [ -e /run/reboot-required ] || [ -e /var/run/reboot-required ]; then echo required; fi
    mf_section cloud-init
    if [ -d /etc/cloud ] && command -v cloud-init >/dev/null 2>&1; then
        if [ -e /etc/cloud/cloud-init.disabled ]; then echo 'state: disabled'; else echo 'state: enabled'; fi
        cat /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg 2>/dev/null | grep -E '^(manage_etc_hosts|preserve_hostname):'
    fi
    mf_section programs
    for mf_program in ip ss nft iptables-save ping docker podman crio k3s rke2 microk8s kubeadm kubelet containerd sudo python3; do
        if command -v "$mf_program" >/dev/null 2>&1; then echo "$mf_program"; fi
    done
}

mf_hardware() {
    mf_section cpus
    nproc
    mf_section memory
    sed -n -E 's/^(MemTotal|MemAvailable): *([0-9]+) kB$/\1 \2/p' /proc/meminfo
    mf_section swaps
    sed 1d /proc/swaps 2>/dev/null
    mf_section fstab
    if [ -r /etc/fstab ]; then awk '$1 !~ /^#/ && $3 == "swap" { print $1 }' /etc/fstab; fi
    mf_section filesystems
    for mf_path in / /boot /var/lib/containerd /var/lib/etcd /var/lib/kubelet /var/log; do
        mf_place=$mf_path
        until [ -d "$mf_place" ]; do mf_place=$(dirname "$mf_place"); done
        printf '%s ' "$mf_path"
        df -k --output=fstype,size,avail,itotal,iavail,source,target "$mf_place" | sed 1d
    done
    mf_section disks
    for mf_disk in /sys/block/*; do
        case $mf_disk in */loop* | */ram* | */zram* | */sr* | */\*) continue ;; esac
        echo "${mf_disk##*/} $(cat "$mf_disk/size") $(cat "$mf_disk/queue/rotational" 2>/dev/null || echo 0)"
    done
    mf_section disk-ids
    for mf_link in /dev/disk/by-id/*; do
        if [ -L "$mf_link" ]; then echo "${mf_link##*/} $(basename "$(readlink -f "$mf_link")")"; fi
    done
}

mf_identity() {
    mf_section hostname
    cat /proc/sys/kernel/hostname
    mf_section machine-id
    cat /etc/machine-id 2>/dev/null
    mf_section product-uuid
    cat /sys/class/dmi/id/product_uuid 2>/dev/null
}

mf_network() {
    mf_section links
    for mf_link in /sys/class/net/*; do
        [ -e "$mf_link/address" ] || continue
        mf_kind=virtual
        if [ -e "$mf_link/device" ]; then mf_kind=hardware; fi
        echo "${mf_link##*/} $(cat "$mf_link/mtu") $(cat "$mf_link/speed" 2>/dev/null || echo 0)" \
            "$(cat "$mf_link/operstate") $mf_kind $(cat "$mf_link/address")"
    done
    mf_asked addresses ip -j addr
    mf_section routes
    ip -4 -o route show default 2>/dev/null | sed 's/^/4 /'
    ip -6 -o route show default 2>/dev/null | sed 's/^/6 /'
    mf_section resolvers
    sed -n 's/^nameserver[[:space:]]*//p' /etc/resolv.conf 2>/dev/null
    mf_asked listeners ss -Hlntup
    mf_asked iptables-save iptables-save
    mf_section ipv6
    if [ -e /proc/net/if_inet6 ]; then echo yes; fi
    mf_asked ip6tables-save ip6tables-save
    # Asking the older iptables loads its modules, so only where it is in use.
    mf_section iptables-legacy-save
    if grep -qs . /proc/net/ip_tables_names; then iptables-legacy-save 2>/dev/null || sed 's/^/*/' /proc/net/ip_tables_names; fi
    mf_section ip6tables-legacy-save
    if grep -qs . /proc/net/ip6_tables_names; then ip6tables-legacy-save 2>/dev/null || sed 's/^/*/' /proc/net/ip6_tables_names; fi
    mf_asked nft nft -j list ruleset
}

mf_software() {
    # shellcheck disable=SC2016
    mf_asked packages dpkg-query -W -f '${db:Status-Abbrev}|${Package}|${Version}\n'
    mf_asked units systemctl show -p Id,LoadState,ActiveState,UnitFileState docker.service containerd.service crio.service k3s.service \
        k3s-agent.service rke2-server.service rke2-agent.service kubelet.service etcd.service haproxy.service keepalived.service \
        firewalld.service nftables.service ufw.service chrony.service systemd-timesyncd.service ntpsec.service ntp.service \
        openntpd.service systemd-resolved.service unattended-upgrades.service zramswap.service NetworkManager.service \
        snap.microk8s.daemon-kubelite.service
    mf_section locks
    for mf_file in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock; do
        mf_inode=$(stat -c %i "$mf_file" 2>/dev/null) || continue
        if grep -qE "POSIX +ADVISORY +WRITE .*:$mf_inode " /proc/locks 2>/dev/null; then echo "$mf_file"; fi
    done
    mf_packaging
    mf_section archives
    # A mirror's address may carry a password.
    grep -hsE '^(deb |URIs:)' /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources |
        sed 's#//[^/@ ]*@#//#'
    mf_section remains
    for mf_path in /etc/kubernetes/admin.conf /etc/kubernetes/kubelet.conf /etc/kubernetes/bootstrap-kubelet.conf \
        /etc/kubernetes/manifests/*.yaml /etc/kubernetes/pki/*.crt /var/lib/etcd/member /var/lib/kubelet/config.yaml \
        /var/lib/kubelet/pki /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist /etc/rancher /var/lib/rancher /var/snap/microk8s; do
        if [ -e "$mf_path" ]; then echo "$mf_path"; fi
    done
    mf_section server
    # A control plane's kubelet talks to the API server beside it; its administrators' way leads to the cluster.
    for mf_path in /etc/kubernetes/admin.conf /etc/kubernetes/kubelet.conf; do
        if [ -e "$mf_path" ]; then sed -n 's/^ *server: *//p' "$mf_path" && break; fi
    done
    # What this project left: on the way to a node, and as one.
    mf_section prepared
    if [ -e /etc/sysctl.d/95-matrix-fleet.conf ]; then echo yes; fi
    mf_section node
    cat /var/lib/matrix-fleet/node 2>/dev/null
}

# $1: the mark that begins each section. The questions' answers are on standard input and come last.
mf_facts() {
    mf_mark=$1
    {
        mf_section begins
        date +%s.%N
        mf_system
        mf_hardware
        mf_identity
        mf_network
        mf_software
    } </dev/null
    mf_section asked
    cat
    mf_section ends
    date +%s.%N
    mf_section end
}
