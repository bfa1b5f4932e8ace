# What is on a block device, and whether it may be given a file system. POSIX sh with util-linux and e2fsprogs.

# $1: number, $2: path below /dev/disk/by-id. One `disk` line, then what is known of it, then every reason why it is not empty.
mf_disk() {
    printf 'disk %s\n' "$1"
    mf_device=$(readlink -f -- "$2") || return 0
    [ -b "$mf_device" ] || return 0
    printf 'device %s\n' "$mf_device"
    printf 'size %s\n' "$(blockdev --getsize64 "$mf_device")"
    mf_label=$(blkid -p -s LABEL -o value -- "$mf_device") && printf 'label %s\n' "$mf_label"
    mf_reasons "$mf_device"
}

# $1: device. Silence means: nothing of it is in use and nothing is written on it.
mf_reasons() {
    mf_name=${1##*/}
    mf_numbers=$(cat "/sys/class/block/$mf_name/dev")
    [ "$(blockdev --getro "$1")" = 0 ] || echo 'reason it is read-only'
    for mf_part in "/sys/class/block/$mf_name"/*/partition; do
        [ ! -e "$mf_part" ] || { mf_part=${mf_part%/partition}; printf 'reason it has the partition %s\n' "${mf_part##*/}"; }
    done
    for mf_holder in "/sys/class/block/$mf_name/holders"/*; do
        [ ! -e "$mf_holder" ] || printf 'reason %s stands on it\n' "${mf_holder##*/}"
    done
    while read -r _ _ mf_mounted _ mf_where _; do
        [ "$mf_mounted" != "$mf_numbers" ] || printf 'reason it is mounted at %s\n' "$mf_where"
    done </proc/self/mountinfo
    while read -r mf_swap _; do
        [ "$mf_swap" != "$1" ] || echo 'reason it is swap'
    done </proc/swaps
    wipefs --no-act --parsable -- "$1" | while IFS=, read -r mf_offset _ mf_label mf_type _; do
        case $mf_offset in '#'*) ;; *) printf 'reason it holds %s%s\n' "$mf_type" "${mf_label:+ labelled $mf_label}" ;; esac
    done
    mf_size=$(blockdev --getsize64 "$1")
    mf_last=$((mf_size > 1048576 ? mf_size / 1048576 - 1 : 0))
    for mf_mib in 0 "$mf_last"; do
        mf_bytes=$(dd if="$1" bs=1048576 skip="$mf_mib" count=1 status=none | tr -d '\0' | wc -c)
        [ "$mf_bytes" -eq 0 ] || printf 'reason there is something in its MiB %s\n' "$mf_mib"
    done
}

# $1: path below /dev/disk/by-id, $2: label. Looks once more, in the same breath; pods' folder is born with the file system.
mf_format() {
    mf_device=$(readlink -f -- "$1") && [ -b "$mf_device" ] || { echo "no block device at $1" >&2; exit 74; }
    mf_found=$(mf_reasons "$mf_device") || exit 74
    [ -z "$mf_found" ] || { printf '%s is not empty: %s\n' "$1" "$mf_found" >&2; exit 75; }
    mf_seed=$(mktemp -d /run/matrix-fleet.XXXXXX) && mkdir -m 755 "$mf_seed/data" || exit 74
    mkfs.ext4 -q -m 0 -L "$2" -d "$mf_seed" "$mf_device" </dev/null >&2
    mf_code=$?
    rm -rf "$mf_seed"
    [ "$mf_code" -eq 0 ] || exit 74
    udevadm settle --timeout=10 2>/dev/null || :
}
