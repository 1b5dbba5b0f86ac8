#!/bin/bash
# Measures `treemill create`, `extract`, `compress` and `decompress` beside other programs and the physical
# limit. See bench/README.md; what the jobs are is in archive_jobs.sh and unpack_jobs.sh.
set -euo pipefail
# shellcheck source=bench/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=bench/archive_jobs.sh
source "$(dirname "${BASH_SOURCE[0]}")/archive_jobs.sh"
# shellcheck source=bench/unpack_jobs.sh
source "$(dirname "${BASH_SOURCE[0]}")/unpack_jobs.sh"

usage() {
    cat <<END
usage: bench/archive.sh [OPTION]... [DIR]

DIR: where the trees are made (see bench/trees.sh).
  --jobs=A,B,...   of these (all):
                     tgz-6, tgz-1, tzst-3, tar, zip-6   a tree into an archive
                     unpack-tar, unpack-tar.gz, unpack-tar.zst, unpack-zip
                                                        such an archive into a tree
                     unpack-one                         one member of a tar.zst
                     files-gz, files-zst                each file of a tree by itself
                     large-6, large-1, large-zst        one large file
                     expand-own, expand-pigz, expand-zst
                                                        decompression of a large file
                   or of the words before their hyphens
  --trees=A,B      trees of those jobs that take one, of source, small (both)
  --rounds=N       timed rounds a table (5)
  --seconds=S      begin no further round of a table that would end after S seconds (1200)
  --peers=A,B,...  only these peers; the limit and treemill always take part
  --peers-only     without treemill
  --processes=N    processes of a peer at once, threads of those that have them (one a CPU)
  --target=WHERE   what is written goes to: memory (/dev/shm), disk (DIR) or a directory; auto:
                   memory where it has room, since the device should not decide (auto)
  --output=DIR     keep the tables there as JOB-TREE.tsv, beside archive-machine.tsv and wanted.tsv
  --quick          for checks of the benchmark itself: a little tree and file, one round; what is
                   written is checked, the times are not judged
The program measured is \$TREEMILL, else build/release/treemill, else the one in PATH. A job that it
has no verb for is skipped; the exit status is 77 if that leaves none.
END
}

all_jobs=tgz-6,tgz-1,tzst-3,tar,zip-6,files-gz,files-zst,large-6,large-1,large-zst
all_jobs+=,unpack-tar,unpack-tar.gz,unpack-tar.zst,unpack-zip,unpack-one
all_jobs+=,expand-own,expand-pigz,expand-zst
directory=
jobs=$all_jobs
trees=source,small
rounds=5
seconds=1200
peers=
peers_only=0
processes=$(nproc)
target=auto
output=
quick=0
for argument; do
    case $argument in
    --jobs=*) jobs=${argument#*=} ;;
    --trees=*) trees=${argument#*=} ;;
    --rounds=*) rounds=${argument#*=} ;;
    --seconds=*) seconds=${argument#*=} ;;
    --peers=*) peers=,${argument#*=}, ;;
    --peers-only) peers_only=1 ;;
    --processes=*) processes=${argument#*=} ;;
    --target=*) target=${argument#*=} ;;
    --output=*) output=${argument#*=} ;;
    --quick) quick=1 rounds=1 trees=source ;;
    --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) directory=$argument ;;
    esac
done
[[ $rounds =~ ^[1-9][0-9]*$ && $seconds =~ ^[0-9]+$ && $processes =~ ^[1-9][0-9]*$ ]] ||
    die "--rounds, --seconds and --processes take numbers"

# The jobs in the order in which they are listed above, words before hyphens meaning several.
job_names=()
IFS=, read -ra known_jobs <<<"$all_jobs"
for job in "${known_jobs[@]}"; do
    [[ ,$jobs, != *,$job,* && ,$jobs, != *,${job%-*},* ]] || job_names+=("$job")
done
IFS=, read -ra wanted_jobs <<<"$jobs"
for job in "${wanted_jobs[@]}"; do
    [[ ,$all_jobs, == *,"$job"[,-]* ]] || die "--jobs=$job: of $all_jobs"
done

treemill=
if ((!peers_only)); then
    treemill=$(find_treemill)
    [[ -n $treemill ]] || die "no treemill found: set TREEMILL or give --peers-only"
fi
paired=$(bench_program paired)
limit=$(bench_program limit)
codec_limit=$(bench_program codec_limit -ldeflate -lisal -lzstd)
cpus=$(nproc)

needed=
[[ " ${job_names[*]}" != *' '[tzfu]* ]] || needed=$trees
[[ " ${job_names[*]}" != *' '[le]* ]] || needed+=${needed:+,}large
make_trees "$needed"

# Room for what is written, for a copy of a tree, for a tree in memory (the limit), and for the
# tree in the page cache. With less of it, writing to memory would push out what is read.
choose_target() {
    local need_kib available_kib memory_kib
    need_kib=$(($(grep -o 'bytes=[0-9]*' <<<"$made" | cut -d= -f2 | sort -n | tail -n 1) / 1024))
    available_kib=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)
    memory_kib=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
    if [[ -w /dev/shm ]] &&
        ((${available_kib:-0} > 3 * need_kib && memory_kib > 5 * need_kib)); then
        target=memory
    else
        target=disk
    fi
}

scratch=$(mktemp -d)
target_path=
trap 'rm -rf "$scratch" ${target_path:+"$target_path"}' EXIT
[[ $target != auto ]] || choose_target
case $target in
memory) target_path=$(mktemp -d /dev/shm/treemill-bench.XXXXXX) ;;
disk) target_path=$(mktemp -d "$directory/output.XXXXXX") ;;
*) target_path=$(mktemp -d "$target/treemill-bench.XXXXXX") ;;
esac
target_path=$(cd "$target_path" && pwd)

tell_machine archive-machine.tsv "target"$'\t'"$target"$'\t'"$(stat -f -c %T "$target_path")"

# Each command writes to its own name in an empty directory. What was written to a disk before it
# is on the disk, so that it does not have to wait for that.
out_path=$target_path/out
prepare="rm -rf '$out_path' && mkdir '$out_path'"
[[ $(stat -f -c %T "$target_path") == tmpfs ]] || prepare+=" && sync -f '$target_path'"

# The table's entries: names in order, and by name the command, what it writes, and what that is.
declare -A command_of out_of form_of

begin_table() {
    names=()
    command_of=() out_of=() form_of=()
}

# entry NAME FORM FILE COMMAND: {} in the command stands for the path of FILE, which it writes.
entry() {
    local path=$out_path/$3
    names+=("$1")
    form_of[$1]=$2
    out_of[$1]=$path
    command_of[$1]="cd '$input_path' && ${4//'{}'/"'$path'"}"
}

# add NAME PROGRAM PACKAGE FORM FILE COMMAND: a peer takes part if its program is here.
add() {
    [[ -z $peers || $peers == *,$1,* ]] || return 0
    if command -v "$2" >/dev/null; then
        entry "$1" "$4" "$5" "$6"
    else
        note "$1 skipped: no $2 (Debian package $3)"
    fi
}

# Bytes that an entry wrote.
size_of() { list_written "$1" -printf '%s\n' | awk '{ sum += $1 } END { printf "%d\n", sum }'; }

# Each command once, untimed: what it writes is right, and how large it is. A peer that fails is
# left out; treemill failing is this benchmark's failure.
try_entries() {
    local name good=()
    : >"$scratch/sizes"
    for name in "${names[@]}"; do
        sh -c "$prepare_job"
        if ! sh -c "${command_of[$name]}" >/dev/null 2>"$scratch/messages"; then
            note "$job, $tree: $name failed: $(tail -n 1 "$scratch/messages")"
            [[ $name != treemill* ]] || status=1
            continue
        fi
        printf '%s\t%s\n' "$name" "$(size_of "$name")" >>"$scratch/sizes"
        if ! check_entry "$name" >"$scratch/messages" 2>&1; then
            tail -n 3 "$scratch/messages" >&2
            [[ $name != treemill* ]] || die "$job, $tree: what $name wrote is wrong"
            note "$job, $tree: $name left out: what it wrote is wrong"
            continue
        fi
        good+=("$name")
    done
    sh -c "$prepare_job"
    names=("${good[@]}")
}

# The table of bench_paired with two more columns: bytes written, and their ratio to treemill's.
finish_table() {
    awk -F'\t' -v OFS='\t' '
        NR == FNR { size[$1] = $2; next }
        FNR == 1 { print $0, "size_bytes", "size_vs_treemill"; next }
        !($1 in size) { print $0, "-", "-"; next }
        {
            ratio = size["treemill"] ? sprintf("%.4f", size[$1] / size["treemill"]) : "-"
            print $0, size[$1], ratio
        }' "$scratch/sizes" "$scratch/paired"
}

# cell ROW COLUMN: prints that of the table, nothing where there is none.
cell() {
    awk -F'\t' -v row="$1" -v column="$2" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) at = i; next }
        at && $1 == row && $at ~ /^[0-9.]+$/ { print $at }' "$scratch/table"
}

# want WHAT FIGURE least|most WANTED: a line that compares a figure with what is wanted.
want() {
    local verdict=-
    [[ -n $treemill ]] || return 0
    if [[ -n $2 ]] && ((!quick)); then
        verdict=$(awk -v figure="$2" -v wanted="$4" -v which="$3" 'BEGIN {
            good = which == "least" ? figure >= wanted : figure <= wanted
            print good ? "reached" : "MISSED" }')
    fi
    printf 'wanted\t%s\t%s\t%s\tat %s %s\tgot %s\t%s\n' \
        "$job" "$tree" "$1" "$3" "$4" "${2:--}" "$verdict" | tee -a "$scratch/wanted.tsv"
}

want_speed() { want "times as fast as $1" "$(cell "$1" vs_treemill)" least "$2"; }

# want_size PEER RATIO: treemill's size is at most that many times the peer's.
want_size() {
    want "times the size of $1" "$(awk -v own="$(cell treemill size_bytes)" \
        -v peer="$(cell "$1" size_bytes)" \
        'BEGIN { if (own && peer) printf "%.5f", own / peer }')" most "$2"
}

# The larger of the largest process and of all together as sampled.
want_memory() {
    want "MiB of memory at the peak" "$({ cell treemill peak_kib && cell treemill together_kib; } |
        sort -n | awk '{ kib = $1 } END { if (kib) printf "%.1f", kib / 1024 }')" most 128
}

want_limits() {
    want "times the limit (reading, codec)" "$(cell treemill vs_limit.sum_s)" most 1.25
    want "times the limit (reading, codec, writing)" "$(cell treemill vs_limit.all_s)" most 1.25
}

# measure LIMIT_OPTION...: one table: the entries, and the limit with these options.
measure() {
    local name entries=() options=(-m -w 1 -r "$rounds" -s "$seconds" -b limit.sum_s -b limit.all_s)
    measured=1
    local limit_command="'$codec_limit' -T $cpus -r 1 -V ${variant:-all} $* '$limit_path'"
    try_entries
    printf 'limit.codec_s\t%s\n' \
        "$(sh -c "$limit_command" | sed -n 's/^out_bytes=//p')" >>"$scratch/sizes"
    for name in "${names[@]}"; do
        entries+=("$name=${command_of[$name]}")
        [[ $name != treemill ]] || options+=(-b treemill)
    done
    entries+=("limit:read_s,codec_s,write_s,sum_s,all_s=$limit_command")
    printf '\n%s, %s: limit by %s\n' "$job" "$tree" "${*//"$out_path"/TARGET}"
    "$paired" "${options[@]}" -p "$prepare_job" -P "$fill" "${entries[@]}" \
        >"$scratch/paired" || true
    [[ -s $scratch/paired ]] || die "$job, $tree: no results"
    finish_table >"$scratch/table"
    column -t -s $'\t' "$scratch/table" 2>/dev/null || cat "$scratch/table"
    if grep -Eq '^treemill'$'\t''[^0-9]' "$scratch/table"; then
        note "$job, $tree: treemill failed"
        status=1
    fi
    [[ -z $output ]] || cp "$scratch/table" "$output/$job-$tree.tsv"
    want_limits
}

# find_variant PATH: the best reading loop there; the rounds then measure that one.
find_variant() {
    variant=$("$limit" -T "$cpus" -a none -r $((quick ? 1 : 3)) "$1" | sed -n 's/^variant=//p')
    fill="'$limit' -T $cpus -a none -r 1 -V $variant '$1'"
}

# Whole help first: a grep that leaves at the first match would end its writer by a signal.
[[ -z $treemill ]] || help=$("$treemill" help)
has_verb() { grep -Eq "^  $1 " <<<"$help"; }

status=0
measured=0
: >"$scratch/wanted.tsv"
IFS=, read -ra tree_names <<<"$trees"
for job in "${job_names[@]}"; do
    verb=$(verb_of "$job")
    if [[ -n $treemill ]] && ! has_verb "$verb"; then
        printf '\n%s skipped: this treemill has no verb %s\n' "$job" "$verb"
        continue
    fi
    prepare_job=$prepare
    if [[ $job == large-* || $job == expand-* ]]; then
        tree=large
        run_job
        continue
    fi
    for tree in "${tree_names[@]}"; do
        run_job
    done
done

if [[ -n $treemill ]] && ((!quick)); then
    printf '\n%s of %s figures reached\n' "$(grep -c 'reached$' "$scratch/wanted.tsv" || true)" \
        "$(wc -l <"$scratch/wanted.tsv")"
fi
[[ -z $output ]] || cp "$scratch/wanted.tsv" "$output/wanted.tsv"
((measured || status)) || status=77
exit "$status"
