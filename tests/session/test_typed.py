"""What people type in a chat: commands, settings, and text that only looks like a command."""

import pytest

from trchat.errors import UsageError
from trchat.session.commands import COMMANDS
from trchat.session.typed_command import Suggestion, parse_command, suggestions, unescaped
from trchat.session.typed_setting import parse_assignment, parse_setting, typed_here


@pytest.mark.parametrize(
    ("text", "name", "argument"),
    [
        ("/new", "new", ""),
        ("/NEW", "new", ""),
        ("/rename  The sky ", "rename", "The sky"),
        ("/set temp 0.5", "set", "temp 0.5"),
    ],
)
def test_a_command_and_its_argument(text, name, argument):
    found = parse_command(text)
    assert found is not None
    assert (found[0].name, found[1]) == (name, argument)


@pytest.mark.parametrize("text", ["Hi", "//not a command", "/usr/lib is full", "/new\nline", "/", " /new"])
def test_what_is_said_to_the_model(text):
    assert parse_command(text) is None


def test_a_switch_that_the_model_reads_itself_is_said_to_it():
    template = "{% if '/no_think' in messages[0].content %}<think></think>{% elif '/think' %}{% endif %}"
    for text in ("/no_think Say hello.", "/no_think", "/think hard about it"):
        assert parse_command(text, lambda: template) is None
    kept = ("/think off --keep", "/think HIGH --keep model", "/think --keep")
    for text in ("/think", "/think off", "/think HIGH", *kept):
        found = parse_command(text, lambda: template)
        assert found is not None and found[0].name == "think"
    with pytest.raises(UsageError, match="no such command: /no_think; did you mean /think"):
        parse_command("/no_think Say hello.", lambda: "{{ messages }}")


def test_a_doubled_slash_says_one():
    assert unescaped("//help is a command") == "/help is a command"
    assert unescaped("either / or") == "either / or"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/renmae x", "no such command: /renmae; did you mean /rename? /help lists them all"),
        ("/zzz", "no such command: /zzz; /help lists them all"),
        ("/rename", "Usage: /rename TITLE"),
    ],
)
def test_a_command_that_is_none_says_what_to_do(text, told):
    with pytest.raises(UsageError) as caught:
        parse_command(text)
    assert str(caught.value) == told


def completions(begun):
    return [each.text for each in suggestions(begun)]


def test_completions_are_commands_that_begin_so():
    assert completions("/per") == ["/persona ", "/persona-save "]
    assert [each.label for each in suggestions("/")] == [
        f"/{command.name} {command.argument}".rstrip() for command in COMMANDS
    ]
    assert all(each.help for each in suggestions("/"))
    assert [each.complete for each in suggestions("/per")] == [True, False]
    assert completions("/none") == []


def test_completions_are_the_words_a_command_takes():
    assert completions("/draft ") == ["/draft auto", "/draft recycling", "/draft lookup", "/draft off"]
    assert completions("/branch P") == ["/branch previous"]
    assert completions("/set top") == ["/set top_k ", "/set top_p "]
    assert completions("/set temp 0") == completions("/rename x") == completions("/none x") == []
    named = {"persona": [("Pirate", "Answer as a pirate."), ("brief", "")]}
    assert suggestions("/persona pi", lambda name: named.get(name, ())) == [
        Suggestion("/persona Pirate", "Pirate", "Answer as a pirate.")
    ]


@pytest.mark.parametrize(
    ("name", "text", "setting"),
    [
        ("temp", "0.5", ("temp", 0.5)),
        ("Max-Tokens", " 100 ", ("max_tokens", 100)),
        ("gpu_layers", "all", ("gpu_layers", "all")),
        ("seed", "default", ("seed", None)),
        ("seed", "", ("seed", None)),
    ],
)
def test_a_setting_as_it_is_typed(name, text, setting):
    assert parse_setting(name, text) == setting


@pytest.mark.parametrize(
    ("typed", "setting"),
    [
        ("temp 0.5", ("temp", 0.5)),
        ("temp=0.5", ("temp", 0.5)),
        ("temp = 0.5", ("temp", 0.5)),
        ("temp", ("temp", None)),
        ("temp=", ("temp", None)),
        ("system a=b", ("system", "a=b")),
        ("system  = is equal to", ("system", "is equal to")),
    ],
)
def test_a_setting_is_typed_with_or_without_an_equals_sign(typed, setting):
    assert parse_assignment(typed) == setting


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("tmep", "1", "no setting is called 'tmep'; there are model, system, ctx"),
        ("temp", "warm", "temp must be a number from 0 (greedy) to 100, not 'warm'"),
        ("draft", "magic", "draft must be one of auto, recycling, lookup, off, not 'magic'"),
    ],
)
def test_a_wrong_setting_says_what_may_stand_there(name, text, told):
    with pytest.raises(UsageError) as caught:
        parse_setting(name, text)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("advice", "here"),
    [
        ("shorten it or raise --ctx", "shorten it or raise /set ctx"),
        ("-c 2048 makes it fit", "/set ctx 2048 makes it fit"),
        ("try a smaller --ctx or --cache-type q8_0", "try a smaller /set ctx or /set cache_type q8_0"),
        ("take a smaller model (-m)", "take a smaller model (/model)"),
        ("big-c model.gguf is damaged", "big-c model.gguf is damaged"),
    ],
)
def test_advice_names_what_can_be_typed_in_the_chat(advice, here):
    assert typed_here(advice) == here
