# Prints what decides about packets at devices, outside netfilter's tables: programs of XDP, filters of tc, programs of the root cgroup.
mf_devices() {
    mf_section devices
    for mf_link in /sys/class/net/*; do
        if ! [ -e "$mf_link/ifindex" ]; then continue; fi
        mf_kind=device
        if [ -d "$mf_link/bridge" ]; then mf_kind=bridge; fi
        mf_line="${mf_link##*/} $mf_kind"
        for mf_lower in "$mf_link"/lower_*; do
            if [ -e "$mf_lower" ]; then mf_line="$mf_line ${mf_lower##*/lower_}"; fi
        done
        echo "$mf_line"
    done
    # Without tc the module of such queues tells whether there may be any.
    if [ -d /sys/module/sch_ingress ]; then echo 'sch_ingress module'; fi
    mf_asked device-links ip -j link
    mf_asked tc-queues tc qdisc show
    mf_section tc-filters
    if command -v tc >/dev/null 2>&1; then
        tc qdisc show 2>/dev/null | sed -n 's/^qdisc \(clsact\|ingress\) .* dev \([^ ]*\).*/\2/p' | while read -r mf_device; do
            for mf_way in ingress egress; do
                tc filter show dev "$mf_device" "$mf_way" 2>/dev/null | sed "s/^/$mf_device $mf_way /"
            done
        done
    fi
    mf_asked net-programs bpftool -j net show
    mf_asked cgroup-programs bpftool -j cgroup show /sys/fs/cgroup
}
