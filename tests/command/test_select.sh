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

# A list for --null read as lines: no name of it is taken, whatever can be read.
mkdir odd
touch odd/plain odd/$'two\nlines' plain
find odd -type f -print0 >list0
for model in "${models[@]}"; do
    for option in "" -n --json; do
        # shellcheck disable=SC2086  # options are words
        run "$TREEMILL" hash -q $option $model --files-from=- <list0
        check "a stray NUL $option $model" [ "$status" -eq 2 ]
        check "... said $option $model" grep -q 'holds a NUL byte; is --null missing?' out err
        check "... nothing is hashed $option $model" [ "$(grep -c plain out)" -eq 0 ]
    done
done
run "$TREEMILL" hash -q -o never --files-from=- plain <list0
check "a stray NUL publishes nothing" [ "$status$(find . -name never)" = 2 ]

# --dry-run lists to standard output and touches no file; with --json, events.
run "$TREEMILL" hash -n -o never tree/src
check "--dry-run -o" [ "$status $(wc -l <out)$(find . -name never)" = "0 5" ]
echo precious >kept
run "$TREEMILL" hash -n -f -o kept tree/src
check "--dry-run -f -o" [ "$status $(wc -l <out)$(cat kept)" = "0 5precious" ]
run "$TREEMILL" hash -n --stats -v tree/src
check "--dry-run --stats -v" [ "$status $(wc -l <out)" = "0 5" ]
if has jq; then
    run "$TREEMILL" hash -n --json tree/src
    check "--dry-run --json: kinds" [ "$(jq -r .event out | uniq -c | tr -s ' \n' ' ')" = \
        " 1 start 5 file 1 summary " ]
    check "--dry-run --json: names and sizes alone" [ "$(jq -c \
        'select(.path == "tree/src/b.h")' out)" = '{"event":"file","schema":1,"path":"tree/src/b.h","size":2}' ]
    check "--dry-run --json: the summary" [ "$(jq 'select(.event == "summary") | .files, .bytes' \
        out | paste -sd ' ')" = "5 8" ]
fi

# What is neither a date nor a file; an operand that cannot be seen.
run "$TREEMILL" hash --newer=2024-13-45 tree
check "a date that does not exist" ends 2 "--newer: '2024-13-45' is neither a date .* nor a file"
run "$TREEMILL" hash --newer=nowhere tree
check "a file that does not exist" ends 2 'nowhere: stat: No such file or directory'
run "$TREEMILL" hash -q ''
check "an empty operand" ends 3 "'': stat: No such file or directory"

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
