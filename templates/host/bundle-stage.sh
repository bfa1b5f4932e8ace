# Takes files of a bundle from a tar stream on standard input and puts them where they belong, each verified before it counts.
# $1: the folder on the host that keeps what was staged. The stream's first member is `list`: sha256, kind, mode, content's sha256, file, target; one file a line.
set -u
umask 022
mf_bundle=$1
mkdir -p "$mf_bundle/packages" && mf_work=$(mktemp -d "$mf_bundle/incoming.XXXXXX") || exit 1
trap 'rm -rf "$mf_work"' EXIT

mf_fail() {
    printf 'could not %s\n' "$1" >&2
    exit 74
}

# openssl's takes a quarter of the time, by the processor's own instructions; it is wherever ca-certificates is.
mf_sha256() { # $1: a file
    mf_digest=$(openssl dgst -sha256 -r <"$1" 2>/dev/null) || mf_digest=$(sha256sum <"$1") || return 1
    printf '%s' "${mf_digest%% *}"
}

mf_binary() {
    mkdir -p "${mf_target%/*}"
    gzip -dc "$mf_work/$mf_file" >"$mf_target.matrix-fleet" || mf_fail "unpack $mf_file"
    [ "$(mf_sha256 "$mf_target.matrix-fleet")" = "$mf_content" ] || mf_fail "verify what is in $mf_file"
    chmod "$mf_mode" "$mf_target.matrix-fleet" && mv -f "$mf_target.matrix-fleet" "$mf_target" || mf_fail "install $mf_target"
}

mf_image() {
    ctr --namespace k8s.io images import "$mf_work/$mf_file" >/dev/null || mf_fail "import $mf_file"
    ctr --namespace k8s.io images label "$mf_target" io.cri-containerd.pinned=pinned >/dev/null || mf_fail "pin $mf_target"
    rm -f "$mf_work/$mf_file"
}

# Which content a path got, and how it looked then, so that the next run need not read it all again.
mf_stamp() {
    touch "$mf_bundle/stamps"
    { grep -vF " $mf_target" "$mf_bundle/stamps"; printf '%s %s\n' "$1" "$(stat -c '%s %Y %n' "$mf_target")"; } \
        >"$mf_bundle/stamps.new"
    mv -f "$mf_bundle/stamps.new" "$mf_bundle/stamps"
}

tar -xf - -C "$mf_work" || mf_fail "unpack what was sent (is the disk full?)"
while read -r mf_sum mf_kind mf_mode mf_content mf_file mf_target; do
    [ "$(mf_sha256 "$mf_work/$mf_file")" = "$mf_sum" ] || mf_fail "verify $mf_file: it arrived damaged"
    case $mf_kind in
    binary) mf_binary && mf_stamp "$mf_content" ;;
    image) mf_image ;;
    *) mv -f "$mf_work/$mf_file" "$mf_target" && mf_stamp "$mf_sum" || mf_fail "put $mf_file in place" ;;
    esac
done <"$mf_work/list"
