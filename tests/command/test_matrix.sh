#!/usr/bin/env bash
# Every model of every stage, in mixtures, with 1, 2 and 7 workers, on two trees: the manifest is
# the same byte for byte, and it is what sha256sum says.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# One tree of many small files in uneven directories, one of files around the block size.
make_trees() {
    local i name
    mkdir -p "$work/small" "$work/large/deep/er"
    for i in $(seq 1 700); do
        name="$work/small/d$((i % 23))/e$((i % 7))"
        mkdir -p "$name"
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

reference() { # TREE: in bytewise path order, as find and sort see it
    (cd "$work" && find "$1" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

check() { # TREE OPTION...
    local tree=$1
    shift
    # ThreadSanitizer cannot see what is put in order by another process.
    if [ "${SANITIZE:-}" = thread ] && [[ "$*" == *processes* ]]; then
        return
    fi
    if (cd "$work" && timeout 120 "$TREEMILL" hash -q "$@" "$tree") >"$work/out" 2>"$work/err" &&
        cmp -s "$work/out" "$work/$tree.expected" && [ ! -s "$work/err" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $tree $*"
        head -n 3 "$work/err"
    fi
}

make_trees
for tree in small large; do
    reference "$tree" >"$work/$tree.expected"
    check "$tree"
    check "$tree" --block-size=8K
    for model in inline threads:1 threads:2 threads:7 processes:1 processes:2 processes:7; do
        check "$tree" --scan="$model" --read="$model" --hash="$model" --write="$model"
        check "$tree" --block-size=8K --stages="scan=$model;read=$model;hash=$model;write=$model"
        check "$tree" --block-size=8K --hash="$model" # reading follows, fused
        for stage in scan read hash write; do # alone among others
            check "$tree" --block-size=8K "--$stage=$model"
        done
    done
    for read in inline threads:2 processes:7; do
        for hash in inline threads:7 processes:2; do
            for write in inline threads:2 processes:1; do
                check "$tree" --block-size=8K --scan=processes:2 --read=$read --hash=$hash \
                    --write=$write
            done
        done
    done
    sort "$work/$tree.expected" >"$work/sorted"
    if (cd "$work" && "$TREEMILL" hash -q --order=none --hash=threads:7 "$tree") | sort |
        cmp -s - "$work/sorted"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $tree --order=none"
    fi
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
