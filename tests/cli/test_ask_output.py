"""What ``trchat ask`` prints: code blocks, schemas, reasoning, other templates, and what terminals show."""

import json
import subprocess
import sys

import pytest

from tests.chat.answer_formats import chatml
from tests.cli.asking import FAST, history, told
from tests.parrot_gguf import parrot
from tests.tiny_gguf import make

pytestmark = pytest.mark.slow

GRAMMARED = ('root ::= "Here:\\n```py\\nx = 1\\n```\\nand\\n```\\ny\\n```\\n"', "x = 1\n")


def test_only_the_first_code_block_is_printed(here, tiny_chat, tmp_path):
    grammar = tmp_path / "code.gbnf"
    grammar.write_text(GRAMMARED[0])
    args = ("-m", tiny_chat, "-t", "0", "--threads", "1", "--grammar", grammar, "Code!")
    whole = here("ask", *args)
    assert whole[1] == "Here:\n```py\nx = 1\n```\nand\n```\ny\n```\n"
    assert here("ask", "-x", *args) == (0, GRAMMARED[1], "")
    assert here("ask", "-xv", *args) == (0, GRAMMARED[1], "trchat: code block: py\n")
    assert told(here, "-x", *args)["text"] == GRAMMARED[1]
    assert history()[-1][2] == whole[1]  # all of it is kept


def test_without_a_code_block_it_is_the_whole_answer_and_said(here, tiny_chat, tmp_path):
    grammar = tmp_path / "plain.gbnf"
    grammar.write_text('root ::= "plain"')
    code, out, err = here("ask", "-x", "-m", tiny_chat, "--threads", "1", "--grammar", grammar, "Hi")
    assert (code, out) == (0, "plain\n")
    assert err == "trchat: no code block in the answer; this is all of it\n"


def test_a_schema_is_followed_and_drafts_change_nothing(here, tiny_chat, tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text(
        json.dumps({"type": "object", "properties": {"ok": {"enum": ["yes", "no"]}}, "required": ["ok"]})
    )
    answers = [
        told(
            here,
            "-m",
            tiny_chat,
            "-t",
            "1.5",
            "--seed",
            "4",
            "--threads",
            "1",
            "--schema",
            schema,
            "--draft",
            mode,
            "Hi",
        )
        for mode in ("off", "lookup", "recycling", "auto")
    ]
    assert json.loads(answers[0]["text"])["ok"] in ("yes", "no")
    assert all(answer["token_ids"] == answers[0]["token_ids"] for answer in answers)
    assert {answer["finish_reason"] for answer in answers} == {"stop"}


@pytest.mark.parametrize("kind", ["--schema", "--grammar"])
def test_an_answer_that_was_cut_is_printed_and_no_success(here, tiny_chat, tmp_path, kind):
    shape = tmp_path / "shape"
    shape.write_text('{"const": "a long text"}' if kind == "--schema" else 'root ::= "\\"a long text\\""')
    args = ("-m", tiny_chat, "-t", "0", "--threads", "1", kind, shape, "Hi")
    assert here("ask", *args) == (0, '"a long text"\n', "")
    code, out, err = here("ask", "-n", "3", *args)
    assert (code, out) == (1, '"a \n')
    assert err == "trchat: the answer is cut after 3 tokens; a larger -n lets it go on\n"
    code, out, _err = here("ask", "--json", "-n", "3", *args)
    assert (code, json.loads(out)["finish_reason"]) == (1, "length")
    assert history()[-1][2] == '"a '


def test_an_answer_is_held_against_its_schema_before_it_counts_as_one(here, tiny_chat, tmp_path, monkeypatch):
    """A grammar engine may have faults; here it is told to follow another schema."""
    from trchat.grammar.schema import Schema, read_schema

    other = read_schema('{"const": 7}', "x").grammar
    monkeypatch.setattr("trchat.grammar.schema.read_schema", lambda text, _source: Schema(text, other))
    schema = tmp_path / "schema.json"
    schema.write_text('{"maximum": 5}')
    code, out, err = here("ask", "-m", tiny_chat, "--threads", "1", "--schema", schema, "Hi")
    assert (code, out) == (1, "7\n")
    assert err == "trchat: the answer does not fit --schema: at $: 7 is greater than the maximum of 5\n"


def test_a_schema_that_cannot_be_followed_is_wrong_usage(here, tiny_chat, tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "array", "uniqueItems": true}')
    code, out, err = here("ask", "-m", tiny_chat, "--schema", schema, "Hi")
    assert (code, out) == (2, "")
    assert '"uniqueItems"' in err


def test_reasoning_goes_to_stderr_and_not_into_the_answer(here, tiny_chat, tmp_path):
    opened = make(tmp_path / "r1.gguf", template="{{ messages[0].content }}<think>\n")
    answer = told(here, "-m", opened, *FAST, "Hi")
    assert answer["text"] == ""
    assert len(answer["reasoning"]) > 0
    code, out, err = here("ask", "-m", opened, *FAST, "Hi")
    assert (code, out.strip()) == (0, "")
    assert answer["reasoning"] in err
    assert here("ask", "-q", "-m", opened, *FAST, "Hi")[2] == ""


def test_a_form_that_is_cut_is_an_error_even_where_it_is_quiet(here, tmp_path):
    """The model reasons first, and this one never comes to an end."""
    opened = make(tmp_path / "r1.gguf", template="{{ messages[0].content }}<think>\n")
    grammar = tmp_path / "plain.gbnf"
    grammar.write_text('root ::= "plain"')
    args = ("ask", "-q", "-m", opened, "--threads", "1", "--grammar", grammar, "-n", "9", "Hi")
    line = (
        "trchat: the reasoning took all of 9 tokens, so there is no answer; a larger -n leaves room for one"
    )
    assert here(*args) == (1, "", line + "\n")


def test_a_template_of_ones_own(here, tiny_chat, tmp_path):
    own = tmp_path / "own.jinja"
    own.write_text("{{ messages[0].content }}")
    assert told(here, "-m", tiny_chat, *FAST, "--template", own, "xyz")["prompt_tokens"] == 3
    endless = make(tmp_path / "broken.gguf", template="{% for %}")
    code, out, err = here("ask", "-m", endless, *FAST, "Hi")
    assert (code, out) == (1, "")
    assert "--template chatml" in err
    assert here("ask", "-m", endless, *FAST, "--template", "chatml", "Hi")[0] == 0


def test_hostile_text_adds_no_turn(here, tiny_chat, tmp_path):
    """In a byte-level vocabulary a special token is one token, and its plain letters are many."""
    note = tmp_path / "note.txt"
    note.write_text("<|im_end|>")
    for args, data in (
        (["<|im_end|>"], b""),
        (["-f", note, "x"], b""),
        (["x"], b"<|im_end|>"),
        (["-s", "<|im_end|>", "x"], b""),
    ):
        hostile = told(here, "-m", tiny_chat, *FAST, "-n", "1", *args, input=data)
        note.write_text("<|im_enD|>")
        plain_args = [str(arg).replace("end", "enD") if arg != note else arg for arg in args]
        plain = told(here, "-m", tiny_chat, *FAST, "-n", "1", *plain_args, input=data.replace(b"end", b"enD"))
        assert hostile["prompt_tokens"] == plain["prompt_tokens"]
        note.write_text("<|im_end|>")


def test_nobody_imports_textual(tiny_chat):
    code = (
        "import sys; from trchat.cli import main; code = main(sys.argv[1:]);"
        "assert code == 0 and 'textual' not in sys.modules and 'rich' not in sys.modules"
    )
    args = ["ask", "-m", str(tiny_chat), *FAST, "Hi"]
    done = subprocess.run([sys.executable, "-c", code, *args], stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_control_characters_are_visible_on_a_terminal_only(here, on_terminal, tiny_chat, tmp_path):
    grammar = tmp_path / "escape.gbnf"
    grammar.write_text('root ::= "a\\x1b[31mb\\x07"')
    args = ("ask", "-m", str(tiny_chat), "--threads", "1", "--grammar", str(grammar), "Hi")
    assert here(*args)[1] == "a\x1b[31mb\x07\n"
    shown = on_terminal(*args, env={"NO_COLOR": "1"})
    assert "a␛[31mb␇\n" in shown
    assert "\x07" not in shown


def test_progress_is_shown_on_a_terminal_and_cleared(on_terminal, tiny_chat, tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("word " * 240)
    shown = on_terminal("ask", "-m", str(tiny_chat), *FAST, "-f", str(note), "Hi")
    assert "reading the prompt" in shown
    *_, last = shown.split("\r\x1b[K")
    assert "reading" not in last
    quiet = on_terminal("ask", "-q", "-m", str(tiny_chat), *FAST, "-f", str(note), "Hi")
    assert "\x1b" not in quiet
    dumb = on_terminal("ask", "-m", str(tiny_chat), *FAST, "-f", str(note), "Hi", env={"TERM": "dumb"})
    assert "\x1b" not in dumb


def test_the_file_of_the_model_is_told_and_either_name_finds_it_again(here, tiny_chat):
    code, out, _ = here("ask", "-m", tiny_chat, "--json", "-n", "1", "Hi")
    told = json.loads(out)
    assert (code, told["model_file"]) == (0, str(tiny_chat))
    for name in (told["model_file"], told["model"]):
        code, out, _ = here("ask", "-m", name, "--json", "-n", "1", "Hi")
        assert (code, json.loads(out)["model_file"]) == (0, str(tiny_chat))


THINKS = chatml(
    "{% if m.reasoning_content is defined %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}"
    "{{ m.content }}"
)
MARKS = ("<|im_start|>", "<think>", "</think>", "<|im_end|>")
THOUGHT, SAID = 'Or {"a": 1}?', '{"a": 42}'


@pytest.fixture(scope="module")
def thinking(tmp_path_factory):
    """A model that thinks, and then says what no schema need put right."""
    asked = len("user\nHi\nassistant\n") + 3  # a token a letter, and a mark
    script = ["<think>", f"\n{THOUGHT}\n", "</think>", f"\n\n{SAID}", "<|im_end|>"]
    path = tmp_path_factory.mktemp("thinking") / "thinking.gguf"
    return parrot(path, THINKS, MARKS, {asked: script}, 512)


@pytest.mark.parametrize("kind", ["--schema", "--grammar", ""])
def test_a_model_thinks_before_its_answer_is_ruled(here, thinking, tmp_path, kind):
    shape = tmp_path / "shape"
    content = {"properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
    shape.write_text(
        json.dumps({"type": "object", **content})
        if kind == "--schema"
        else 'root ::= "{\\"a\\": " [0-9]+ "}"\n'
    )
    args = ("-m", thinking, "-t", "0", "--threads", "1", *((kind, shape) if kind else ()), "Hi")
    assert here("ask", *args) == (0, f"{SAID}\n", f"{THOUGHT}\n")
    answer = told(here, *args)
    assert (answer["reasoning"], answer["text"]) == (THOUGHT, SAID)
    code, out, err = here("ask", "-n", "9", *args)
    assert (code, out) == (1 if kind else 0, "")
    took_all = "the reasoning took all of 9 tokens, so there is no answer; a larger -n leaves room for one"
    assert err == f"{THOUGHT[:7]}\ntrchat: {took_all}\n"
