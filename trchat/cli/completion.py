"""``trchat completion SHELL``: a completion script, generated from the parser itself.

What differs from machine to machine, models and conversations, the script asks trchat for (``--found``).
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from trchat.cli.options import add_general_options
from trchat.config_rules import SETTINGS
from trchat.text.one_line import one_line

SHELLS = ("bash", "zsh", "fish")

EPILOG = """Put one of these into your shell's start-up file:
  bash   eval "$(trchat completion bash)"
  zsh    eval "$(trchat completion zsh)"          (after compinit)
  fish   trchat completion fish | source
"""

_FILE_METAVARS = ("PATH", "FILE", "FOLDER", "DIR")
_FOUND = {"PATH|NAME": "models", "ID": "conversations"}
"""Values that differ from machine to machine, by what help calls them: ``--found KIND`` finds them."""
_FOUND_IN = {"models": {"NAME": "models"}}
"""The same within one command."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One option: its spellings, whether it takes a value, which words that may be, or whether a file.

    ``found`` is the kind of words that are asked for when they are needed.
    """

    names: tuple[str, ...]
    help: str
    takes_value: bool
    words: tuple[str, ...]
    files: bool
    found: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A (sub)command: the words that lead to it, its flags, the words that may follow, with their help.

    ``found`` as in a flag.
    """

    path: tuple[str, ...]
    flags: tuple[Flag, ...]
    words: tuple[tuple[str, str], ...]
    found: str = ""


class _Found(argparse.Action):
    """``--found KIND``: print the words of a kind, for the scripts."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        for word, about in found_words(str(values)):
            print(f"{word}\t{about}" if about else word)
        parser.exit(0)


def found_words(kind: str) -> Iterator[tuple[str, str]]:
    """The words of a kind on this machine, with a word about each; none that a line cannot hold."""
    if kind == "models":
        from trchat.catalog.sources import find_files

        words = [(each.name, each.source) for each in find_files()]
    else:
        from trchat.storage.conversations import existing_history
        from trchat.storage.export import heading

        store = existing_history()
        words = [(str(each.id), heading(each)) for each in store.conversations(limit=100)] if store else []
        if store:
            store.close()
    return ((word, one_line(about)) for word, about in words if word.isprintable())


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
    parser.add_argument("--found", action=_Found, choices=("models", "conversations"), help=argparse.SUPPRESS)
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
    found = ""
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
        else:
            found = _found(action, path) or found
            if path[:1] == ("config",) and action.dest == "name":
                words += [(name, "") for name in SETTINGS]
    yield Command(path, tuple(flags), tuple(words), found)
    for name, subparser in inner:
        yield from command_tree(subparser, (*path, name))


def _found(action: argparse.Action, path: tuple[str, ...] = ()) -> str:
    named = action.metavar if isinstance(action.metavar, str) else ""
    return _FOUND_IN.get(path[0] if path else "", {}).get(named) or _FOUND.get(named, "")


def _flag(action: argparse.Action) -> Flag:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    return Flag(
        names=tuple(action.option_strings),
        help=(action.help or "").replace("%%", "%"),
        takes_value=action.nargs != 0,
        words=tuple(str(choice) for choice in action.choices or ()),
        files=any(word in metavar.split("|")[0] for word in _FILE_METAVARS),
        found=_found(action),
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
        words.append(f"        '{key}') words='{' '.join(offered)}'; found='{command.found}' ;;")
        for flag in command.flags:
            if flag.takes_value:
                pattern = "|".join(f"'{key}':{name}" for name in flag.names)
                reply = f"words='{' '.join(flag.words)}'; files={'yes' if flag.files else 'no'}; value=yes"
                values.append(f"        {pattern}) {reply}; found='{flag.found}' ;;")
    lead = "|".join(f"'{' '.join(command.path)}'" for command in tree if command.path)
    return f"""# bash completion for trchat
_trchat() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local path='' next words='' found='' files=yes value=no i line
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
    if [[ -n $found && $current != -* ]]; then
        while IFS= read -r line; do
            line=${{line%%$'\t'*}}
            [[ $line = "$current"* ]] && COMPREPLY+=("$line")
        done < <("${{COMP_WORDS[0]}}" completion --found "$found" 2>/dev/null)
    fi
    if [[ $files = yes && $current != -* ]]; then
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
            rest = f"*: :{_zsh_found(command.found)}" if command.found else "*: :_files"
            lines += [f"        {_quoted(f'1: :({choices})') if choices else _quoted(rest)}"]
            after = ""
        body = "\n".join(lines)
        functions.append(
            f"{name}() {{\n    local curcontext=$curcontext state line\n"
            f"    _arguments -C \\\n{body}\n{after}}}\n"
        )
    return "#compdef trchat\n" + _ZSH_FOUND + "".join(functions) + "compdef _trchat trchat\n"


_ZSH_FOUND = """_trchat_found() {
    local -a found
    local program=$1 kind=$2
    found=(${(f)"$(_call_program words $program completion --found $kind 2>/dev/null)"})
    found=(${${found//:/\\\\:}//$'\\t'/:})
    _describe -t words $kind found
    [[ $kind = models ]] && _files
}
"""


def _zsh_found(kind: str) -> str:
    return f"{{_trchat_found trchat {kind}}}"


def _zsh_flag(flag: Flag) -> str:
    text = flag.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    value = ""
    if flag.takes_value:
        files = ": :_files" if flag.files else ": : "
        value = f": :{_zsh_found(flag.found)}" if flag.found else files
        value = f": :({' '.join(flag.words)})" if flag.words else value
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
        if command.found:
            lines.append(f"complete -c trchat -n {here} -a {_quoted(_fish_found(command.found))}")
        for flag in command.flags:
            spelled = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names
            )
            value = " -r" if flag.takes_value else ""
            if flag.words:
                value = f" -x -a {_quoted(' '.join(flag.words))}"
            elif flag.found:
                value = f" {'-r' if flag.files else '-x'} -a {_quoted(_fish_found(flag.found))}"
            lines.append(f"complete -c trchat -n {here} {spelled}{value} -d {_quoted(flag.help)}")
    return "\n".join(lines) + "\n"


def _fish_found(kind: str) -> str:
    return f"(trchat completion --found {kind} 2>/dev/null)"


def _quoted(text: str) -> str:
    """``text`` in single quotes, as all three shells read them."""
    return "'" + text.replace("'", "'\\''") + "'"
