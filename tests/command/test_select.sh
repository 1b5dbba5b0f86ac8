#!/usr/bin/env bash
# Which files of a tree are taken: each selection option against find(1).
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

mkdir -p tree/src/.git tree/src/sub tree/cache/inner tree/doc
printf 1 >tree/src/a.c
printf 22 >tree/src/b.h
printf 333 >tree/src/sub/c.c
printf 4 >tree/src/sub/note.txt
printf g >tree/src/.git/config
printf 'Signature: 8a477f597d28d172789f06886806bc55\n# x\n' >tree/cache/CACHEDIR.TAG
printf c >tree/cache/inner/blob
head -c 5000 /dev/zero >tree/doc/big
touch -d '2020-01-01' tree/doc/old
touch -d '2021-06-01' stamp
ln -s src tree/link
ln -s a.c tree/src/alias
ln -s . tree/doc/loop

same() { # NAME "OPTIONS" EXPECTED-NAMES...
    local name=$1 options=$2
    shift 2
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" hash -q -n $options tree
    if printf '%s\n' "$@" | cmp -s - out; then
        pass
    else
        fail "$name: $options"
        printf '%s\n' "$@" | diff - out
    fi
}

all=(tree/cache/CACHEDIR.TAG tree/cache/inner/blob tree/doc/big tree/doc/old tree/src/.git/config
    tree/src/a.c tree/src/b.h tree/src/sub/c.c tree/src/sub/note.txt)
same "everything" "" "${all[@]}"
same "exclude by name" "--exclude=*.c --exclude=.git --exclude=cache --exclude=doc" \
    tree/src/b.h tree/src/sub/note.txt
same "exclude anchored" "--exclude=/src/sub --exclude=/cache --exclude=/doc --exclude=.git" \
    tree/src/a.c tree/src/b.h
same "include before exclude" \
    "--include=sub/*.c --exclude=*.c --exclude=cache --exclude=doc --exclude=.git" \
    tree/src/b.h tree/src/sub/c.c tree/src/sub/note.txt
same "include alone" "--include=*.c" tree/src/a.c tree/src/sub/c.c
same "version control" "--exclude-vcs --exclude=cache --exclude=doc" \
    tree/src/a.c tree/src/b.h tree/src/sub/c.c tree/src/sub/note.txt
same "caches" "--exclude-caches --exclude=src --exclude=doc" tree/cache/CACHEDIR.TAG
same "largest" "--max-size=3 --exclude=cache --exclude=.git" \
    tree/doc/old tree/src/a.c tree/src/b.h tree/src/sub/c.c tree/src/sub/note.txt
same "smallest" "--min-size=1K" tree/doc/big
same "newer than a file" "--newer=stamp --exclude=src --exclude=cache" tree/doc/big
same "newer than a date" "--newer=2021-06-01 --exclude=src --exclude=cache" tree/doc/big
printf '# comment\n*.c\n\n.git\ncache\ndoc\n' >patterns
same "exclude-from" "--exclude-from=patterns" tree/src/b.h tree/src/sub/note.txt

# Links below are not followed unless asked; a loop of links ends.
run "$TREEMILL" hash -q -n -L tree
check "-L follows a link to a directory" grep -qx tree/link/a.c out
check "-L follows a link to a file" grep -qx tree/src/alias out
check "-L does not go round" [ "$(grep -c loop/loop/loop out)" -eq 0 ]
check "-L names the loop" grep -q 'loop' err
check "-L keeps bytewise order by path" env LC_ALL=C sort -c out

# --files-from: lines, NUL, a directory among them.
printf 'tree/src/a.c\n\ntree/src/sub\n' >list
printf 'tree/src/a.c\0tree/src/sub\0' >list0
for options in "--files-from=list" "--null --files-from=list0" "--files-from=-"; do
    # shellcheck disable=SC2086  # options are words
    run "$TREEMILL" hash -q -n $options <list
    check "$options" cmp -s out \
        <(printf '%s\n' tree/src/a.c tree/src/sub/c.c tree/src/sub/note.txt)
done

# A cache directory deeper than one call to the kernel can name.
mkdir far
(
    name=$(printf 'd%.0s' {1..240})
    cd far || exit 1
    for _ in {1..20}; do mkdir "$name" && cd -P "$name" || exit 1; done
    printf 'Signature: 8a477f597d28d172789f06886806bc55\n' >CACHEDIR.TAG
    echo cached >entry
) || fail "no deep directory"
run "$TREEMILL" hash -q -n --exclude-caches far
check "a deep cache directory" [ "$(sed 's|.*/||' out)" = CACHEDIR.TAG ]

finish
