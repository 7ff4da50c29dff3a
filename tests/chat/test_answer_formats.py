"""Every family: prompts, reasoning, the next turn, the switch, and what ends an answer.

One row of the table of families is one id here: ``pytest tests/chat/test_answer_formats.py -v`` prints it.
"""

import json

import pytest

from tests.chat.answer_formats import ANSWER, FAMILIES, REASONING, THINKS_NOW, chatml
from tests.chat.letters import Letters
from trchat.chat.formats.interface import Marks, Place
from trchat.chat.prompt import PromptBuilder
from trchat.chat.reader import AnswerReader
from trchat.chat.template import ChatTemplate, Turn
from trchat.chat.thinking_switch import remembering, with_system_line


@pytest.fixture(params=["control", "user-defined", "spelled"])
def built(request, name, process):
    """The family's prompts, with its marks as tokens of one kind, or of no kind at all."""
    family = FAMILIES[name]
    marks = () if request.param == "spelled" else family.marks
    vocabulary = Letters(marks, request.param == "control", [family.end])
    template = ChatTemplate(family.template, "", "</s>", process)
    return family, vocabulary, template, PromptBuilder(template, vocabulary)


def read(vocabulary, builder, tail, output, stops=()):
    """The reasoning and the answer in ``output``, and how many of its tokens were read."""
    reader = AnswerReader(vocabulary, builder.format, builder.format.parser(tail), stops)
    count = 0
    for token in vocabulary.tokenize(output, parse_special=True):
        count += 1
        if reader.take(token):
            break
    reader.finish()
    said = reader.news()
    assert "".join(each.text for each in said) == reader.text or any(each.recast for each in said)
    return reader.reasoning, reader.text, count


def at_once(builder, tail, output):
    parser = builder.format.parser(tail)
    whole = parser.push(builder.format.marks.coded(output)) + parser.finish()
    return whole.reasoning, whole.text


@pytest.mark.parametrize("name", FAMILIES)
def test_reasoning_is_right_streamed_and_at_once(built):
    family, vocabulary, template, builder = built
    prompt = builder.build([Turn("user", "U")], remembering(template.reads))
    assert vocabulary.spelled(prompt.ids) == family.prompt
    tail = builder.build([Turn("user", "U")], family.thinking).tail
    output = family.output
    assert at_once(builder, tail, output) == (family.reasoning, ANSWER)
    assert read(vocabulary, builder, tail, output)[:2] == (family.reasoning, ANSWER)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_next_prompt_is_as_the_template_wants_it(built):
    family, vocabulary, template, builder = built
    turns = [Turn("user", "U"), Turn("assistant", ANSWER, family.reasoning), Turn("user", "V")]
    prompt = builder.build(turns, remembering(template.reads))
    assert vocabulary.spelled(prompt.ids) == family.again


EXTENDS = [
    "Bielik", "Cohere2MoE", "GLM-4.7", "Kimi-K3", "LFM2.5", "Laguna", "Ling 3", "MiniMax-M3", "Ministral 3",
    "Muse Glimmer", "Nemotron 3", "Spark2.5",
]  # fmt: skip


@pytest.mark.parametrize("name", EXTENDS)
def test_where_reasoning_is_passed_on_the_cache_goes_on_to_the_last_token(built):
    family, vocabulary, template, builder = built
    asked = Turn("user", "U")
    first = builder.build([asked], remembering(template.reads))
    written = [*first.ids, *vocabulary.tokenize(family.output, parse_special=True)]
    turns = [asked, Turn("assistant", ANSWER, family.reasoning), Turn("user", "V")]
    assert builder.build(turns, remembering(template.reads)).ids[: len(written)] == written


SWITCHED = [name for name, family in FAMILIES.items() if family.silent]


@pytest.mark.parametrize("name", SWITCHED)
def test_the_switch_works(built):
    family, vocabulary, _, builder = built
    switch = builder.switch
    off = builder.build([Turn("user", "U")], switch.plan("off").variables)
    assert off.tail == builder.build([Turn("user", "U")], family.silent).tail
    assert builder.format.parser(off.tail).place is not Place.REASONING
    assert read(vocabulary, builder, off.tail, family.alone)[:2] == ("", ANSWER)
    on = builder.build([Turn("user", "U")], switch.plan("on").variables)
    assert read(vocabulary, builder, on.tail, family.output)[:2] == (family.reasoning, ANSWER)


CANNOT = "the thinking of this model cannot be switched"
LEAST = "this model has no switch to stop thinking; the least it knows is "
OTHER_SWITCHES = {
    "gpt-oss": {
        "off": ({"reasoning_effort": "low"}, f"{LEAST}reasoning_effort=low"),
        "on": ({}, ""),
        "medium": ({"reasoning_effort": "medium"}, ""),
        "high": ({"reasoning_effort": "high"}, ""),
    },
    "Muse Glimmer": {
        "off": ({"reasoning_strength": "low"}, f"{LEAST}reasoning_strength=low"),
        "on": ({}, ""),
        "high": ({"reasoning_strength": "high"}, ""),
    },
    "Granite 3.3": {"off": ({"thinking": False}, ""), "on": ({"thinking": True}, "")},
    "Seed-OSS": {
        "off": ({"thinking_budget": 0}, ""),
        "on": ({}, ""),
        "low": ({"thinking_budget": 1024}, ""),
    },
    "Nemotron Nano v2": {"off": ("/no_think", ""), "on": ({}, "")},
    "Hy3": {
        "off": ({"reasoning_effort": "no_think"}, ""),
        "on": ({"reasoning_effort": "high"}, ""),
        "low": ({"reasoning_effort": "low"}, ""),
        "medium": ({"reasoning_effort": "high"}, "this model knows no thinking effort 'medium'"),
    },
    "Solar Open": {
        "off": ({"reasoning_effort": "minimal"}, ""),
        "low": ({"reasoning_effort": "low"}, "this model does not think at all with reasoning_effort=low"),
        "on": ({}, ""),
    },
    "Bielik": {"off": ({"enable_thinking": False}, ""), "on": ({"enable_thinking": True}, "")},
    **{
        name: {mode: ({}, CANNOT) for mode in ("off", "on", "low", "high")}
        for name in (
            "DeepSeek R1", "Ministral 3", "MiniMax-M2", "Kimi-K2-Thinking", "Apriel 1.6", "Apriel 1.5",
            "LFM2.5", "StepFun 3.5",
        )
    },
}  # fmt: skip


def test_each_family_has_a_test_of_its_switch():
    assert {*SWITCHED, *OTHER_SWITCHES} == {*FAMILIES}


@pytest.mark.parametrize("name", OTHER_SWITCHES)
def test_other_switches_are_found_and_do_what_they_say(built, name):
    family, vocabulary, _, builder = built
    switch = builder.switch
    assert bool(switch.kinds) is (OTHER_SWITCHES[name]["off"][1] != CANNOT)
    for mode, (given, note) in OTHER_SWITCHES[name].items():
        plan = switch.plan(mode)
        assert (plan.system or plan.variables) == given
        assert plan.note.startswith(note) and bool(plan.note) is bool(note)
        turns = with_system_line([Turn("user", "U")], plan.system)
        tail = builder.build(turns, plan.variables).tail
        if mode == "off" and not note:
            assert builder.format.parser(tail).place is not Place.REASONING
            assert read(vocabulary, builder, tail, family.alone)[:2] == ("", ANSWER)
        elif mode == "on":
            assert read(vocabulary, builder, tail, family.output)[:2] == (family.reasoning, ANSWER)


@pytest.mark.parametrize("budget", [0, 1, 7])
@pytest.mark.parametrize("name", FAMILIES)
def test_reasoning_is_closed_after_so_many_tokens_and_the_answer_follows(built, budget):
    family, vocabulary, _template, builder = built
    format = builder.format
    tail = builder.build([Turn("user", "U")], family.thinking).tail
    reader = AnswerReader(vocabulary, format, format.parser(tail), think_budget=budget)
    before = family.output[: family.output.index("I'm")]
    opened = family.alone.partition(ANSWER)[0]
    alone = family.alone.removeprefix(opened if opened and opened in format.closing else "")
    closing = vocabulary.tokenize(format.closing, parse_special=True)
    model = iter(vocabulary.tokenize(before + "x" * 100, parse_special=True))
    written = []
    while len(written) < 300:
        token = reader.forced()
        if token is None:
            token = next(model)
        written.append(token)
        assert not reader.take(token)
        if written[-len(closing) :] == closing:
            model = iter(vocabulary.tokenize(alone, parse_special=True))
            break
    for token in model:
        if reader.take(token):
            break
    reader.finish()
    lead = family.reasoning.partition("I'm")[0]
    blanks = len(before) - len(before.rstrip()) + len(lead.strip())
    thought = reader.reasoning.removeprefix(lead.strip()).strip()
    assert thought == "x" * len(thought) and budget - blanks <= len(thought) <= budget
    assert reader.text == ANSWER


@pytest.mark.parametrize("name", FAMILIES)
def test_the_end_of_a_turn_ends_the_answer_and_never_shows(built):
    family, vocabulary, _template, builder = built
    if not vocabulary.special_ids and family.end == "[e~[":
        pytest.skip("that is a mark to none but a vocabulary")
    tail = builder.build([Turn("user", "U")], family.thinking).tail
    reasoning, text, count = read(vocabulary, builder, tail, family.output + family.end + "\nand on")
    assert (reasoning, text.rstrip()) == (family.reasoning, ANSWER)
    if vocabulary.special_ids:
        assert count <= len(vocabulary.tokenize(family.output + family.end, parse_special=True))


@pytest.mark.parametrize("name", FAMILIES)
def test_an_answer_that_was_cut_goes_on_where_it_was(built):
    family, vocabulary, _template, builder = built
    whole = vocabulary.tokenize(family.output, parse_special=True)
    prompt = builder.build([Turn("user", "U")], family.thinking)
    lead = family.reasoning.index("I'm")
    for reasoning, text in ((family.reasoning[: lead + 5], ""), (family.reasoning, "Hello, ")):
        opening = Turn("assistant", text, reasoning)
        ids = builder.build([Turn("user", "U")], family.thinking, opening).ids
        written = vocabulary.spelled(ids)
        rest = family.output[family.output.index(text or "hinking") + len(text) :]
        if family.output.startswith("\n"):  # its first blank is the template's
            assert written.startswith(vocabulary.spelled(prompt.ids))
        reader = AnswerReader(
            vocabulary,
            builder.format,
            builder.format.resumed_parser(prompt.tail, opening.reasoning, opening.content),
        )
        for token in vocabulary.tokenize(rest, parse_special=True):
            reader.take(token)
        reader.finish()
        assert (reasoning + reader.reasoning, text + reader.text) == (family.reasoning, ANSWER)
        spelled = json.dumps(written + rest)
        assert spelled.count(json.dumps(family.reasoning)[1:-1]) == 1
    assert whole


@pytest.mark.parametrize("name", ["Qwen3", "Qwen3.5", "Ministral 3", "Hy3", "Apriel 1.6"])
def test_a_tag_that_was_cut_is_written_anew(built):
    family, vocabulary, _template, builder = built
    prompt = builder.build([Turn("user", "U")], family.thinking)
    if vocabulary.special_ids:
        pytest.skip("a token is not cut")
    closer = builder.format.tags.closer
    at = family.output.index(Marks.spelled(closer))
    for cut in range(at + 1, at + len(Marks.spelled(closer))):
        reasoning, text, _ = read(vocabulary, builder, prompt.tail, family.output[:cut])
        assert (reasoning.rstrip(), text) == (family.reasoning, "")
        ids = builder.build([Turn("user", "U")], family.thinking, Turn("assistant", "", reasoning)).ids
        assert vocabulary.spelled(ids).endswith(family.reasoning)


@pytest.mark.parametrize("name", ["Qwen3", "Granite 3.3", "Apriel 1.5", "gpt-oss"])
def test_a_mark_that_an_answer_was_cut_in_says_nothing(built):
    family, vocabulary, _template, builder = built
    tail = builder.build([Turn("user", "U")], family.thinking).tail
    whole = read(vocabulary, builder, tail, family.output)[1]
    tokens = vocabulary.tokenize(family.output, parse_special=True)
    for cut in range(1, len(tokens)):
        reader = AnswerReader(vocabulary, builder.format, builder.format.parser(tail))
        for token in tokens[:cut]:
            reader.take(token)
        reader.finish(cut=True)
        assert whole.startswith(reader.text) and family.reasoning.startswith(reader.reasoning)


ODD_TAGS = [
    ("<<think>>", "<</think>>"),
    ("【思考】", "【/思考】"),
    ('<think type="long">', "</think>"),
    ("### Thinking", "### Answer"),
    ("<_r_0>", "</_r_0>"),
    ("<|SOE|>", "<|EOE|>"),
]


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("tags", ODD_TAGS)
def test_tags_are_found_however_they_are_spelled(process, tags, opened):
    opener, closer = tags
    begun = f"{opener}\n" if opened else ""
    template = chatml(
        f"{{% if {THINKS_NOW} %}}{opener}\n{{{{ m.reasoning_content }}}}\n{closer}\n\n{{% endif %}}"
        "{{ m.content }}",
        begun.replace("\n", "{{ '\\n' }}"),
    )
    vocabulary = Letters((), control=False)
    builder = PromptBuilder(ChatTemplate(template, "", "", process), vocabulary)
    tail = builder.build([Turn("user", "U")]).tail
    output = f"{opener}\n{REASONING}\n{closer}\n\n{ANSWER}".removeprefix(begun)
    assert read(vocabulary, builder, tail, output)[:2] == (REASONING, ANSWER)
    assert at_once(builder, tail, output) == (REASONING, ANSWER)


def test_a_tag_counts_only_where_template_or_vocabulary_has_it(process):
    plain = "{% for m in messages %}{{ m.content }}{% endfor %}>"
    for marks, expected in (((), ""), (("<think>", "</think>"), "because")):
        vocabulary = Letters(marks, control=False)
        template = ChatTemplate(plain, "", "", process)
        builder = PromptBuilder(template, vocabulary)
        assert read(vocabulary, builder, ">", "<think>because</think>so")[0] == expected
    text = "<reasoning>because</reasoning>"
    assert read(vocabulary, builder, ">", text)[:2] == ("", text)
    quoted = "It is <think> or </think>."
    assert read(vocabulary, builder, ">", "Well. " + quoted.replace("</think>", "it"))[1].startswith(
        "Well. It is"
    )


@pytest.mark.parametrize("name", ["Qwen3", "Bielik", "LFM2.5", "Seed-OSS", "Ministral 3"])
@pytest.mark.parametrize(
    "quoting",
    [
        "Write:\n```html\n{opener}hm{closer}\n```\nThat is all.",
        "~~~\n{closer}\n~~~\nends it.",
        "It stands between `{opener}` and `{closer}`.",
        "The tag `{closer}` ends it, as {opener} and {closer} do.",
        "A {opener}hm{closer} pair.",
    ],
)
def test_tags_that_an_answer_only_speaks_of_are_text(built, quoting):
    _family, vocabulary, _template, builder = built
    if vocabulary.control_texts:
        pytest.skip("control tokens are no text")
    tags = builder.format.tags
    opener, closer = Marks.spelled(tags.opener), Marks.spelled(tags.closer)
    text = quoting.format(opener=opener, closer=closer)
    tail = builder.build([Turn("user", "U")]).tail
    assert read(vocabulary, builder, tail, text)[:2] == ("", text)
    assert read(vocabulary, builder, tail, f"{opener}Why?{closer}{text}")[:2] == ("Why?", text)


@pytest.mark.parametrize("name", ["Qwen3", "Laguna"])
def test_the_end_of_a_turn_in_letters_ends_no_code(built):
    family, vocabulary, _template, builder = built
    tail = builder.build([Turn("user", "U")], {"enable_thinking": False}).tail
    text = "So:\n```\nHi{}\n```\nand `{}`."
    quoted = text.format(*[family.end] * 2)
    reader = AnswerReader(vocabulary, builder.format, builder.format.parser(tail))
    for token in vocabulary.tokenize(quoted + family.end):
        if reader.take(token):
            break
    assert reader.text == quoted


@pytest.mark.parametrize("name", ["Apriel 1.5"])
def test_an_answer_without_the_words_that_begin_reasoning_is_an_answer(built):
    _family, vocabulary, _template, builder = built
    tail = builder.build([Turn("user", "U")]).tail
    assert read(vocabulary, builder, tail, ANSWER)[:2] == ("", ANSWER)
    assert read(vocabulary, builder, tail, "Here are my")[:2] == ("", "Here are my")
    late = "Well.\n[BEGIN FINAL RESPONSE]\nYes."
    assert read(vocabulary, builder, tail, late)[:2] == ("Well.\n", "Yes.")


@pytest.mark.parametrize("name", ["Qwen3"])
def test_a_lone_closer_ends_reasoning(built):
    _family, vocabulary, _template, builder = built
    tail = builder.build([Turn("user", "U")]).tail
    assert read(vocabulary, builder, tail, "Because.\n</think>\n\nHello")[:2] == ("Because.\n", "Hello")


@pytest.mark.parametrize("name", ["Qwen3", "DeepSeek R1"])
def test_letters_of_a_mark_are_no_mark_where_the_vocabulary_has_it_as_a_token(built):
    _family, vocabulary, _template, builder = built
    if not vocabulary.special_ids:
        pytest.skip("there the letters are all there is")
    tail = builder.build([Turn("user", "U")]).tail
    reader = AnswerReader(vocabulary, builder.format, builder.format.parser(tail))
    written = [*vocabulary.tokenize("<think>", parse_special=True), *vocabulary.tokenize("a </think> b")]
    for token in [*written, *vocabulary.tokenize("</think>so", parse_special=True)]:
        reader.take(token)
    assert (reader.reasoning, reader.text) == ("a </think> b", "so")


def test_where_chatml_stands_in_its_own_marker_ends_an_answer(process):
    vocabulary = Letters((), control=False)
    builder = PromptBuilder(ChatTemplate(None, "", "", process), vocabulary)
    text = "Hi.<|im_end|>\n<|im_start|>user\nAnd then?"
    tail = builder.build([Turn("user", "U")]).tail
    assert read(vocabulary, builder, tail, text) == ("", "Hi.", len("Hi.<|im_end|>"))
