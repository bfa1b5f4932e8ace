# Prints what a host's firewall is, one section after the other, and changes nothing.
mf_file() {
    if [ -f "$1" ]; then
        mf_section "file $1"
        cat "$1"
    fi
}

# sudo hides SSH_CONNECTION from what it starts; sshd's own child still has it.
mf_connection() {
    mf_section connection
    mf_pid=$$
    while [ "$mf_pid" -gt 1 ]; do
        if tr '\0' '\n' 2>/dev/null <"/proc/$mf_pid/environ" | grep '^SSH_CONNECTION='; then
            return
        fi
        mf_pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$mf_pid/status")
    done
}

# Asking the older iptables loads its modules, so only where it is in use. Files of /proc have no size.
mf_legacy() {
    if grep -qs . "$2"; then
        mf_asked "$1" "$1"
    else
        mf_section "$1"
        mf_section "end of $1"
        echo 0
    fi
}

# $1: the mark that begins each section, $2: `boot` where the next boot is to be tried, too.
mf_facts() {
    mf_mark=$1
    mf_section ufw
    if [ -x /usr/sbin/ufw ]; then
        sed -n '/^Package: ufw$/,/^$/s/^Version: //p' /var/lib/dpkg/status 2>/dev/null || echo unknown
        echo installed
    fi
    for mf_path in /etc/ufw/user.rules /etc/ufw/user6.rules /etc/default/ufw /etc/ufw/ufw.conf /etc/ufw/before.rules \
        /etc/ufw/before6.rules /etc/ufw/after.rules /etc/ufw/after6.rules /etc/os-release; do
        mf_file "$mf_path"
    done
    mf_asked iptables-save iptables-save
    mf_asked ip6tables-save ip6tables-save
    mf_legacy iptables-legacy-save /proc/net/ip_tables_names
    mf_legacy ip6tables-legacy-save /proc/net/ip6_tables_names
    mf_asked nft nft -j list ruleset
    mf_asked listeners ss -Hlntup
    mf_section addresses
    ip -j addr 2>/dev/null
    mf_devices
    mf_section conntrack
    cat /proc/sys/net/netfilter/nf_conntrack_max /proc/sys/net/netfilter/nf_conntrack_count 2>/dev/null
    mf_section python3
    readlink -f "$(command -v python3)" 2>/dev/null
    mf_section unit
    for mf_link in /etc/systemd/system/*.wants/ufw.service; do
        if [ -L "$mf_link" ]; then echo enabled; fi
    done
    mf_section ipv6
    if [ -e /proc/net/if_inet6 ]; then echo yes; fi
    mf_unconfirmed
    mf_holder
    mf_connection
    if [ "${2:-}" = boot ]; then mf_next_boot; fi
    mf_section end
}
