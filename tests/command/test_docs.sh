#!/usr/bin/env bash
# The documentation says what the program does: every verb and option of the table is in --help and
# in the manual pages, nothing else is, and the pages are well formed.
# (The completions: test_completion.sh; the examples and README.md: test_examples.sh.)
# What needs a checker that is not installed is left out with a notice; without any checker of
# manual pages the test is a skip.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

command -v mandoc >/dev/null || command -v groff >/dev/null ||
    skip "neither mandoc nor groff is installed to check the manual pages"

"$TREEMILL" help --table >table || fail "help --table"
mapfile -t verbs < <(sed -n 's/^verb\t//p' table)
check "the table names only ${#verbs[@]} verbs" [ "${#verbs[@]}" -ge 6 ]
cut -f 3 table | grep -e '^--' | sort -u >known

# The page as a reader sees it, without bold and italics and without hyphenation.
if command -v mandoc >/dev/null; then
    show_page() { mandoc -T utf8 -O width=1000 "$1" | sed 's/.\x08//g'; }
else
    show_page() { LC_ALL=C.UTF-8 groff -man -Tutf8 -P-c -rLL=1000n "$1" | sed 's/.\x08//g'; }
fi

# Words of a text: exact names, so that --exclude is not found in --exclude-vcs.
words() { # TEXT
    tr -c 'A-Za-z0-9_-' '\n' <"$1" | sort -u >"$1.words"
}
names() { # TEXT WORD
    grep -qxF -e "$2" "$1.words"
}

# Nothing is said of an option that there is not.
invents_nothing() { # TEXT
    grep -oE -e '(^|[^a-zA-Z0-9_-])--[a-z][a-z-]*' "$1" | grep -oE -e '--.*' | sort -u |
        comm -23 - known >surplus
    check "$1 invents $(tr '\n' ' ' <surplus)" [ ! -s surplus ]
}

narrow() { # TEXT
    check "$1: a line of more than 80 columns" awk 'length > 80 { exit 1 }' "$1"
}

is_clean() { # COMMAND...: it succeeds and says nothing
    local said
    said=$("$@" 2>&1 >/dev/null) && [ -z "$said" ] && return
    echo "$said" >"$work/err"
    return 1
}

well_formed() { # PAGE
    if command -v mandoc >/dev/null; then
        mandoc -T lint -W warning "$1" >complaints
        check "mandoc complains of $1: $(head -n 1 complaints)" [ ! -s complaints ]
    fi
    ! command -v groff >/dev/null || check "groff on $1" is_clean groff -man -ww -Tutf8 -z "$1"
    # As lintian does it: a line that cannot be broken would be a warning.
    ! command -v man >/dev/null ||
        check "man on $1" is_clean env LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 \
            man --warnings -E UTF-8 -l -Tutf8 -Z "$1"
}
has mandoc
has groff
has man

# Help, short and long.
check "--help" "$TREEMILL" --help >help
words help
narrow help
"$TREEMILL" --help=all >help.everything || fail "--help=all"
for verb in "${verbs[@]}"; do
    "$TREEMILL" "$verb" --help >"help.$verb" || fail "$verb --help"
    "$TREEMILL" help "$verb" >again
    assert_same again "help.$verb" "help $verb and $verb --help"
    "$TREEMILL" "$verb" --help=all >"all.$verb" || fail "$verb --help=all"
    check "--help: verb $verb" grep -qE "^  $verb [^ ]*.*  [a-z]" help
    for text in "help.$verb" "all.$verb"; do
        narrow "$text"
        words "$text"
        invents_nothing "$text"
        count=$(sed -n '/^Examples:/,/^$/p' "$text" | grep -c '^  [^ ]')
        check "$text has $count examples" [ "$count" -ge 2 -a "$count" -le 4 ]
    done
    # Short is what fits a terminal of 40 lines.
    check "$verb --help is short" [ "$(wc -l <"help.$verb")" -le 36 ]
    check "$verb --help=all begins with the common options" \
        [ "$(grep -E '^  ( |-.,) *--' "help.$verb" | head -n 1)" = \
        "$(grep -E '^  ( |-.,) *--' "all.$verb" | head -n 1)" ]
    check "--help=all has that of $verb" grep -qxF "$(head -n 1 "all.$verb")" help.everything
done

# The manual pages.
check "man" "$TREEMILL" man >treemill.1
pages=(treemill)
for verb in "${verbs[@]}"; do
    "$TREEMILL" man "$verb" >"treemill-$verb.1" || fail "man $verb"
    pages+=("treemill-$verb")
done
for page in "${pages[@]}"; do
    well_formed "$page.1"
    show_page "$page.1" >"$page"
    words "$page"
    invents_nothing "$page"
    for section in NAME SYNOPSIS DESCRIPTION OPTIONS EXAMPLES 'EXIT STATUS' 'SEE ALSO'; do
        check "$page: section $section" grep -qx "$section" "$page"
    done
done
for section in VERBS 'STAGES AND MODELS' MANIFESTS FORMATS SIGNALS ENVIRONMENT; do
    check "treemill(1): section $section" grep -qx "$section" treemill
done
for variable in TREEMILL_STAGES SOURCE_DATE_EPOCH NO_COLOR TMPDIR; do
    check "treemill(1): $variable" names treemill "$variable"
    check "treemill-create(1): $variable" names treemill-create "$variable"
done
check "treemill-verify(1) knows no SOURCE_DATE_EPOCH" [ "$(grep -c SOURCE_DATE treemill-verify)" -eq 0 ]
# What a page refers to is there.
grep -ohE 'treemill(-[a-z]+)?\([0-9]\)' "${pages[@]}" | sort -u >references
for page in "${pages[@]}"; do
    check "nothing refers to $page(1)" grep -qxF "$page(1)" references
    sed -i "/^$page(1)\$/d" references
done
check "no page $(head -n 1 references)" [ ! -s references ]

# Every option of the table.
options=0
while IFS=$'\t' read -r kind verb name letter argument choices; do
    [[ $kind == option ]] || continue
    options=$((options + 1))
    entry="$name"
    case $argument in
    -) ;;
    \[*) entry="${name}[=${argument#?}" ;;
    *) entry="$name=$argument" ;;
    esac
    [[ $letter == - ]] || entry="$letter, $entry"
    check "$verb --help=all: $entry" grep -qE -e "^ +${entry//[|%[]/.}( |\$)" "all.$verb"
    check "treemill-$verb(1): $entry" grep -qF -e "$entry" "treemill-$verb"
    check "treemill(1): $entry" grep -qF -e "$entry" treemill
    [[ $choices == - ]] && continue
    for choice in ${choices//,/ }; do
        # "retry:" stands for retry:N
        check "$verb --help=all: $name=$choice" grep -qF -e "$choice" "all.$verb"
        check "treemill-$verb(1): $name=$choice" grep -qF -e "$choice" "treemill-$verb"
        check "treemill(1): $name=$choice" grep -qF -e "$choice" treemill
    done
done <table
check "the table names only $options options of verbs" [ "$options" -ge 70 ]
while IFS=$'\t' read -r kind model; do
    [[ $kind == model ]] || continue
    check "treemill(1): model $model" names treemill "$model"
    check "treemill-hash(1): model $model" names treemill-hash "$model"
    check "hash --help=all: model $model" names all.hash "$model"
done <table

# A verb that needs operands explains itself when it gets none; one that does not is not asked.
run "$TREEMILL"
check "no verb" [ "$status" -eq 2 -a ! -s out ]
check "no verb: the verbs are named" grep -qE '^  hash PATH' err
for verb in "${verbs[@]}"; do
    grep -q -P "^option\t$verb\t--read\t" table || continue
    run "$TREEMILL" "$verb"
    check "$verb alone" [ "$status" -eq 2 -a ! -s out ]
    check "$verb alone: what is missing" grep -qE "^treemill: $verb needs at least one [A-Z]+" err
    check "$verb alone: usage" grep -qF "$(head -n 1 "help.$verb")" err
    check "$verb alone: examples" grep -qE '^  .*treemill' err
    run "$TREEMILL" "$verb" --quiet
    check "$verb with an option: one line" [ "$status" -eq 2 -a "$(wc -l <err)" -eq 1 ]
done

# The nearest name.
run "$TREEMILL" hsah x
check "a mistyped verb" ends 2 "unknown verb 'hsah'; did you mean 'hash'\\?"
run "$TREEMILL" hash --algoritm=md5 x
check "a mistyped option" ends 2 "unknown option '--algoritm'; did you mean '--algorithm'\\?.*"
run "$TREEMILL" hash --format=hashdep x
check "a mistyped value" ends 2 "--format: bad value 'hashdep': did you mean 'hashdeep'\\?.*"
run "$TREEMILL" qwertz x
check "nonsense is no mistyped verb" [ "$status" -eq 2 -a "$(grep -c 'did you mean' err)" -eq 0 ]
mkdir empty
expect_status 0 "$TREEMILL" hash --algo=md5 empty # a name may be shortened

finish
