# The functions of one firewall session on a host. The controller sends calls on standard input and reads what they print;
# when it goes away, input ends, the lock falls, and an armed rollback fires by itself.
set -u
umask 077
mf_state=/var/lib/matrix-fleet
mf_units=/etc/systemd/system
mf_work=

# $1: who wants it, and since when.
mf_lock() {
    exec 9>>/run/matrix-fleet.lock
    # A session that has just ended may need a moment to let go.
    if ! flock -w 2 9; then
        cat /run/matrix-fleet.lock
        return 75
    fi
    printf '%s\n' "$1" >/run/matrix-fleet.lock
}

# A run that was cut short left its change unconfirmed: finish its rollback before looking at anything. One that could not be
# finished is tried again each time.
mf_settle() {
    if [ -d "$mf_state/armed" ]; then
        sh "$mf_state/rollback.sh" by-holder </dev/null 9>&- || return 1
    elif [ -e "$mf_state/fired/rollback.sh" ]; then
        sh "$mf_state/fired/rollback.sh" again </dev/null 9>&- || return 1
    elif [ -d "$mf_state/fired" ]; then
        echo "$mf_state/fired holds nothing that could be brought back"
        return 1
    fi
    mf_clear
}

# What is left where a run was killed before its change was armed, and of units whose files are gone.
mf_clear() {
    rm -rf "$mf_state/arming" "$mf_state/rollback.sh"
    rm -f "$mf_units/multi-user.target.wants/matrix-fleet-rollback.service" "$mf_units/matrix-fleet-rollback.service" \
        "$mf_units/matrix-fleet-rollback.timer" /run/matrix-fleet-armed
    mf_left=$(systemctl show -p LoadState -p ActiveState matrix-fleet-rollback.service matrix-fleet-rollback.timer 2>/dev/null)
    case $mf_left in
    *=failed*) systemctl reset-failed 'matrix-fleet-rollback.*' 2>/dev/null ;;
    esac
    # systemd forgets what something else wanted of it only when it reads all units anew.
    case $mf_left in
    *LoadState=loaded*) systemctl daemon-reload 2>/dev/null ;;
    esac
    return 0
}

mf_begin() {
    mf_work=$(mktemp -d /run/matrix-fleet.XXXXXX)
    trap 'rm -rf "$mf_work"' EXIT
}

mf_install() {
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    mf_apt="-q -y -o DPkg::Lock::Timeout=60 -o APT::Install-Recommends=false -o Dpkg::Options::=--force-confold"
    # shellcheck disable=SC2086 # options are several words
    apt-get $mf_apt update </dev/null 9>&- 1>&2 && apt-get $mf_apt install ufw </dev/null 9>&- 1>&2
}

mf_test() {
    for mf_family in 4 6; do
        [ -s "$mf_work/test$mf_family" ] || continue
        "$(mf_tables $mf_family)-restore" -w 5 -n --test <"$mf_work/test$mf_family" || return 1
    done
}

mf_tables() {
    if [ "$1" = 6 ]; then echo ip6tables; else echo iptables; fi
}

# Everything the rollback needs is on disk, and its unit is enabled, before anything changes.
mf_arm() {
    mkdir -p "$mf_state" && chmod 700 "$mf_state" && rm -rf "$mf_state/arming" && mkdir "$mf_state/arming" || return 1
    mf_snapshot=$mf_state/arming
    cp "$mf_work/paths" "$mf_work/unit" "$mf_work/kernel.sh" "$mf_work/rollback.sh" "$mf_work"/undo-* "$mf_snapshot/" || return 1
    while read -r mf_path; do
        if [ -e "$mf_path" ]; then
            mkdir -p "$mf_snapshot/files${mf_path%/*}" && cp -a "$mf_path" "$mf_snapshot/files$mf_path" || return 1
        fi
    done <"$mf_snapshot/paths"
    for mf_family in 4 6; do
        # Rules that nobody saw would be taken for none by what brings them back.
        "$(mf_tables $mf_family)-save" >"$mf_snapshot/saved$mf_family" || return 1
    done
    mf_accepting_chains >"$mf_snapshot/chains"
    if [ -n "$(find "$mf_units" -name 'ufw.service' -type l -path '*.wants/*')" ]; then
        echo enabled >"$mf_snapshot/was"
    else
        echo disabled >"$mf_snapshot/was"
    fi
    echo "$$ $mf_work" >"$mf_snapshot/holder"
    cp "$mf_work/rollback.sh" "$mf_state/rollback.sh" || return 1
    cp "$mf_work/service" "$mf_units/matrix-fleet-rollback.service" || return 1
    cp "$mf_work/timer" "$mf_units/matrix-fleet-rollback.timer" || return 1
    chmod 644 "$mf_units/matrix-fleet-rollback.service" "$mf_units/matrix-fleet-rollback.timer"
    mkdir -p -m 755 "$mf_units/multi-user.target.wants"
    ln -sf ../matrix-fleet-rollback.service "$mf_units/multi-user.target.wants/matrix-fleet-rollback.service" || return 1
    find "$mf_snapshot" "$mf_state/rollback.sh" "$mf_units/matrix-fleet-rollback.service" -type f -exec sync {} + || return 1
    : >/run/matrix-fleet-armed
    mv "$mf_snapshot" "$mf_state/armed" && systemctl start matrix-fleet-rollback.timer </dev/null 9>&-
}

mf_renew() {
    [ -d "$mf_state/armed" ] && systemctl restart matrix-fleet-rollback.timer </dev/null 9>&-
}

mf_kernel() {
    mf_change iptables 4 "$mf_work/do" && mf_change ip6tables 6 "$mf_work/do"
}

# Each file appears whole or not at all, with the mode and owner it had.
mf_write() {
    for mf_new in "$mf_work"/file-*; do
        [ -e "$mf_new" ] || continue
        mf_path=/etc/$(basename "$mf_new" | sed 's/^file-//; s/+/\//g')
        if [ -e "$mf_path" ]; then
            chmod --reference="$mf_path" "$mf_new" && chown --reference="$mf_path" "$mf_new" || return 1
        else
            chmod 640 "$mf_new" && chown root:root "$mf_new" || return 1
        fi
        cp -p "$mf_new" "$mf_path.matrix-fleet" && sync "$mf_path.matrix-fleet" && mv -f "$mf_path.matrix-fleet" "$mf_path" || return 1
    done
    while read -r mf_path; do
        rm -f "$mf_path"
    done <"$mf_work/deleted"
    case $(cat "$mf_work/new-unit") in
    enabled) systemctl --no-reload enable ufw.service </dev/null 9>&- 2>/dev/null || return 1 ;;
    disabled) systemctl --no-reload disable ufw.service </dev/null 9>&- 2>/dev/null || return 1 ;;
    esac
}

# What ufw's start made of chains of others is written down at once: what comes later is not its doing.
mf_start() {
    /lib/ufw/ufw-init start </dev/null 9>&- 1>&2
    mf_code=$?
    for mf_family in 4 6; do
        [ -s "$mf_work/undo-others$mf_family" ] || continue
        "$(mf_tables $mf_family)-save" >"$mf_state/armed/new" && mv "$mf_state/armed/new" "$mf_state/armed/started$mf_family"
    done
    return $mf_code
}

mf_undo() {
    sh "$mf_state/rollback.sh" by-holder </dev/null 9>&- 1>&2
}

# From here on the change stands. What was before it is kept for `restore`.
mf_disarm() {
    rm -rf "$mf_state/last.old"
    if [ -d "$mf_state/last" ]; then mv "$mf_state/last" "$mf_state/last.old"; fi
    mv "$mf_state/armed" "$mf_state/last" || return 1
    systemctl stop matrix-fleet-rollback.timer </dev/null 9>&- 2>/dev/null
    rm -f "$mf_units/multi-user.target.wants/matrix-fleet-rollback.service" "$mf_units/matrix-fleet-rollback.service" \
        "$mf_units/matrix-fleet-rollback.timer" /run/matrix-fleet-armed "$mf_state/rollback.sh"
    rm -rf "$mf_state/last.old" "$mf_state/last/holder"
}

# Prints what `mf_disarm` kept, in the sections of `mf_facts`. $1: the mark that begins each section.
mf_last() {
    mf_mark=$1
    [ -d "$mf_state/last" ] || return 1
    while read -r mf_path; do
        if [ -f "$mf_state/last/files$mf_path" ]; then
            mf_section "file $mf_path"
            cat "$mf_state/last/files$mf_path"
        fi
    done <"$mf_state/last/paths"
    for mf_name in saved4 saved6 was; do
        mf_section "$mf_name"
        cat "$mf_state/last/$mf_name"
    done
    mf_section end
}
