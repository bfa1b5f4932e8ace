#!/bin/sh
# Brings back the firewall from before a change that nobody confirmed, then removes every trace of itself.
# Started by its timer, by the session that made the change, or at boot; only one of them gets hold of the snapshot.
set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
state=/var/lib/matrix-fleet

vanish() {
    rm -f /etc/systemd/system/multi-user.target.wants/matrix-fleet-rollback.service
    rm -f /etc/systemd/system/matrix-fleet-rollback.service /etc/systemd/system/matrix-fleet-rollback.timer
    rm -f /run/matrix-fleet-armed "$state/rollback.sh"
    systemctl stop --no-block matrix-fleet-rollback.timer 2>/dev/null
}

if ! mv "$state/armed" "$state/fired" 2>/dev/null; then
    if [ ! -d "$state/fired" ]; then vanish; fi
    exit 0
fi
cd "$state/fired" || exit 1

# Whoever made the change lost the host; it must not go on with it. At boot there is no such session.
if [ -s holder ] && [ -e /run/matrix-fleet-armed ] && [ "${1:-}" != "by-holder" ]; then
    read -r pid work <holder
    kill "$pid" 2>/dev/null
    rm -rf "$work"
fi

result=0
while read -r path; do
    if [ -e "files$path" ]; then
        cp -a "files$path" "$path.matrix-fleet" && mv -f "$path.matrix-fleet" "$path" || result=1
    else
        rm -f "$path"
    fi
done <paths

case $(cat unit) in
disabled) systemctl --no-reload disable ufw.service 2>/dev/null || result=1 ;;
enabled) systemctl --no-reload enable ufw.service 2>/dev/null || result=1 ;;
esac

# $1: command, $2: family. What was appended or removed may be half there.
family() {
    [ -s "undo$2" ] || return 0
    "$1-restore" -w 5 -n <"undo$2" || return 1
    while read -r chain rule; do
        # shellcheck disable=SC2086 # a rule is several words
        while "$1" -w 5 -C "$chain" $rule 2>/dev/null; do "$1" -w 5 -D "$chain" $rule || return 1; done
    done <"jumps-removed$2"
    while read -r chain rule; do
        # shellcheck disable=SC2086
        "$1" -w 5 -A "$chain" $rule || return 1
    done <"jumps-appended$2"
    while read -r chain; do
        "$1" -w 5 -X "$chain" || return 1
    done <"chains-removed$2"
    # A table that nobody had used before goes as well, unless somebody uses it now.
    if [ -e "no-table$2" ] && command -v nft >/dev/null && ! "$1-save" -t filter | grep -Ev '^:(INPUT|FORWARD|OUTPUT) ' | grep -Eq '^(-A|:)'; then
        case $2 in
        4) nft delete table ip filter ;;
        6) nft delete table ip6 filter ;;
        esac
    fi
    return 0
}

# After a boot the kernel has nothing of the change, and ufw starts from the files of before.
if [ -e /run/matrix-fleet-armed ]; then
    family iptables 4 || result=1
    family ip6tables 6 || result=1
fi

vanish
if [ "$result" -eq 0 ]; then
    cd / && rm -rf "$state/fired"
fi
exit "$result"
