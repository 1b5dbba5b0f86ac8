#!/usr/bin/env bash
# Names, paths and sizes that break careless programs: the manifest is byte for byte what
# sha256sum(1) writes for the same files in bytewise order, under every model.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
shopt -s nullglob

# treemill_hash OPTIONS OPERANDS...: sets status, writes $work/out and $work/err
treemill_hash() {
    local options=$1
    shift
    status=0
    # shellcheck disable=SC2086  # options are words
    timeout 60 "$TREEMILL" hash -q $options "$@" >"$work/out" 2>"$work/err" || status=$?
}

# same NAME DIRECTORY [OPTIONS]: all models, silent on standard error
same() {
    local name=$1 directory=$2 options=${3-} model
    reference "$directory" >"$work/want"
    for model in "${models[@]}"; do
        treemill_hash "$model $options" "$directory"
        if [ "$status" -eq 0 ] && cmp -s "$work/want" "$work/out" && [ ! -s "$work/err" ]; then
            pass
        else
            fail "$name (status $status) ${model:-default} $options"
            diff "$work/want" "$work/out" | head -n 4 | cut -c 1-200 | cat -v
        fi
    done
}

# Names
mkdir odd
n255=$(printf '%0255d' 7)
names=($'new\nline' $'\n' 'back\slash' $'\\' $'carriage\rreturn' $'\r' '-dash' '--force' '-' ' leading'
    'trailing ' ' ' '*' '?[a]' "quote'\"" $'\xff\xfe' $'\xff' $'a\x01\x7f' $'tab\there' '#hash' '~'
    "\$HOME" '...' "$n255" 'utf-8-ä' $'half-\xc3')
index=0
for name in "${names[@]}"; do
    index=$((index + 1))
    printf '%s' "$index" >"odd/$name"
done
for name in $'dir\nectory' $'dir\\' $'dir\r' '-r' $'\xfe' "d$(printf '%0254d' 1)"; do
    mkdir "odd/$name"
    if [ "$name" = '-r' ]; then name=./odd/-r; else name=odd/$name; fi
    printf '%s' "$name" >"$name/file"
    printf '%s' "$name" >"$name/"$'f\n'
done
same "odd names" odd
# The same names alone, without a directory before them, as operands.
(
    cd odd && find . -type f -printf '%P\0' | LC_ALL=C sort -z >"$work/list0"
    xargs -0 sha256sum -- <"$work/list0" | grep -av ' -$' >"$work/want"
)
for model in "${models[@]}"; do
    cd odd || exit 1
    treemill_hash "$model --null --files-from=$work/list0"
    cd "$work" || exit 1
    # The name "-" is standard input to sha256sum; it is compared by the tree above.
    grep -av ' -$' out >out2
    if [ "$status" -eq 0 ] && cmp -s want out2; then pass; else fail "odd operands $model"; fi
done

# Empty things
mkdir -p empty/dir/dir empty/none
: >empty/file
: >empty/dir/file
same "empty files and directories" empty
mkdir bare
same "an empty directory" bare

# A hole is zeros
mkdir sparse
truncate -s 20M sparse/hole
printf end | dd of=sparse/tail bs=1 seek=5000000 status=none
truncate -s 1 sparse/one
same "sparse files" sparse
same "sparse files, small blocks" sparse "--block-size=4K"

# Sizes around the edges of a block
mkdir edges
for size in 1 2 4095 4096 4097 8191 8192 8193 12287 12288 12289 65535 65536 65537; do
    head -c "$size" /dev/urandom >"edges/$size"
done
same "edges of a block" edges "--block-size=4K"
same "edges in default blocks" edges
same "edges in little memory" edges "--block-size=64K"

# Many entries
mkdir many
seq -f 'many/entry-%.0f' 10000 | split -l 10000 - names.
while read -r name; do
    echo "$name" >"$name"
done <names.aa
same "10,000 entries" many

# Deep paths: longer than a system call takes, so that they are made and read step by step.
level=$(printf '%0199d' 3)
deep() { # DIRECTORY LEVELS: LEVELS directories of 200 bytes each with the slash, a file in the last
    mkdir "$1"
    echo "above $1" >"$1/above"
    echo "zero $1" >"$1/zz"
    (
        cd "$1" || exit 1
        for ((count = 0; count < $2; count++)); do
            mkdir "$level" && cd -P -- "./$level" || exit 1
        done
        echo "bottom of $1" >bottom
    ) || fail "making $1"
}
# deep_same DIRECTORY LEVELS: what sha256sum would print if it could open the file
deep_same() {
    local path=$1 count model
    for ((count = 0; count < $2; count++)); do
        path+=/$level
    done
    {
        echo "$(echo "bottom of $1" | sha256sum | cut -d ' ' -f 1)  $path/bottom"
        sha256sum "$1/above" "$1/zz"
    } >want
    for model in "${models[@]}"; do
        treemill_hash "$model" "$1"
        if [ "$status" -eq 0 ] && cmp -s want out && [ ! -s err ]; then
            pass
        else
            fail "path of ${#path} bytes (status $status) $model"
        fi
    done
}
deep deep5 25
deep deep40 199
deep_same deep5 25
deep_same deep40 199

# Too deep: one clear line that is not endless itself, the other files are hashed.
deep deep70 350
for model in "${models[@]}"; do
    treemill_hash "$model" deep70 edges/1
    sha256sum deep70/above deep70/zz edges/1 >want
    if [ "$status" -eq 3 ] && LC_ALL=C sort -k 2 out | cmp -s want - && [ "$(wc -l <err)" -eq 1 ] &&
        grep -q '^treemill: deep70/.*: .*: ' err; then
        pass
    else
        fail "a path that is too deep (status $status) $model"
    fi
done

# A name that the format cannot hold is told of, also where a batch's lines do not fit in its block.
mkdir tight
for ((count = 1; count <= 31; count++)); do : >"tight/$(printf '%0202d' $count)"; done
: >tight/$'z\nz'
for model in "${models[@]}"; do
    for block in "" --block-size=4K; do
        treemill_hash "$model --format=hashdeep $block" tight
        if [ "$status$(cat err)" = \
            '3treemill: tight/z\nz: write: the output'\''s format cannot hold this name' ] &&
            [ "$(grep -c '^0,' out)" -eq 31 ]; then
            pass
        else
            fail "a name that the format cannot hold (status $status) $block $model"
        fi
    done
done

finish
