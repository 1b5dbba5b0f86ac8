/* Completions for bash, zsh and fish, from the tables. Each script is complete in itself: verbs,
 * the options of each verb, their choices, file and directory names. */
#include "cli/options.h"
#include "cli/options_private.h"

#include <errno.h>
#include <string.h>

/* What may follow an option, in one list; NULL if it is no choice. */
static const char *const *row_choices(const struct option_row *row)
{
    return row->kind == OPTION_STAGE ? stage_model_names() : row->choices;
}

/* Whether the option may be given again to some purpose. */
static bool row_repeats(const struct option_row *row)
{
    return row->kind == OPTION_LIST || row->kind == OPTION_RULE || row->kind == OPTION_ALGORITHM ||
           row->kind == OPTION_CALLBACK;
}

static bool row_listed(const struct option_row *row, enum verb verb)
{
    return !row->hidden && option_serves(row, verb);
}

static void print_words(FILE *stream, const char *const *words)
{
    for (const char *const *word = words; *word; word++)
        fprintf(stream, "%s%s", word == words ? "" : " ", *word);
}

static void print_verbs(FILE *stream)
{
    for (int verb = 0; verb < VERB_COUNT; verb++)
        fprintf(stream, "%s%s", verb ? " " : "", options_verbs()[verb].name);
}

/* Text within single quotes of any of the shells; `special` bytes get a backslash (zsh specs). A
 * quote is written '\'' , which the three understand alike. */
static void print_quoted(FILE *stream, const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", stream);
        else if (strchr(special, *text))
            fprintf(stream, "\\%c", *text);
        else
            fputc(*text, stream);
    }
}

/* The options of a verb as words: "--order=" where a value follows, and the short ones. */
static void print_bash_options(FILE *stream, enum verb verb)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    const char *gap = "";
    for (size_t i = 0; i < count; i++) {
        if (!row_listed(&rows[i], verb))
            continue;
        fprintf(stream, "%s--%s%s", gap, rows[i].name,
                rows[i].argument && !rows[i].optional ? "=" : "");
        gap = " ";
        if (rows[i].letter)
            fprintf(stream, " -%c", rows[i].letter);
    }
}

/* case branches VERB:OPTION) that set `kind` and `words`. */
static void print_bash_values(FILE *stream, enum verb verb)
{
    size_t count;
    const struct option_row *rows = options_rows(&count);
    const char *name = options_verbs()[verb].name;

    for (size_t i = 0; i < count; i++) {
        const char *const *choices = row_choices(&rows[i]);
        if (!row_listed(&rows[i], verb) || !rows[i].argument)
            continue;
        fprintf(stream, "    %s:--%s", name, rows[i].name);
        if (rows[i].letter && !rows[i].optional)
            fprintf(stream, "|%s:-%c", name, rows[i].letter);
        /* Behind a blank it has no value. */
        fputs(rows[i].optional ? ") [[ $joined ]] || option=\"\"; " : ") ", stream);
        if (choices) {
            fprintf(stream, "kind=%s words='", rows[i].kind == OPTION_ALGORITHM ? "list" : "words");
            print_words(stream, choices);
            fputs("'", stream);
        } else if (rows[i].complete == COMPLETE_NOTHING) {
            fputs("kind=any", stream);
        } else {
            fprintf(stream, "kind=%s",
                    rows[i].complete == COMPLETE_DIRECTORY ? "directory" : "file");
        }
        fputs(" ;;\n", stream);
    }
}

static void print_bash_operands(FILE *stream, enum verb verb)
{
    const struct verb_row *row = &options_verbs()[verb];
    fprintf(stream, "    %s) options='", row->name);
    print_bash_options(stream, verb);
    fputs("'", stream);
    if (row->operand_choices) {
        fputs(" kind=words words='", stream);
        print_words(stream, row->operand_choices);
        fputs("'", stream);
    } else {
        fprintf(stream, " kind=%s", row->complete == COMPLETE_FILE ? "file" : "any");
    }
    fputs(" ;;\n", stream);
}

/* '=' and ':' break words in readline, so `--order=p` arrives as three words: the script looks
 * back over the '=' for the option, and leaves out of each answer what readline has already
 * seen as a word of its own. */
static void print_bash(FILE *stream)
{
    fputs("# bash completion for treemill; bash-completion is not needed.\n"
          "_treemill() {\n"
          "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"\" verb=\"\" option=\"\" before=\"\"\n"
          "  local options=\"\" kind=\"\" words=\"\" only_operands=\"\" joined=1 i\n"
          "  COMPREPLY=()\n"
          "  (( COMP_CWORD > 0 )) && prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
          "  for (( i = 1; i < COMP_CWORD; i++ )); do\n"
          "    case \"${COMP_WORDS[i]}\" in\n"
          "    --) only_operands=1; break ;;\n"
          "    -*|=) ;;\n"
          "    *) [[ $verb ]] || verb=\"${COMP_WORDS[i]}\" ;;\n"
          "    esac\n"
          "  done\n"
          "  if [[ ! $only_operands ]]; then\n"
          "    if [[ $cur == '=' && $prev == --* ]]; then\n"
          "      option=$prev cur=\"\"\n"
          "    elif [[ $prev == '=' ]] && (( COMP_CWORD > 1 )); then\n"
          "      option=\"${COMP_WORDS[COMP_CWORD-2]}\"\n"
          "    elif [[ $cur == --*=* ]]; then\n"
          "      option=\"${cur%%=*}\" before=\"${cur%%=*}=\" cur=\"${cur#*=}\"\n"
          "    elif [[ $prev == -* && $prev != -- ]]; then\n"
          "      option=$prev joined=\"\"\n"
          "    fi\n"
          "  fi\n"
          "  case \"$verb:$option\" in\n",
          stream);
    for (int verb = 0; verb < VERB_COUNT; verb++)
        print_bash_values(stream, (enum verb)verb);
    fputs("    *) option=\"\" ;;\n"
          "  esac\n"
          "  if [[ ! $option ]]; then\n"
          "    case \"$verb\" in\n"
          "    '') kind=words words='",
          stream);
    print_verbs(stream);
    fputs("' options='", stream);
    print_bash_options(stream, VERB_NONE);
    fputs("' ;;\n", stream);
    for (int verb = 0; verb < VERB_COUNT; verb++)
        print_bash_operands(stream, (enum verb)verb);
    fputs(
        "    esac\n"
        "    if [[ $cur == -* && ! $only_operands ]]; then\n"
        "      kind=words words=$options\n"
        "    fi\n"
        "  fi\n"
        "  case \"$kind\" in\n"
        "  words) mapfile -t COMPREPLY < <(compgen -P \"$before\" -W \"$words\" -- \"$cur\") ;;\n"
        "  list)\n"
        "    [[ $cur == *,* ]] && before=\"$before${cur%,*},\" cur=\"${cur##*,}\"\n"
        "    mapfile -t COMPREPLY < <(compgen -P \"$before\" -W \"$words\" -- \"$cur\") ;;\n"
        "  directory) compopt -o dirnames 2>/dev/null ;;\n"
        "  file)\n"
        "    [[ $before ]] && mapfile -t COMPREPLY < <(compgen -P \"$before\" -f -- \"$cur\") ;;\n"
        "  esac\n"
        "  [[ $kind == file ]] || compopt +o default 2>/dev/null\n"
        "  case \"${COMPREPLY[*]}\" in\n"
        "  *=|*:) compopt -o nospace 2>/dev/null ;;\n"
        "  esac\n"
        "  return 0\n"
        "}\n"
        "complete -o default -F _treemill treemill\n",
        stream);
}

/* ":NAME:ACTION" of an _arguments spec. */
static void print_zsh_value(FILE *stream, const struct option_row *row)
{
    const char *const *choices = row_choices(row);

    fputs(row->optional ? "::" : ":", stream);
    print_quoted(stream, row->argument, "[]:\\");
    fputc(':', stream);
    if (row->kind == OPTION_ALGORITHM) {
        fputs("_values -s , algorithm ", stream);
        print_words(stream, choices);
    } else if (choices) {
        fputc('(', stream);
        for (; *choices; choices++) {
            print_quoted(stream, *choices, ":\\");
            fputs(choices[1] ? " " : ")", stream);
        }
    } else if (row->complete == COMPLETE_FILE) {
        fputs("_files", stream);
    } else if (row->complete == COMPLETE_DIRECTORY) {
        fputs("_files -/", stream);
    }
}

/* Specs of _arguments: '(-T --threads)'{-T+,--threads=}'[help]:N:(a b)' . One whose value may be
 * left out has a spec for its letter, which takes none, and one for its name. */
static void print_zsh_option(FILE *stream, const struct option_row *row)
{
    const char *equals = row->optional ? "=-" : row->argument ? "=" : "";

    fputs("      ", stream);
    if (row->letter && row->optional) {
        fprintf(stream, "'(-%c --%s)-%c[", row->letter, row->name, row->letter);
        print_quoted(stream, row->help, "[]:\\");
        fputs("]' \\\n      ", stream);
    }
    if (row_repeats(row))
        fputs("'*'", stream);
    else if (row->letter)
        fprintf(stream, "'(-%c --%s)'", row->letter, row->name);
    if (row->letter && !row->optional)
        fprintf(stream, "{-%c%s,--%s%s}'[", row->letter, row->argument ? "+" : "", row->name,
                equals);
    else
        fprintf(stream, "--%s%s'[", row->name, equals);
    print_quoted(stream, row->help, "[]:\\");
    fputc(']', stream);
    if (row->argument)
        print_zsh_value(stream, row);
    fputs("' \\\n", stream);
}

static void print_zsh_verb(FILE *stream, enum verb verb)
{
    const struct verb_row *row = &options_verbs()[verb];
    size_t count;
    const struct option_row *rows = options_rows(&count);

    fprintf(stream, "    %s)\n      _arguments -s -S \\\n", row->name);
    for (size_t i = 0; i < count; i++) {
        if (row_listed(&rows[i], verb))
            print_zsh_option(stream, &rows[i]);
    }
    if (row->operand_choices) {
        fprintf(stream, "      ':%s:(", row->operand_name);
        print_words(stream, row->operand_choices);
        fputs(")'\n", stream);
    } else if (row->operands_max) {
        fprintf(stream, "      '*:%s:_files'\n", row->operand_name);
    } else {
        fputs("      && return\n", stream);
    }
    fputs("      ;;\n", stream);
}

static void print_zsh(FILE *stream)
{
    const struct verb_row *verbs = options_verbs();
    size_t count;
    const struct option_row *rows = options_rows(&count);

    fputs("#compdef treemill\n"
          "_treemill() {\n"
          "  local context state state_descr line\n"
          "  typeset -A opt_args\n"
          "  _arguments -C \\\n",
          stream);
    for (size_t i = 0; i < count; i++) {
        if (row_listed(&rows[i], VERB_NONE))
            print_zsh_option(stream, &rows[i]);
    }
    fputs("      '1:verb:->verb' \\\n"
          "      '*::operand:->operand' && return\n"
          "  case $state in\n"
          "  verb)\n"
          "    local -a verbs=(\n",
          stream);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        fprintf(stream, "      '%s:", verbs[verb].name);
        print_quoted(stream, verbs[verb].help, ":\\");
        fputs("'\n", stream);
    }
    fputs("    )\n"
          "    _describe verb verbs\n"
          "    ;;\n"
          "  operand)\n"
          "    case $line[1] in\n",
          stream);
    for (int verb = 0; verb < VERB_COUNT; verb++)
        print_zsh_verb(stream, (enum verb)verb);
    fputs("    esac\n"
          "    ;;\n"
          "  esac\n"
          "}\n"
          "if [[ $funcstack[1] == _treemill ]]; then\n"
          "  _treemill \"$@\"\n"
          "else\n"
          "  compdef _treemill treemill\n"
          "fi\n",
          stream);
}

static void print_fish_option(FILE *stream, const struct option_row *row)
{
    const char *const *choices = row_choices(row);

    fputs("complete -c treemill -n '", stream);
    if (row->program) {
        fputs("true", stream);
    } else {
        fputs("__treemill_verb", stream);
        for (int verb = 0; verb < VERB_COUNT; verb++) {
            if (option_serves(row, (enum verb)verb))
                fprintf(stream, " %s", options_verbs()[verb].name);
        }
    }
    fputc('\'', stream);
    if (row->letter)
        fprintf(stream, " -s %c", row->letter);
    fprintf(stream, " -l %s", row->name);
    if (choices && row->kind == OPTION_ALGORITHM) {
        fputs(" -x -a '(__fish_append , ", stream);
        print_words(stream, choices);
        fputs(")'", stream);
    } else if (choices) {
        fputs(row->optional ? " -f -a '" : " -x -a '", stream);
        print_words(stream, choices);
        fputc('\'', stream);
    } else if (row->complete == COMPLETE_FILE) {
        fputs(" -r -F", stream);
    } else if (row->complete == COMPLETE_DIRECTORY) {
        fputs(" -x -a '(__fish_complete_directories)'", stream);
    } else if (row->argument) {
        fputs(" -x", stream);
    }
    fputs(" -d '", stream);
    print_quoted(stream, row->help, "");
    fputs("'\n", stream);
}

static void print_fish(FILE *stream)
{
    const struct verb_row *verbs = options_verbs();
    size_t count;
    const struct option_row *rows = options_rows(&count);

    fputs("# fish completion for treemill\n"
          "# True if the verb on the line is one of the arguments; without any: if there is none.\n"
          "function __treemill_verb\n"
          "    set -l words (commandline -opc)\n"
          "    for word in $words[2..-1]\n"
          "        string match -q -- '-*' $word; and continue\n"
          "        contains -- $word $argv\n"
          "        return $status\n"
          "    end\n"
          "    test (count $argv) -eq 0\n"
          "end\n"
          "# True if besides it is no option that is being written.\n"
          "function __treemill_operand\n"
          "    not string match -q -- '-*' (commandline -ct); and __treemill_verb $argv\n"
          "end\n"
          "complete -c treemill -f\n",
          stream);
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        fprintf(stream, "complete -c treemill -n __treemill_verb -a %s -d '", verbs[verb].name);
        print_quoted(stream, verbs[verb].help, "");
        fputs("'\n", stream);
        if (verbs[verb].operand_choices) {
            fprintf(stream, "complete -c treemill -n '__treemill_verb %s' -a '", verbs[verb].name);
            print_words(stream, verbs[verb].operand_choices);
            fputs("'\n", stream);
        } else if (verbs[verb].complete == COMPLETE_FILE) {
            fprintf(stream, "complete -c treemill -n '__treemill_operand %s' -F\n",
                    verbs[verb].name);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].hidden)
            print_fish_option(stream, &rows[i]);
    }
}

int options_print_completion(FILE *stream, const char *shell)
{
    static const struct {
        const char *name;
        void (*print)(FILE *stream);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(shells[i].name, shell) == 0) {
            shells[i].print(stream);
            return 0;
        }
    }
    return -EINVAL;
}
