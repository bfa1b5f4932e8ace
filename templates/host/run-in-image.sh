# Runs a program in an image that this node has, as no object of the cluster, with files that are gone afterwards.
# Standard input is a tar of folders; each becomes a read-only folder of the container by its own name. Arguments: the
# image, the folders in one word, and the program with its arguments. `/media` and `/tmp` may be written to.
set -eu
umask 077
image=$1; folders=$2; shift 2
here=$(mktemp -d /run/matrix-fleet-check.XXXXXXXX)
name=${here##*/}
clean() {
    set +e
    ctr --namespace k8s.io tasks kill --signal SIGKILL "$name"
    # By force: what was killed a moment ago may not have ended yet, and would stay.
    ctr --namespace k8s.io tasks delete --force "$name"
    ctr --namespace k8s.io containers rm "$name"
    ctr --namespace k8s.io snapshots rm "$name"
    rm -rf "$here"
} >/dev/null 2>&1
trap clean EXIT
trap 'exit 129' HUP INT TERM
tar -x -C "$here"
mkdir -p "$here/media" "$here/tmp"
mounts="--mount type=bind,src=$here/media,dst=/media,options=rbind:rw --mount type=bind,src=$here/tmp,dst=/tmp,options=rbind:rw"
for folder in $folders; do mounts="$mounts --mount type=bind,src=$here/$folder,dst=/$folder,options=rbind:ro"; done
ctr --namespace k8s.io run --rm --user 0:0 --read-only $mounts "$image" "$name" "$@" </dev/null
