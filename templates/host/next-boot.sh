# Tries what the next boot will do to the firewall, one section after the other, and changes nothing: whatever is loaded is loaded
# into a network of its own, which ends with the try.

# What runs in that network. $1: the mark that begins each section, $2: flags of iptables-restore. Sets of the host's are on standard input.
# shellcheck disable=SC2016
mf_boot_program='
mf_section() { printf "\n%s %s\n" "$mf_mark" "$1"; }

# As ufw makes them before it loads any file. $1: nothing, or 6. What it calls by chains that others should have made fails here as at boot.
mf_chains() {
    echo "*filter"
    for mf_chain in before-logging before after after-logging reject track skip-to-policy user user-logging; do
        for mf_way in input output forward; do echo ":ufw$1-$mf_chain-$mf_way - [0:0]"; done
    done
    for mf_chain in logging-deny logging-allow user-limit user-limit-accept; do echo ":ufw$1-$mf_chain - [0:0]"; done
    for mf_way in INPUT OUTPUT FORWARD; do
        for mf_chain in before-logging before after after-logging reject track; do
            echo "-A $mf_way -j ufw$1-$mf_chain-$(printf %s "$mf_way" | tr A-Z a-z)"
        done
    done
    for mf_policy in "input -j DROP" "output -j ACCEPT" "forward -j DROP"; do echo "-A ufw$1-skip-to-policy-$mf_policy"; done
    for mf_protocol in tcp udp; do echo "-A ufw$1-track-output -p $mf_protocol -m conntrack --ctstate NEW -j ACCEPT"; done
    echo COMMIT
}

# $1: iptables or ip6tables, $2: flags, $3: file. Says how it ended, and what the program said.
mf_load() {
    mf_section "load $3"
    if [ ! -s "$3" ]; then
        echo absent
        return
    fi
    # shellcheck disable=SC2086
    mf_words=$("$1-restore" -w 5 $2 <"$3" 2>&1)
    mf_code=$?
    if [ "$mf_code" -ne 0 ]; then mf_spelled=; fi
    printf "%s\n%s\n" "$mf_code" "$mf_words"
}

# Prints what is loaded now, spelled as iptables itself does. $1: the name of the section, $2: iptables or ip6tables.
mf_save() {
    if [ "$mf_spelled" ] && mf_words=$("$2-save" -t filter 2>/dev/null); then
        mf_section "$1"
        printf "%s\n" "$mf_words"
    fi
}

mf_mark=$1
if [ "$2" = -n ] && command -v ipset >/dev/null 2>&1; then ipset -exist restore >/dev/null 2>&1; fi
for mf_type in "" 6; do
    mf_exe=ip${mf_type}tables
    if [ "$mf_type" ] && ! [ -e /proc/net/if_inet6 ]; then continue; fi
    if ! command -v "$mf_exe-restore" >/dev/null 2>&1; then continue; fi
    if [ "$2" = -n ] && ! mf_words=$(mf_chains "$mf_type" | "$mf_exe-restore" -w 5 -n 2>&1); then
        mf_section "unable $mf_exe"
        printf "%s\n" "$mf_words"
        continue
    fi
    if [ "$2" = -n ]; then mf_spelled=yes; else mf_spelled=; fi
    for mf_name in before after; do mf_load "$mf_exe" "$2" "/etc/ufw/$mf_name$mf_type.rules"; done
    mf_save "own ${mf_type:-4}" "$mf_exe"
    mf_load "$mf_exe" "$2" "/etc/ufw/user$mf_type.rules"
    mf_save "whole ${mf_type:-4}" "$mf_exe"
done
# Whether ufw is still there once its own files and then those of nftables.service are loaded.
if [ "$2" = -n ] && [ -e /etc/nftables.conf ] && command -v nft >/dev/null 2>&1; then
    mf_words=$(nft -f /etc/nftables.conf 2>&1)
    mf_code=$?
    mf_section "nftables.conf"
    if iptables-save -t filter 2>/dev/null | grep -q "^:ufw-before-input "; then mf_left=left; else mf_left=gone; fi
    printf "%s %s\n%s\n" "$mf_code" "$mf_left" "$mf_words"
fi
'

# $1: a unit. Whether systemd starts it at boot.
mf_at_boot() {
    if [ "$(readlink "/etc/systemd/system/$1")" = /dev/null ]; then return 1; fi
    for mf_link in /etc/systemd/system/*.wants/"$1" /etc/systemd/system/*.requires/"$1" /usr/lib/systemd/system/*.wants/"$1"; do
        if [ -L "$mf_link" ]; then return 0; fi
    done
    return 1
}

mf_next_boot() {
    mf_section at-boot
    for mf_unit in nftables netfilter-persistent firewalld ferm shorewall shorewall6; do
        if mf_at_boot "$mf_unit.service"; then echo "$mf_unit"; fi
    done
    mf_section saved-rules
    for mf_path in /etc/iptables/rules.v4 /etc/iptables/rules.v6; do
        if grep -qs '^[*]filter' "$mf_path"; then echo "$mf_path"; fi
    done
    mf_section flushes
    grep -s '^[^#]*flush[[:space:]]*ruleset' /etc/nftables.conf
    for mf_path in /etc/ufw/before.init /etc/ufw/after.init; do
        if [ -f "$mf_path" ] && [ -x "$mf_path" ]; then
            mf_section "init $mf_path"
            cat "$mf_path"
        fi
    done
    mf_section next-boot
    if ! [ -x /usr/sbin/ufw ]; then
        echo absent
    elif ! command -v iptables-restore >/dev/null 2>&1; then
        echo 'it has no iptables-restore'
    elif unshare --net true 2>/dev/null; then
        echo loaded
        { ipset save 2>/dev/null || true; } | timeout 20 unshare --net sh -c "$mf_boot_program" sh "$mf_mark" -n
    else
        echo tested
        timeout 20 sh -c "$mf_boot_program" sh "$mf_mark" '-n --test' </dev/null
    fi
    mf_code=$?
    mf_section 'end of next-boot'
    echo "$mf_code"
}
