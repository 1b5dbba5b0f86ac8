#!/usr/bin/env bash
# What users get: the release build, whose tests are compiled without the means to disturb it; by
# `cmake --install`, and as a Debian package that is inspected, installed below a directory by dpkg,
# run, and removed without a trace.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
[ -z "${SANITIZE:-}" ] || skip "the package is one of the release build, not of sanitizers"
tm_begin
for program in cmake ninja dpkg dpkg-deb dpkg-shlibdeps ar; do
    command -v "$program" >/dev/null ||
        skip "$program is missing: no package can be built (Debian packages dpkg-dev, binutils)"
done
mapfile -t verbs < <("$TREEMILL" help --table | sed -n 's/^verb\t//p')

build() {
    (cd "$SOURCE" && nice cmake --preset release -B "$work/build") &&
        nice cmake --build "$work/build"
}
if ! build >out 2>err; then
    fail "the release build"
    tail -n 20 out
    finish
fi

# cmake --install
expect_status 0 cmake --install build --prefix "$work/installed"
is_complete() { # PREFIX .SUFFIX-OF-PAGES DIRECTORY-OF-ZSH
    local verb
    check "$1: program" [ -x "$1/bin/treemill" ]
    check "$1: page treemill" [ -s "$1/share/man/man1/treemill.1$2" ]
    for verb in "${verbs[@]}"; do
        check "$1: page of $verb" [ -s "$1/share/man/man1/treemill-$verb.1$2" ]
    done
    check "$1: no page more" \
        [ "$(find "$1/share/man" -type f | wc -l)" -eq $((${#verbs[@]} + 1)) ]
    "$TREEMILL" completion bash >script
    assert_same script "$1/share/bash-completion/completions/treemill"
    "$TREEMILL" completion zsh >script
    assert_same script "$1/share/zsh/$3/_treemill"
    "$TREEMILL" completion fish >script
    assert_same script "$1/share/fish/vendor_completions.d/treemill.fish"
    assert_same "$SOURCE/README.md" "$1/share/doc/treemill/README.md"
}
is_complete installed "" site-functions
assert_same "$SOURCE/LICENSE" installed/share/doc/treemill/LICENSE
if has man; then
    check "man finds the page of hash" \
        eval 'man -M installed/share/man treemill-hash | grep -q "treemill-hash - write"'
fi

# The package. Its content does not depend on when and by whom it is made.
package() { # DIRECTORY UMASK
    (umask "$2" && cd build && SOURCE_DATE_EPOCH=1764028800 nice cpack -B "$work/$1") >out 2>err
}
check "cpack" package package 022
deb=$(find package -maxdepth 1 -name '*.deb')
version=$("$TREEMILL" --version | sed -n '1s/treemill //p')
architecture=$(dpkg --print-architecture)
check "the package is called $deb" [ "$deb" = "package/treemill_$version-1_$architecture.deb" ]
[ -s "$deb" ] || finish
check "cpack again" package again 077
for member in control data; do
    name=$(ar t "$deb" | grep "^$member")
    check "the same $member" cmp <(ar p "$deb" "$name") <(ar p "again/${deb#package/}" "$name")
done

field() { dpkg-deb -f "$deb" "$1"; }
check "field Package" [ "$(field Package)" = treemill ]
check "field Version" [ "$(field Version)" = "$version-1" ]
check "field Section" [ "$(field Section)" = utils ]
check "field Priority" [ "$(field Priority)" = optional ]
check "field Maintainer" eval 'field Maintainer | grep -qE "^[^<]+ <[^@ ]+@[^@ ]+>$"'

# Each library that the program is linked with comes from a package of Depends, and Depends names
# no other.
owner() { # FILE: the Debian package that it belongs to, whether /lib is a link or not
    { dpkg -S "$1" || dpkg -S "/usr$1" || dpkg -S "${1#/usr}"; } 2>/dev/null | head -n 1 | cut -d: -f1
}
dpkg-deb -x "$deb" tree
readelf -d tree/usr/bin/treemill | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' >libraries
check "$(wc -l <libraries) libraries" [ "$(wc -l <libraries)" -ge 8 ]
while read -r library; do
    owner "$(ldd tree/usr/bin/treemill | awk -v name="$library" '$1 == name {print $3}')"
done <libraries | sort -u >needed
field Depends | tr ',' '\n' | sed 's/^ *//; s/ .*//' | sort -u >depends
assert_same needed depends "Depends names the packages of the libraries"
check "Depends has versions" [ "$(field Depends | grep -o '>=' | wc -l)" -ge 8 ]

is_complete tree/usr .gz vendor-completions
check "pages are compressed" eval 'gzip -t tree/usr/share/man/man1/*.gz'
gzip -dc tree/usr/share/man/man1/treemill-hash.1.gz >page
"$TREEMILL" man hash >expected
assert_same page expected
gzip -dc tree/usr/share/doc/treemill/changelog.Debian.gz >changelog
check "changelog" grep -qF "treemill ($version-1)" <(head -n 1 changelog)
check "copyright names the licence" grep -qx 'License: Expat' tree/usr/share/doc/treemill/copyright
# All words of LICENSE, whatever the indentation and the form of empty lines.
check "copyright has the terms" cmp \
    <(sed '1,/^Copyright/d' "$SOURCE/LICENSE" | tr -s '[:space:]' '\n' | grep .) \
    <(sed '1,/^$/d; 1,/^License:/d; 1,/^License:/d' tree/usr/share/doc/treemill/copyright |
        sed 's/^ \.$//' | tr -s '[:space:]' '\n' | grep .)
check "the program is stripped" eval '! readelf -S tree/usr/bin/treemill | grep -qE "\.(debug|symtab)"'
dpkg-deb -c "$deb" >contents
others_than() { # PATTERN
    grep -vE "$1" contents
}
check "belongs to root" [ -z "$(others_than ' root/root ')" ]
check "modes" \
    [ -z "$(others_than '^(drwxr-xr-x|-rw-r--r--|-rwxr-xr-x .*/usr/bin/treemill$)')" ]

if has lintian; then
    # (--allow-root is for tests that run as root, as in a container.)
    lintian --allow-root -I --fail-on error,warning,info "$deb" >out 2>err
    status=$?
    check "lintian complains" [ "$status" -eq 0 -a ! -s out ]
fi

# Installed below a directory with a dpkg of its own, run there, removed.
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    has fakeroot || finish
    as_root=(fakeroot)
fi
mkdir -p root/var/lib/dpkg/{info,updates,triggers} root/var/log
: >root/var/lib/dpkg/status
: >root/var/lib/dpkg/available
# Its dependencies are in the real root.
in_root() {
    run env PATH="$PATH:/usr/sbin:/sbin" "${as_root[@]}" dpkg --root="$work/root" --force-depends \
        --force-not-root "$@"
}
in_root -i "$deb"
check "dpkg -i" [ "$status" -eq 0 ]
installed=$(dpkg-query --admindir=root/var/lib/dpkg -W -f='${db:Status-Status} ${Version}' treemill)
check "it is installed: $installed" [ "$installed" = "installed $version-1" ]
in_root -V treemill
check "what is installed has the package's checksums" [ "$status" -eq 0 -a ! -s out ]
mkdir data
seq 1 100000 >data/numbers
: >data/empty
reference data >expected
expect_status 0 root/usr/bin/treemill hash data
assert_same expected out "the installed program hashes"
expect_status 0 root/usr/bin/treemill create numbers.tar.gz data
check "the installed program packs" eval 'tar -xzOf numbers.tar.gz data/numbers | cmp - data/numbers'
in_root --purge treemill
check "dpkg --purge" [ "$status" -eq 0 ]
check "nothing is left" [ -z "$(find root -path root/var -prune -o ! -type d -print)" ]
check "no directory is left" [ ! -e root/usr ]

finish
