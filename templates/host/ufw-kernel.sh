# Carries out one family's change of ufw's chains. What it removes may be gone already, so it may be run again at any point.

# $1: iptables or ip6tables, $2: 4 or 6, $3: beginning of the names of the files that say what to do.
mf_change() {
    [ -s "$3-restore$2" ] || return 0
    "$1-restore" -w 5 -n <"$3-restore$2" || return 1
    mf_code=0
    if [ -s "$3-others$2" ]; then mf_return_others "$@" || mf_code=1; fi
    if [ -s "$3-jumps-removed$2" ] || [ -s "$3-jumps-returned$2" ] || [ -s "$3-sweep$2" ]; then
        "$1-save" -t filter >"$3-now$2" && mf_jumps "$@" | "$1-restore" -w 5 -n || mf_code=1
    fi
    if [ -s "$3-no-table$2" ]; then mf_drop_table "$1" filter; fi
    mf_drop_chains "$1" "${3%/*}/chains" filter
    return $mf_code
}

# Prints one transaction: jumps that are there go, others come back to their places, and then chains go that nothing leads into.
mf_jumps() {
    awk '
        BEGIN { print "*filter" }
        part == 1 { removed[$0] }
        part == 2 { swept[$0] }
        part == 3 && /^-A / {
            rule = substr($0, 4)
            if (rule in removed) { print "-D " rule; next }
            count[$2]++
            if (!($2 in swept)) for (i = 3; i < NF; i++) if ($i == "-j" || $i == "-g") used[$(i + 1)]
        }
        part == 4 {
            rule = $0
            sub(/^[^ ]+ [0-9]+ /, "", rule)
            # Others may have taken rules away meanwhile: then it comes last.
            if ($2 > 0 && $2 <= count[$1] + 1) print "-I " $1 " " $2 " " rule; else print "-A " $1 " " rule
            count[$1]++
        }
        END { for (name in swept) if (!(name in used)) print "-X " name; print "COMMIT" }
    ' part=1 "$3-jumps-removed$2" part=2 "$3-sweep$2" part=3 "$3-now$2" part=4 "$3-jumps-returned$2"
}

# Prints `family table chain` of every chain that nft hooks into the kernel and whose policy lets all pass. iptables-save shows those
# that are not there as well.
mf_accepting_chains() {
    nft list chains 2>/dev/null | awk '/^table/ { table = $2 " " $3 } /^\tchain/ { name = $2 } /policy accept/ { print table " " name }'
}

# $1: iptables or ip6tables, $2: a file of those that were there before, $3: a table. Takes away new ones that hold nothing.
mf_drop_chains() {
    [ -s "$2" ] || return 0
    mf_ip=ip
    if [ "$1" = ip6tables ]; then mf_ip=ip6; fi
    mf_accepting_chains | grep "^$mf_ip $3 " | grep -Fxvf "$2" | while read -r _ _ mf_chain; do
        # One that holds anything is not deleted.
        nft delete chain $mf_ip "$3" "$mf_chain" 2>/dev/null
    done
    return 0
}

# $1: iptables or ip6tables, $2: a table. One that nobody had used before goes as well, unless somebody uses it now: also by what
# iptables-save does not show, such as a set of nft's.
mf_drop_table() {
    mf_ip=ip
    if [ "$1" = ip6tables ]; then mf_ip=ip6; fi
    command -v nft >/dev/null || return 0
    nft list table $mf_ip "$2" 2>/dev/null | awk '
        /^#|^table|^}|^$|^\t}$|^\tchain (PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) {$|^\t\ttype .* policy accept;$/ { found = 1; next }
        { used = 1 }
        END { exit used || !found }' && nft delete table $mf_ip "$2" 2>/dev/null
    return 0
}
