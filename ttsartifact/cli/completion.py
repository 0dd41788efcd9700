"""The act behind `completion`: a script for a shell, written from the table of commands."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from ttsartifact.cli.options import Argument
from ttsartifact.cli.speak import EXIT, Usage, say

if TYPE_CHECKING:
    from ttsartifact.cli.options import CommandParameter
    from ttsartifact.cli.table import Command


def completion(
    shell: Annotated[str, Argument("SHELL", "bash, zsh or fish.", words=lambda: tuple(_WRITERS))],
) -> int:
    """Print the script that completes commands, options and their words."""
    from ttsartifact.cli.table import COMMANDS

    writer = _WRITERS.get(shell)
    if writer is None:
        raise Usage(f"no completion for {shell}; expected one of {', '.join(_WRITERS)}")
    say(writer(list(COMMANDS.values())))
    return EXIT.OK


def _flags(parameter: "CommandParameter") -> list[str]:
    """Return every spelling of an option."""
    names = [parameter.flag, *([parameter.short] if parameter.short else [])]
    return [*names, f"--no-{parameter.flag[2:]}"] if parameter.negatable else names


def _options(command: "Command") -> "list[CommandParameter]":
    return [parameter for parameter in command.parameters if not parameter.positional]


def _first_words(command: "Command") -> tuple[str, ...]:
    """Return the words that complete a command's arguments; none where they are files."""
    return next((one.completions for one in command.parameters if one.positional and one.completions), ())


def _bash(commands: "list[Command]") -> Iterator[str]:
    """Yield a script for bash 3.2 and later; `-o default` leaves files to readline."""
    yield '# bash completion of ttsa: eval "$(ttsa completion bash)"'
    yield "_ttsa() {"
    yield '    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" command="" word'
    yield "    COMPREPLY=()"
    yield '    if [ "$cur" = "=" ]; then cur=""'
    yield '    elif [ "$prev" = "=" ]; then prev="${COMP_WORDS[COMP_CWORD-2]}"; fi'
    yield '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do'
    yield '        case "$word" in'
    yield "            --) return ;;"
    yield "            -*) ;;"
    yield '            *) [ -n "$command" ] || command="$word" ;;'
    yield "        esac"
    yield "    done"
    yield '    case "$command $prev" in'
    for command in commands:
        for option in _options(command):
            if option.takes:
                places = "|".join(f'"{command.name} {flag}"' for flag in _flags(option))
                yield f"        {places}) {_compgen(' '.join(option.completions))}return ;;"
    yield "    esac"
    yield '    case "$command" in'
    for command in commands:
        flags = " ".join(flag for option in _options(command) for flag in _flags(option))
        yield f"        {command.name})"
        yield f'            case "$cur" in -*) {_compgen(flags)}return ;; esac'
        if words := _first_words(command):
            yield f"            {_compgen(' '.join(words))}"
        yield "            ;;"
    names = " ".join(["help", *(command.name for command in commands)])
    yield f'        "") case "$cur" in -*) {_compgen("-h --help -V --version -q -v --color")}return ;; esac'
    yield f"            {_compgen(names)};;"
    yield f"        help) {_compgen(names)};;"
    yield "    esac"
    yield "}"
    yield "complete -o default -F _ttsa ttsa ttsartifact"


def _compgen(words: str) -> str:
    return f'COMPREPLY=($(compgen -W "{words}" -- "$cur")); ' if words else ""


def _zsh(commands: "list[Command]") -> Iterator[str]:
    yield "#compdef ttsa ttsartifact"
    yield "# zsh completion of ttsa: ttsa completion zsh > ~/.zfunc/_ttsa, with ~/.zfunc in fpath before compinit"
    yield "_ttsa() {"
    yield "    local -a commands"
    yield "    commands=("
    for command in commands:
        yield f"        {_quoted(f'{command.name}:{command.summary}')}"
    yield "    )"
    yield "    if (( CURRENT == 2 )); then _describe command commands; return; fi"
    yield '    local command="${words[2]}"'
    yield "    shift words; (( CURRENT-- ))"
    yield '    case "$command" in'
    yield "        help) _describe command commands ;;"
    for command in commands:
        yield f"        {command.name}) _arguments -s \\"
        for option in _options(command):
            yield f"            {' '.join(_zsh_options(option))} \\"
        words = _first_words(command)
        yield f"            {_quoted(f'*:argument:({chr(32).join(words)})' if words else '*:file:_files')} ;;"
    yield "    esac"
    yield "}"
    yield 'if [ "$funcstack[1]" = "_ttsa" ]; then _ttsa "$@"; else compdef _ttsa ttsa ttsartifact; fi'


def _zsh_options(option: "CommandParameter") -> Iterator[str]:
    """Yield the specifications of one option, one per spelling."""
    described = option.declared.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    for flag in _flags(option):
        words = f"({' '.join(option.completions)})" if option.completions else "_files"
        value = f":{option.keyword}:{words}" if option.takes else ""
        yield _quoted(f"{'*' if option.many else ''}{flag}[{described}]{value}")


def _fish(commands: "list[Command]") -> Iterator[str]:
    yield "# fish completion of ttsa: ttsa completion fish > ~/.config/fish/completions/ttsa.fish"
    for command in commands:
        yield f"complete -c ttsa -n __fish_use_subcommand -f -a {command.name} -d {_quoted(command.summary)}"
    names = " ".join(command.name for command in commands)
    yield f"complete -c ttsa -n '__fish_seen_subcommand_from help' -f -a '{names}'"
    for command in commands:
        seen = f"complete -c ttsa -n '__fish_seen_subcommand_from {command.name}'"
        if words := _first_words(command):
            yield f"{seen} -f -a '{' '.join(words)}'"
        for option in _options(command):
            spelled = f"-l {option.flag[2:]}" + (f" -s {option.short[1:]}" if option.short else "")
            value = f" -x -a '{' '.join(option.completions)}'" if option.completions else " -r" if option.takes else ""
            yield f"{seen} {spelled}{value} -d {_quoted(option.declared.help)}"
            if option.negatable:
                yield f"{seen} -l no-{option.flag[2:]} -d {_quoted(option.declared.help)}"


def _quoted(words: str) -> str:
    """Return words as one word of zsh; fish reads `'\\''` the same."""
    return "'" + words.replace("'", "'\\''") + "'"


_WRITERS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
