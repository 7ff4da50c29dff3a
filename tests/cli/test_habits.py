"""Words of other programs: whoever types them is told what it is called here."""

import shlex

import pytest

from trchat.cli import build_parser
from trchat.cli.habits import COMMANDS, FLAGS, unknown_action, unknown_arguments, unknown_command

HISTORY = ["list", "search", "show", "export", "rm", "path"]
KNOWN = ["ask", "history", "bench", "models"]


def test_all_that_is_recommended_is_there():
    parser = build_parser()
    for meant in COMMANDS.values():
        if meant not in ("trchat --help", "trchat --version"):  # these end the program
            parser.parse_args(shlex.split(meant)[1:])
    takers = [parser, *parser._subparsers._group_actions[0].choices.values()]
    taken = {flag for each in takers for flag in each._option_string_actions}
    assert set(FLAGS.values()) <= taken and not set(FLAGS) & taken


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("pull", "there is no command 'pull'; did you mean 'trchat models get OWNER/NAME'?"),
        ("modles", "there is no command 'modles'; did you mean 'trchat models'?"),
        ("what is it?", "there is no such command; to ask that: trchat ask 'what is it?'"),
        ("serve", "there is no command 'serve', only ask, history, bench, models"),
    ],
)
def test_a_command_that_there_is_not(word, answer):
    assert unknown_command(word, KNOWN) == answer


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("delete", "there is no action 'delete'; did you mean rm?"),
        ("exprot", "there is no action 'exprot'; did you mean export?"),
        ("pull", "there is no action 'pull', only list, search, show, export, rm, path"),
    ],
)
def test_an_action_that_there_is_not(word, answer):
    assert unknown_action(word, HISTORY) == answer


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("help", "trchat: there is no command 'help'; did you mean 'trchat --help'?"),
        (
            "history ls",
            "trchat history: there is no action 'ls'; did you mean list? See 'trchat history --help'",
        ),
        (
            "models pull",
            "trchat models: there is no action 'pull'; did you mean get? See 'trchat models --help'",
        ),
        (
            "config set temp",
            "trchat config set: the following arguments are required: VALUE; see 'trchat config set --help'",
        ),
    ],
)
def test_the_way_out_is_named_once(typed, said, capsys):
    with pytest.raises(SystemExit) as exit_code:
        build_parser().parse_args(typed.split())
    assert exit_code.value.code == 2
    assert capsys.readouterr().err == f"{said}\n"


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["--n-predict", "8"], "; did you mean --max-tokens?"),
        (["--max-token=8"], "; did you mean --max-tokens?"),
        (["--json-schema", "a"], ""),  # not where --schema is not taken
        (["-x", "--frobnicate"], ""),
        (["8"], ""),
    ],
)
def test_a_flag_that_there_is_not(arguments, meant):
    message = unknown_arguments(arguments, ["--max-tokens", "--temp"])
    assert message == f"unrecognized arguments: {' '.join(arguments)}{meant}"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--modle", "x"], "unrecognized arguments: --modle; did you mean --model?"),
        (["--modle=x"], "unrecognized arguments: --modle=x; did you mean --model?"),
        (["--temperature", "0.5"], "unrecognized arguments: --temperature; did you mean --temp?"),
        (["--temp", "1", "asc"], "there is no command 'asc'; did you mean 'trchat ask'?"),
    ],
)
def test_the_value_of_a_misspelt_flag_is_not_taken_for_a_command(typed, said, capsys):
    with pytest.raises(SystemExit) as exit_code:
        build_parser().parse_args(typed)
    assert exit_code.value.code == 2
    assert capsys.readouterr().err == f"trchat: {said} See 'trchat --help'\n"
