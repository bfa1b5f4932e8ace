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
    rm -rf /run/matrix-fleet-armed "$state/rollback.sh" "$state/arming"
    systemctl stop --no-block matrix-fleet-rollback.timer 2>/dev/null
}

if ! mv "$state/armed" "$state/fired" 2>/dev/null; then
    if [ ! -d "$state/fired" ]; then vanish; fi
    exit 0
fi
cd "$state/fired" || exit 1
. ./kernel.sh

# Whoever made the change lost the host; it must not go on with it. At boot there is no such session.
if [ -s holder ] && [ -e /run/matrix-fleet-armed ] && [ "${1:-}" != "by-holder" ]; then
    read -r pid work <holder
    kill "$pid" 2>/dev/null
    rm -rf "$work"
fi

# Reachability first. After a boot the kernel has nothing of the change, and ufw starts from the files of before.
result=0
if [ -e /run/matrix-fleet-armed ]; then
    mf_change iptables 4 undo || result=1
    mf_change ip6tables 6 undo || result=1
fi

while read -r path; do
    rm -f "$path.matrix-fleet"
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

vanish
if [ "$result" -eq 0 ]; then
    cd / && rm -rf "$state/fired"
fi
exit "$result"
