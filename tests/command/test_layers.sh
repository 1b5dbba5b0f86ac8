#!/usr/bin/env bash
# Includes run one way: cli -> stages -> pipeline. Below cli nothing exits, prints or knows options.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin
cd "$SOURCE" || exit 1

empty() { # NAME COMMAND...: passes when the command prints nothing
    local name=$1 found
    shift
    found=$("$@")
    check "$name: $found" [ -z "$found" ]
}

# (The ring's loop is to be split.)
long_files() {
    wc -l pipeline/*.[ch] stages/*.[ch] cli/*.[ch] bench/*.[ch] tests/*/*.[ch] tests/*/*.sh |
        awk '$2 != "total" && $2 != "pipeline/io_uring.c" && $1 > 500 {print}'
}

# sync.c may say one last word before abort().
printing() {
    grep -nE '\b(printf|puts|putchar|perror)\(|\bstdout\b|\bstderr\b' pipeline/*.c stages/*.c |
        grep -v '^pipeline/sync.c'
}

empty "pipeline includes only pipeline" \
    grep -nE '#include "(stages|cli|tests|bench)/' pipeline/*.[ch]
empty "stages include only stages and pipeline" \
    grep -nE '#include "(cli|tests|bench)/' stages/*.[ch]
empty "cli does not include tests" grep -nE '#include "(tests|bench)/' cli/*.[ch]
empty "no exit() below cli" grep -nE '(^|[^_a-z])exit\(' pipeline/*.c stages/*.c
empty "nothing below cli prints" printing
empty "pipeline knows no codec or digest" \
    grep -nE 'EVP_|XXH|archive_|deflate|zlib' pipeline/*.[ch]
empty "no condition variable in what processes share" \
    grep -nE 'pthread_cond_(init|wait|signal)|pthread_cancel' pipeline/*.[ch] stages/*.[ch]
empty "no file above 500 lines" long_files

finish
