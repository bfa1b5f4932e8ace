# Puts etcd's own tools, as the image $1 carries them, where commands are found; says `changed` where it did.
set -u
umask 022
mf_at=/usr/local/bin
mf_stamp=/var/lib/matrix-fleet/etcd-programs
mf_now() {
    [ -x "$mf_at/etcdctl" ] && [ -x "$mf_at/etcdutl" ] && { printf '%s\n' "$1" && sha256sum "$mf_at/etcdctl" "$mf_at/etcdutl"; }
}
if [ -e "$mf_stamp" ] && [ "$(mf_now "$1")" = "$(cat "$mf_stamp")" ]; then exit 0; fi
mf_root=$(mktemp -d /run/matrix-fleet.XXXXXX) || exit 1
ctr --namespace k8s.io images mount "$1" "$mf_root" >/dev/null || exit 1
mf_code=0
for mf_name in etcdctl etcdutl; do
    cp "$mf_root/usr/local/bin/$mf_name" "$mf_at/$mf_name.matrix-fleet" && chmod 755 "$mf_at/$mf_name.matrix-fleet" &&
        mv -f "$mf_at/$mf_name.matrix-fleet" "$mf_at/$mf_name" || mf_code=1
done
ctr --namespace k8s.io images unmount --rm "$mf_root" >/dev/null
rmdir "$mf_root"
[ "$mf_code" -eq 0 ] || exit 1
mkdir -p "${mf_stamp%/*}" && mf_now "$1" >"$mf_stamp" && echo changed
