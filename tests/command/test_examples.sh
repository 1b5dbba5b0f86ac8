#!/usr/bin/env bash
# What help, manual and README.md give as examples are command lines that the parser takes, and the
# options that README.md names exist. Those of the verbs that work on files are really run.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

"$TREEMILL" help --table >table || fail "help --table"
mapfile -t verbs < <(sed -n 's/^verb\t//p' table)
cut -f 3 table | grep -e '^--' | sort -u >known

# The examples of a verb, one a line.
examples_of() { # VERB
    "$TREEMILL" "$1" --help | sed -n '/^Examples:/,/^$/s/^  \([^ ]\)/\1/p'
}

# accepted COMMAND: each treemill in the command line parses. bash itself takes the line apart,
# where there is no other program and treemill shows its help behind the options given.
mkdir -p home/.config/fish/completions room
cat >evaluate <<'END'
treemill() { "$TREEMILL" "$@" --help >&8 2>&9 && echo taken >&7; }
cd() { :; }
eval "$1" >/dev/null
END
accepted() {
    (
        cd room || exit 1
        : >src.tar.zst
        env -i PATH=/nonexistent HOME="$work/home" TREEMILL="$TREEMILL" "$BASH" ../evaluate "$1" \
            7>../taken 8>/dev/null 9>../refused 2>../complaints
    )
    [ -s taken ] && [ ! -s refused ] && return
    cat refused complaints >err
    return 1
}

count=0
for verb in "${verbs[@]}"; do
    while read -r line; do
        count=$((count + 1))
        check "example of $verb: $line" accepted "$line"
    done < <(examples_of "$verb")
done
check "$count examples of verbs" [ "$count" -ge 20 ]
check "what is wrong is refused" eval '! accepted "treemill hash --ordr=path x"'
check "and so is another verb" eval '! accepted "true | treemill hsah x"'

# README.md: indented lines and `spans` that begin with treemill; `spans` that are an option.
readme=$SOURCE/README.md
count=0
while read -r line; do
    [[ $line =~ (^|[^a-z/])treemill\ ([a-z]+) ]] || continue
    grep -qxF "${BASH_REMATCH[2]}" <(printf '%s\n' "${verbs[@]}") || [[ $line == treemill\ * ]] || continue
    count=$((count + 1))
    check "README.md: $line" accepted "$line"
done < <(
    sed -n 's/^    \([^ ].*\)/\1/p' "$readme"
    # shellcheck disable=SC2016  # no expansion is meant
    grep -oE '`treemill [a-z]+[^`]*`' "$readme" | tr -d '`'
)
check "$count commands in README.md" [ "$count" -ge 20 ]
grep -oE '`--[a-z][a-z0-9-]*' "$readme" | tr -d '`' | sort -u >named
check "README.md names $(wc -l <named) options" [ "$(wc -l <named)" -ge 10 ]
check "README.md names $(comm -23 named known | tr '\n' ' ')" [ -z "$(comm -23 named known)" ]

# Really run, where the files of the examples are, beside stand-ins for the other programs.
mkdir bin stage
ln -s "$TREEMILL" bin/treemill
stand_in() { # PROGRAM COMMAND
    printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"
}
stand_in pg_dump 'seq 1 1000'
stand_in psql 'cat >/dev/null'
stand_in ssh "exec sh -c \"\$2\""
chmod +x bin/*
set_stage() {
    rm -rf stage
    mkdir -p stage/{photos,src,logs,backup,data,mnt/backup,mnt/nas}
    touch -d '2001-01-01' stage/stamp
    (
        cd stage || exit 1
        for file in photos/{a,b}.jpg src/main.c logs/{1,2}.log big.log data/x mnt/nas/y data.csv \
            dump.sql; do
            seq 1 $((5000 + ${#file})) >"$file"
        done
        cp -r photos mnt/backup/
        sha256sum photos/* >photos.sha256
        { sha256sum photos/*; sha256sum big.log | sed 's/big/absent/'; } >SHA256SUMS
        gzip -k data.csv dump.sql logs/2.log big.log
        mv big.log.gz backup/
        rm data.csv logs/2.log
        tar -cf - src | "$TREEMILL" compress -q --format=zstd - >src.tar.zst
        tar -cf - photos | "$TREEMILL" compress -q --format=zstd - >photos.tar.zst
    )
}
# Those that make what they or their neighbours find start anew.
performs() { # LINE
    local line=${1//\/mnt/$work/stage/mnt}
    set_stage
    [[ $line != *"create "* ]] || rm -f stage/src.tar.zst stage/photos.sha256
    [[ $line != *"hash -o "* ]] || rm -f stage/photos.sha256
    (
        cd stage || exit 1
        # shellcheck disable=SC2016  # the other bash expands it
        PATH=$work/bin:$PATH "$BASH" -o pipefail -c "${line//\/data/$work/stage/data}"
    ) >out 2>err
}
count=0
for verb in hash verify create compress decompress test; do
    while read -r line; do
        [[ $line != *uring* ]] || has_model uring || continue
        count=$((count + 1))
        check "example that is run: $line" performs "$line"
    done < <(examples_of "$verb")
done
check "$count examples were run" [ "$count" -ge 12 ]

finish
