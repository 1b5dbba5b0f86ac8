#!/usr/bin/env bash
# The documentation says what the program does: every verb and option of the table is in --help,
# in the manual page and in the completions of the three shells, and these are well formed.
# What needs a shell or a checker that is not installed is left out with a notice; without any
# checker of manual pages the test is a skip.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

treemill=$TREEMILL

command -v mandoc >/dev/null || command -v groff >/dev/null ||
    skip "neither mandoc nor groff is installed to check the manual page"

"$treemill" help --table >"$work/table" || fail "help --table"
"$treemill" --help >"$work/help" || fail "--help"
"$treemill" man >"$work/treemill.1" || fail "man"
for shell in bash zsh fish; do
    "$treemill" completion $shell >"$work/completion.$shell" || fail "completion $shell"
done
"$treemill" completion tcsh >/dev/null 2>&1
[[ $? == 2 ]] || fail "completion tcsh is not refused with status 2"

# The page as a reader sees it, without bold and italics and without hyphenation.
if command -v mandoc >/dev/null; then
    mandoc -T utf8 -O width=1000 "$work/treemill.1" | sed 's/.\x08//g' >"$work/page"
else
    LC_ALL=C.UTF-8 groff -man -Tutf8 -P-c -rLL=1000n "$work/treemill.1" | sed 's/.\x08//g' \
        >"$work/page"
fi

# Words of a text: exact names, so that --exclude is not found in --exclude-vcs.
words() {
    tr -c 'A-Za-z0-9_-' '\n' <"$1" | sort -u
}
names() { # TEXT WORD
    grep -qxF -e "$2" "$work/$1.words"
}
for file in help page completion.bash completion.zsh; do
    words "$work/$file" >"$work/$file.words"
done

verbs=0
while IFS=$'\t' read -r kind verb; do
    [[ $kind == verb ]] || continue
    verbs=$((verbs + 1))
    "$treemill" "$verb" --help >"$work/help.$verb" || fail "$verb --help"
    "$treemill" help "$verb" | cmp -s - "$work/help.$verb" ||
        fail "help $verb differs from $verb --help"
    [[ $(sed '1,/^Examples:/d' "$work/help.$verb" | grep -c '^  [^ ]') -ge 2 ]] ||
        fail "$verb --help: two examples are needed"
    awk 'length > 80 { bad = 1 } END { exit bad }' "$work/help.$verb" ||
        fail "$verb --help: a line of more than 80 columns"
    words "$work/help.$verb" >"$work/help.$verb.words"
    for file in help page completion.bash completion.zsh; do
        check "$file: verb $verb is missing" names $file "$verb"
    done
    check "completion.fish: verb $verb is missing" \
        grep -q "__treemill_verb -a $verb " "$work/completion.fish"
    # The part of the zsh completion that belongs to the verb.
    sed -n "/^    $verb)\$/,/;;/p" "$work/completion.zsh" >"$work/zsh.$verb"
    words "$work/zsh.$verb" >"$work/zsh.$verb.words"
    sed -n "s/^    $verb) options='\([^']*\)'.*/\1/p" "$work/completion.bash" |
        tr ' ' '\n' >"$work/bash.$verb.words"
done <"$work/table"
[[ $verbs -ge 6 ]] || fail "the table names only $verbs verbs"

options=0
while IFS=$'\t' read -r kind verb name letter argument choices; do
    [[ $kind == option ]] || continue
    options=$((options + 1))
    where="$name of $verb"
    check "$verb --help: $where is missing" names "help.$verb" "$name"
    check "manual page: $where is missing" names page "$name"
    check "completion.zsh: $where is missing" names "zsh.$verb" "$name"
    dashed=$name
    [[ $argument == - ]] || dashed=$name=
    check "completion.bash: $where is missing" names "bash.$verb" "$dashed"
    line=$(grep -e " -l ${name#--} " "$work/completion.fish" |
        grep -e "-n 'true'" -e "__treemill_verb[^']* ${verb}[ ']")
    [[ $line ]] || fail "completion.fish: $where is missing"
    if [[ $letter != - ]]; then
        check "$verb --help: $letter $name" grep -q -e "^  $letter, $name" "$work/help.$verb"
        check "manual page: $letter, $name" grep -q -e "$letter, $name" "$work/page"
        check "completion.zsh: $letter of $verb is missing" names "zsh.$verb" "$letter"
        check "completion.bash: $letter of $verb is missing" names "bash.$verb" "$letter"
        [[ $line == *" -s ${letter#-} "* ]] || fail "completion.fish: $letter of $verb is missing"
    fi
    [[ $choices == - ]] && continue
    for choice in ${choices//,/ }; do
        # "retry:" stands for retry:N
        grep -qF -e "$choice" "$work/help.$verb" || fail "$verb --help: $name=$choice"
        grep -qF -e "$choice" "$work/page" || fail "manual page: $name=$choice"
        [[ $line == *"$choice"* ]] || fail "completion.fish: $name=$choice"
        check "completion.zsh: $name=$choice" grep -qwF -e "${choice%:}" "$work/zsh.$verb"
        grep -q -e "^    $verb:${name}[|)].*words='.*\b$choice" "$work/completion.bash" ||
            fail "completion.bash: $name=$choice"
    done
done <"$work/table"
[[ $options -ge 70 ]] || fail "the table names only $options options of verbs"

# Nothing is documented that is not in the table.
grep -oE -e '^  (-., |    )--[a-z-]+' "$work"/help.*[a-z] -h | grep -oE -e '--[a-z-]+' | sort -u |
    while read -r name; do
        grep -q -P -e "^option\t[a-z]+\t$name\t" "$work/table" || echo "$name"
    done >"$work/surplus"
[[ -s $work/surplus ]] && fail "documented, but not in the table: $(tr '\n' ' ' <"$work/surplus")"

for section in NAME SYNOPSIS DESCRIPTION VERBS OPTIONS 'STAGES AND MODELS' MANIFESTS \
    'EXIT STATUS' SIGNALS ENVIRONMENT EXAMPLES; do
    grep -qx "$section" "$work/page" || fail "manual page: section $section is missing"
done

while IFS=$'\t' read -r kind model; do
    [[ $kind == model ]] || continue
    check "manual page: model $model is missing" names page "$model"
    check "hash --help: model $model is missing" names help.hash "$model"
done <"$work/table"

# Well formed?
if has mandoc; then
    mandoc -T lint -W warning "$work/treemill.1" || fail "mandoc complains of the manual page"
fi
if has groff; then
    complaints=$(groff -man -ww -Tutf8 -z "$work/treemill.1" 2>&1)
    [[ $complaints ]] && fail "groff complains of the manual page: $complaints"
fi
bash -n "$work/completion.bash" || fail "bash cannot read its completion"
has zsh && { zsh -n "$work/completion.zsh" || fail "zsh cannot read its completion"; }
has fish && { fish --no-config -n "$work/completion.fish" ||
    fail "fish cannot read its completion"; }

# What bash offers: the last word is completed, words being split as readline does at '='.
offers() {
    local expected=$1
    shift
    local got
    # shellcheck disable=SC2016  # the other bash expands it
    got=$(bash --norc -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _treemill; echo "${COMPREPLY[*]}"' bash "$work/completion.bash" "$@")
    [[ $got == "$expected" ]] || fail "bash offers '$got' for '$*', not '$expected'"
}
offers "verify" treemill ve
offers "--order=" treemill hash --or
offers "path none" treemill hash --order =
offers "path" treemill hash --order = p
offers "--order=path" treemill hash --order=p
offers "sha256,sha512 sha256,sha512-256" treemill hash -a sha256,sha5
offers "bash zsh fish" treemill completion ""
offers "verify" treemill help ve
offers "" treemill hash -- --or

if has fish; then
    # shellcheck disable=SC2016  # fish expands it
    got=$(fish --no-config -c 'source $argv[1]; complete -C "treemill verify --extra="' \
        "$work/completion.fish" | cut -f1 | sort | tr '\n' ' ')
    [[ $got == "--extra=fail --extra=ignore --extra=report " ]] || fail "fish offers '$got'"
fi

echo "$verbs verbs, $options options of verbs documented everywhere"
finish
