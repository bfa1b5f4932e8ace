# Carries out one family's change of ufw's chains. What it removes may be gone already, so it may be run again at any point.

# $1: iptables or ip6tables, $2: 4 or 6, $3: beginning of the names of the files that say what to do.
mf_change() {
    [ -s "$3-restore$2" ] || return 0
    "$1-restore" -w 5 -n <"$3-restore$2" || return 1
    if [ -s "$3-jumps-removed$2" ] || [ -s "$3-jumps-appended$2" ] || [ -s "$3-sweep$2" ]; then
        mf_jumps "$@" | "$1-restore" -w 5 -n || return 1
    fi
    if [ -s "$3-no-table$2" ]; then mf_drop_table "$1"; fi
}

# Prints one transaction: jumps that are there go, others come, and then chains go that nothing leads into any more.
mf_jumps() {
    echo '*filter'
    "$1-save" -t filter | sed -n 's/^-A //p' | grep -Fxf "$3-jumps-removed$2" | sed 's/^/-D /'
    sed 's/^/-A /' "$3-jumps-appended$2"
    sed 's/^/-X /' "$3-sweep$2"
    echo COMMIT
}

# A table that nobody had used before goes as well, unless somebody uses it now.
mf_drop_table() {
    command -v nft >/dev/null || return 0
    if "$1-save" -t filter | grep -Ev '^:(INPUT|FORWARD|OUTPUT) ACCEPT ' | grep -Eq '^(-A|:)'; then return 0; fi
    case $1 in
    iptables) nft delete table ip filter 2>/dev/null ;;
    ip6tables) nft delete table ip6 filter 2>/dev/null ;;
    esac
    return 0
}
