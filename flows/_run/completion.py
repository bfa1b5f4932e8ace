"""Scripts for shells that complete commands and flags, made of what the commands declare."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping

from flows._run.commands import Command, describe, names

_PROGRAMS = ("python", "python3", "python3.11", "python3.12", "python3.13")

# The words before the cursor say which command and subcommand it is; `places` holds what may come there.
_BASH = """\
# Completes `python -m flows NAME ...` and `python -m flows.NAME ...`.
declare -A _matrix_fleet_words=(
{words}
)
declare -A _matrix_fleet_values=(
{values}
)
# Flags that take a comma list of these.
declare -A _matrix_fleet_lists=(
{lists}
)
_matrix_fleet() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} before=
    local index name= sub= start=0 key
    COMPREPLY=()
    for ((index = 1; index < COMP_CWORD; index++)); do
        if [[ ${{COMP_WORDS[index]}} == -m ]]; then start=$((index + 1)); break; fi
    done
    ((start)) || return 0
    if ((COMP_CWORD == start)); then
        COMPREPLY=($(compgen -W "flows {modules}" -- "$current"))
        return 0
    fi
    case ${{COMP_WORDS[start]}} in
        flows)
            if ((COMP_CWORD == start + 1)); then
                COMPREPLY=($(compgen -W "{names} --help --version" -- "$current"))
                return 0
            fi
            start=$((start + 1)); name=${{COMP_WORDS[start]}} ;;
        flows.*) name=${{COMP_WORDS[start]#flows.}} ;;
        *) return 0 ;;
    esac
    for ((index = start + 1; index < COMP_CWORD; index++)); do
        key="$name ${{COMP_WORDS[index]}}"
        [[ ${{COMP_WORDS[index]}} != -* && -n ${{_matrix_fleet_words[$key]-}} ]] && sub=" ${{COMP_WORDS[index]}}"
    done
    if [[ $previous == = ]]; then previous=${{COMP_WORDS[COMP_CWORD-2]}}; fi
    if [[ $current == = ]]; then previous=${{COMP_WORDS[COMP_CWORD-1]}} current=; fi
    key="$name$sub $previous"
    if [[ -n ${{_matrix_fleet_values[$key]+set}} ]]; then
        if [[ $current == *,* && -n ${{_matrix_fleet_lists[$key]-}} ]]; then before=${{current%,*}},; fi
        COMPREPLY=($(compgen -P "$before" -W "${{_matrix_fleet_values[$key]}}" -- "${{current#"$before"}}"))
        return 0
    fi
    COMPREPLY=($(compgen -W "${{_matrix_fleet_words[$name$sub]-}}" -- "$current"))
}}
complete -o bashdefault -o default -F _matrix_fleet {programs}
"""

_FISH_HEAD = """\
# Completes `python -m flows NAME ...` and `python -m flows.NAME ...`.
function __matrix_fleet_words
    set -l words (commandline -opc)
    set -l at (contains -i -- -m $words); or return 1
    set -e words[1..$at]
    if test "$words[1]" = flows
        set -e words[1]
    else if string match -q 'flows.*' -- $words[1]
        set words[1] (string replace 'flows.' '' -- $words[1])
    else
        return 1
    end
    printf '%s\\n' $words
end
function __matrix_fleet_at
    set -l words (__matrix_fleet_words); or return 1
    test "$words[1]" = "$argv[1]"; or return 1
    test -z "$argv[2]"; or contains -- $argv[2] $words
end
function __matrix_fleet_begins
    set -l words (commandline -opc)
    test "$words[-2..-1]" = '-m flows'
end
"""


def bash() -> str:
    """Return the script for bash; it needs bash 4.2 or newer."""
    places = dict(_places())
    words = {place: (*command.words, *command.flags) for place, command in places.items()}
    values = {
        f"{place} {flag}": allowed
        for place, command in places.items()
        for flag, allowed in command.flags.items()
        if allowed is not None
    }
    return _BASH.format(
        words=_table(words),
        values=_table(values),
        lists=_table({f"{place} {flag}": ["yes"] for place, command in places.items() for flag in command.lists}),
        modules=" ".join(f"flows.{name}" for name in names()),
        names=" ".join(names()),
        programs=" ".join(_PROGRAMS),
    )


def zsh() -> str:
    """Return the script for zsh, which understands bash's after `compinit`."""
    return f"autoload -U +X bashcompinit && bashcompinit\n{bash()}"


def fish() -> str:
    """Return the script for fish."""
    return _FISH_HEAD + "".join(f"{line}\n" for line in _fish_lines())


def _fish_lines() -> Iterator[str]:
    for name in names():
        line = shlex.quote(describe(name)[""].line)
        yield from _fish("__matrix_fleet_begins", f"-f -a {name} -d {line}")
    for place, command in _places():
        condition = f"__matrix_fleet_at {place}"
        if command.words:
            yield from _fish(condition, f"-f -a {shlex.quote(' '.join(command.words))}")
        for flag, allowed in command.flags.items():
            kind = f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
            value = "" if allowed is None else f" -x -a {shlex.quote(' '.join(allowed))}" if allowed else " -r"
            yield from _fish(condition, kind + value)


def _fish(condition: str, rest: str) -> Iterator[str]:
    for program in _PROGRAMS:
        yield f"complete -c {program} -n {shlex.quote(condition)} {rest}"


def _places() -> Iterator[tuple[str, Command]]:
    """Yield each place of a command line, `NAME` or `NAME SUBCOMMAND`, with what may come there."""
    for name in names():
        for word, command in describe(name).items():
            yield f"{name} {word}".rstrip(), command


def _table(lists: Mapping[str, Iterable[str]]) -> str:
    return "\n".join(f"    [{shlex.quote(key)}]={shlex.quote(' '.join(words))}" for key, words in lists.items())


SCRIPTS: Mapping[str, Callable[[], str]] = {"bash": bash, "zsh": zsh, "fish": fish}
