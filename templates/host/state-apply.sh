# Brings a host to what it should hold. Each function is one kind of change; the first that fails ends the script and says which.
umask 077
trap : PIPE
# Whoever takes the host's lock next waits until this has ended, even when its controller is gone.
exec 8>>/run/matrix-fleet-state.lock
flock 8
mf_work=$(mktemp -d /run/matrix-fleet.XXXXXX) || exit 1
trap 'rm -rf "$mf_work"' EXIT

mf_fail() {
    printf 'could not %s\n' "$1" >&2
    exit 74
}

# Its words go to a file: to a controller that went away they could not be said, and packages would be left half installed.
mf_apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 -o APT::Install-Recommends=false \
        -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@" </dev/null >"$mf_work/apt" 2>&1 8>&- && return 0
    tail -n 12 "$mf_work/apt" >&2
    return 1
}

# apt waits for the lock of packages by itself, and for that of their lists not at all.
mf_update() {
    mf_tries=0
    until mf_apt "$@" update 2>"$mf_work/said"; do
        mf_tries=$((mf_tries + 1))
        if [ "$mf_tries" -gt 120 ] || ! grep -q '^E: Could not get lock' "$mf_work/said"; then
            cat "$mf_work/said" >&2
            return 1
        fi
        sleep 1
    done
    grep -E '^[EW]: ' "$mf_work/apt" >"$mf_work/warned"
    return 0
}

# From the staged bundle where there is one, else from the host's own sources. What could not be read of them is told only where
# something is lacking for it.
mf_install() {
    if [ -e /var/lib/matrix-fleet/bundle/packages/Packages ]; then
        mf_own=/var/lib/matrix-fleet/bundle/apt
        mkdir -p -m 755 "$mf_own/lists/partial" || mf_fail "make $mf_own"
        printf 'deb [trusted=yes] file:/var/lib/matrix-fleet/bundle/packages ./\n' >"$mf_own/sources.list"
        mf_from="-o Dir::Etc::SourceList=$mf_own/sources.list -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$mf_own/lists"
        mf_from="$mf_from -o APT::Sandbox::User=root"
    else
        mf_from=
    fi
    # shellcheck disable=SC2086 # options are several words
    mf_update $mf_from || mf_fail "read the package sources"
    # shellcheck disable=SC2086
    mf_apt $mf_from install "$@" && return
    cat "$mf_work/warned" >&2
    mf_fail "install $(printf '%s ' "$@" | sed 's/--[a-z-]* //g; s/ $//')"
}

# $1: path, $2: mode, $3: owner, $4: the text's name in the working folder.
mf_put() {
    mkdir -p -m 755 "$(dirname "$1")" || mf_fail "make the folder of $1"
    base64 -d <"$mf_work/$4" >"$1.matrix-fleet" && chown "$3" "$1.matrix-fleet" && chmod "$2" "$1.matrix-fleet" ||
        mf_fail "write $1"
    # A rule that sudo does not understand may leave nobody with sudo; it reads no file with a dot in its name.
    case $1 in
    /etc/sudoers.d/*)
        visudo -cqf "$1.matrix-fleet" || {
            rm -f "$1.matrix-fleet"
            mf_fail "write $1: visudo refuses it"
        }
        ;;
    esac
    mv -f "$1.matrix-fleet" "$1" || mf_fail "write $1"
}

# $1: name, $2: home, $3: shell, $4: comment. No password opens it; `*` lets sshd take a key all the same.
mf_user() {
    if getent passwd "$1" >/dev/null; then
        [ "$(id -u "$1")" -ne 0 ] || mf_fail "use the account $1: it has root's number"
        usermod --home "$2" --shell "$3" --gid "$1" --groups '' --password '*' "$1" || mf_fail "correct the account $1"
    else
        useradd --system --user-group --no-create-home --home-dir "$2" --shell "$3" --comment "$4" --password '*' "$1" ||
            mf_fail "make the account $1"
    fi
}

mf_userless() {
    for mf_name; do userdel "$mf_name" || mf_fail "remove the account $mf_name"; done
}

# $1: path, $2: mode, $3: owner.
mf_folder() {
    mkdir -p "$1" && chown "$3" "$1" && chmod "$2" "$1" || mf_fail "make the folder $1"
}

# Files, and folders once they are empty.
mf_remove() {
    for mf_path; do
        if [ -d "$mf_path" ] && [ ! -L "$mf_path" ]; then rmdir -- "$mf_path"; else rm -f -- "$mf_path"; fi ||
            mf_fail "remove $mf_path"
    done
}

mf_modprobe() {
    for mf_name; do modprobe "$mf_name" || mf_fail "load the kernel module $mf_name"; done
}

# $1: dotted name, $2: value.
mf_sysctl() {
    if [ "$1" = kernel.hostname ]; then
        hostname "$2" || mf_fail "set the host's name"
    else
        printf '%s\n' "$2" >"/proc/sys/$(printf %s "$1" | tr . /)" || mf_fail "set $1"
    fi
}

mf_swapoff() {
    swapoff -a || mf_fail "turn swap off"
    sed -i 's/^\([^#[:space:]]*[[:space:]]\{1,\}[^[:space:]]*[[:space:]]\{1,\}swap[[:space:]]\)/# by matrix-fleet: \1/' /etc/fstab ||
        mf_fail "take swap out of /etc/fstab"
    systemctl mask --quiet swap.target || mf_fail "mask swap.target"
}

# $1: what systemctl is to do, $2...: units.
mf_systemctl() {
    mf_verb=$1
    shift
    systemctl --quiet "$mf_verb" -- "$@" || mf_fail "$mf_verb $*"
}
