#!/bin/sh
# Brings back the firewall from before a change that nobody confirmed, then removes every trace of itself.
# Started by its timer or at boot without a word, by the session that made the change (`by-holder`), or by a later one, to finish
# what could not be finished (`again`). Only one of them gets hold of the snapshot.
set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
state=/var/lib/matrix-fleet
asked=${1:-}

vanish() {
    rm -f /etc/systemd/system/multi-user.target.wants/matrix-fleet-rollback.service
    rm -f /etc/systemd/system/matrix-fleet-rollback.service /etc/systemd/system/matrix-fleet-rollback.timer
    rm -rf "$state/rollback.sh" "$state/arming"
    systemctl stop --no-block matrix-fleet-rollback.timer 2>/dev/null
}

# What fails is told, and the rest is done all the same.
try() {
    "$@" && return
    result=1
    echo "failed: $*"
}

bring_back_file() {
    rm -f "$1.matrix-fleet"
    if [ -e "files$1" ]; then
        cp -a "files$1" "$1.matrix-fleet" && mv -f "$1.matrix-fleet" "$1"
    else
        rm -f "$1"
    fi
}

if ! mv -T "$state/armed" "$state/fired" 2>/dev/null && [ "$asked" != again ]; then
    if [ ! -d "$state/fired" ]; then
        vanish
        rm -f /run/matrix-fleet-armed
    fi
    exit 0
fi
cd "$state/fired" || exit 1
exec 8<"$state/fired"
# Another one may be at it, and takes the folder away when it is done.
flock -w 15 8 || exit 1
if [ ! -e "$state/fired/paths" ]; then exit 0; fi
exec 9>&2 >>log 2>&1
echo "$(date -u '+%Y-%m-%d %H:%M:%SZ') the firewall from before an unconfirmed change is brought back"
. ./kernel.sh

# Whoever made the change lost the host; it must not go on with it. At boot there is no such session.
if [ -s holder ] && [ -e /run/matrix-fleet-armed ] && [ -z "$asked" ]; then
    read -r pid work <holder
    kill "$pid" 2>/dev/null
    rm -rf "$work"
fi

# Reachability first. After a boot the kernel has nothing of the change, and ufw starts from the files of before.
result=0
if [ -e /run/matrix-fleet-armed ]; then
    try mf_change iptables 4 ./undo
    try mf_change ip6tables 6 ./undo
fi

while read -r path; do
    try bring_back_file "$path"
done <paths

case $(cat unit) in
disabled) try systemctl --no-reload disable ufw.service ;;
enabled) try systemctl --no-reload enable ufw.service ;;
esac

vanish
if [ "$result" -eq 0 ]; then
    echo 'all of it is back'
else
    echo "not all of it is back: $state/fired stays, and the next run of flows.firewall tries again"
fi
# By its unit it speaks to the journal anyway.
if [ -n "$asked" ]; then logger -t matrix-fleet-rollback -f log 2>/dev/null; fi
cat log >&9
if [ "$result" -eq 0 ]; then
    cd / && rm -rf "$state/fired" /run/matrix-fleet-armed
fi
exit "$result"
