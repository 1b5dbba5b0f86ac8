#!/usr/bin/env bash
# Every model of every stage, in mixtures, with 1, 2 and 7 workers, on two trees: the manifest is
# the same byte for byte, and it is what sha256sum says.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

# One tree of many small files in uneven directories, one of files around the block size.
make_trees() {
    local i name
    mkdir -p "$work/small" "$work/large/deep/er"
    for i in $(seq 1 700); do
        name="$work/small/d$((i % 23))/e$((i % 7))"
        [ -d "$name" ] || mkdir -p "$name"
        head -c $((i * 37 % 5000)) /dev/urandom >"$name/f$i"
    done
    # Names that sort differently as paths than entry by entry.
    mkdir -p "$work/small/a" "$work/small/a-b" "$work/small/a.b"
    (mkdir "$work/small/many" && cd "$work/small/many" && seq -f "entry-%g" 1 3500 | xargs touch)
    touch "$work/small/a/x" "$work/small/a-b/x" "$work/small/a.b/x" "$work/small/a0"
    for i in 0 1 8191 8192 8193 16384 100000 262143 262144 262145 3000000; do
        head -c "$i" /dev/urandom >"$work/large/size-$i"
    done
    cp "$work/large/size-3000000" "$work/large/deep/er/copy"
}

same() { # TREE OPTION...
    local tree=$1
    shift
    ! [[ $* == *processes* ]] || with_processes || return 0
    run "$TREEMILL" hash -q "$@" "$tree"
    if [ "$status" -eq 0 ] && cmp -s out "$tree.expected" && [ ! -s err ]; then
        pass
    else
        fail "$tree $*"
    fi
}

make_trees
for tree in small large; do
    reference "$tree" >"$work/$tree.expected"
    same "$tree"
    same "$tree" --block-size=8K
    for model in "${counted_models[@]}"; do
        same "$tree" --scan="$model" --read="$model" --hash="$model" --write="$model"
        same "$tree" --block-size=8K --stages="scan=$model;read=$model;hash=$model;write=$model"
        same "$tree" --block-size=8K --hash="$model" # reading follows, fused
        for stage in scan read hash write; do # alone among others
            same "$tree" --block-size=8K "--$stage=$model"
        done
    done
    for read in inline threads:2 processes:7; do
        for hash in inline threads:7 processes:2; do
            for write in inline threads:2 processes:1; do
                same "$tree" --block-size=8K --scan=processes:2 --read=$read --hash=$hash \
                    --write=$write
            done
        done
    done
    # Many files at once by threads that read, or that hash what they have read.
    if has_model uring; then
        for burst in 2 16 32; do
            same "$tree" --block-size=8K --read=auto,burst=$burst
            same "$tree" --read=threads:7,burst=$burst --hash=threads:2
            same "$tree" --block-size=8K -T1 --read=threads:1,burst=$burst --hash=inline
        done
    fi
    same "$tree" --read=auto,burst=1
    run "$TREEMILL" hash -q -v --stats --read=auto,burst=1 "$tree"
    check "$tree, burst=1: none" [ "$(grep -c burst= err)" -eq 0 ]
    if has_model uring; then
        run "$TREEMILL" hash -v --stats --read=auto,burst=7 "$tree"
        check "$tree: -v and --stats tell of bursts" [ "$(grep -cE 'threads(:[0-9]+)?,burst=7' err)" -eq 2 ]
    fi
    sort "$work/$tree.expected" >"$work/sorted"
    run "$TREEMILL" hash -q --order=none --hash=threads:7 "$tree"
    check "$tree --order=none" cmp -s <(sort out) "$work/sorted"
done

finish
