# Prints whether a change of the firewall waits to be confirmed, and who works on it just now, and changes nothing.

# A change that waits to be confirmed: since when, and since when its timer runs, both beside the time by the same clock.
mf_unconfirmed() {
    mf_section unconfirmed
    for mf_state_now in armed fired; do
        [ -d "/var/lib/matrix-fleet/$mf_state_now" ] || continue
        printf 'state %s\nsince %s\n' "$mf_state_now" "$(stat -c %Y "/var/lib/matrix-fleet/$mf_state_now")"
        printf 'timer %s %s\n' "$(cut -d ' ' -f 1 /proc/uptime)" "$(systemctl show -p ActiveState -p ActiveEnterTimestampMonotonic \
            matrix-fleet-rollback.timer 2>/dev/null | tr '\n' ' ')"
    done
}

mf_holder() {
    mf_section lock
    if [ -e /run/matrix-fleet.lock ] && ! flock -n /run/matrix-fleet.lock true; then cat /run/matrix-fleet.lock; fi
}
