# Prints what keeps Debian's package manager from working, and changes nothing.

mf_packaging() {
    # What dpkg began and did not finish: apt refuses everything while any of it is left.
    mf_section journal
    for mf_file in /var/lib/dpkg/updates/*; do
        case ${mf_file##*/} in *[!0-9]*) ;; *) echo "${mf_file##*/}" ;; esac
    done
    # Its own word on packages and their dependencies; no archive is asked, and nothing is written.
    mf_section apt
    mf_code=missing
    if command -v apt-get >/dev/null 2>&1; then
        LC_ALL=C apt-get -qq -o Debug::NoLocking=1 -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
            -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/dev/null check 2>&1
        mf_code=$?
    fi
    mf_section 'end of apt'
    echo "$mf_code"
}
