# The sections of an answer: scripts that print facts begin with these functions. $mf_mark begins each section.
mf_section() {
    printf '\n%s %s\n' "$mf_mark" "$1"
}

# $1: the section's name, $2...: the program that fills it. A second section says how that ended: its exit code, or `missing`.
mf_asked() {
    mf_name=$1
    shift
    mf_section "$mf_name"
    if command -v "$1" >/dev/null 2>&1; then
        "$@" 2>/dev/null
        mf_code=$?
    else
        mf_code=missing
    fi
    mf_section "end of $mf_name"
    echo "$mf_code"
}
