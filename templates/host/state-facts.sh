# Prints what a host holds of what was asked for, one section after the other, and changes nothing.
# $mf_mark begins each section; lists come as arguments, one item each.
mf_packages() {
    mf_section packages
    [ $# -eq 0 ] || dpkg-query -W -f='${db:Status-Abbrev} ${Package} ${Version}\n' "$@" 2>/dev/null
    mf_section held
    # What apt-mark shows, too, but only after it has read every list of packages.
    dpkg-query -W -f='${db:Status-Want} ${Package}\n' 2>/dev/null | sed -n 's/^hold //p'
}

# $1: `text` where the content may be read back, `secret` where only its digest may. $2: the path.
mf_seen() {
    if [ -f "$2" ]; then
        mf_section "file $2"
        stat -L -c '%a %U:%G %s' -- "$2"
        sha256sum <"$2"
        if [ "$1" = text ] && [ "$(stat -L -c %s -- "$2")" -le 262144 ]; then base64 -w 0 -- "$2"; fi
    fi
}

mf_present() {
    mf_section present
    for mf_path; do
        if [ -e "$mf_path" ] || [ -L "$mf_path" ]; then printf '%s\n' "$mf_path"; fi
    done
}

# $1: a shell pattern. What matches it and is ours by its name or its first line, as part of the section `present`.
mf_ours() {
    for mf_path in $1; do
        case $mf_path in
        */matrix-fleet-*) if [ -e "$mf_path" ]; then printf '%s\n' "$mf_path"; fi ;;
        *) if head -n 1 -- "$mf_path" 2>/dev/null | grep -q '^# Written by matrix-fleet'; then printf '%s\n' "$mf_path"; fi ;;
        esac
    done
}

mf_units() {
    mf_section units
    [ $# -eq 0 ] || systemctl show --property=UnitFileState,ActiveState,NeedDaemonReload -- "$@"
}

mf_sysctls() {
    mf_section sysctl
    for mf_name; do
        mf_path=/proc/sys/$(printf %s "$mf_name" | tr . /)
        if [ -r "$mf_path" ]; then printf '%s %s\n' "$mf_name" "$(tr '\n' ' ' <"$mf_path")"; fi
    done
}

mf_modules() {
    mf_section modules
    for mf_name; do
        if [ -d "/sys/module/$mf_name" ] || grep -qs "/$mf_name\.ko" "/lib/modules/$(uname -r)/modules.builtin"; then
            printf '%s\n' "$mf_name"
        fi
    done
}

mf_swaps() {
    mf_section swaps
    sed -n '2,$s/[[:space:]].*//p' /proc/swaps
    sed -n 's/^\([^#[:space:]]*\)[[:space:]]\{1,\}[^[:space:]]*[[:space:]]\{1,\}swap[[:space:]].*/\1 in \/etc\/fstab/p' /etc/fstab 2>/dev/null
}

# One line each: the account as getent prints it, the state of its password (L: none opens it), its groups.
mf_users() {
    mf_section users
    for mf_name; do
        if mf_line=$(getent passwd "$mf_name"); then
            mf_state=$(passwd -S "$mf_name" | cut -d' ' -f2)
            printf '%s|%s|%s\n' "$mf_line" "$mf_state" "$(id -Gn "$mf_name")"
        fi
    done
}

mf_folders() {
    mf_section folders
    for mf_path; do
        if [ -d "$mf_path" ] && [ ! -L "$mf_path" ]; then stat -c '%a %U:%G %n' -- "$mf_path"; fi
    done
}
