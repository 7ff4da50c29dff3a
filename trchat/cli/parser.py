"""argparse with help that looks the same everywhere, and errors of one line."""

import argparse
import sys
import textwrap
from collections.abc import Iterable
from itertools import takewhile
from typing import Any, NoReturn

from trchat.cli.habits import unknown_action, unknown_arguments, unknown_command
from trchat.text.visible import visible

WIDTH = 100
"""Columns of the help, whatever the terminal has: it is kept in assets/commands.md too."""


LONGEST_MESSAGE = 600
"""Characters; what is longer quotes something that its owner knows."""


def shortened(message: str) -> str:
    """``message`` without its middle, where it is too long to be read."""
    if len(message) <= LONGEST_MESSAGE:
        return message
    return f"{message[: LONGEST_MESSAGE - 200]} … {message[-200:]}"


class Help(argparse.RawDescriptionHelpFormatter):
    """Short usage, ``-f, --file PATH`` with the value named once; the same in every version of Python."""

    def __init__(self, prog: str, **_kwargs: Any) -> None:
        super().__init__(prog, max_help_position=28, width=WIDTH)

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Any,
        prefix: str | None = None,
    ) -> None:
        """``trchat ask [options] [PROMPT ...]``: the flags themselves follow, with their meaning."""
        actions = list(actions)
        parts = ["%(prog)s"]
        if any(action.option_strings for action in actions):
            parts.append("[options]")
        parts += [_positional(action) for action in actions if not action.option_strings]
        super().add_usage(usage or " ".join(parts), actions, groups, prefix)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """As written, but lines that are too long are wrapped."""
        lines = [
            part
            for line in text.splitlines()
            for part in (textwrap.wrap(line, width) if len(line) > width else [line])
        ]
        return "\n".join(indent + line for line in lines)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


class Parser(argparse.ArgumentParser):
    """A parser, and the type of all its subcommands' parsers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "formatter_class": Help})
        self._given: list[str] = []

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does it; a flag that there is not is answered with the one that was meant."""
        self._given = sys.argv[1:] if args is None else list(args)
        found, left = self.parse_known_args(self._given, namespace)
        if left:
            command = _commands(self).get(getattr(found, "command", None))
            self.error(
                unknown_arguments(left, _flags(command) if command else [*self._option_string_actions])
            )
        return found

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.dest == "command" and value not in (action.choices or ()):
            before = list(takewhile(lambda given: given != value, self._given))
            if before and before[-1].startswith("--") and before[-1] not in self._option_string_actions:
                # It was meant for that flag, not as a command.
                self.error(unknown_arguments(before[-1:], [*self._option_string_actions]))
            raise argparse.ArgumentError(None, unknown_command(value, list(action.choices or ())))
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            raise argparse.ArgumentError(None, unknown_action(value, list(action.choices)))
        super()._check_value(action, value)

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong and where to read on; exit code 2."""
        said = shortened(visible(" ".join(message.split())))
        where = f"'{self.prog} --help'"
        link = "" if where in said else f" See {where}" if said.endswith("?") else f"; see {where}"
        self.exit(2, f"{self.prog}: {said}{link}\n")


def _commands(parser: argparse.ArgumentParser) -> dict[Any, argparse.ArgumentParser]:
    """The parsers right below, by name."""
    inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: choice for action in inner for name, choice in action.choices.items()}


def _flags(parser: argparse.ArgumentParser) -> list[str]:
    """All flags of a parser and of those below it."""
    below = [flag for inner in _commands(parser).values() for flag in _flags(inner)]
    return [*parser._option_string_actions, *below]


def _positional(action: argparse.Action) -> str:
    if isinstance(action, argparse._SubParsersAction):
        return f"[{action.metavar} ...]"
    name = str(action.metavar or "{" + ",".join(map(str, action.choices or [action.dest])) + "}")
    return {"*": f"[{name} ...]", "+": f"{name} [{name} ...]", "?": f"[{name}]"}.get(str(action.nargs), name)
