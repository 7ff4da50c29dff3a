"""The table of commands: both front ends offer all of it, and each command does what its row says."""

import ast
import inspect

import pytest

from trchat.errors import UsageError
from trchat.plain.chat import PlainChat
from trchat.session import commands
from trchat.session.commands import BY_NAME, COMMANDS, FrontEnd, branch_step
from trchat.tui.screens.chat import ChatScreen

VERBS = [
    name for name, each in vars(FrontEnd).items() if inspect.isfunction(each) and not name.startswith("_")
]


@pytest.mark.parametrize("front_end", [ChatScreen, PlainChat])
@pytest.mark.parametrize("verb", VERBS)
def test_both_front_ends_do_what_the_commands_ask_of_them(front_end, verb):
    wanted = inspect.signature(getattr(FrontEnd, verb)).parameters.values()
    given = list(inspect.signature(getattr(front_end, verb)).parameters.values())
    for place, parameter in enumerate(wanted):
        assert given[place].kind == parameter.kind
    assert all(each.default is not each.empty for each in given[len(list(wanted)) :])


def test_every_verb_is_asked_for_by_a_command():
    tree = ast.parse(inspect.getsource(commands))
    asked = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert set(VERBS) <= asked


def test_names_are_unique_and_each_command_says_what_it_is_for():
    assert len(BY_NAME) == len(COMMANDS)
    assert all(command.help and command.usage.startswith(f"/{command.name}") for command in COMMANDS)


def test_a_branch_is_the_next_or_the_previous_one():
    assert [branch_step(word) for word in ("next", "n", "Previous", "prev", "")] == [1, 1, -1, -1, -1]
    for word in ("3", "sideways"):
        with pytest.raises(UsageError, match="takes next or previous"):
            branch_step(word)
