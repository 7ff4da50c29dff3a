"""``trchat completion SHELL``: a completion script, generated from the parser itself."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from trchat.cli.options import add_general_options

SHELLS = ("bash", "zsh", "fish")

EPILOG = """Put one of these into your shell's start-up file:
  bash   eval "$(trchat completion bash)"
  zsh    eval "$(trchat completion zsh)"          (after compinit)
  fish   trchat completion fish | source
"""

_FILE_METAVARS = ("PATH", "FILE", "FOLDER", "DIR")


@dataclass(frozen=True, slots=True)
class Flag:
    """One option: its spellings, whether it takes a value, which words that may be, or whether a file."""

    names: tuple[str, ...]
    help: str
    takes_value: bool
    words: tuple[str, ...]
    files: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A (sub)command: the words that lead to it, its flags, the words that may follow, with their help."""

    path: tuple[str, ...]
    flags: tuple[Flag, ...]
    words: tuple[tuple[str, str], ...]


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    about = "print a completion script for a shell"
    parser = commands.add_parser(
        "completion",
        help=about,
        description=about.capitalize() + ".",
        epilog=EPILOG,
    )
    add_general_options(parser)
    parser.add_argument("shell", choices=SHELLS, help="whose script to print")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the script; the exit code is 0."""
    from trchat.cli import build_parser

    tree = list(command_tree(build_parser()))
    print({"bash": bash_script, "zsh": zsh_script, "fish": fish_script}[args.shell](tree), end="")
    return 0


def command_tree(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[Command]:
    """The parser's commands, outermost first."""
    flags: list[Flag] = []
    words: list[tuple[str, str]] = []
    inner: list[tuple[str, argparse.ArgumentParser]] = []
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            words += [(name, helps.get(name, "")) for name in action.choices]
            inner += list(action.choices.items())
        elif action.option_strings:
            flags.append(_flag(action))
        elif action.choices:
            words += [(str(choice), "") for choice in action.choices]
    yield Command(path, tuple(flags), tuple(words))
    for name, subparser in inner:
        yield from command_tree(subparser, (*path, name))


def _flag(action: argparse.Action) -> Flag:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    return Flag(
        names=tuple(action.option_strings),
        help=(action.help or "").replace("%%", "%"),
        takes_value=action.nargs != 0,
        words=tuple(str(choice) for choice in action.choices or ()),
        files=any(word in metavar.split("|")[0] for word in _FILE_METAVARS),
    )


def bash_script(tree: list[Command]) -> str:
    """A completion function for bash (3.2 on, macOS' own)."""
    values, words, paths = [], [], []
    for command in tree:
        key = " ".join(command.path)
        paths += [f"'{key}') ;;"] if not command.path else [f"'{key}') path=$next ;;"]
        offered = [name for flag in command.flags for name in flag.names] + [
            word for word, _ in command.words
        ]
        words.append(f"        '{key}') words='{' '.join(offered)}' ;;")
        for flag in command.flags:
            if flag.takes_value:
                pattern = "|".join(f"'{key}':{name}" for name in flag.names)
                reply = f"words='{' '.join(flag.words)}'; files={'yes' if flag.files else 'no'}; value=yes"
                values.append(f"        {pattern}) {reply} ;;")
    lead = "|".join(f"'{' '.join(command.path)}'" for command in tree if command.path)
    return f"""# bash completion for trchat
_trchat() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local path='' next words='' files=yes value=no i
    for ((i = 1; i < COMP_CWORD; i++)); do
        next="${{path:+$path }}${{COMP_WORDS[i]}}"
        case "$next" in
            {lead}) path=$next ;;
        esac
    done
    case "$path:$previous" in
{chr(10).join(values)}
    esac
    if [[ $value = no ]]; then
        case "$path" in
{chr(10).join(words)}
        esac
    fi
    COMPREPLY=()
    if [[ $value = no || -n $words ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    fi
    if [[ $files = yes && $current != -* ]]; then
        local line
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
    fi
}}
complete -o filenames -F _trchat trchat
"""


def zsh_script(tree: list[Command]) -> str:
    """A completion function for zsh, by ``_arguments``."""
    functions = []
    for command in reversed(tree):
        name = "_".join(("_trchat", *command.path))
        lines = [f"        {_zsh_flag(flag)} \\" for flag in command.flags]
        inner = [each for each in tree if each.path[:-1] == command.path and each.path]
        if inner:
            described = " ".join(_quoted(f"{word}:{text}") for word, text in command.words)
            cases = "\n".join(
                f"            {each.path[-1]}) {'_'.join(('_trchat', *each.path))} ;;" for each in inner
            )
            lines += ["        '1: :->word' '*:: :->rest'"]
            after = f"""    case $state in
        word) local -a words_=({described}); _describe command words_; _files ;;
        rest) case $words[1] in
{cases}
            *) _files ;;
        esac ;;
    esac
"""
        else:
            choices = " ".join(word for word, _ in command.words)
            lines += [f"        {_quoted(f'1: :({choices})') if choices else _quoted('*: :_files')}"]
            after = ""
        body = "\n".join(lines)
        functions.append(
            f"{name}() {{\n    local curcontext=$curcontext state line\n"
            f"    _arguments -C \\\n{body}\n{after}}}\n"
        )
    return "#compdef trchat\n" + "".join(functions) + "compdef _trchat trchat\n"


def _zsh_flag(flag: Flag) -> str:
    text = flag.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    value = ""
    if flag.takes_value:
        value = f": :({' '.join(flag.words)})" if flag.words else ": :_files" if flag.files else ": : "
    exclusive = f"({' '.join(flag.names)})" if len(flag.names) > 1 else ""
    return " ".join(_quoted(f"{exclusive}{name}[{text}]{value}") for name in flag.names)


def fish_script(tree: list[Command]) -> str:
    """Completions for fish."""
    lines = ["# fish completion for trchat"]
    for command in tree:
        inner = [each.path[-1] for each in tree if each.path and each.path[:-1] == command.path]
        seen = " ".join(f"__fish_seen_subcommand_from {word}; and" for word in command.path)
        outer = f"not __fish_seen_subcommand_from {' '.join(inner)}" if inner else "true"
        here = _quoted(f"{seen} {outer}".strip())
        for word, text in command.words:
            lines.append(f"complete -c trchat -n {here} -a {_quoted(word)} -d {_quoted(text)}")
        for flag in command.flags:
            spelled = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names
            )
            value = (
                f" -x -a {_quoted(' '.join(flag.words))}" if flag.words else " -r" if flag.takes_value else ""
            )
            lines.append(f"complete -c trchat -n {here} {spelled}{value} -d {_quoted(flag.help)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """``text`` in single quotes, as all three shells read them."""
    return "'" + text.replace("'", "'\\''") + "'"
