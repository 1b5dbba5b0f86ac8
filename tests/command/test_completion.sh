#!/usr/bin/env bash
# What the shells offer, asked of the shells themselves: bash by its function, zsh by a terminal of
# its own, fish by `complete -C`. For each verb all its options and nothing else; for each option
# with choices all of them; then some lines by hand. A shell that is not installed is left out.
# shellcheck source=tests/command/lib.sh
. "$(dirname "$0")/lib.sh"
tm_begin

"$TREEMILL" help --table >table || fail "help --table"
for shell in bash zsh fish; do
    "$TREEMILL" completion $shell >"completion.$shell" || fail "completion $shell"
done
expect_status 2 "$TREEMILL" completion tcsh
mapfile -t verbs < <(sed -n 's/^verb\t//p' table)

# Two parallel lists: command lines whose last word is completed, words apart by tabs; and what is
# to be offered for it, sorted.
lines=() wanted=()
ask() { # EXPECTED LINE
    wanted+=("$(tr ' ' '\n' <<<"$1" | LC_ALL=C sort | paste -sd ' ')")
    lines+=("${2// /$'\t'}")
}

# tell SHELL ANSWERS: compares the answers, one line for each question.
tell() {
    local shell=$1 number=0 answer
    mapfile -t got <"$2"
    check "$shell answers ${#got[@]} of ${#lines[@]} questions" [ "${#got[@]}" -eq "${#lines[@]}" ]
    for answer in "${got[@]}"; do
        check "$shell offers '$answer' for '${lines[number]}', not '${wanted[number]}'" \
            [ "$answer" = "${wanted[number]}" ]
        number=$((number + 1))
    done
}

# Options of a verb; for the letters of those that have one, the third argument is "letters".
options_of() { # VERB FORM [letters]
    awk -F'\t' -v verb="$1" -v form="$2" -v letters="${3:-}" '
        $1 == "option" && $2 == verb {
            takes = $5 != "-" && $5 !~ /^\[/
            print $3 (form == "equals" && takes ? "=" : "")
            if (letters != "" && $4 != "-") print $4
        }' table | paste -sd ' '
}
each_choice() { # FUNCTION: calls it with VERB OPTION ARGUMENT "CHOICE CHOICE..."
    local kind verb name argument choices
    while IFS=$'\t' read -r kind verb name _ argument choices; do
        [[ $kind == option && $choices != - ]] || continue
        "$1" "$verb" "$name" "$argument" "${choices//,/ }"
    done <table
}

# bash
bash -n completion.bash || fail "bash cannot read its completion"
cat >ask.bash <<'END'
source ./completion.bash
while IFS=$'\t' read -r -a COMP_WORDS; do
    # A last word that is empty is written as ''.
    [[ ${COMP_WORDS[-1]} == "''" ]] && COMP_WORDS[-1]=
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _treemill
    printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | paste -sd ' '
done
END
bash_choices() { # readline gives '=' as a word of its own
    ask "$4" "treemill $1 $2 = ''"
    [[ $3 == \[* ]] || ask "$4" "treemill $1 $2 ''"
}
ask "${verbs[*]}" "treemill ''"
for verb in "${verbs[@]}"; do
    ask "$(options_of "$verb" equals letters)" "treemill $verb -"
    ask "$(options_of "$verb" equals)" "treemill $verb --"
done
each_choice bash_choices
ask "verify" "treemill ve"
ask "--help --version" "treemill --"
ask "--order=" "treemill hash --or"
ask "path none" "treemill hash --order ="
ask "path" "treemill hash --order = p"
ask "--order=path" "treemill hash --order=p"
ask "all" "treemill hash --help = a"
ask "" "treemill hash --help a"
ask "auto inline threads processes uring epoll" "treemill hash x --read = ''"
ask "sha256,sha512 sha256,sha512-256" "treemill hash -a sha256,sha5"
ask "bash zsh fish" "treemill completion ''"
ask "verify" "treemill help ve"
ask "verify" "treemill man ve"
ask "" "treemill hash -- --or"
printf '%s\n' "${lines[@]}" | bash --norc ask.bash >answers
tell bash answers

# fish: with the value it repeats the option and '='; an option whose value may be left out is
# offered both ways.
lines=() wanted=()
fish_choices() {
    local words=() choice
    for choice in $4; do words+=("$2=$choice"); done
    ask "${words[*]}" "treemill $1 $2="
}
if has fish; then
    check "fish reads its completion" fish --no-config -n completion.fish
    cat >ask.fish <<'END'
source completion.fish
while read -l line
    complete -C (string replace -a \t ' ' -- $line) | cut -f 1 | string replace -r '=$' '' |
        LC_ALL=C sort -u | paste -sd ' '
end
END
    for verb in "${verbs[@]}"; do
        ask "$(options_of "$verb" plain)" "treemill $verb --"
    done
    each_choice fish_choices
    ask "verify" "treemill ve"
    ask "verify" "treemill help ve"
    ask "bash fish zsh" "treemill completion "
    ask "ask.bash ask.fish" "treemill hash ask"
    ask "" "treemill info ask"
    printf '%s\n' "${lines[@]}" | fish --no-config ask.fish >answers
    tell fish answers
fi

# zsh: an interactive one, in a terminal of its own. Instead of compadd it calls a function that
# asks the real one for the matches and writes them down; Control-T ends a question.
lines=() wanted=()
zsh_choices() {
    ask "$4" "treemill $1 $2="
}
can_ask_zsh() {
    has zsh || return
    zsh -fc 'zmodload zsh/zpty' 2>/dev/null && return
    left_out "zsh has no module zpty"
    return 1
}
if can_ask_zsh; then
    check "zsh reads its completion" zsh -n completion.zsh
    cat >asked.zsh <<'END'
PS1= PS2= RPS1=
unsetopt auto_list auto_menu beep prompt_cr
unset zle_bracketed_paste
autoload -Uz compinit && compinit -u -D
zstyle ':completion:*' verbose no
source ./completion.zsh
compadd() {
    local -a matches
    # Those that only ask which words match (-O, -A, -D) offer nothing.
    if [[ " ${(j: :)@} " == *' '-[OAD]' '* ]]; then
        builtin compadd "$@"
        return
    fi
    builtin compadd -O matches "$@"
    print -rl -- $matches >>found
    builtin compadd "$@"
}
finish() {
    LC_ALL=C sort -u found | sed '/^$/d' | paste -sd ' ' >>answers
    : >|found
    BUFFER=
}
zle -N finish
bindkey '^T' finish
bindkey '^I' complete-word
print ready >>answers
END
    cat >ask.zsh <<'END'
zmodload zsh/zpty
zpty z "cd ${(q)PWD} && TERM=dumb zsh -f -i"
zpty -w z 'source ./asked.zsh'
integer number=0
answered() { # waits until there are so many answers
    integer tries=0
    while (( $(wc -l <answers) < number && tries++ < 2000 )); do sleep 0.01; zpty -r -t z junk; done
    (( tries < 2000 ))
}
number=1
answered || exit 1
while IFS= read -r line; do
    (( number++ ))
    zpty -w -n z "${line//$'\t'/ }"$'\t\x14'
    answered || exit 1
done
END
    ask "${verbs[*]}" "treemill "
    for verb in "${verbs[@]}"; do
        ask "$(options_of "$verb" plain)" "treemill $verb --"
    done
    each_choice zsh_choices
    ask "verify" "treemill ve"
    ask "verify" "treemill help ve"
    ask "bash fish zsh" "treemill completion "
    ask "ask.bash ask.fish ask.zsh" "treemill hash ask."
    ask "" "treemill info ask"
    : >answers
    printf '%s\n' "${lines[@]}" | timeout 120 zsh -f ask.zsh
    sed -i 1d answers
    tell zsh answers
fi

finish
