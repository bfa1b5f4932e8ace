# Lets kubeadm bring this host into a cluster, as a unit of its own, so that it ends what it began even when the controller goes away.
# $1: `init` or `join`; kubeadm's configuration comes on standard input and lies in memory while it is needed.
set -u
umask 077
mf_state=/var/lib/matrix-fleet
if systemctl is-active --quiet matrix-fleet-node.service; then
    echo "another step is under way here" >&2
    exit 1
fi
mkdir -p "$mf_state" /run/matrix-fleet && cat >/run/matrix-fleet/kubeadm.yaml || exit 1
# A file, and not words of the unit: systemd writes a command's words into the unit's description, where a second line spoils it.
cat >/run/matrix-fleet/kubeadm.sh <<'END' || exit 1
kubeadm "$@" --config /run/matrix-fleet/kubeadm.yaml
code=$?
rm -f /run/matrix-fleet/kubeadm.yaml
[ $code -ne 0 ] || chmod 600 /var/lib/kubelet/config.yaml || code=1
[ $code -ne 0 ] || printf "done %s\n" "$1" >/var/lib/matrix-fleet/node
exit $code
END
printf 'started %s\n' "$1" >"$mf_state/node"
[ "$1" = join ] || set -- "$1" --skip-token-print
[ ! -s "$mf_state/kubeadm.log" ] || mv -f "$mf_state/kubeadm.log" "$mf_state/kubeadm.log.1"
: >"$mf_state/kubeadm.log"
exec systemd-run --quiet --wait --collect --unit=matrix-fleet-node --property=RuntimeMaxSec=900 \
    --property=StandardOutput=append:"$mf_state/kubeadm.log" --property=StandardError=append:"$mf_state/kubeadm.log" \
    /bin/sh /run/matrix-fleet/kubeadm.sh "$@"
