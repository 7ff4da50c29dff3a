"""Tools, by the real program: a model that writes scripted calls, asked by OpenAI's protocol."""

import json

import pytest

from tests.chat.tools.tool_families import chatml
from tests.parrot_gguf import parrot
from trchat.chat.prompt import PromptBuilder
from trchat.chat.template import ChatTemplate, Turn
from trchat.llama.model import Model
from trchat.serve.requests import read_chat

pytestmark = pytest.mark.slow
CONTROL = ("<|im_start|>", "<tool_call>", "</tool_call>", "<|im_end|>")
TEMPLATE = chatml('<tool_call>{"name": "{{ c.name }}", "arguments": {{ c.arguments | tojson }}}</tool_call>')
AT = {"type": "string", "maxLength": 9}
LOOK = {"type": "object", "properties": {"at": AT}, "required": ["at"], "additionalProperties": False}
TOOLS = [
    {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": LOOK}},
    {"type": "function", "function": {"name": "now", "parameters": {"additionalProperties": False}}},
]
ASKED = [{"role": "user", "content": "What is there?"}]
CALLED = [
    {"id": "a1b2c3d4e", "type": "function", "function": {"name": "look", "arguments": '{"at": "thé"}'}},
    {"id": "z1b2c3d4e", "type": "function", "function": {"name": "now", "arguments": "{}"}},
]
ANSWERED = [
    *ASKED,
    {"role": "assistant", "content": None, "tool_calls": CALLED},
    {"role": "tool", "tool_call_id": "a1b2c3d4e", "content": "a <tool_call> of tea"},
    {"role": "tool", "tool_call_id": "z1b2c3d4e", "content": [{"type": "text", "text": "noon"}]},
]
OTHER = [{"role": "user", "content": "A malformed one, please." * 15}]  # longer than the others' scripts
EITHER = [[{"role": "user", "content": text}] for text in ("Call." * 25, "Say it." * 63)]
"""Behind the first it calls, behind the second it writes an object; no script reaches into another's."""
COLOUR = {"type": "string", "maxLength": 20}
FORM = {
    "type": "json_schema",
    "json_schema": {"schema": {"type": "object", "properties": {"colour": COLOUR}, "required": ["colour"]}},
}
SCRIPTS = [
    (
        ASKED,
        [
            "I'll see.\n",
            *("<tool_call>", '{"name": "look", "arguments": {"at": "thé"}}', "</tool_call>", "\n"),
            *("<tool_call>", '{"name": "now", "arguments": {}}', "</tool_call>", "<|im_end|>"),
        ],
    ),
    (ANSWERED, ["There is tea.", "<|im_end|>"]),
    (OTHER, ["Well: ", "<tool_call>", '{"name": "look", "arg', "<|im_end|>"]),
    (EITHER[0], ["<tool_call>", '{"name": "look", "arguments": {"at": "it"}}', "</tool_call>", "<|im_end|>"]),
    (EITHER[1], ['{"colour": "<tool_call>"}', "<|im_end|>"]),
]


@pytest.fixture(scope="module")
def talkative(tmp_path_factory):
    """A model with these scripts."""
    folder = tmp_path_factory.mktemp("talkative")
    mute = parrot(folder / "mute.gguf", TEMPLATE, CONTROL, {})
    scripts = {}
    with Model(mute) as model:
        template = ChatTemplate(model.chat_template, model.bos_text, model.eos_text)
        prompts = PromptBuilder(template, model)
        for messages, pieces in SCRIPTS:
            asked = read_chat({"messages": messages, "tools": TOOLS})
            assert not isinstance(asked.turns, Turn) and asked.tools
            scripts[len(prompts.build(asked.turns, tools=asked.tools.definitions).ids)] = pieces
        template.close()
    assert len(scripts) == len(SCRIPTS)
    return parrot(folder / "talkative.gguf", TEMPLATE, CONTROL, scripts)


@pytest.fixture(scope="module")
def calling(talkative, tmp_path_factory):
    from tests.serve.conftest import Server

    server = Server(talkative, tmp_path_factory.mktemp("home-of-the-caller"))
    yield server
    server.end()


def ask(server, messages, **more):
    body = {"messages": messages, "tools": TOOLS, "temperature": 0, "max_tokens": 200, **more}
    return server.client.post("/v1/chat/completions", json=body)


def test_calls_in_a_whole_answer(calling):
    choice = ask(calling, ASKED).json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "I'll see."
    told = choice["message"]["tool_calls"]
    assert [(each["type"], each["function"]["name"]) for each in told] == [
        ("function", "look"),
        ("function", "now"),
    ]
    assert [json.loads(each["function"]["arguments"]) for each in told] == [{"at": "thé"}, {}]
    assert len({each["id"] for each in told}) == 2


def test_calls_in_a_stream(calling):
    found = calling.streamed(messages=ASKED, tools=TOOLS, max_tokens=200)
    deltas = [chunk["choices"][0]["delta"] for chunk in found]
    assert "".join(delta.get("content") or "" for delta in deltas) == "I'll see."
    calls = {}
    for delta in deltas:
        for each in delta.get("tool_calls", []):
            if each["index"] not in calls:
                assert each["id"] and each["type"] == "function" and each["function"]["name"]
                calls[each["index"]] = [each["function"]["name"], ""]
            else:
                assert set(each) == {"index", "function"} and set(each["function"]) == {"arguments"}
            calls[each["index"]][1] += each["function"]["arguments"]
    assert {at: (name, json.loads(said)) for at, (name, said) in calls.items()} == {
        0: ("look", {"at": "thé"}),
        1: ("now", {}),
    }
    finishes = [chunk["choices"][0]["finish_reason"] for chunk in found]
    assert finishes == [None] * (len(found) - 1) + ["tool_calls"]


def test_the_answer_to_results(calling):
    choice = ask(calling, ANSWERED).json()["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["message"] == {"role": "assistant", "content": "There is tea."}


def test_one_call_at_a_time(calling):
    told = ask(calling, ASKED, parallel_tool_calls=False).json()["choices"][0]
    assert len(told["message"]["tool_calls"]) == 1 and told["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_there_must_be(calling, stream):
    """This model would say something first."""
    named = {"type": "function", "function": {"name": "look"}}
    for choice, names in (("required", {"look", "now"}), (named, {"look"})):
        if stream:
            found = calling.streamed(messages=ASKED, tools=TOOLS, tool_choice=choice, max_tokens=200)
            told = [chunk["choices"][0] for chunk in found]
            text = "".join(each["delta"].get("content") or "" for each in told)
            calls = [call for each in told for call in each["delta"].get("tool_calls", [])]
            name, arguments = calls[0]["function"]["name"], calls[1]["function"]["arguments"]
            finish = told[-1]["finish_reason"]
        else:
            whole = ask(calling, ASKED, tool_choice=choice).json()["choices"][0]
            text, finish = whole["message"]["content"] or "", whole["finish_reason"]
            (call,) = whole["message"]["tool_calls"]
            name, arguments = call["function"]["name"], call["function"]["arguments"]
        assert (text, finish) == ("", "tool_calls") and name in names
        assert name == "now" or isinstance(json.loads(arguments)["at"], str)


def test_a_malformed_call_is_told(calling):
    choice = ask(calling, OTHER).json()["choices"][0]
    assert choice["finish_reason"] == "stop" and "tool_calls" not in choice["message"]
    assert choice["message"]["content"] == 'Well: {"name": "look", "arg'


def test_a_call_that_is_cut(calling):
    choice = ask(calling, ASKED, max_tokens=24).json()["choices"][0]
    assert choice["finish_reason"] == "length" and "tool_calls" not in choice["message"]
    assert choice["message"]["content"].startswith("I'll see.\n{")


def test_no_tools_are_wanted(calling):
    choice = ask(calling, ASKED, tool_choice="none").json()["choices"][0]
    assert "tool_calls" not in choice["message"]


def test_drafts_change_nothing(talkative, tmp_path):
    from tests.serve.conftest import Server

    answers = []
    for mode in ("off", "recycling"):
        server = Server(talkative, tmp_path / mode, "--draft", mode)
        for _ in range(2):
            message = ask(server, ASKED).json()["choices"][0]["message"]
            answers.append((message["content"], [each["function"] for each in message["tool_calls"]]))
        server.end()
    assert all(each == answers[0] for each in answers)


def test_a_template_of_its_own_for_tools(talkative, tmp_path):
    """As Hermes has it: the usual template knows none."""
    from gguf import GGUFReader, GGUFValueType, GGUFWriter
    from gguf.scripts.gguf_new_metadata import MetadataDetails, copy_with_new_metadata

    from tests.serve.conftest import Server

    plain = "{% for m in messages %}{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
    reader = GGUFReader(talkative)
    writer = GGUFWriter(tmp_path / "two.gguf", "gpt2")
    changed = {
        "tokenizer.chat_template": MetadataDetails(GGUFValueType.STRING, plain),
        "tokenizer.chat_template.tool_use": MetadataDetails(GGUFValueType.STRING, TEMPLATE),
    }
    copy_with_new_metadata(reader, writer, changed, [])
    server = Server(tmp_path / "two.gguf", tmp_path / "home")
    message = ask(server, ASKED).json()["choices"][0]["message"]
    assert [each["function"]["name"] for each in message["tool_calls"]] == ["look", "now"]
    assert ask(server, ANSWERED).json()["choices"][0]["message"]["content"] == "There is tea."
    assert server.chat().status_code == 200
    server.end()


def test_calls_in_saved_conversations(talkative, tmp_path, monkeypatch):
    from tests.cli.asking import history
    from tests.serve.conftest import Server

    server = Server(talkative, tmp_path / "home", "--save")
    assert ask(server, ASKED).status_code == 200
    assert ask(server, ANSWERED).status_code == 200
    server.end()
    monkeypatch.setenv("TRCHAT_HOME", str(server.home))
    kept = [(role, text) for _, role, text, _, _ in history()]
    assert ("user", "What is there?") in kept and ("assistant", "There is tea.") in kept


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_or_else_an_answer_that_fits(calling, stream):
    """With tools and a schema calls are allowed; what calls nothing fits the schema."""
    found = []
    for messages in (*EITHER, ASKED):
        if stream:
            told = calling.streamed(messages=messages, tools=TOOLS, response_format=FORM, max_tokens=200)
            deltas = [chunk["choices"][0]["delta"] for chunk in told]
            calls = [call["function"] for each in deltas for call in each.get("tool_calls", [])]
            text = "".join(each.get("content") or "" for each in deltas)
            found.append((calls and calls[0]["name"], text, told[-1]["choices"][0]["finish_reason"]))
        else:
            choice = ask(calling, messages, response_format=FORM).json()["choices"][0]
            calls = [call["function"] for call in choice["message"].get("tool_calls", [])]
            text = choice["message"]["content"] or ""
            found.append((calls and calls[0]["name"], text, choice["finish_reason"]))
    assert found[:2] == [("look", "", "tool_calls"), ([], '{"colour": "<tool_call>"}', "stop")]
    name, text, _finish = found[2]  # it wants to write words, and may not
    assert name in ("look", "now") or isinstance(json.loads(text)["colour"], str)


def test_a_call_that_there_must_be_needs_no_answer_that_fits(calling):
    choice = ask(calling, EITHER[1], response_format=FORM, tool_choice="required").json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls" and choice["message"]["content"] is None
    choice = ask(calling, EITHER[1], response_format=FORM, tool_choice="none").json()["choices"][0]
    assert "tool_calls" not in choice["message"]


def test_a_tool_whose_arguments_no_grammar_can_rule_may_still_be_called(calling):
    """It need not be: any object will do then; where it must be called that is refused."""
    odd = {"type": "function", "function": {"name": "odd", "parameters": {"not": {}}}}
    body = {"messages": EITHER[1], "tools": [odd, *TOOLS], "response_format": FORM, "max_tokens": 200}
    assert calling.client.post("/v1/chat/completions", json=body).status_code == 200
    assert (
        calling.client.post("/v1/chat/completions", json=body | {"tool_choice": "required"}).status_code
        == 400
    )
