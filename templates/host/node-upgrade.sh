# Brings this node to another version; may be cut short and run again. The drained node's pods go on where they are.
# $1: `apply` (the first control plane) or `node`; $2...: one word a program that changes, sha256:mode:target.
set -u
umask 022
mf_bundle=/var/lib/matrix-fleet/bundle
mf_kind=$1
shift

mf_fail() {
    printf 'could not %s\n' "$1" >&2
    exit 74
}

# Programs lie ready under the digest of their content; each takes its place at once, and is known for what it is afterwards.
mf_swap() {
    mf_rest=${1#*:}
    mf_sum=${1%%:*} mf_mode=${mf_rest%%:*} mf_target=${mf_rest#*:}
    [ -e "$mf_bundle/next/$mf_sum" ] || return 0
    mkdir -p "${mf_target%/*}"
    cp "$mf_bundle/next/$mf_sum" "$mf_target.matrix-fleet" && chmod "$mf_mode" "$mf_target.matrix-fleet" &&
        mv -f "$mf_target.matrix-fleet" "$mf_target" || mf_fail "install $mf_target"
    touch "$mf_bundle/stamps"
    { grep -vE "( $mf_target| $mf_bundle/next/$mf_sum)\$" "$mf_bundle/stamps"
        printf '%s %s\n' "$mf_sum" "$(stat -c '%s %Y %n' "$mf_target")"; } >"$mf_bundle/stamps.new"
    mv -f "$mf_bundle/stamps.new" "$mf_bundle/stamps" && rm -f "$mf_bundle/next/$mf_sum"
}

mf_each() { # $1: a pattern that the target matches, $2: one that it does not; $3...: the words
    mf_yes=$1 mf_no=$2
    shift 2
    for mf_word; do
        # shellcheck disable=SC2254 # these are patterns
        case ${mf_word##*/} in
        $mf_no) ;;
        $mf_yes) mf_swap "$mf_word" ;;
        esac
    done
}

mf_each kubeadm '' "$@"
if [ "$mf_kind" = apply ]; then
    kubeadm upgrade apply --yes --config /run/matrix-fleet/upgrade.yaml || mf_fail "upgrade the control plane"
else
    kubeadm upgrade node --config /run/matrix-fleet/upgrade.yaml || mf_fail "upgrade this node"
fi
# kubeadm writes it for everybody to read.
chmod 600 /var/lib/kubelet/config.yaml || mf_fail "make kubelet's settings root's alone"
mf_runtime=$(sha256sum /usr/local/bin/containerd 2>/dev/null)
mf_each '*' kubeadm "$@"
if [ "$(sha256sum /usr/local/bin/containerd 2>/dev/null)" != "$mf_runtime" ]; then
    systemctl restart containerd.service || mf_fail "restart containerd"
fi
# Programs may have been swapped by a run that ended before this line.
systemctl restart kubelet.service || mf_fail "restart kubelet"
rmdir "$mf_bundle/next" 2>/dev/null
rm -f /run/matrix-fleet/upgrade.yaml /run/matrix-fleet/upgrade.sh
