"""The rest of ``trchat ask``: conversations, code blocks, grammars, long conversations, templates."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny_gguf import make
from trchat.storage.conversations import open_history

FAST = ("-t", "0", "-n", "8", "--threads", "1")


def told(here, *args, **kwargs):
    code, out, err = here("ask", "--json", *args, **kwargs)
    assert code == 0, err
    return json.loads(out)


def history():
    """Every message kept, as (conversation, role, text, finish reason, whether interrupted)."""
    store = open_history(print)
    try:
        return [
            (each.id, message.role, message.text, message.finish_reason, message.interrupted)
            for each in reversed(store.conversations())
            for message in store.messages(each.id)
        ]
    finally:
        store.close()


def test_question_and_answer_are_kept(here, tiny_chat):
    answer = told(here, "-m", tiny_chat, *FAST, "-s", "Be brief.", "Hi")
    assert history() == [
        (answer["conversation"], "system", "Be brief.", None, False),
        (answer["conversation"], "user", "Hi", None, False),
        (answer["conversation"], "assistant", answer["text"], answer["finish_reason"], False),
    ]


def test_nothing_is_kept_with_no_save(here, tiny_chat, home):
    assert told(here, "-m", tiny_chat, *FAST, "--no-save", "Hi")["conversation"] is None
    assert history() == []


def test_nothing_is_kept_of_a_question_that_never_got_to_the_model(here, tiny_chat):
    assert here("ask", "-m", tiny_chat, "-c", "256", "word " * 400)[0] == 4
    assert here("ask", "-m", tiny_chat, "--template", "no-such-file", "Hi")[0] == 2
    assert history() == []


def test_a_conversation_goes_on(here, tiny_chat):
    first = told(here, "-m", tiny_chat, *FAST, "One")
    other = told(here, "-m", tiny_chat, *FAST, "Another")
    again = told(here, *FAST, "--continue", str(first["conversation"]), "Two")
    latest = told(here, *FAST, "Three", "--continue")
    assert again["conversation"] == first["conversation"] == latest["conversation"] != other["conversation"]
    assert again["model"] == "Tiny llama"  # the conversation's, not the default
    assert latest["prompt_tokens"] > again["prompt_tokens"] > first["prompt_tokens"]
    texts = [text for each, _role, text, *_ in history() if each == first["conversation"]]
    assert texts == ["One", first["text"], "Two", again["text"], "Three", latest["text"]]


def test_continue_takes_the_question_where_the_id_would_be(here, tiny_chat):
    first = told(here, "-m", tiny_chat, *FAST, "One")
    again = told(here, *FAST, "--continue", "And", "two?")
    assert again["conversation"] == first["conversation"]
    assert "And two?" in [text for _, _, text, *_ in history()]


def test_continue_without_saving_reads_only(here, tiny_chat):
    told(here, "-m", tiny_chat, *FAST, "One")
    before = history()
    more = told(here, *FAST, "--no-save", "--continue", "Two")
    assert more["prompt_tokens"] > 30
    assert history() == before


def test_a_new_system_prompt_takes_the_place_of_the_old(here, tiny_chat):
    first = told(here, "-m", tiny_chat, *FAST, "-s", "S" * 100, "One")
    kept = told(here, *FAST, "--no-save", "--continue", "Two")
    replaced = told(here, *FAST, "--no-save", "-s", "s", "--continue", "Two")
    assert kept["prompt_tokens"] - replaced["prompt_tokens"] == 99
    assert first["conversation"]


def test_a_conversation_whose_model_is_gone_goes_on_with_another(here, tmp_path, tiny_chat, monkeypatch):
    lost = make(tmp_path / "lost.gguf")
    told(here, "-m", lost, *FAST, "One")
    lost.unlink()
    monkeypatch.setenv("TRCHAT_MODEL", str(tiny_chat))
    code, out, err = here("ask", "--json", *FAST, "--continue", "Two")
    assert code == 0
    assert json.loads(out)["prompt_tokens"] > 30
    assert "is gone" in err
    assert err.count("\n") == 1


def test_what_does_not_fit_is_dropped_and_said(here, tiny_chat):
    long = "word " * 20
    told(here, "-m", tiny_chat, *FAST, "-c", "512", long)
    for _ in range(4):
        told(here, *FAST, "-c", "512", "--continue", "1", long)
    code, out, err = here("ask", "--json", *FAST, "-c", "512", "--continue", long)
    assert code == 0
    assert json.loads(out)["dropped_turns"] >= 1
    assert err.startswith("trchat: the conversation is longer than the context: its oldest ")
    assert err.count("\n") == 1
    assert here("ask", "-q", *FAST, "-c", "512", "--continue", long)[2] == ""


def test_the_answer_that_fills_the_context(here, tiny_chat):
    answer = told(here, "-m", tiny_chat, "-t", "0", "--threads", "1", "-c", "256", "x" * 150)
    assert answer["finish_reason"] in ("context", "stop")
    if answer["finish_reason"] == "context":
        assert answer["prompt_tokens"] + answer["completion_tokens"] == 256


def test_a_long_prompt_is_read_in_batches(here, tiny_chat):
    answer = told(here, "-m", tiny_chat, *FAST, input=b"line of text\n" * 120)
    assert answer["prompt_tokens"] > 1024


GRAMMARED = ('root ::= "Here:\\n```py\\nx = 1\\n```\\nand\\n```\\ny\\n```\\n"', "x = 1\n")


def test_only_the_first_code_block_is_printed(here, tiny_chat, tmp_path):
    grammar = tmp_path / "code.gbnf"
    grammar.write_text(GRAMMARED[0])
    args = ("-m", tiny_chat, "-t", "0", "--threads", "1", "--grammar", grammar, "Code!")
    whole = here("ask", *args)
    assert whole[1] == "Here:\n```py\nx = 1\n```\nand\n```\ny\n```\n"
    assert here("ask", "-x", *args) == (0, GRAMMARED[1], "")
    assert told(here, "-x", *args)["text"] == GRAMMARED[1]
    assert history()[-1][2] == whole[1]  # all of it is kept


def test_without_a_code_block_it_is_the_whole_answer_and_said(here, tiny_chat, tmp_path):
    grammar = tmp_path / "plain.gbnf"
    grammar.write_text('root ::= "plain"')
    code, out, err = here("ask", "-x", "-m", tiny_chat, "--threads", "1", "--grammar", grammar, "Hi")
    assert (code, out) == (0, "plain\n")
    assert err == "trchat: there is no code block in the answer; this is all of it\n"


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


def test_reasoning_goes_to_stderr_and_not_into_the_answer(here, tiny_chat, tmp_path):
    opened = make(tmp_path / "r1.gguf", template="{{ messages[0].content }}<think>\n")
    answer = told(here, "-m", opened, *FAST, "Hi")
    assert answer["text"] == ""
    assert len(answer["reasoning"]) > 0
    code, out, err = here("ask", "-m", opened, *FAST, "Hi")
    assert (code, out.strip()) == (0, "")
    assert answer["reasoning"] in err
    assert here("ask", "-q", "-m", opened, *FAST, "Hi")[2] == ""


def test_a_grammar_leaves_no_room_for_reasoning(here, tmp_path):
    opened = make(tmp_path / "r1.gguf", template="{{ messages[0].content }}<think>\n")
    grammar = tmp_path / "plain.gbnf"
    grammar.write_text('root ::= "plain"')
    answer = told(here, "-m", opened, "--threads", "1", "--grammar", grammar, "Hi")
    assert (answer["text"], answer["reasoning"]) == ("plain", None)


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


def test_trouble_with_the_history_is_one_line_and_the_answer_comes(here, tiny_chat, home):
    home.mkdir()
    (home / "conversations.db").write_bytes(b"this is no database" * 500)
    code, out, err = here("ask", "-m", tiny_chat, *FAST, "Hi")
    assert code == 0
    assert out
    assert err.count("\n") == 1
    assert "conversations.db" in err


def test_nobody_imports_textual(tiny_chat):
    code = (
        "import sys; from trchat.cli import main; code = main(sys.argv[1:]);"
        "assert code == 0 and 'textual' not in sys.modules and 'rich' not in sys.modules"
    )
    args = ["ask", "-m", str(tiny_chat), *FAST, "Hi"]
    done = subprocess.run([sys.executable, "-c", code, *args], stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 0, done.stderr


def start(model, *args):
    return subprocess.Popen(
        [sys.executable, "-m", "trchat", "ask", "-m", str(model), "-t", "0", "--threads", "1", *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupted_answer_is_kept_and_marked(demo_model, name):
    number = getattr(signal, name)
    child = start(demo_model, "Write a very long story about the sea.")
    first = child.stdout.read(30)
    child.send_signal(number)
    child.send_signal(number)
    rest, errors = child.communicate(timeout=120)
    assert (child.returncode, errors) == (128 + number, b"")
    _, role, text, reason, _ = history()[-1]
    assert (role, reason) == ("assistant", "cancelled")
    assert (first + rest).decode() == text + "\n"


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_a_killed_answer_is_kept_as_interrupted(demo_model, home):
    child = start(demo_model, "-n", "900", "Write a very long story about the sea.")
    child.stdout.read(1)  # the question is written before the first letter is shown
    child.kill()
    child.communicate(timeout=120)
    rows = history()
    assert [row[1] for row in rows] == ["user", "assistant"]
    assert rows[1][4], "an answer nobody finished counts as interrupted"
    with sqlite3.connect(home / "conversations.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_an_interrupt_while_the_prompt_is_read(tiny_chat, tmp_path):
    long = tmp_path / "long.txt"
    long.write_text("word " * 330)
    child = subprocess.Popen(
        [sys.executable, "-c", WATCHED, "ask", "-m", str(tiny_chat), "-f", str(long), "Sum up."],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert child.stdout.readline() == b"a batch is done\n"
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=120) == (b"", b"")  # no further batch
    assert child.returncode == 130
    assert [row[1:4:2] for row in history()] == [("user", None), ("assistant", "cancelled")]


WATCHED = """
import os, signal, sys
from trchat.cli import main
from trchat.cli.streams import Notices
signals, arrived = os.pipe()
os.set_blocking(arrived, False)
signal.set_wakeup_fd(arrived)
def progress(self, text):
    if text.startswith("reading"):
        print("a batch is done", flush=True)
        os.read(signals, 1)
Notices.progress = progress
sys.exit(main(sys.argv[1:]))
"""


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line_and_the_answer_is_kept(tiny_chat):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "trchat", "ask", "-m", str(tiny_chat), *FAST, "Hi"],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 1
    assert done.stderr == b"trchat: cannot write the answer: No space left on device\n"
    assert history()[-1][3] == "error"
