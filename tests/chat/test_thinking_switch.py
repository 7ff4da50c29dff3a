"""The thinking switch is found in the template: what each mode gives it, and what is said where it cannot."""

import pytest

from trchat.chat.formats.interface import Marks
from trchat.chat.formats.tags import TagFormat, Tags
from trchat.chat.template import ChatTemplate, Turn
from trchat.chat.thinking_switch import (
    NOTHING,
    find_switch,
    remembering,
    typed_to_the_model,
    with_system_line,
)

TURNS = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]"
ON_OFF = "the thinking of this model is only on or off: it is on"
CANNOT = "the thinking of this model cannot be switched: its chat template has nothing for it"

QWEN3 = (
    TURNS + "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n{% endif %}"
)
HYBRID = "{% if not thinking is defined %}{% set thinking = false %}{% endif %}" + TURNS
HYBRID += "{% if thinking %}<think>{% else %}</think>{% endif %}"
BOTH_NAMES = (
    "{% if thinking is not defined %}{% set thinking = enable_thinking | default(false) %}{% endif %}"
)
BOTH_NAMES += TURNS + "{% if thinking %}<think>{% else %}</think>{% endif %}"
NEGATIVE = TURNS + "{% if disable_reasoning %}<think></think>{% else %}<think>{% endif %}"
CHANNELS = "{% if reasoning_effort is not defined %}{% set reasoning_effort = 'medium' %}{% endif %}"
CHANNELS += "Reasoning: {{ reasoning_effort }}\n" + TURNS
STRICT = "{% if reasoning_effort is not defined %}{% set reasoning_effort = 'no_think' %}"
STRICT += (
    "{% elif reasoning_effort not in ['high', 'low', 'no_think'] %}{{ raise_exception('no_think/low/high') }}"
)
STRICT += (
    "{% endif %}" + TURNS + "{{ '<think>' if reasoning_effort in ['low', 'high'] else '<think></think>' }}"
)
STRICT += "|{{ reasoning_effort }}"
MODE = TURNS + "{% if thinking_mode is defined and thinking_mode == 'disabled' %}</think>"
MODE += "{% elif thinking_mode is defined and thinking_mode == 'enabled' %}<think>{% endif %}"
BUDGET = (
    "{% if thinking_budget is defined and thinking_budget != -1 %}Budget {{ thinking_budget }}{% endif %}"
)
BUDGET += TURNS + "{% if thinking_budget == 0 %}<think></think>{% endif %}"
WORDS = "{% set ns = namespace(on=true) %}{% for m in messages %}{% if '/no_think' in m.content %}"
WORDS += (
    "{% set ns.on = false %}{% elif '/think' in m.content %}{% set ns.on = true %}{% endif %}{% endfor %}"
)
WORDS += "{% for m in messages %}[{{ m.role }}]{{ m.content.replace('/no_think', '') | trim }}"
WORDS += "{% endfor %}[assistant]{{ '<think>' if ns.on else '<think></think>' }}"
WITHOUT_SYSTEM = (
    "{% if messages[0].role != 'system' %}{{ 'Think.' if thinking else 'Answer.' }}{% endif %}" + TURNS
)
LEAST = "{% set e = reasoning_effort if reasoning_effort is defined else 'high' %}" + TURNS
LEAST += "{% if e in ['low', 'minimal'] %}<think></think>{% endif %}"
TWO = "{% if thinking is undefined %}{% set thinking = true %}{% endif %}"
TWO += "{% if thinking_effort is undefined %}{% set thinking_effort = 'max' %}{% endif %}"
TWO += "{% if thinking_effort not in ['low', 'high', 'max'] %}{{ raise_exception('unsupported') }}{% endif %}"
TWO += "{% if thinking %}thinking_effort={{ thinking_effort }}{% endif %}" + TURNS
TWO += "{{ '<think>' if thinking else '<response>' }}"
PAST = (
    TURNS + "{% if preserve_thinking or not clear_thinking %}{{ messages[0].reasoning_content }}{% endif %}"
)
UNREAD = "{% set enable_thinking = true %}" + TURNS + "{% if enable_thinking %}<think>{% endif %}"
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + QWEN3


THINK = TagFormat(
    Tags(opening="<think>", opener="<think>", closing="</think>", closer="</think>"), Marks((), {}, ())
)


@pytest.fixture
def switch_of(templates):
    """The switch that is found in a template."""

    def find(source, format=None):
        return find_switch(ChatTemplate(source, "<s>", "</s>", templates.process()), format)

    return find


def told(switch, mode, has_system=False):
    plan = switch.plan(mode)
    return plan.variables, plan.said(has_system)


@pytest.mark.parametrize(
    ("source", "name", "off", "on"),
    [
        (QWEN3, "enable_thinking", False, True),
        (NO_SYSTEM, "enable_thinking", False, True),
        (HYBRID, "thinking", False, True),
        (BOTH_NAMES, "enable_thinking", False, True),
        (NEGATIVE, "disable_reasoning", True, False),
        (MODE, "thinking_mode", "disabled", "enabled"),
    ],
)
def test_on_and_off(switch_of, source, name, off, on):
    switch = switch_of(source)
    assert (switch.kinds, switch.steps) == ((name,), ("auto", "off", "on"))
    assert told(switch, "off") == ({name: off}, "")
    assert told(switch, "on") == ({name: on}, "")
    assert switch.plan("auto") == NOTHING
    for effort in ("low", "medium", "high"):
        assert told(switch, effort) == ({name: on}, ON_OFF)


@pytest.mark.parametrize(
    ("source", "off", "on"),
    [
        (TURNS + "{{ '<think></think>' if quick_reasoning else '<think>' }}", True, False),
        (TURNS + "{{ '</think>' if reasoning_free else '' }}", True, False),
        (TURNS + "{{ '<think>' if not no_reasoning else '<think></think>' }}", True, False),
        (TURNS + "{{ '<think>' if without_thinking else '</think>' }}", False, True),
        (TURNS + "{{ '' if thinking_here else '</think>' }}", False, True),
        (
            TURNS + "{{ '</think>' if thinking_style == 'instant' else '<think>' }}",
            "instant",
            None,
        ),  # it thinks by itself
        (TURNS + "{{ '<think>' if thinking_style == 'deep' else '<think></think>' }}", None, "deep"),
        (
            TURNS + "{{ {'brief': '</think>', 'none': '</think>', 'deep': '<think>'}[reasoning_type"
            " if reasoning_type in ('brief', 'none', 'deep') else 'deep'] }}",
            "none",
            "deep",
        ),
    ],
)
def test_which_way_a_switch_goes_is_seen_in_the_prompt_and_not_in_its_name(switch_of, source, off, on):
    switch = switch_of(source, THINK)
    assert list(switch.plan("off").variables.values()) == ([] if off is None else [off])
    assert list(switch.plan("on").variables.values()) == ([] if on is None else [on])
    assert switch.kinds
    assert switch.plan("off").note == ""


def test_an_effort_that_leaves_no_room_for_reasoning_is_off(switch_of):
    switch = switch_of(LEAST, THINK)
    assert told(switch, "off") == ({"reasoning_effort": "minimal"}, "")
    assert told(switch, "low") == (
        {"reasoning_effort": "low"},
        "this model does not think at all with reasoning_effort=low",
    )
    assert told(switch, "high") == ({"reasoning_effort": "high"}, "")
    assert switch.steps == ("auto", "off", "high")


def test_efforts_without_an_off(switch_of):
    """As gpt-oss has it: the word is repeated, whatever it is; it was trained on three."""
    switch = switch_of(CHANNELS)
    assert switch.steps == ("auto", "low", "medium", "high")
    for effort in ("low", "medium", "high"):
        assert told(switch, effort) == ({"reasoning_effort": effort}, "")
    assert told(switch, "on") == ({}, "")
    assert told(switch, "off") == (
        {"reasoning_effort": "low"},
        "this model has no switch to stop thinking; the least it knows is reasoning_effort=low",
    )


def test_efforts_that_refuse_what_they_do_not_know(switch_of):
    switch = switch_of(STRICT)
    assert switch.steps == ("auto", "off", "low", "high")
    assert told(switch, "off") == ({"reasoning_effort": "no_think"}, "")
    assert told(switch, "on") == ({"reasoning_effort": "high"}, "")  # by itself it does not think
    assert told(switch, "low") == ({"reasoning_effort": "low"}, "")
    assert told(switch, "medium") == (
        {"reasoning_effort": "high"},
        "this model knows no thinking effort 'medium', only low, high: it is 'high'",
    )


def test_efforts_where_what_is_unknown_is_off(switch_of):
    source = TURNS + "{% if reasoning_effort is undefined or reasoning_effort == 'no_think' or "
    source += "reasoning_effort not in ['low', 'high'] %}<think></think>{% else %}<think>{% endif %}"
    switch = switch_of(source)
    assert switch.steps == ("auto", "off", "low", "high")
    assert told(switch, "off") == ({"reasoning_effort": "no_think"}, "")
    assert told(switch, "on") == ({"reasoning_effort": "high"}, "")
    assert told(switch, "high") == ({"reasoning_effort": "high"}, "")


def test_a_switch_and_efforts_in_two_variables(switch_of):
    switch = switch_of(TWO)
    assert (switch.kinds, switch.steps) == (
        ("thinking", "thinking_effort"),
        ("auto", "off", "on", "low", "high"),
    )
    assert told(switch, "off") == ({"thinking": False}, "")
    assert told(switch, "on") == ({"thinking": True}, "")
    assert told(switch, "low") == ({"thinking": True, "thinking_effort": "low"}, "")
    assert told(switch, "medium")[0] == {"thinking": True, "thinking_effort": "high"}


def test_efforts_that_ignore_what_they_do_not_know(switch_of):
    switch = switch_of(LEAST)
    assert told(switch, "off")[0] == {"reasoning_effort": "minimal"}
    assert told(switch, "low") == ({"reasoning_effort": "low"}, "")
    assert told(switch, "medium") == (
        {},
        "this model knows no thinking effort 'medium', only minimal, low, high: it thinks as usual",
    )
    assert told(switch, "high") == ({"reasoning_effort": "high"}, "")


def test_a_number_of_tokens(switch_of):
    switch = switch_of(BUDGET)
    assert switch.steps == ("auto", "off", "low", "medium", "high")
    assert [switch.plan(mode).variables for mode in ("off", "on", "low", "medium", "high")] == [
        {"thinking_budget": 0}, {}, *({"thinking_budget": tokens} for tokens in (1024, 4096, 16384))
    ]  # fmt: skip
    assert switch.budget(77) == {"thinking_budget": 77}
    assert switch_of(QWEN3).budget(77) == {}


def test_a_word_in_the_system_prompt(switch_of):
    switch = switch_of(WORDS)
    assert (switch.kinds, switch.steps) == (("/no_think",), ("auto", "off"))
    assert switch.plan("off").system == "/no_think"
    assert told(switch, "on") == ({}, "")
    template = ChatTemplate(WORDS, "", "")
    prompts = [
        template.render(with_system_line(turns, switch.plan("off").system))
        for turns in ([Turn("user", "Hi")], [Turn("system", "Be brief."), Turn("user", "Hi")])
    ]
    template.close()
    assert prompts == [
        "[system][user]Hi[assistant]<think></think>",
        "[system]Be brief.[user]Hi[assistant]<think></think>",
    ]


def test_a_template_that_looks_only_without_a_system_prompt(switch_of):
    switch = switch_of(WITHOUT_SYSTEM)
    assert told(switch, "on", has_system=False) == ({"thinking": True}, "")
    deaf = "this model's chat template can switch thinking only in conversations without a system prompt"
    assert told(switch, "on", has_system=True) == ({"thinking": True}, deaf)
    assert told(switch, "low", has_system=True) == ({"thinking": True}, deaf)


@pytest.mark.parametrize(
    "source", [TURNS, PAST, UNREAD, "{{ reasoning_content }}" + TURNS, TURNS + "{# /no_think #}"]
)
def test_nothing_to_switch(switch_of, source):
    switch = switch_of(source)
    assert (switch.kinds, switch.steps) == ((), ("auto",))
    for mode in ("on", "off", "low", "medium", "high"):
        assert told(switch, mode) == ({}, CANNOT)


def test_a_template_that_always_fails_has_no_switch(switch_of):
    assert switch_of("{{ raise_exception(enable_thinking) }}").kinds == ()


def test_reasoning_of_earlier_answers_is_kept_whatever_the_switch_is_called():
    """The four names that llama.cpp sets, and the same thing in other words."""
    names = {"preserve_thinking", "clear_thinking", "truncate_history_thinking", "drop_thinking"}
    others = {"keep_past_thinking", "preserved_thinking", "enable_thinking", "reasoning_content", "tools"}
    assert remembering(frozenset(names | others)) == {
        "preserve_thinking": True,
        "clear_thinking": False,
        "truncate_history_thinking": False,
        "drop_thinking": False,
        "keep_past_thinking": True,
        "preserved_thinking": True,
    }


@pytest.mark.parametrize(
    ("text", "source", "is_message"),
    [
        ("/no_think Say hello.", QWEN3, True),
        ("/no_think", QWEN3, True),
        ("/nothink Say hello.", QWEN3, True),
        ("/think hard about it", QWEN3, True),
        ("/no_think Say hello.", WORDS, True),
        ("/nothink Say hello.", WORDS, False),
        ("/no_think Say hello.", CHANNELS, False),
        ("/no_think Say hello.", TURNS, False),
        ("/no_think Say hello.", None, False),
        ("/thinker", QWEN3, False),
        ("/new", QWEN3, False),
    ],
)
def test_a_word_that_the_model_knows_is_said_to_it(text, source, is_message):
    assert typed_to_the_model(text, source) is is_message
