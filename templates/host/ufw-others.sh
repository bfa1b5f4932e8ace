# Brings back what ufw's own start changed of chains that are not ufw's: its files may say anything of them.

# $1: iptables or ip6tables, $2: 4 or 6, $3: beginning of the names of the files. What was there before is in saved$2, what was there
# right after the start in started$2. What came later is somebody else's, and stays.
mf_return_others() {
    mf_before=${3%/*}/saved$2
    mf_then=${3%/*}/started$2
    "$1-save" >"$3-now$2" || return 1
    if ! [ -s "$mf_then" ]; then mf_then=$3-now$2; fi
    mf_others part=1 "$3-others$2" part=2 "$mf_before" part=3 "$mf_then" part=4 "$3-now$2" >"$3-back$2" || return 1
    if [ -s "$3-back$2" ]; then "$1-restore" -w 5 -n <"$3-back$2" || return 1; fi
    for mf_table in $(cut -d ' ' -f 1 "$3-others$2" | sort -u); do
        if grep -qx "[*]$mf_table" "$mf_before"; then
            mf_drop_chains "$1" "${3%/*}/chains" "$mf_table"
        else
            mf_drop_table "$1" "$mf_table"
        fi
    done
}

# Reads, as parts 1 to 4, lines `table chain` and three outputs of iptables-save; prints what leads back to the first of the three.
mf_others() {
    awk '
        part == 1 { wanted[$1, $2]; tables[$1]; next }
        /^[*]/ { table = substr($1, 2) }
        /^:/ {
            policy[part, table, substr($1, 2)] = $2
            if (part == 4 && (table, substr($1, 2)) in wanted) chains[table, ++found[table]] = substr($1, 2)
        }
        /^-A / && (table, $2) in wanted {
            rule = substr($0, length($2) + 5)
            rules[part, table, $2, ++count[part, table, $2]] = rule
            held[part, table, $2, rule]++
            next
        }
        /^-A / && part == 4 { stays(table, "", $0) }

        # Whatever stays keeps its chain, and the chain that it leads to.
        function stays(t, c, rule, words, i, n) {
            kept[t, c]++
            n = split(rule, words, " ")
            for (i = 1; i < n; i++) if (words[i] == "-j" || words[i] == "-g") used[t, words[i + 1]]
        }

        function was_emptied(t, c, i, rule) {
            for (i = 1; i <= count[2, t, c]; i++) {
                rule = rules[2, t, c, i]
                if (held[3, t, c, rule] + 0 < held[2, t, c, rule]) return 1
            }
            return 0
        }

        # Its rules of before, and behind them those that came after the start.
        function refill(t, c, i, rule, known) {
            out = out ":" c " - [0:0]\n"
            for (i = 1; i <= count[2, t, c]; i++) put(t, c, rules[2, t, c, i])
            for (i = 1; i <= count[4, t, c]; i++) {
                rule = rules[4, t, c, i]
                if (!(rule in known)) known[rule] = held[3, t, c, rule] > held[2, t, c, rule] ? held[3, t, c, rule] : held[2, t, c, rule]
                if (known[rule]-- <= 0) put(t, c, rule)
            }
        }

        function put(t, c, rule) {
            out = out "-A " c " " rule "\n"
            stays(t, c, rule)
        }

        # From the end on, by its text where that names the right one of several, else by its number.
        function take_away(t, c, i, rule, old, gone, first) {
            old = 1
            for (i = 1; i <= count[4, t, c]; i++) {
                rule = rules[4, t, c, i]
                if (!(rule in first)) first[rule] = i
                if (old <= count[2, t, c] && rule == rules[2, t, c, old]) {
                    old++
                    stays(t, c, rule)
                } else if (held[3, t, c, rule] - held[2, t, c, rule] > 0) {
                    held[3, t, c, rule]--
                    gone[i]
                } else stays(t, c, rule)
            }
            for (i = count[4, t, c]; i > 0; i--) if (i in gone) {
                rule = rules[4, t, c, i]
                out = out "-D " c " " (first[rule] == i ? rule : i) "\n"
            }
        }

        END {
            for (t in tables) {
                out = ""
                for (k = 1; k <= found[t]; k++) {
                    c = chains[t, k]
                    was = (2, t, c) in policy ? policy[2, t, c] : ""
                    if (t != "filter" && was ~ /^[A-Z]/ && was != policy[4, t, c]) out = out ":" c " " was " [0:0]\n"
                    if (was_emptied(t, c)) refill(t, c); else take_away(t, c)
                }
                for (k = 1; k <= found[t]; k++) {
                    c = chains[t, k]
                    if (policy[4, t, c] == "-" && !((2, t, c) in policy) && !((t, c) in kept) && !((t, c) in used)) out = out "-X " c "\n"
                }
                if (out != "") printf "*%s\n%sCOMMIT\n", t, out
            }
        }
    ' "$@"
}
